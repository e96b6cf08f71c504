/*
 * future.h - a result that will be there, set once, awaited by many
 *
 * Layer      runtime
 * Threads    set from any thread; awaited by tasks of any worker
 * Memory     one block, counted: who sets it and who waits hold a reference
 * Cost       a lock; a message to each worker where a task waits
 */
#pragma once

#include "base/cc.h"
#include "base/time.h"

/* Futures of one future_wait_any(). */
#define FUTURE_ANY_MAX 64

struct future;

/* With one reference. Returns 0 or -ENOMEM. */
MUST_CHECK int future_new(struct future **ret_future);
struct future *future_ref(struct future *future);
void future_unref(struct future *future); /* NULL: nothing */

/* A result (below 0: an error) and a value, which stays the caller's. Returns
 * 0, or -EALREADY: it was set before, and keeps what it had. Any thread. */
int future_set(struct future *future, int result, void *value);

/* Any thread. */
bool future_is_set(const struct future *future);

/*
 * future_wait - until it is set
 *
 * @ret_result  what it was set to; @ret_value too; each may be NULL
 * @deadline    instant_past() only looks
 *
 * Suspends   unless it is set
 * Returns    0, -ETIMEDOUT, the cancel error
 */
SUSPENDS MUST_CHECK int future_wait(
    struct future *future, int *ret_result, void **ret_value, instant deadline);

/* Until all are set. Returns as future_wait(). */
SUSPENDS MUST_CHECK int future_wait_all(
    struct future *const *futures, unsigned count, instant deadline);

/* Until one is set. Returns its index, the lowest of those that are;
 * -ETIMEDOUT, the cancel error, -E2BIG (more than FUTURE_ANY_MAX), -EINVAL
 * (none). */
SUSPENDS MUST_CHECK int future_wait_any(
    struct future *const *futures, unsigned count, instant deadline);
