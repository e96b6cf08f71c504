/*
 * asleep.c - a runtime in which nothing can wake anybody
 *
 * A worker that is about to sleep counts itself in when all its tasks are in
 * waits that only another task can end, and it has no timer, no descriptor
 * that is watched and no job out; it counts itself out before it does anything
 * else. So while all are counted in, no worker runs, and what was posted before
 * lies in an inbox. Who comes last looks at them: if they are empty, and still
 * nobody has counted itself out, then nothing is on its way.
 */
#include <errno.h>

#include "os/outside.h"
#include "runtime/report.h"
#include "runtime/stall.h"
#include "runtime/sync_core.h"

/* The low half counts who is in, the high half who ever went out. */
#define ASLEEP_OUT ((UINT64_C(1) << 32) - 1)

static _Atomic uint32_t outside_count;

/* To have worker 0 look again, while there are workers. */
static struct {
	pthread_mutex_t lock;
	bool runs;
	struct inbox_item item;
	_Atomic bool posted;
} again = {.lock = PTHREAD_MUTEX_INITIALIZER};

void
asleep_runtime(bool runs)
{
	pthread_mutex_lock(&again.lock);
	again.runs = runs;
	atomic_store(&again.posted, false);
	pthread_mutex_unlock(&again.lock);
}

static void
asleep_look_again_run(struct inbox_item *item)
{
	(void)item;
	atomic_store(&again.posted, false);
}

/* Who fell asleep before may have seen that somebody was outside. */
static COLD void
asleep_look_again(void)
{
	uint32_t asleep = (uint32_t)atomic_load(&runtime_here.asleep);

	if (asleep == 0)
		return;
	pthread_mutex_lock(&again.lock);
	if (again.runs && asleep == runtime_here.worker_count &&
	    !atomic_exchange(&again.posted, true)) {
		again.item.run = asleep_look_again_run;
		worker_post(0, &again.item);
	}
	pthread_mutex_unlock(&again.lock);
}

void
deadlock_outside_begin(void)
{
	atomic_fetch_add(&outside_count, 1);
}

void
deadlock_outside_end(void)
{
	uint32_t before = atomic_fetch_sub(&outside_count, 1);

	must(before > 0);
	if (before == 1)
		asleep_look_again();
}

/* But for the one that gives memory back. */
static bool
asleep_has_timer(struct worker *worker)
{
	struct timer *housekeeping = &worker->housekeeping;
	bool armed = timer_armed(housekeeping);
	instant next;

	if (armed)
		timer_stop(housekeeping);
	next = wheel_next(&worker->wheel);
	if (armed)
		timer_start(housekeeping, housekeeping->when);
	return !instant_is_never(next);
}

static void
asleep_add_task(struct report *report, const struct task *task)
{
	report_add(report, "  ");
	report_task(report, task);
	report_add(report, "\n");
	if (task->waits == NULL)
		report_add(report, "    waits for %.64s\n", task->reason);
	report_locks(report, task);
}

static COLD void
asleep_report(void)
{
	struct report report;

	report_init(&report, DEADLOCK_ASLEEP);
	report_add(&report,
	    "weir: deadlock: every task waits for another one, "
	    "and nothing is left that could wake any\n");
	for (unsigned i = 0; i < runtime_here.worker_count; i++) {
		struct worker *worker = runtime_here.workers[i];

		for (uint32_t k = 0; k < worker->stacks.slot_count; k++) {
			const struct task *task = worker_task(worker, k);

			if (report_full(&report))
				break;
			if (task_parked(task))
				asleep_add_task(&report, task);
		}
	}
	report_send(&report);
}

/* On worker 0. If something came from outside meanwhile, all is well. */
static void
asleep_tell_root(struct inbox_item *item)
{
	struct task *root = runtime_here.root_task;

	(void)item;
	if (root == NULL || !task_parked(root) || root->uncancellable ||
	    worker_here->inner_parks != atomic_load(&worker_here->task_count))
		return;
	root->broken = true;
	task_wake(root);
}

/* By a thread, or a handler, that is none of ours: if some wait is for what
 * these can do. */
static bool
asleep_may_be_woken(void)
{
	uint32_t open = 0;

	for (unsigned i = 0; i < runtime_here.worker_count; i++)
		open += atomic_load_explicit(
		    &runtime_here.workers[i]->open_parks, memory_order_relaxed);
	return open > 0 &&
	    (outside_thread_count() != runtime_thread_count() ||
		outside_signal_handled(stall_signal()));
}

/* Nothing on its way, something to wait for, and not said before. */
static bool
asleep_for_good(uint64_t state)
{
	uint64_t switches = 0;
	uint32_t tasks = 0;

	/* Before the inboxes: what came from there lies in one. */
	if (atomic_load(&outside_count) != 0 || asleep_may_be_woken())
		return false;
	for (unsigned i = 0; i < runtime_here.worker_count; i++) {
		struct worker *worker = runtime_here.workers[i];

		if (atomic_load(&worker->inbox) != NULL)
			return false;
		tasks += atomic_load(&worker->task_count);
		switches += atomic_load(&worker->switch_count);
	}
	if (tasks == 0 || atomic_load(&runtime_here.asleep) != state ||
	    switches == runtime_here.asleep_said)
		return false;
	runtime_here.asleep_said = switches;
	return true;
}

bool
asleep_enter(struct worker *worker)
{
	uint64_t state;

	if (likely(worker->inner_parks !=
		atomic_load_explicit(
		    &worker->task_count, memory_order_relaxed)) ||
	    worker->watch_count != 0 || worker->offload_count != 0 ||
	    asleep_has_timer(worker))
		return false;
	state = atomic_fetch_add(&runtime_here.asleep, 1) + 1;
	if ((uint32_t)state != runtime_here.worker_count ||
	    !asleep_for_good(state))
		return true;
	asleep_report();
	runtime_here.asleep_item.run = asleep_tell_root;
	worker_post(0, &runtime_here.asleep_item);
	return true;
}

void
asleep_leave(void)
{
	atomic_fetch_add(&runtime_here.asleep, ASLEEP_OUT);
}
