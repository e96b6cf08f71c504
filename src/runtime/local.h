/*
 * local.h - what belongs to one task: things to do at its end, values, memory
 *
 * Layer      runtime
 * Threads    the calling task only; keys are made on any thread
 * Memory     nothing for a task that uses none of it; else one block of the
 *            heap (about 400 bytes) with room for the first allocations
 * Limits     TASK_KEYS_MAX keys in a process, then -EAGAIN
 * Invariant  at the end of a task, also of a cancelled one: its defers run, the
 *            last first, each exactly once; then the destructors of its
 *            values; then its memory is freed; then who joins it is told
 */
#pragma once

#include "base/cc.h"

#define TASK_KEYS_MAX 32

/*
 * task_defer - have @fn(@arg) called when the calling task ends
 *
 * It runs in the task and may suspend. In a task that was cancelled suspending
 * calls fail at once, so clean-up that must wait opens a task_shield().
 *
 * Returns    0, -ENOMEM (nothing will be called)
 */
MUST_CHECK int task_defer(void (*fn)(void *arg), void *arg);

/* Take the last one back that is still to run; @call: run it now. */
SUSPENDS void task_defer_pop(bool call);

struct task_key {
	unsigned index;
};

/* A key for the whole process, for ever. @destroy (may be NULL) gets a task's
 * value at its end unless that is NULL; it may suspend. Returns 0, -EAGAIN. */
MUST_CHECK int
task_key_new(struct task_key *ret_key, void (*destroy)(void *value));

/* NULL until it is set, and outside a task. */
void *task_local_get(struct task_key key);
/* Returns 0, -ENOMEM. */
MUST_CHECK int task_local_set(struct task_key key, void *value);

/* Memory until the task ends, 16-byte aligned; NULL when there is none. */
void *task_alloc(size_t bytes);
