/*
 * sync_core.c - waiting in the queue of a lock, and being let go
 */
#include "runtime/sync_core.h"

#include <errno.h>
#include <sched.h>

#include "runtime/deadlock.h"

#define SYNC_SPINS 64

/* The holder is on another processor and done within 100 ns, or it was
 * preempted: then it needs this one. */
void
sync_spin(_Atomic uint32_t *busy)
{
	for (unsigned i = 0; i < SYNC_SPINS; i++) {
		if (atomic_load_explicit(busy, memory_order_relaxed) == 0)
			return;
#if defined(__x86_64__)
		__builtin_ia32_pause();
#endif
	}
	sched_yield();
}

int
sync_check_fully(const struct sync *sync, bool is_kind, const char *call)
{
	const struct worker *worker = worker_here;

	if (!is_kind)
		return sync_misuse(
		    sync, -EINVAL, call, "it was never initialised");
	if (worker == NULL || worker->current == NULL)
		return sync_misuse(sync, -EPERM, call, "called outside a task");
	return task_stop_error(worker->current, worker->now);
}

static void
sync_append(struct sync_waiter *waiter)
{
	struct sync *sync = waiter->sync;

	waiter->next = NULL;
	waiter->prev = sync->last;
	if (sync->last != NULL)
		sync->last->next = waiter;
	else
		sync->first = waiter;
	sync->last = waiter;
}

static void
sync_remove(struct sync_waiter *waiter)
{
	struct sync *sync = waiter->sync;

	if (waiter->prev != NULL)
		waiter->prev->next = waiter->next;
	else
		sync->first = waiter->next;
	if (waiter->next != NULL)
		waiter->next->prev = waiter->prev;
	else
		sync->last = waiter->prev;
}

void
sync_grant(struct sync_waiter *waiter, struct sync_wakes *wakes)
{
	sync_remove(waiter);
	waiter->granted = true;
	waiter->next = NULL;
	if (wakes->first == NULL)
		wakes->first = waiter;
	else
		*wakes->last = waiter;
	wakes->last = &waiter->next;
}

static void
sync_arrive(struct inbox_item *item)
{
	struct sync_waiter *waiter =
	    container_of(item, struct sync_waiter, item);

	waiter->arrived = true;
	task_wake(waiter->task);
}

void
sync_wake_all(struct sync_waiter *waiter)
{
	while (waiter != NULL) {
		struct sync_waiter *next = waiter->next;

		if (worker_here != NULL && worker_here->index == waiter->worker)
			sync_arrive(&waiter->item);
		else
			worker_post(waiter->worker, &waiter->item);
		waiter = next;
	}
}

void
sync_enqueue(struct sync_waiter *waiter)
{
	waiter->task = worker_here->current;
	waiter->worker = worker_here->index;
	waiter->owned = waiter->sync->kind <= SYNC_OWNED_LAST;
	waiter->item.run = sync_arrive;
	waiter->granted = false;
	waiter->arrived = false;
	sync_append(waiter);
	sync_leave(waiter->sync);
}

/* Out of the queue, unless it was granted already: then the wake is coming. */
static bool
sync_withdraw(struct sync_waiter *waiter, sync_serve_fn serve)
{
	struct sync_wakes wakes = {NULL, NULL};
	bool granted;

	sync_enter(waiter->sync);
	granted = waiter->granted;
	if (!granted) {
		sync_remove(waiter);
		serve(waiter->sync, &wakes);
	}
	sync_leave(waiter->sync);
	sync_wake(&wakes);
	return !granted;
}

static void
sync_await_wake(struct sync_waiter *waiter, const char *reason)
{
	while (!waiter->arrived)
		task_park_inner_uncancellable(reason);
}

int
sync_wait_queued(struct sync_waiter *waiter, sync_serve_fn serve,
    const char *reason, instant deadline)
{
	int error = deadlock_wait_begin(waiter);

	while (!waiter->arrived && error == 0)
		error = task_park_inner(reason, deadline);
	/* After the wake the object may be gone, so it is asked last. */
	if (!waiter->arrived && !sync_withdraw(waiter, serve))
		sync_await_wake(waiter, reason);
	deadlock_wait_end(waiter);
	return waiter->arrived ? 0 : error;
}

int
sync_wait(struct sync_waiter *waiter, sync_serve_fn serve, const char *reason,
    instant deadline)
{
	if (!instant_before(worker_here->now, deadline)) {
		sync_leave(waiter->sync);
		return -ETIMEDOUT;
	}
	sync_enqueue(waiter);
	return sync_wait_queued(waiter, serve, reason, deadline);
}

void
sync_wait_surely(struct sync_waiter *waiter, const char *reason)
{
	sync_enqueue(waiter);
	/* A circle is reported; there is nothing to give back. */
	(void)!deadlock_wait_begin(waiter);
	sync_await_wake(waiter, reason);
	deadlock_wait_end(waiter);
}
