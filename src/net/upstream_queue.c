/*
 * upstream_queue.c - the line before a pool whose servers are all full
 *
 * Model: each worker has a FIFO of waiting tasks. A release wakes the first
 * waiter of its own worker, or else of another one that has any; a waiter that
 * finds the place taken waits on, at its place in the line. Places also come
 * with a server that is up again, a greater weight or a higher limit, of which
 * nobody tells: the line looks for itself, at each new arrival and every
 * POOL_LOOK, and who got a place sends the next one when there are more.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/counters.h"
#include "base/error.h"
#include "net/upstream_pool.h"
#include "runtime/task.h"

/* How often a line looks whether there are places that nobody told it of. */
#define POOL_LOOK duration_ms(50)

struct pool_waiter {
	struct list node;
	struct task *task;
	bool woken;
};

/* The first of the line that was not woken yet; false: there is none. */
static bool
pool_wake_first(struct pool_worker *pw)
{
	list_each (node, &pw->queue) {
		struct pool_waiter *waiter =
		    container_of(node, struct pool_waiter, node);

		if (waiter->woken)
			continue;
		waiter->woken = true;
		task_wake(waiter->task);
		return true;
	}
	return false;
}

/* Tell another worker that has a line; false: none has. */
static bool
pool_wake_other(struct upstream_pool *pool)
{
	unsigned self = worker_self();
	unsigned workers = runtime_worker_count();

	for (unsigned n = 1; n < workers; n++) {
		unsigned w = (self + n) % workers;

		if (atomic_load(&pool->waiting[w]) == 0)
			continue;
		/* Its waiters keep the worker's share alive: it leaves the
		 * pool only after the last of them has gone. */
		if (atomic_fetch_add(&pool->workers[w]->wakes, 1) == 0)
			worker_post(w, &pool->workers[w]->wake);
		return true;
	}
	return false;
}

/* As many places as were announced; those that nobody here waits for any more
 * go on to the next worker. */
static void
pool_wake_run(struct inbox_item *item)
{
	struct pool_worker *pw = container_of(item, struct pool_worker, wake);
	uint32_t count = atomic_exchange(&pw->wakes, 0);

	while (count-- > 0) {
		if (!pool_wake_first(pw) && !pool_wake_other(pw->pool))
			return;
	}
}

static void
pool_look(struct timer *timer)
{
	struct pool_worker *pw = container_of(timer, struct pool_worker, look);

	if (pw->queue_length == 0)
		return;
	(void)pool_wake_first(pw);
	timer_start(timer, instant_after(runtime_now(), POOL_LOOK));
}

void
pool_queue_init(struct pool_worker *pw)
{
	pw->wake.run = pool_wake_run;
	timer_init(&pw->look, pool_look);
	list_init(&pw->queue);
}

/* A place became free: the first in this worker's line has it, or else one of
 * another worker's; and each second place the other way about, since a line
 * that never empties would keep them all. */
void
pool_wake_one(struct upstream_pool *pool)
{
	struct pool_worker *here = pool->workers[worker_self()];
	bool others_first = here != NULL && (here->turn++ & 1) != 0;

	if (others_first && pool_wake_other(pool))
		return;
	if (here != NULL && pool_wake_first(here))
		return;
	if (!others_first)
		(void)pool_wake_other(pool);
}

static int
pool_queue_wait(struct pool_worker *pw, struct pool_waiter *waiter,
    struct upstream_attempt *attempt, instant deadline)
{
	instant now = runtime_now();
	instant end;
	int r;

	if (attempt->queued.ns == 0)
		attempt->queued = now;
	end = instant_earlier(deadline,
	    instant_after(attempt->queued, pw->pool->options.queue_timeout));
	waiter->woken = false;
	attempt->waiter = waiter->task;
	r = task_park("queue of a pool", end);
	attempt->waiter = NULL;
	if (attempt->abandoned)
		return E_CLIENT_GONE;
	if (r == -ETIMEDOUT)
		r = instant_before(runtime_now(), deadline) ? E_QUEUE_TIMEOUT
							    : -ETIMEDOUT;
	return r;
}

static void
pool_queue_join(struct pool_worker *pw, struct pool_waiter *waiter)
{
	waiter->task = task_self();
	waiter->woken = false;
	list_push_back(&pw->queue, &waiter->node);
	pw->queue_length++;
	counters_here->queue_length++;
	atomic_fetch_add(&pw->pool->waiting[worker_self()], 1);
	if (!timer_armed(&pw->look))
		timer_start(&pw->look, instant_after(runtime_now(), POOL_LOOK));
}

static void
pool_queue_leave(struct pool_worker *pw, struct pool_waiter *waiter)
{
	list_remove(&waiter->node);
	pw->queue_length--;
	counters_here->queue_length--;
	atomic_fetch_sub(&pw->pool->waiting[worker_self()], 1);
}

/* After server @i was claimed: whether another request would find a place. */
static bool
pool_has_room(const struct pool_worker *pw, unsigned i)
{
	return pw->up_count > pw->full_count + 1 ||
	    (pw->up_count > pw->full_count && !pool_server_full(pw->pool, i));
}

/* Wait in the line until a server can be claimed. */
static int
pool_choose_queued(
    struct pool_worker *pw, struct upstream_attempt *attempt, instant deadline)
{
	struct pool_waiter waiter;
	bool on_trial;
	int r, i = -1;

	if (pw->queue_length >= pw->pool->options.queue_max) {
		counters_here->queue_rejected++;
		return E_QUEUE_FULL;
	}
	pool_queue_join(pw, &waiter);
	/* A place may have become free before the line was joined, or be free
	 * while those in front do not know. */
	if (pw->queue_length == 1 || pw->up_count > pw->full_count)
		(void)pool_wake_first(pw);
	do {
		r = pool_queue_wait(pw, &waiter, attempt, deadline);
		if (r < 0)
			break;
		memset(attempt->tried, 0, sizeof(attempt->tried));
		i = pool_take(pw, attempt, &on_trial);
		if (i < 0 && pw->up_count == 0)
			r = E_POOL_DOWN;
	} while (r == 0 && i < 0);
	pool_queue_leave(pw, &waiter);
	/* A wake that this waiter could not use belongs to the next. */
	if (r < 0 && waiter.woken)
		pool_wake_one(pw->pool);
	else if (r >= 0 && pool_has_room(pw, (unsigned)i))
		(void)pool_wake_first(pw);
	if (r == E_QUEUE_TIMEOUT)
		counters_here->queue_rejected++;
	return r < 0 ? r : i;
}

/* Index of a server with the request counted at it, or an error. */
int
pool_choose(
    struct pool_worker *pw, struct upstream_attempt *attempt, instant deadline)
{
	bool on_trial = false;
	int i = -1;

	/* Nobody overtakes those who wait. */
	if (pw->queue_length == 0)
		i = pool_take(pw, attempt, &on_trial);
	else
		pool_refresh(pw, attempt);
	if (i >= 0)
		return i;
	if (pw->up_count == 0)
		return E_POOL_DOWN;
	if (pw->queue_length == 0 && pw->full_count == 0 && !on_trial) {
		/* Every server that is up was tried: begin again. */
		memset(attempt->tried, 0, sizeof(attempt->tried));
		i = pool_take(pw, attempt, &on_trial);
	}
	return i >= 0 ? i : pool_choose_queued(pw, attempt, deadline);
}
