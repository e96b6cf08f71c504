/*
 * waiter.h - one call of a task that waits for the first of several things
 *
 * Layer      runtime, inside only
 * Threads    made and left by a task; claimed and woken from any thread
 * Memory     on the stack of the task that waits
 * Invariant  whoever claims a waiter wakes it, once, and touches it no more
 *            after that; nobody else touches it but to fail a claim under the
 *            lock of a list that it stands on. So it may be left when it was
 *            woken, or when its own task has claimed it and has taken it off
 *            every list under that list's lock.
 */
#pragma once

#include <stdatomic.h>

#include "runtime/worker.h"

/* Claims are positive: which of the things came. */
#define WAITER_LEFT (-1) /* by its own task: a deadline, a cancel */

struct waiter {
	struct inbox_item item; /* its way home; chains those to be woken */
	struct task *task;
	uint32_t worker;
	bool shared; /* other threads may claim it */
	bool woken; /* its own worker's */
	_Atomic int32_t claim; /* 0: nobody's */
};

void waiter_run(struct inbox_item *item);

/* For the calling task. */
static inline void
waiter_init(struct waiter *waiter, bool shared)
{
	struct worker *worker = worker_here;

	waiter->item.run = waiter_run;
	waiter->task = worker->current;
	waiter->worker = worker->index;
	waiter->shared = shared;
	waiter->woken = false;
	atomic_init(&waiter->claim, 0);
}

/* True when nobody had claimed it. */
static inline bool
waiter_claim(struct waiter *waiter, int32_t claim)
{
	int32_t nobody = 0;

	if (waiter->shared)
		return atomic_compare_exchange_strong_explicit(&waiter->claim,
		    &nobody, claim, memory_order_acq_rel, memory_order_relaxed);
	if (atomic_load_explicit(&waiter->claim, memory_order_relaxed) != 0)
		return false;
	atomic_store_explicit(&waiter->claim, claim, memory_order_relaxed);
	return true;
}

/* After a claim; any thread. @waiter may be gone when it returns. */
void waiter_wake(struct waiter *waiter);

/*
 * Park until it is woken. Returns 0; or why not, and then it is claimed with
 * WAITER_LEFT and still has to be taken off its lists. When a claim came
 * before the deadline or the cancel could, that has happened: 0.
 */
SUSPENDS MUST_CHECK int
waiter_wait(struct waiter *waiter, const char *reason, instant deadline);

/* Waiters that were claimed under a lock, to be woken after it, in order. */
struct waiters {
	struct inbox_item *first;
	struct inbox_item **last;
};

static inline void
waiters_init(struct waiters *waiters)
{
	waiters->last = &waiters->first;
}

static inline void
waiters_add(struct waiters *waiters, struct waiter *waiter)
{
	*waiters->last = &waiter->item;
	waiters->last = &waiter->item.next;
}

void waiters_wake(struct waiters *waiters);
