#include "runtime/worker.h"

#include <errno.h>

#include "os/clock.h"
#include "runtime/io_backend.h"
#include "runtime/switch.h"

#define HOUSEKEEPING_EVERY duration_s(1)

__thread struct worker *worker_here
    __attribute__((tls_model("initial-exec")));

/* Is it time to look at what the kernel has? */
static NOINLINE bool
worker_turn_over(struct worker *worker)
{
	instant now = clock_now();

	if (worker->turn_rounds++ >= WORKER_TURN_ROUNDS ||
	    instant_since(now, worker->now).ns >= WORKER_TURN_NS)
		return true;
	worker->turn_work = 0;
	return false;
}

/* A simulation runs ready tasks in other orders: the one that it picks becomes
 * the first. Those that wait since the start of the turn stay before others. */
static COLD void
worker_ready_pick(struct worker *worker)
{
	uint32_t count = min_of(worker->ready_count,
	    worker->turn_left > 0 ? worker->turn_left : UINT32_MAX);
	struct task **at = &worker->ready_first;
	struct task *task;

	if (count < 2)
		return;
	for (uint32_t i = worker->backend->pick(worker, count); i > 0; i--)
		at = &(*at)->next_ready;
	task = *at;
	*at = task->next_ready;
	if (*at == NULL)
		worker->ready_last = at;
	task->next_ready = worker->ready_first;
	if (worker->ready_first == NULL)
		worker->ready_last = &task->next_ready;
	worker->ready_first = task;
}

/* The next to run; NULL: the loop. */
static inline struct task *
worker_take_ready(struct worker *worker)
{
	struct task *task;

<<<<<<< HEAD
	if (unlikely(worker->picks))
		worker_ready_pick(worker);
	task = worker->ready_first;
	if (task == NULL)
=======
	if (unlikely(task == NULL))
>>>>>>> 22ac8b0 (wip)
		return NULL;
	if (worker->turn_left > 0)
		worker->turn_left--;
	else if (unlikely(worker->turn_work >= WORKER_TURN_WORK) &&
	    worker_turn_over(worker))
		return NULL;
	worker->ready_count--;
	worker->ready_first = task->next_ready;
	if (task->next_ready == NULL)
		worker->ready_last = &worker->ready_first;
	task->state = TASK_RUNNING;
	return task;
}

/* The stack of a task that ended can be given back only from another one. */
static void
worker_bury(struct worker *worker)
{
	struct task *task = worker->ended;

	worker->ended = NULL;
	task->state = TASK_FREE;
	atomic_store_explicit(&worker->task_count,
	    atomic_load_explicit(&worker->task_count, memory_order_relaxed) - 1,
	    memory_order_relaxed);
	stack_release(&worker->stacks, task_slot(task));
	if (unlikely(!timer_armed(&worker->housekeeping)))
		timer_start(&worker->housekeeping,
		    instant_after(worker->now, HOUSEKEEPING_EVERY));
}

void
worker_switched(struct worker *worker, struct context *here)
{
	sanitize_switch_finish(here);
	if (worker->ended != NULL)
		worker_bury(worker);
}

/* A slice ends and the next begins. */
static inline void
worker_slice(struct worker *worker)
{
	worker->turn_work += 1 + (uint32_t)(TASK_SLICE_OPS - worker->ops_left);
	worker->ops_left = TASK_SLICE_OPS;
}

/* @self is NULL on the loop. */
void
worker_switch(struct worker *worker, struct task *self)
{
	struct context *from = self != NULL ? &self->context : &worker->loop;
	struct task *next;

	must(nosuspend_depth == 0);
	if (unlikely(!worker->stacks.guard_install) && self != NULL)
		stack_check(&worker->stacks, task_slot(self));
	next = worker_take_ready(worker);
	worker_slice(worker);
	/* It was the only one that is ready; or nobody is. */
	if (next == self)
		return;
	worker->current = next;
	atomic_store_explicit(&worker->switch_count,
	    atomic_load_explicit(&worker->switch_count, memory_order_relaxed) +
		1,
	    memory_order_relaxed);
	struct context *to = next != NULL ? &next->context : &worker->loop;

	sanitize_switch_start(from, to, worker->ended != NULL);
	switch_stack(&from->sp, to->sp);
	worker_switched(worker, from);
}

static void
worker_run_ready(struct worker *worker)
{
	worker->turn_left = worker->ready_count;
	worker->turn_work = 0;
	worker->turn_rounds = 0;
	worker_switch(worker, NULL);
	must(worker->current == NULL);
}

static void
worker_housekeeping(struct timer *timer)
{
	struct worker *worker =
	    container_of(timer, struct worker, housekeeping);

	/* A trim of an idle worker must not keep waking it for ever. */
	if (stacks_trim(&worker->stacks))
		timer_start(
		    timer, instant_after(worker->now, HOUSEKEEPING_EVERY));
}

/*
 * Posters look at `sleeping` after they have put their item in; we look at the
 * inbox after we have set it. One of the two sees the other.
 */
static void
worker_poll(struct worker *worker)
{
	instant until = instant_past();

	if (worker->ready_first == NULL && list_empty(&worker->watches) &&
	    worker->inbox_rest == NULL) {
		atomic_store(&worker->sleeping, true);
		if (inbox_empty(worker) && !atomic_load(&runtime_here.ended))
			until = wheel_next(&worker->wheel);
	}
	atomic_store_explicit(&worker->poll_count,
	    atomic_load_explicit(&worker->poll_count, memory_order_relaxed) + 1,
	    memory_order_relaxed);
	worker->backend->poll(worker, until, WORKER_POLL_BATCH);
	atomic_store_explicit(&worker->sleeping, false, memory_order_relaxed);
}

void
worker_run(struct worker *worker)
{
	while (
	    !atomic_load_explicit(&runtime_here.ended, memory_order_acquire)) {
		worker_run_ready(worker);
		if (worker->stopping)
			stop_step(worker);
		worker_poll(worker);
		worker->now = clock_now();
		wheel_run(&worker->wheel, worker->now);
		io_watches_run(worker);
		inbox_run(worker);
	}
}

void
worker_wake(struct worker *worker)
{
	if (atomic_exchange(&worker->sleeping, false))
		worker->backend->wake(worker);
}

int
worker_init(struct worker *worker, unsigned index)
{
	int error;

	worker->index = index;
	worker->ready_last = &worker->ready_first;
	worker->now = clock_now();
	worker->backend = runtime_here.backend;
	worker->picks = worker->backend->pick != NULL;
	wheel_init(&worker->wheel, worker->now);
	timer_init(&worker->housekeeping, worker_housekeeping);
	list_init(&worker->watches);
	scope_init_root(&worker->root);
	sanitize_context_thread(&worker->loop);
	error = stacks_init(&worker->stacks, runtime_here.task_count_max);
	if (error < 0)
		return error;
	error = worker->backend->open(worker);
	if (error < 0)
		stacks_fini(&worker->stacks);
	return error;
}

void
worker_fini(struct worker *worker)
{
	io_pipes_free(worker);
	worker->backend->close(worker);
	for (uint32_t i = 0; i < worker->stacks.slot_count; i++)
		sanitize_context_fini(&task_of_slot(
		    worker->stacks.arena + (size_t)i * STACK_SLOT_BYTES)
					   ->context);
	stacks_fini(&worker->stacks);
}
