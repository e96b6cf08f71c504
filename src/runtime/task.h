/*
 * task.h - tasks: straight-line code with a stack of its own
 *
 * Layer      runtime
 * Threads    a task belongs to the worker that started it and never changes
 *            thread; nothing here may be called from another thread
 * Memory     a stack from the worker's arena (guarded, pooled), the control
 *            block at its top; a parked task is one page
 * Cost       of a start and a join, of a yield: see docs/benchmarks.md
 * Invariant  a task ends only by returning; cancellation is an error code of
 *            the suspending calls, so the ordinary path is the clean-up path
 * Sources    docs of trio (level-triggered cancel scopes), libdill
 */
#pragma once

#include "base/cc.h"
#include "base/list.h"
#include "base/time.h"

struct task;
struct task_handle;
struct scope;

typedef int (*task_fn)(void *arg);

/*
 * A scope owns tasks. It ends only when all of them have ended, and what was
 * cancelled or timed out in it stays so (level-triggered): every suspending
 * call of its tasks fails until they are gone.
 *
 * In the caller's memory; valid from scope_init() to the end of scope_fini().
 * It rules the tasks started in it and what they start below, not the calls of
 * the task that opened it. scope_init() and scope_fini() need not nest.
 */
struct scope {
	struct scope *parent;
	struct task *owner;
	instant deadline; /* the earliest of its own and its parents' */
	struct list tasks;
	struct list children; /* scopes inside this one */
	struct list sibling;
	struct task *waiter;
	int cancelled; /* 0, or the error every suspending call returns */
	int first_error; /* of a task that ended with one */
	unsigned live;
	unsigned daemons; /* of those */
};

/*
 * scope_init - open a scope inside the scope the calling task runs in
 *
 * @deadline  absolute; the effective one is the earlier of this and the
 *            parent's. After it, calls of the scope's tasks return -ETIMEDOUT.
 */
void scope_init(struct scope *scope, instant deadline);

/* Wait for every task of the scope, without stopping any but daemons.
 * Returns the first error of a task, or 0; -ECANCELED, -ETIMEDOUT when the
 * calling task itself was stopped while it waited. */
SUSPENDS int scope_wait(struct scope *scope);

/* Stop what still runs, wait for it, close the scope. The waiting cannot be
 * cancelled: when it returns nothing of the scope runs any more.
 * Returns the first error of a task that ended before it was stopped, or 0. */
SUSPENDS int scope_fini(struct scope *scope);

/* Make every suspending call of the scope's tasks return @error
 * (-ECANCELED if 0), now and from here on. Does not wait. */
void scope_cancel(struct scope *scope, int error);

/*
 * task_start - start @fn(@arg) as a task of @scope on this worker
 *
 * @scope  NULL: the worker's root scope (a detached task; cancelled at the
 *         end of the runtime)
 * @name   static text for dumps and crash lines
 *
 * Returns 0, -EAGAIN (task limit reached), -ENOMEM. Never suspends: the task
 * runs when the caller next suspends or its slice ends.
 */
#define task_start(scope, name, fn, arg)                                       \
	task_start_at((scope), (name), (fn), (arg), __FILE__, __LINE__)
MUST_CHECK int task_start_at(struct scope *scope, const char *name, task_fn fn,
    void *arg, const char *file, int line);

struct task_options {
	const char *name; /* static text */
	struct task_handle *handle; /* for task_join(), see join.h; or NULL */
	/* Serves the others: it is cancelled once the owner waits for the
	 * scope (scope_wait(), scope_fini()) and no other task is left in it.
	 * In the root scope: at the end of the runtime, like every task. */
	bool daemon;
	/* It is idle when it has waited so long for I/O or slept, and shrinks:
	 * see shrink.h. 0: never. */
	int64_t shrink_ns;
	bool handle_begun; /* by worker_start_handle() alone */
};

/* As task_start(), with more said. @options is read before it returns. */
#define task_start_with(scope, options, fn, arg)                               \
	task_start_with_at((scope), (options), (fn), (arg), __FILE__, __LINE__)
MUST_CHECK int
task_start_with_at(struct scope *scope, const struct task_options *options,
    task_fn fn, void *arg, const char *file, int line);

struct task *task_self(void); /* NULL outside a task */

/* Let the others run. Returns 0, or the cancel error of the scope. */
SUSPENDS int task_yield(void);

/* For loops that compute: has the turn in which this task runs lasted for
 * TASK_YIELD_NS? Reads the clock, about 25 ns. */
#define TASK_YIELD_NS 500000
bool task_need_yield(void);

/* Bytes of its stack that the calling task has ever used; 0 unless the
 * environment had WEIR_STACK_REPORT at the start of the runtime, which then
 * says at its end, to stderr, how deep the tasks of each place went. */
size_t task_stack_high(void);

/* Returns 0 when @when has come, or the cancel error of the scope. */
SUSPENDS int task_sleep_until(instant when);
SUSPENDS int task_sleep(duration how_long);

/* 0, or the error that every suspending call would return now. */
int task_cancelled(void);

/* Until task_unshield(), the calls of this task ignore cancellation, for at
 * most @budget: bounded clean-up. Shields nest by count; the outer one's
 * deadline holds. */
void task_shield(duration budget);
void task_unshield(void);

/*
 * NOSUSPEND { ... }: the scheduler ends the process if a task switch happens
 * inside the block.
 */
void nosuspend_enter(void);
void nosuspend_leave(void);
#define NOSUSPEND                                                              \
	for (int nosuspend_ = (nosuspend_enter(), 1); nosuspend_;              \
	     nosuspend_ = (nosuspend_leave(), 0))

/*
 * Low level: park the calling task until somebody calls task_wake() on it
 * (same worker), its deadline passes or its scope is cancelled.
 *
 * Returns 0 (woken), -ETIMEDOUT, or the cancel error of the scope. A wake and
 * a cancel may race: the caller looks at its own state to tell.
 */
SUSPENDS MUST_CHECK int task_park(const char *reason, instant deadline);

/* As task_park(), but neither cancellation nor a deadline ends it. */
SUSPENDS void task_park_uncancellable(const char *reason);

/* Make a parked task ready. Waking a task that is not parked is remembered
 * for its next park, once. */
void task_wake(struct task *task);
