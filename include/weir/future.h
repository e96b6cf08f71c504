/*
 * weir/future.h - a result that will be there: set once, awaited by many
 *
 * Counted: who sets it and who waits hold a reference each.
 */
#ifndef WEIR_FUTURE_H
#define WEIR_FUTURE_H

#include <weir/api.h>
#include <weir/time.h>

WEIR_BEGIN

struct weir_future;

/* Futures of one weir_future_wait_any(). */
#define WEIR_FUTURES_MAX 64

/* With one reference. Returns 0 or -ENOMEM. */
WEIR_API WEIR_MUST_CHECK int weir_future_new(struct weir_future **ret_future);
/* One more reference, which is returned. */
WEIR_API struct weir_future *weir_future_ref(struct weir_future *future);
/* NULL: nothing. */
WEIR_API void weir_future_unref(struct weir_future *future);

/* A result (below 0: an error) and a value, which stays the caller's; from any
 * thread. Returns 0; -EALREADY: it was set before and keeps what it had. */
WEIR_API int
weir_future_set(struct weir_future *future, int result, void *value);

WEIR_API bool weir_future_is_set(const struct weir_future *future);

/*
 * Suspends until it is set; WEIR_PAST only looks. *@ret_result and *@ret_value
 * (each may be NULL) are what it was set to.
 *
 * Returns 0, -ETIMEDOUT, or why the task was stopped.
 */
WEIR_API WEIR_MUST_CHECK int weir_future_wait(struct weir_future *future,
    int *ret_result, void **ret_value, weir_time deadline);
/* Suspends until all are set. Returns as weir_future_wait(). */
WEIR_API WEIR_MUST_CHECK int weir_future_wait_all(
    struct weir_future *const *futures, unsigned count, weir_time deadline);
/* Suspends until one is set. Returns its index, the lowest of those that are;
 * -ETIMEDOUT; why the task was stopped; -E2BIG (more than WEIR_FUTURES_MAX);
 * -EINVAL (none). */
WEIR_API WEIR_MUST_CHECK int weir_future_wait_any(
    struct weir_future *const *futures, unsigned count, weir_time deadline);

WEIR_END

#endif
