/*
 * stop.c - the end of the runtime
 *
 * When root has returned, every worker cancels its tasks. A worker that has
 * none left can still get work from the inbox, from a task that is ending on
 * another worker, so "all are done" takes two looks: worker 0 asks everybody
 * in rounds, everybody answers once it has nothing, and says whether it did
 * anything since its last answer. After a round in which nobody did, nothing
 * is on its way: an item posted before an answer of its poster lies in the
 * inbox before the next question and would have been run before the answer.
 */
#include <errno.h>

#include "runtime/worker.h"

static uint64_t
stop_activity(const struct worker *worker)
{
	return worker->item_count +
	    atomic_load_explicit(&worker->switch_count, memory_order_relaxed);
}

static void
stop_ask_run(struct inbox_item *item)
{
	struct worker *worker = container_of(item, struct worker, stop.ask);

	worker->item_count--;
	worker->stop.asked = true;
	if (!worker->stopping) {
		worker->stopping = true;
		scope_cancel(&worker->root, -ECANCELED);
	}
}

static void
stop_ask_all(void)
{
	runtime_here.stop_replies = 0;
	runtime_here.stop_quiet = true;
	for (unsigned i = 0; i < runtime_here.worker_count; i++) {
		struct worker *worker = runtime_here.workers[i];

		worker->stop.ask.run = stop_ask_run;
		worker_post(i, &worker->stop.ask);
	}
}

static void
stop_end_all(void)
{
	atomic_store(&runtime_here.ended, true);
	for (unsigned i = 0; i < runtime_here.worker_count; i++)
		worker_wake(runtime_here.workers[i]);
}

static void
stop_reply_run(struct inbox_item *item)
{
	struct worker *from = container_of(item, struct worker, stop.reply);

	worker_here->item_count--;
	runtime_here.stop_quiet &= from->stop.quiet;
	if (++runtime_here.stop_replies < runtime_here.worker_count)
		return;
	if (runtime_here.stop_quiet)
		stop_end_all();
	else
		stop_ask_all();
}

void
stop_step(struct worker *worker)
{
	uint64_t activity = stop_activity(worker);

	if (!worker->stop.asked || !inbox_empty(worker) ||
	    worker->offload_count != 0 ||
	    atomic_load_explicit(&worker->task_count, memory_order_relaxed) !=
		0)
		return;
	worker->stop.asked = false;
	worker->stop.quiet = activity == worker->stop.mark;
	worker->stop.mark = activity;
	worker->stop.reply.run = stop_reply_run;
	worker_post(0, &worker->stop.reply);
}

/* On worker 0, when root has returned. */
void
stop_start(void)
{
	stop_ask_all();
}
