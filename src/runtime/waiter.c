#include "runtime/waiter.h"

#include "runtime/park.h"

void
waiter_run(struct inbox_item *item)
{
	struct waiter *waiter = container_of(item, struct waiter, item);

	waiter->woken = true;
	task_wake_here(waiter->task);
}

void
waiter_wake(struct waiter *waiter)
{
	struct worker *worker = worker_here;

	if (worker != NULL && worker->index == waiter->worker)
		waiter_run(&waiter->item);
	else
		worker_post(waiter->worker, &waiter->item);
}

void
waiters_wake(struct waiters *waiters)
{
	struct inbox_item *item;

	*waiters->last = NULL;
	item = waiters->first;
	while (item != NULL) {
		struct inbox_item *next = item->next;

		waiter_wake(container_of(item, struct waiter, item));
		item = next;
	}
}

int
waiter_wait(struct waiter *waiter, const char *reason, instant deadline)
{
	struct worker *worker = worker_here;
	struct task *self = waiter->task;
	int error = 0;

	while (!waiter->woken && error == 0)
		error = likely(!waiter->shared)
		    ? task_park_inner_here(worker, self, reason, deadline)
		    : task_park_open(reason, deadline);
	if (likely(waiter->woken))
		return 0;
	if (waiter_claim(waiter, WAITER_LEFT))
		return error;
	/* Claimed by another worker: its message is on the way. */
	while (!waiter->woken)
		task_park_uncancellable(reason);
	return 0;
}
