/*
 * public/local.c - <weir/local.h> over the runtime
 */
#include <weir/local.h>

#include "runtime/local.h"
#include "runtime/worker.h"

int
weir_defer(void (*fn)(void *arg), void *arg)
{
	(void)task_required(__func__);
	return task_defer(fn, arg);
}

void
weir_defer_pop(bool call)
{
	(void)task_required(__func__);
	task_defer_pop(call);
}

int
weir_key_new(struct weir_key *ret_key, void (*destroy)(void *value))
{
	struct task_key key;
	int error = task_key_new(&key, destroy);

	if (error == 0)
		ret_key->index = key.index;
	return error;
}

void *
weir_local_get(struct weir_key key)
{
	return task_local_get((struct task_key){key.index});
}

int
weir_local_set(struct weir_key key, void *value)
{
	(void)task_required(__func__);
	return task_local_set((struct task_key){key.index}, value);
}

void *
weir_alloc(size_t bytes)
{
	(void)task_required(__func__);
	return task_alloc(bytes);
}
