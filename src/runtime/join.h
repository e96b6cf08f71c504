/*
 * join.h - waiting for one task, and stopping one
 *
 * Layer      runtime
 * Threads    a handle may be used from any worker; what is in it belongs to
 *            the worker of its task, others ask there by its inbox
 * Memory     the caller's, in place until the task has ended and every join
 *            has returned, or task_detach()
 * Cost       nothing for a task without one; a join parks once
 * Invariant  a handle that was given to a start that succeeded ends exactly
 *            once; every join of it gets the same result
 */
#pragma once

#include "base/cc.h"
#include "base/list.h"
#include "base/time.h"
#include "runtime/task.h"

struct task_handle {
	struct task *task; /* NULL: it has ended, or has not begun */
	struct list waiters;
	unsigned worker; /* of the task; set before the start returns */
	int result; /* what the task returned, once ended */
	bool ended;
};

/*
 * One who waits for the end of a task, in his own memory while he is on the
 * list. At the end `fired` is set and `task` is woken; or `fire` is called if
 * it is not NULL, on the loop or in the task that ends: it must not suspend.
 * A select over several things puts one of these on each handle, looks at
 * `fired` when it is woken, and takes all of them off again.
 */
struct task_waiter {
	struct list node;
	struct task *task;
	void (*fire)(struct task_waiter *waiter);
	int result; /* of the task, once fired */
	bool fired;
};

/*
 * task_join - wait until the task of @handle has ended
 *
 * @ret_result  what its function returned; may be NULL
 * @deadline    instant_past() only looks
 *
 * Any number may join, also later and from other workers. Tasks of one worker
 * that would wait for each other in a circle are told.
 *
 * Suspends   unless it has ended
 * Returns    0, -ETIMEDOUT, -EDEADLK (itself, or a circle), the cancel error
 */
SUSPENDS MUST_CHECK int
task_join(struct task_handle *handle, int *ret_result, instant deadline);

/*
 * task_cancel - make every suspending call of this one task return @error
 * (-ECANCELED if 0) from here on, as scope_cancel() does for all of a scope
 *
 * What it has started is not stopped by this, but by its scope_fini(). No
 * effect on a task that has ended. Suspends only when the task is another
 * worker's; that cannot be cancelled and takes a turn of that worker's loop.
 */
SUSPENDS void task_cancel(struct task_handle *handle, int error);

/* Nobody joins any more and nobody is joining: @handle may be freed, the task
 * goes on. Of this worker's tasks only. */
void task_detach(struct task_handle *handle);

/* For select: on this worker's handles only. Fires at once when the task has
 * ended. Taking off one that fired does nothing. */
void task_waiter_add(struct task_handle *handle, struct task_waiter *waiter);
void task_waiter_remove(struct task_waiter *waiter);

/*
 * worker_start_handle - as worker_start_on(), and @handle can be joined
 * When the start fails there, the handle ends with that error as its result.
 */
#define worker_start_handle(worker, handle, name, fn, arg)                     \
	worker_start_at(                                                       \
	    (worker), (handle), (name), (fn), (arg), __FILE__, __LINE__)
