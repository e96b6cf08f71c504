/*
 * deadlock.c - circles of tasks that wait for each other's locks
 *
 * Under `graph.busy`, task->blocked says for what every task of every worker
 * waits that somebody holds. It is set after the waiter is in its queue and
 * cleared before its call returns, so whoever sees it may look at the lock:
 * it exists. Of a task with `blocked` set that was not granted its lock, what
 * it holds stays as it is until it is cleared; so a circle that is found is
 * one. Of two tasks that close a circle together the one that comes here
 * second finds it.
 */
#include "runtime/deadlock.h"

#include <errno.h>

#include "runtime/report.h"
#include "runtime/sync_core.h"

/* Locks looked at for one wait: readers make the way branch. */
#define DEADLOCK_LOOKS_MAX 256

/* One task of a way through the graph, and by whom it is blocked. */
struct graph_step {
	struct sync_waiter *waiter;
	unsigned index; /* of the next holder to look at */
	const struct task *holder; /* the present one */
	const char *file; /* where it took it */
	int line;
};

static struct {
	_Alignas(64) _Atomic uint32_t busy;
	struct graph_step way[DEADLOCK_HOPS_MAX]; /* under `busy` */
} graph;

static void
graph_enter(void)
{
	sync_busy_enter(&graph.busy);
}

static void
graph_leave(void)
{
	sync_busy_leave(&graph.busy);
}

/* The next holder of what @step waits for; false: none is left. */
static bool
graph_next_holder(struct graph_step *step)
{
	struct sync *sync = step->waiter->sync;
	struct lock_hold *hold = NULL;

	sync_enter(sync);
	if (!step->waiter->granted)
		hold = lock_holder(sync, &step->index);
	if (hold != NULL) {
		step->holder = hold->task;
		step->file = hold->file;
		step->line = hold->line;
	}
	sync_leave(sync);
	return hold != NULL;
}

/* The length of a circle through way[0], which is the start; or 0. */
static unsigned
graph_find_circle(struct graph_step *way, const struct task *self)
{
	unsigned depth = 0;

	for (unsigned looks = 0; looks < DEADLOCK_LOOKS_MAX; looks++) {
		struct graph_step *step = &way[depth];

		if (!graph_next_holder(step)) {
			if (depth == 0)
				return 0;
			depth--;
			continue;
		}
		if (step->holder == self)
			return depth + 1;
		if (step->holder->blocked == NULL ||
		    depth + 1 == DEADLOCK_HOPS_MAX)
			continue;
		depth++;
		way[depth].waiter = step->holder->blocked;
		way[depth].index = 0;
	}
	return 0;
}

static void
circle_add(struct report *report, const struct graph_step *step)
{
	report_add(report, "  ");
	report_task(report, step->waiter->task);
	report_add(report, "\n    waits for ");
	report_sync(report, step->waiter->sync);
	report_add(report, " at ");
	report_site(report, step->waiter->file, step->waiter->line);
	report_add(report, "\n    held by ");
	report_task(report, step->holder);
	report_add(report, ", taken at ");
	report_site(report, step->file, step->line);
	report_add(report, "\n");
}

/* Leaves the graph. In a frame of its own: that of a task that waits is
 * small, this one is not. */
static COLD void
circle_report(unsigned count)
{
	struct report report;

	report_init(&report, DEADLOCK_CIRCLE);
	if (count == 1)
		report_add(&report,
		    "weir: deadlock: a task waits for a lock that it holds\n");
	else
		report_add(&report,
		    "weir: deadlock: %u tasks wait for each other\n", count);
	for (unsigned i = 0; i < count; i++)
		circle_add(&report, &graph.way[i]);
	graph_leave();
	report_send(&report);
}

static bool
graph_closes(struct sync_waiter *waiter)
{
	unsigned count;

	graph_enter();
	waiter->task->blocked = waiter;
	graph.way[0].waiter = waiter;
	graph.way[0].index = 0;
	count = graph_find_circle(graph.way, waiter->task);
	if (count > 0)
		circle_report(count);
	else
		graph_leave();
	return count > 0;
}

int
deadlock_wait_begin(struct sync_waiter *waiter)
{
	waiter->task->waits = waiter;
	return waiter->owned && graph_closes(waiter) ? -EDEADLK : 0;
}

void
deadlock_wait_end(struct sync_waiter *waiter)
{
	waiter->task->waits = NULL;
	if (!waiter->owned)
		return;
	graph_enter();
	waiter->task->blocked = NULL;
	graph_leave();
}

void
deadlock_task_ended(const struct task *task)
{
	struct report report;

	report_init(&report, DEADLOCK_MISUSE);
	report_add(&report, "weir: ");
	report_task(&report, task);
	report_add(&report, " ended and holds\n");
	for (const struct lock_hold *hold = task->holds; hold != NULL;
	     hold = hold->next) {
		report_add(&report, "  ");
		report_sync(&report, hold->sync);
		report_add(&report, ", taken at ");
		report_site(&report, hold->file, hold->line);
		report_add(&report, "\n");
	}
	report_send(&report);
	must_failed(
	    "a task that ends holds no lock", __FILE__, __LINE__, __func__);
}
