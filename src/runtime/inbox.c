/*
 * inbox.c - messages between workers, and events made of them
 *
 * Any number of posters push with one compare-and-swap; the owner takes all of
 * them with one exchange and turns their order round.
 */
#include <errno.h>
#include <stdlib.h>

#include "runtime/io_backend.h"
#include "runtime/step.h"
#include "runtime/worker.h"

/*
 * Posters look at `sleeping` after they have put their item in; the worker
 * looks at the inbox after it has set `sleeping`. All four are sequentially
 * consistent, so one of the two sees the other. Nobody is signalled who is
 * awake: that costs 325 ns, a look 1 ns.
 */
void
worker_post(unsigned index, struct inbox_item *item)
{
	struct worker *worker;
	struct inbox_item *first;

	must(index < runtime_here.worker_count);
	worker = runtime_here.workers[index];
	first = step_load(&worker->inbox, memory_order_relaxed);
	do {
		item->next = first;
	} while (!step_compare_exchange(
	    &worker->inbox, &first, item, memory_order_seq_cst));
	if (step_load(&worker->sleeping, memory_order_seq_cst))
		worker_wake(worker);
}

void
worker_wake(struct worker *worker)
{
	if (step_exchange(&worker->sleeping, false, memory_order_seq_cst))
		worker->backend->wake(worker);
}

bool
inbox_sleep(struct worker *worker)
{
	step_store(&worker->sleeping, true, memory_order_seq_cst);
	return inbox_empty(worker);
}

void
inbox_awake(struct worker *worker)
{
	step_store(&worker->sleeping, false, memory_order_relaxed);
}

bool
inbox_empty(const struct worker *worker)
{
	return worker->inbox_rest == NULL &&
	    step_load(&worker->inbox, memory_order_seq_cst) == NULL;
}

/* Everything posted so far, the oldest first. */
static struct inbox_item *
inbox_take(struct worker *worker)
{
	struct inbox_item *in_order = NULL;
	struct inbox_item *item;

	if (step_load(&worker->inbox, memory_order_relaxed) == NULL)
		return NULL;
	item = step_exchange(&worker->inbox, NULL, memory_order_acquire);
	while (item != NULL) {
		struct inbox_item *next = item->next;

		item->next = in_order;
		in_order = item;
		item = next;
	}
	return in_order;
}

bool
inbox_run(struct worker *worker)
{
	for (unsigned i = 0; i < WORKER_INBOX_BATCH; i++) {
		struct inbox_item *item = worker->inbox_rest;

		if (item == NULL)
			item = inbox_take(worker);
		if (item == NULL)
			return false;
		worker->inbox_rest = item->next;
		worker->item_count++;
		item->run(item);
	}
	return !inbox_empty(worker);
}

struct start_item {
	struct inbox_item item;
	const char *name;
	task_fn fn;
	void *arg;
	struct task_handle *handle; /* or NULL */
	const char *file; /* of who started it */
	int line;
};

static void
start_item_run(struct inbox_item *item)
{
	struct start_item *start = container_of(item, struct start_item, item);

	struct task_options options = {
	    .name = start->name, .handle = start->handle, .handle_begun = true};
	int error = task_start_with_at(
	    NULL, &options, start->fn, start->arg, start->file, start->line);

	if (error < 0 && start->handle != NULL)
		task_handle_end(start->handle, error);
	free(start);
}

int
worker_start_at(unsigned worker, struct task_handle *handle, const char *name,
    task_fn fn, void *arg, const char *file, int line)
{
	struct start_item *start = malloc(sizeof(*start));

	if (start == NULL)
		return -ENOMEM;
	*start = (struct start_item){.item.run = start_item_run,
	    .name = name,
	    .fn = fn,
	    .arg = arg,
	    .handle = handle,
	    .file = file,
	    .line = line};
	if (handle != NULL)
		task_handle_begin(handle, worker);
	worker_post(worker, &start->item);
	return 0;
}

static void
event_run(struct inbox_item *item)
{
	struct event *event = container_of(item, struct event, item);

	event->set = true;
	if (event->waiter != NULL)
		task_wake(event->waiter);
}

void
event_init(struct event *event)
{
	event->item.run = event_run;
	event->waiter = NULL;
	event->worker = worker_self();
	event->set = false;
}

void
event_set(struct event *event)
{
	if (worker_here != NULL && worker_here->index == event->worker)
		event_run(&event->item);
	else
		worker_post(event->worker, &event->item);
}

int
event_wait(struct event *event, instant deadline)
{
	int error = 0;

	while (!event->set && error == 0) {
		event->waiter = task_self();
		error = task_park_open("event", deadline);
		event->waiter = NULL;
	}
	return event->set ? 0 : error;
}

void
event_wait_surely(struct event *event)
{
	while (!event->set) {
		event->waiter = task_self();
		task_park_inner_uncancellable("event");
		event->waiter = NULL;
	}
}
