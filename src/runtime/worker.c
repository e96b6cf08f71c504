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
	if ((worker->leave_checks & WORKER_PICKS) != 0 ||
	    worker->turn_rounds++ >= WORKER_TURN_ROUNDS ||
	    instant_since(now, worker->now).ns >= WORKER_TURN_NS)
		return true;
	worker->turn_end = worker_slices(worker) + WORKER_TURN_WORK;
	return false;
}

/* A simulation runs ready tasks in other orders: the one that it picks becomes
 * the first. Those that wait since the start of the turn stay before others. */
static void
worker_ready_pick(struct worker *worker)
{
	uint64_t slices = worker_slices(worker);
	uint64_t count =
	    slices < worker->turn_all ? worker->turn_all - slices : UINT32_MAX;
	struct task **at = &worker->ready_first;
	struct task *task;

	count = min_of(count, worker->ready_count);
	if (count < 2)
		return;
	for (uint32_t i = worker->backend->pick(worker, (uint32_t)count); i > 0;
	     i--)
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
NOINLINE void
worker_leave(struct worker *worker, struct task *self, struct task *next)
{
	worker_leave_here(worker, self, next);
}

COLD void
worker_check_leave(struct worker *worker, struct task *self)
{
	if ((worker->leave_checks & WORKER_NOSUSPEND) != 0)
		misuse_suspended(worker);
	if ((worker->leave_checks & WORKER_CANARIES) != 0)
		stack_check(&worker->stacks, task_slot(self));
}

COLD struct task *
worker_take_checked(struct worker *worker, struct task *self)
{
	worker_check_leave(worker, self);
	if ((worker->leave_checks & WORKER_PICKS) != 0)
		worker_ready_pick(worker);
	return worker_take_ready(worker);
}

void
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

static void
worker_run_ready(struct worker *worker)
{
	struct task *task;

	if (worker->ready_count == 0)
		return;
	worker->turn_all = worker_slices(worker) + worker->ready_count;
	worker->turn_end = worker_slices(worker) + WORKER_TURN_WORK;
	worker->turn_rounds = 0;
	if ((worker->leave_checks & WORKER_PICKS) != 0)
		worker_ready_pick(worker);
	/* The first of them needs no other's slice to end. */
	worker->turn_all--;
	task = worker_take_ready(worker);
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
	if (worker->backend->pick != NULL)
		worker->leave_checks |= WORKER_PICKS;
	wheel_init(&worker->wheel, worker->now);
	timer_init(&worker->housekeeping, worker_housekeeping);
	list_init(&worker->watches);
	shrink_init(&worker->shrink);
	scope_init_root(&worker->root);
	sanitize_context_thread(&worker->loop);
	error = stacks_init(&worker->stacks, runtime_here.task_count_max);
	if (error < 0)
		return error;
	if (!worker->stacks.guard_install)
		worker->leave_checks |= WORKER_CANARIES;
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
