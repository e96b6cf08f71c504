/*
 * weir/local.h - what belongs to one task: ends, values, memory
 *
 * At the end of a task, also of one that was stopped: its deferred calls run,
 * the last first, each exactly once; then the destructors of its values; then
 * its memory is freed; then those are told that join it.
 */
#ifndef WEIR_LOCAL_H
#define WEIR_LOCAL_H

#include <weir/api.h>

WEIR_BEGIN

/*
 * Have @fn(@arg) called when the calling task ends. It runs in the task and may
 * suspend; in a task that was stopped suspending calls fail at once, so what
 * must wait opens a weir_shield(). Returns 0, -ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK int weir_defer(void (*fn)(void *arg), void *arg);

/* Take the last one back that is still to run; @call: run it now. */
WEIR_API void weir_defer_pop(bool call);

/* A key stands for one value in every task. */
struct weir_key {
	unsigned index;
};

/* For the whole process, for ever; 32 at most. @destroy (may be NULL) gets the
 * value of a task that ends unless it is NULL. Returns 0, -EAGAIN. */
WEIR_API WEIR_MUST_CHECK int
weir_key_new(struct weir_key *ret_key, void (*destroy)(void *value));

/* The calling task's value; NULL until it is set, and outside a task. */
WEIR_API void *weir_local_get(struct weir_key key);
/* Returns 0, -ENOMEM. */
WEIR_API WEIR_MUST_CHECK int weir_local_set(struct weir_key key, void *value);

/* Memory until the calling task ends, 16-byte aligned, not zeroed; NULL when
 * there is none. */
WEIR_API void *weir_alloc(size_t bytes);

WEIR_END

#endif
