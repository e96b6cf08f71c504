/*
 * sync_core.h - what all locks have in common: a queue of waiting tasks
 *
 * Layer      runtime, inside only
 * Threads    any worker; give and done of semaphores and wait groups: any
 *            thread
 * Memory     a waiter is on the stack of its task
 * Invariant  a waiter is in the queue, or granted and its wake is on the way
 *            or there. Its frame is left only when it was taken out of the
 *            queue, ungranted, under the lock, or when the wake has arrived.
 *
 * Whoever makes something free gives it to those at the head of the queue at
 * once, so that nobody overtakes. Who was given something and stopped at the
 * same time keeps it: the call succeeds, the next one tells.
 */
#pragma once

#include "runtime/step.h"
#include "runtime/sync.h"
#include "runtime/worker.h"

enum sync_kind {
	SYNC_NONE, /* memory that nobody initialised */
	/* These have owners. */
	SYNC_MUTEX,
	SYNC_REENTRANT,
	SYNC_RWLOCK,
	SYNC_ONCE,
	SYNC_OWNED_LAST = SYNC_ONCE,
	SYNC_CONDITION,
	SYNC_BARRIER,
	SYNC_SEMAPHORE,
	SYNC_WAIT_GROUP,
};

struct sync_waiter {
	struct sync_waiter *next;
	struct sync_waiter *prev;
	struct inbox_item item;
	struct sync *sync;
	struct task *task;
	struct lock_hold *hold; /* that it was given */
	const char *file;
	int line;
	unsigned worker;
	uint64_t want; /* semaphore: how many; rwlock: 1 to write */
	bool owned; /* waits for something that somebody holds */
	bool granted; /* under the lock */
	bool arrived; /* the wake, on the waiter's worker */
};

/* Those that were granted something under a lock, to be woken after it. */
struct sync_wakes {
	struct sync_waiter *first;
	struct sync_waiter **last;
};

/* Returns when it is worth to try again. */
COLD void sync_spin(_Atomic uint32_t *busy);

/* Held for some tens of instructions, never across a suspension. */
static inline void
sync_busy_enter(_Atomic uint32_t *busy)
{
	while (unlikely(step_exchange(busy, 1, memory_order_acquire) != 0))
		step_spin(busy);
}

static inline void
sync_busy_leave(_Atomic uint32_t *busy)
{
	step_store(busy, 0, memory_order_release);
}

/* The fields of @sync and its queue are looked at between these. */
static inline void
sync_enter(struct sync *sync)
{
	sync_busy_enter(&sync->busy);
}

static inline void
sync_leave(struct sync *sync)
{
	sync_busy_leave(&sync->busy);
}

/* Take @waiter from the queue of its @sync into @wakes; inside. */
void sync_grant(struct sync_waiter *waiter, struct sync_wakes *wakes);
/* Outside: @wakes may go on, and what they waited for may be gone. */
void sync_wake_all(struct sync_waiter *first);
static inline void
sync_wake(const struct sync_wakes *wakes)
{
	if (unlikely(wakes->first != NULL))
		sync_wake_all(wakes->first);
}

/* Grants of what is free, to the head of the queue and on; inside. */
typedef void (*sync_serve_fn)(struct sync *sync, struct sync_wakes *wakes);

/*
 * sync_wait - wait in the queue of @waiter->sync; called inside, leaves
 *
 * @serve  called when this waiter leaves the queue and others may go ahead
 *
 * Returns 0 (granted), -ETIMEDOUT, -EDEADLK or the cancel error.
 */
SUSPENDS MUST_CHECK int sync_wait(struct sync_waiter *waiter,
    sync_serve_fn serve, const char *reason, instant deadline);
/* The same in two steps, with something to be done in between: inside, leaves;
 * then the waiting. */
void sync_enqueue(struct sync_waiter *waiter);
SUSPENDS MUST_CHECK int sync_wait_queued(struct sync_waiter *waiter,
    sync_serve_fn serve, const char *reason, instant deadline);
/* As sync_wait(), until granted. */
SUSPENDS void sync_wait_surely(struct sync_waiter *waiter, const char *reason);

/* The calling task now has @hold, or has it no more. The list of what a task
 * holds belongs to the task: who is given a lock enters it when it runs. */
static inline void
lock_hold_enter(struct lock_hold *hold)
{
	hold->next = hold->task->holds;
	hold->task->holds = hold;
}

static inline void
lock_hold_leave(struct lock_hold *hold)
{
	struct lock_hold **at = &hold->task->holds;

	while (unlikely(*at != hold))
		at = &(*at)->next;
	*at = hold->next;
}

/* The mutex of a condition; the caller holds it, and is not stopped while it
 * waits for it again. @file and @line: of the wait for the condition. */
void mutex_release(struct mutex *m);
SUSPENDS void
mutex_lock_surely(struct mutex *m, unsigned depth, const char *file, int line);

/* The next holder of @sync; *@index begins with 0. NULL: no more. Inside. */
struct lock_hold *lock_holder(struct sync *sync, unsigned *index);

const char *sync_kind_name(int kind);

/* 0 when @sync @is_kind and the caller a task that was not stopped; else the
 * error of the call. */
int sync_check_fully(const struct sync *sync, bool is_kind, const char *call);
static inline int
sync_check(const struct sync *sync, bool is_kind, const char *call)
{
	const struct worker *worker = worker_here;
	const struct task *self;

	if (unlikely(!is_kind || worker == NULL || worker->current == NULL))
		return sync_check_fully(sync, is_kind, call);
	self = worker->current;
	if (likely((self->scope->cancelled | self->cancelled) == 0 &&
		instant_before(worker->now, self->scope->deadline)))
		return 0;
	return task_stop_error(self, worker->now);
}

/* A mistake of the caller of @call: reports it, returns @error. */
COLD int sync_misuse(
    const struct sync *sync, int error, const char *call, const char *why);
