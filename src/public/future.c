/*
 * public/future.c - <weir/future.h> over the runtime
 */
#include <weir/future.h>

#include "public/inner.h"
#include "runtime/future.h"

_Static_assert(WEIR_FUTURES_MAX == FUTURE_ANY_MAX, "");

int
weir_future_new(struct weir_future **ret_future)
{
	return future_new((struct future **)ret_future);
}

struct weir_future *
weir_future_ref(struct weir_future *future)
{
	future_ref(inner_future(future));
	return future;
}

void
weir_future_unref(struct weir_future *future)
{
	future_unref(inner_future(future));
}

int
weir_future_set(struct weir_future *future, int result, void *value)
{
	return future_set(inner_future(future), result, value);
}

bool
weir_future_is_set(const struct weir_future *future)
{
	return future_is_set((const struct future *)future);
}

int
weir_future_wait(struct weir_future *future, int *ret_result, void **ret_value,
    weir_time deadline)
{
	(void)task_required(__func__);
	return future_wait(
	    inner_future(future), ret_result, ret_value, inner_time(deadline));
}

int
weir_future_wait_all(
    struct weir_future *const *futures, unsigned count, weir_time deadline)
{
	(void)task_required(__func__);
	return future_wait_all(
	    (struct future *const *)futures, count, inner_time(deadline));
}

int
weir_future_wait_any(
    struct weir_future *const *futures, unsigned count, weir_time deadline)
{
	(void)task_required(__func__);
	return future_wait_any(
	    (struct future *const *)futures, count, inner_time(deadline));
}
