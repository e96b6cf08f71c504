#include "runtime/worker.h"

#include <errno.h>

#include "os/clock.h"
#include "runtime/io_backend.h"
#include "runtime/park.h"
#include "runtime/stack_report.h"
#include "runtime/stall.h"
#include "runtime/switch.h"

#define HOUSEKEEPING_EVERY duration_s(1)

__thread struct worker *worker_here __attribute__((tls_model("initial-exec")));

NOINLINE bool
worker_turn_over(struct worker *worker)
{
	instant now = clock_now();

	/* In a simulation the clock stands while tasks run. */
	if (worker->picks || worker->turn_rounds++ >= WORKER_TURN_ROUNDS ||
	    instant_since(now, worker->now).ns >= WORKER_TURN_NS)
		return true;
	worker->turn_work = 0;
	return false;
}

/* Those that wait since the start of the turn stay before others. */
COLD void
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

/* The stack of a task that ended can be given back only from another one. */
static void
worker_bury(struct worker *worker)
{
	struct task *task = worker->ended;

	worker->ended = NULL;
	task->state = TASK_FREE;
	if (unlikely(stack_report_on))
		stack_report_task_ended(task);
	atomic_store_explicit(&worker->task_count,
	    atomic_load_explicit(&worker->task_count, memory_order_relaxed) - 1,
	    memory_order_relaxed);
	stack_release(&worker->stacks,
	    unlikely(task->apart) ? shrink_task_ended(worker, task)
				  : task_slot(task));
	if (unlikely(!timer_armed(&worker->housekeeping)))
		timer_start(&worker->housekeeping,
		    instant_after(worker->now, HOUSEKEEPING_EVERY));
}

void
worker_switched(struct worker *worker)
{
	struct task *task = worker->current;

	sanitize_switch_finish(task != NULL ? &task->context : &worker->loop);
	if (unlikely(worker->ended != NULL))
		worker_bury(worker);
}

/* The only place that switches: see switch.h. */
NOINLINE void
worker_leave(struct worker *worker, struct task *self, struct task *next)
{
	struct context *from = self != NULL ? &self->context : &worker->loop;
	struct context *to = next != NULL ? &next->context : &worker->loop;

	worker->current = next;
	if (next != NULL)
		next->state = TASK_RUNNING;
	atomic_store_explicit(&worker->switch_count,
	    atomic_load_explicit(&worker->switch_count, memory_order_relaxed) +
		1,
	    memory_order_relaxed);
	sanitize_switch_start(from, to, worker->ended != NULL);
	switch_stack(&from->sp, to->sp);
	/* Nothing is kept over the switch: it would go to memory before. */
	worker_switched(worker_here);
}

static void
worker_run_ready(struct worker *worker)
{
	struct task *task;

	worker->turn_left = worker->ready_count;
	worker->turn_work = 0;
	worker->turn_rounds = 0;
	task = worker_take_ready(worker);
	if (task != NULL)
		worker_leave(worker, NULL, task);
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

static void
worker_poll(struct worker *worker)
{
	instant until = instant_past();
	bool asleep = false;

	if (worker->ready_first == NULL && list_empty(&worker->watches) &&
	    worker->inbox_rest == NULL) {
		if (inbox_sleep(worker) && !atomic_load(&runtime_here.ended)) {
			until = wheel_next(&worker->wheel);
			asleep = asleep_enter(worker);
		}
	}
	atomic_store_explicit(&worker->poll_count,
	    atomic_load_explicit(&worker->poll_count, memory_order_relaxed) + 1,
	    memory_order_relaxed);
	atomic_store_explicit(&worker->waits, true, memory_order_relaxed);
	worker->backend->poll(worker, until, WORKER_POLL_BATCH);
	atomic_store_explicit(&worker->waits, false, memory_order_relaxed);
	if (unlikely(atomic_load_explicit(&stall_asleep, memory_order_relaxed)))
		stall_wake();
	if (unlikely(asleep))
		asleep_leave();
	inbox_awake(worker);
}

void
worker_run(struct worker *worker)
{
	worker->fp_control = switch_fp_control();
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
	shrink_init(&worker->shrink);
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
worker_at_end(struct worker_end *end)
{
	struct worker *worker = worker_here;

	must(worker != NULL);
	end->next = worker->ends;
	worker->ends = end;
}

static void
worker_ends_run(struct worker *worker)
{
	while (worker->ends != NULL) {
		struct worker_end *end = worker->ends;

		worker->ends = end->next;
		end->run(end);
	}
}

void
worker_fini(struct worker *worker)
{
	worker_ends_run(worker);
	io_pipes_free(worker);
	io_blocks_free(worker);
	worker->backend->close(worker);
	for (uint32_t i = 0; i < worker->stacks.slot_count; i++)
		sanitize_context_fini(&task_of_slot(
		    worker->stacks.arena + (size_t)i * STACK_SLOT_BYTES)
					   ->context);
	shrink_fini(&worker->shrink, worker->stacks.slot_count_max);
	stacks_fini(&worker->stacks);
}
