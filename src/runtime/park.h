/*
 * park.h - how a task leaves its worker and becomes ready again
 *
 * Layer      runtime, inside only
 * Cost       a part of every call that suspends, and so inline: what a switch
 *            costs is mostly the calls around it
 *
 * Whatever suspends ends in worker_leave() or, in a yield, in the same inline;
 * nothing else switches. Two tasks that hand over to each other should come to
 * it by the same calls: the processor predicts the returns of one by the calls
 * of the other.
 */
#pragma once

#include <errno.h>

#include "runtime/misuse.h"
#include "runtime/switch.h"
#include "runtime/worker.h"

/* The stack of a task that ended can be given back only from another one. */
void worker_bury(struct worker *worker);

/* First thing after a switch, on the new stack. */
static inline void
worker_switched(struct worker *worker)
{
	struct task *task = worker->current;

	sanitize_switch_finish(task != NULL ? &task->context : &worker->loop);
	if (unlikely(worker->ended != NULL))
		worker_bury(worker);
}

/* From @self to @next, either of which is NULL for the loop. */
void worker_leave(struct worker *worker, struct task *self, struct task *next);

/* worker_leave(), where the call to it would be a good part of the cost. */
static inline __attribute__((always_inline)) void
worker_leave_here(struct worker *worker, struct task *self, struct task *next)
{
	struct context *from = self != NULL ? &self->context : &worker->loop;
	struct context *to = next != NULL ? &next->context : &worker->loop;

	worker->current = next;
	sanitize_switch_start(from, to, worker->ended != NULL);
	switch_stack(&from->sp, to->sp);
	/* Nothing is kept over the switch: it would go to memory before. */
	worker_switched(worker_here);
}

/* The round has done its work: is it time to look at what the kernel has? */
bool worker_turn_over(struct worker *worker);

/* With worker->leave_checks: may @self leave, and is its stack whole? */
void worker_check_leave(struct worker *worker, struct task *self);
/* The same, and the next to run or NULL. */
struct task *worker_take_checked(struct worker *worker, struct task *self);

static inline uint64_t
worker_slices(const struct worker *worker)
{
	return atomic_load_explicit(
	    &worker->switch_count, memory_order_relaxed);
}

/* May the next task run, or is it the loop's turn? */
static inline bool
worker_turn_goes_on(struct worker *worker)
{
	uint64_t slices = worker_slices(worker);

	/* Operations may put the end before the beginning. */
	return likely((int64_t)(slices - worker->turn_end) < 0) ||
	    slices < worker->turn_all || !worker_turn_over(worker);
}

/* There is one. */
static inline struct task *
worker_pop_ready(struct worker *worker)
{
	struct task *task = worker->ready_first;

	worker->ready_count--;
	worker->ready_first = task->next_ready;
	if (task->next_ready == NULL)
		worker->ready_last = &worker->ready_first;
	return task;
}

/* The next to run; NULL: the loop. */
static inline struct task *
worker_take_ready(struct worker *worker)
{
	if (worker->ready_first == NULL || !worker_turn_goes_on(worker))
		return NULL;
	return worker_pop_ready(worker);
}

/* A slice ends and the next begins. */
static inline void
worker_slice(struct worker *worker)
{
	atomic_store_explicit(&worker->switch_count, worker_slices(worker) + 1,
	    memory_order_relaxed);
	worker->ops_left = TASK_SLICE_OPS;
}

static inline void
worker_check_mode(const struct worker *worker)
{
#ifdef WEIR_SLOW_CHECKS
	if (unlikely(switch_fp_control() != worker->fp_control))
		misuse("a task waits or ends with another floating-point mode "
		       "(rounding, exceptions) than it began with; all tasks "
		       "of a worker share it: set it back before");
#endif
	(void)worker;
}

/* Leave the current task for the next ready one or the loop; for good when it
 * is worker->ended. */
static inline void
worker_switch(struct worker *worker, struct task *self)
{
	struct task *next;

	worker_check_mode(worker);
	if (likely(worker->leave_checks == 0))
		next = worker_take_ready(worker);
	else
		next = worker_take_checked(worker, self);
	worker_slice(worker);
	/* If not woken meanwhile, and the first. */
	if (likely(next != self))
		worker_leave(worker, self, next);
}

/* Leave the current task, which is marked as parked, for @next, which is
 * parked and on no list that may wake it. The slice goes with it: to the others
 * the two are one. */
static inline void
worker_hand_over(struct worker *worker, struct task *self, struct task *next)
{
	worker_check_mode(worker);
	if (unlikely((worker->leave_checks & ~WORKER_PICKS) != 0))
		worker_check_leave(worker, self);
	next->state = TASK_READY;
	worker_leave(worker, self, next);
}

/* task_yield() when there is something to look at, or nobody to run, or the
 * turn is @over. */
int task_yield_checked(struct worker *worker, struct task *self, bool over);

/*
 * task_yield(), called as @function: worker_ready() and worker_switch() in one,
 * back after those that are ready. Whether it is stopped is looked at once,
 * when it is back.
 */
static inline int
task_yield_here(const char *function)
{
	struct task *self = task_required(function);
	struct worker *worker = worker_here;
	struct task *next = worker->ready_first;

	if (unlikely(worker->leave_checks != 0 || next == NULL))
		return task_yield_checked(worker, self, false);
	if (unlikely(!worker_turn_goes_on(worker)))
		return task_yield_checked(worker, self, true);
	worker_check_mode(worker);
	self->next_ready = NULL;
	*worker->ready_last = self;
	worker->ready_last = &self->next_ready;
	worker->ready_first = next->next_ready;
	worker_slice(worker);
	worker_leave_here(worker, self, next);
	worker = worker_here;
	return task_stop_error(worker->current, worker->now);
}

/* When the park that @task is in must end, if nobody wakes it. */
instant task_park_end(const struct task *task);

static inline void
task_timer_need(struct task *task, instant when)
{
	if (instant_is_never(when))
		return;
	if (!timer_armed(&task->timer) ||
	    instant_before(when, task->timer.when))
		timer_start(&task->timer, when);
}

/* @deadline has been stored, wake_pending and errors have been looked at. */
static inline void
task_park_now(struct worker *worker, struct task *self, const char *reason)
{
	self->state = TASK_PARKED;
	self->since = worker->now;
	self->reason = reason;
	worker_switch(worker, self);
	self->reason = NULL;
}

/* task_park() of @self, which calls. */
static inline int
task_park_here(struct worker *worker, struct task *self, const char *reason,
    instant deadline)
{
	int error;

	error = task_stop_error(self, worker->now);
	if (error < 0)
		return error;
	if (self->wake_pending) {
		self->wake_pending = false;
		return 0;
	}
	if (!instant_before(worker->now, deadline))
		return -ETIMEDOUT;
	self->deadline = deadline;
	self->uncancellable = false;
	self->stopped = false;
	/* It was not stopped, or it has a shield. */
	task_timer_need(self,
	    unlikely(self->shield_depth != 0)
		? task_park_end(self)
		: instant_earlier(self->scope->deadline, deadline));
	task_park_now(worker, self, reason);
	if (!self->stopped)
		return 0;
	error = task_stop_error(self, worker->now);
	return error < 0 ? error : -ETIMEDOUT;
}

/* task_park_inner() of @self, which calls. */
static inline int
task_park_inner_here(struct worker *worker, struct task *self,
    const char *reason, instant deadline)
{
	int error;

	worker->inner_parks++;
	error = task_park_here(worker, self, reason, deadline);
	worker->inner_parks--;
	if (likely(!self->broken))
		return error;
	self->broken = false;
	return -EDEADLK;
}

static inline void
task_unpark(struct task *task, bool stopped)
{
	task->stopped = stopped;
	worker_ready(worker_here, task);
}

/* Of a task that is not parked, or shrunk. */
void task_wake_other(struct task *task);

/* task_wake() */
static inline void
task_wake_here(struct task *task)
{
	if (likely(task->state == TASK_PARKED))
		task_unpark(task, false);
	else
		task_wake_other(task);
}
