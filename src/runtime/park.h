/*
 * park.h - how a task leaves its worker and becomes ready again
 *
 * Layer      runtime, inside only
 * Cost       a part of every call that suspends, and so inline: what a switch
 *            costs is mostly the calls around it
 *
 * Whatever suspends ends in worker_leave(), and nothing else switches. Two
 * tasks that hand over to each other should come to it by the same calls: the
 * processor predicts the returns of one by the calls of the other.
 */
#pragma once

#include <errno.h>

#include "runtime/misuse.h"
#include "runtime/switch.h"
#include "runtime/worker.h"

/* From @self to @next, either of which is NULL for the loop. */
void worker_leave(struct worker *worker, struct task *self, struct task *next);

/* First thing after a switch, on the new stack. */
void worker_switched(struct worker *worker);

/* The turn has done its work: is it time to look at what the kernel has? */
bool worker_turn_over(struct worker *worker);

/* A simulation runs ready tasks in other orders: the one that it picks becomes
 * the first. */
void worker_ready_pick(struct worker *worker);

/* May the next task run, or is it the loop's turn? */
static inline bool
worker_turn_goes_on(struct worker *worker)
{
	if (worker->turn_left > 0) {
		worker->turn_left--;
		return true;
	}
	return likely(worker->turn_work < WORKER_TURN_WORK) ||
	    !worker_turn_over(worker);
}

/* The next to run; NULL: the loop. */
static inline struct task *
worker_take_ready(struct worker *worker)
{
	struct task *task;

	if (unlikely(worker->picks))
		worker_ready_pick(worker);
	task = worker->ready_first;
	if (task == NULL || !worker_turn_goes_on(worker))
		return NULL;
	worker->ready_count--;
	worker->ready_first = task->next_ready;
	if (task->next_ready == NULL)
		worker->ready_last = &worker->ready_first;
	return task;
}

/* A slice ends and the next begins. */
static inline void
worker_slice(struct worker *worker)
{
	worker->turn_work += 1 + (uint32_t)(TASK_SLICE_OPS - worker->ops_left);
	worker->ops_left = TASK_SLICE_OPS;
}

static inline void
worker_check_leave(struct worker *worker, struct task *self)
{
	if (unlikely(worker->nosuspend_depth != 0))
		misuse_suspended(worker);
	if (unlikely(!worker->stacks.guard_install))
		stack_check(&worker->stacks, task_slot(self));
#ifdef WEIR_SLOW_CHECKS
	if (unlikely(switch_fp_control() != worker->fp_control))
		misuse("a task waits or ends with another floating-point mode "
		       "(rounding, exceptions) than it began with; all tasks "
		       "of a worker share it: set it back before");
#endif
}

/* Leave the current task for the next ready one or the loop; for good when it
 * is worker->ended. */
static inline void
worker_switch(struct worker *worker, struct task *self)
{
	struct task *next;

	worker_check_leave(worker, self);
	next = worker_take_ready(worker);
	worker_slice(worker);
	/* Woken meanwhile, and the first. */
	if (next == self)
		self->state = TASK_RUNNING;
	else
		worker_leave(worker, self, next);
}

/* Leave the current task, which is marked as parked, for @next, which is
 * parked and on no list that may wake it. The slice goes with it: to the others
 * the two are one. */
static inline void
worker_hand_over(struct worker *worker, struct task *self, struct task *next)
{
	worker_check_leave(worker, self);
	worker_leave(worker, self, next);
}

/* worker_ready() and worker_switch() in one: come back after those that are
 * ready. */
static inline void
worker_yield(struct worker *worker, struct task *self)
{
	struct task *next = worker->ready_first;

	worker_check_leave(worker, self);
	if (unlikely(worker->picks) || !worker_turn_goes_on(worker)) {
		worker_ready(worker, self);
		next = worker->picks ? worker_take_ready(worker) : NULL;
	} else if (next != NULL) {
		self->state = TASK_READY;
		self->next_ready = NULL;
		*worker->ready_last = self;
		worker->ready_last = &self->next_ready;
		worker->ready_first = next->next_ready;
	} else {
		next = self;
	}
	worker_slice(worker);
	if (next != self)
		worker_leave(worker, self, next);
	else
		self->state = TASK_RUNNING;
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
