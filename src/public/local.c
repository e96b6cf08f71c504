/*
 * public/local.c - <weir/local.h> over the runtime
 */
#include <weir/local.h>

#include "runtime/local.h"

int
weir_defer(void (*fn)(void *arg), void *arg)
{
	return task_defer(fn, arg);
}

void
weir_defer_pop(bool call)
{
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
	return task_local_set((struct task_key){key.index}, value);
}

void *
weir_alloc(size_t bytes)
{
	return task_alloc(bytes);
}
