/*
 * pool.c - the queue of a pool and its threads
 *
 * `live` counts threads that have not ended and, in a simulation, jobs that
 * are due on the loop instead; whoever brings it to 0 while the pool closes
 * tells the one who closes it.
 */
#include "runtime/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/counters.h"
#include "os/cpu.h"
#include "runtime/deadlock.h"
#include "runtime/io_backend.h"
#include "runtime/pool_inner.h"
#include "runtime/worker.h"

#define POOL_QUEUE_DEFAULT 1024

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct list queue; /* struct pool_job */
	struct list rooms; /* struct pool_room: tasks that wait for room */
	const char *name;
	unsigned queue_length;
	unsigned queue_max;
	unsigned thread_max;
	unsigned thread_count; /* started */
	unsigned idle_count;
	unsigned live;
	bool ending;
	bool cancelling; /* nothing begins any more */
	struct event *closer; /* NULL: nobody, or a thread that joins */
	pthread_t threads[];
};

struct pool_room {
	struct list node;
	struct waiter waiter;
};

int
pool_new(const struct pool_options *options, struct pool **ret_pool)
{
	unsigned threads = options->thread_count;
	struct pool *pool;

	if (threads == 0)
		threads =
		    min_of(cpu_count_usable(), (unsigned)POOL_THREADS_MAX);
	if (threads > POOL_THREADS_MAX || options->queue_max > POOL_QUEUE_MAX)
		return -EINVAL;
	pool = malloc(sizeof(*pool) + threads * sizeof(pool->threads[0]));
	if (pool == NULL)
		return -ENOMEM;
	*pool = (struct pool){
	    .name = options->name != NULL ? options->name : "pool",
	    .queue_max = options->queue_max != 0 ? options->queue_max
						 : POOL_QUEUE_DEFAULT,
	    .thread_max = threads};
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->more, NULL);
	list_init(&pool->queue);
	list_init(&pool->rooms);
	*ret_pool = pool;
	return 0;
}

unsigned
pool_thread_max(const struct pool *pool)
{
	return pool->thread_max;
}

/* Locked. One more has ended; the event to set after the unlock, or NULL. */
static struct event *
pool_live_down(struct pool *pool)
{
	return --pool->live == 0 ? pool->closer : NULL;
}

/* Locked. Whom the room that has come is for. */
static struct waiter *
pool_room_give(struct pool *pool)
{
	struct list *node;

	while ((node = list_pop_front(&pool->rooms)) != NULL) {
		struct pool_room *room =
		    container_of(node, struct pool_room, node);

		if (waiter_claim(&room->waiter, 1))
			return &room->waiter;
	}
	return NULL;
}

/* Locked, also at the end; unlocked in between. False: this thread ends. */
static bool
pool_work(struct pool *pool)
{
	struct waiter *waiter;
	struct pool_job *job;
	struct list *node;

	while (list_empty(&pool->queue) && !pool->ending) {
		pool->idle_count++;
		pthread_cond_wait(&pool->more, &pool->lock);
		pool->idle_count--;
	}
	node = pool->cancelling ? NULL : list_pop_front(&pool->queue);
	if (node == NULL)
		return false;
	job = container_of(node, struct pool_job, queued);
	pool->queue_length--;
	waiter = pool_room_give(pool);
	pthread_mutex_unlock(&pool->lock);
	if (waiter != NULL)
		waiter_wake(waiter);
	job->run(job);
	deadlock_outside_end();
	pthread_mutex_lock(&pool->lock);
	return true;
}

static void *
pool_thread(void *arg)
{
	struct pool *pool = arg;
	struct event *closer;
	char name[16];

	counters_use(NULL);
	snprintf(name, sizeof(name), "%s", pool->name);
	pthread_setname_np(pthread_self(), name);
	pthread_mutex_lock(&pool->lock);
	while (pool_work(pool))
		;
	closer = pool_live_down(pool);
	pthread_mutex_unlock(&pool->lock);
	if (closer != NULL)
		event_set(closer);
	return NULL;
}

/* Locked. One more thread if none is idle. 0 while there is at least one. */
static int
pool_grow(struct pool *pool)
{
	int error;

	if (pool->idle_count > pool->queue_length ||
	    pool->thread_count == pool->thread_max)
		return 0;
	error = runtime_thread_new(
	    &pool->threads[pool->thread_count], pool_thread, pool);
	if (error == 0) {
		pool->thread_count++;
		pool->live++;
	}
	return pool->thread_count > 0 ? 0 : error;
}

/* In a simulation, in place of a thread. */
struct pool_deferred {
	struct inbox_item item;
	struct pool *pool;
	struct pool_job *job;
};

static void
pool_deferred_run(struct inbox_item *item)
{
	struct pool_deferred *deferred =
	    container_of(item, struct pool_deferred, item);
	struct pool *pool = deferred->pool;
	struct event *closer;

	deferred->job->run(deferred->job);
	deadlock_outside_end();
	free(deferred);
	closer = pool_live_down(pool);
	if (closer != NULL)
		event_set(closer);
}

static COLD int
pool_defer(struct pool *pool, struct pool_job *job)
{
	struct pool_deferred *deferred = malloc(sizeof(*deferred));

	if (deferred == NULL)
		return -ENOMEM;
	*deferred = (struct pool_deferred){
	    .item.run = pool_deferred_run, .pool = pool, .job = job};
	list_init(&job->queued);
	pool->live++;
	worker_here->backend->defer(worker_here, &deferred->item);
	return 0;
}

static int
pool_enqueue(struct pool *pool, struct pool_job *job)
{
	int error;

	if (unlikely(
		worker_here != NULL && worker_here->backend->defer != NULL))
		return pool->ending ? -EPIPE : pool_defer(pool, job);
	pthread_mutex_lock(&pool->lock);
	if (pool->ending)
		error = -EPIPE;
	else if (pool->queue_length == pool->queue_max)
		error = -EAGAIN;
	else
		error = pool_grow(pool);
	if (error == 0) {
		list_push_back(&pool->queue, &job->queued);
		pool->queue_length++;
		pthread_cond_signal(&pool->more);
	}
	pthread_mutex_unlock(&pool->lock);
	return error;
}

/* From here to its end a job may wake any task. */
int
pool_push(struct pool *pool, struct pool_job *job)
{
	int error;

	deadlock_outside_begin();
	error = pool_enqueue(pool, job);
	if (error < 0)
		deadlock_outside_end();
	return error;
}

bool
pool_forget(struct pool *pool, struct pool_job *job)
{
	struct waiter *waiter = NULL;
	bool queued;

	pthread_mutex_lock(&pool->lock);
	queued = !list_empty(&job->queued);
	if (queued) {
		list_remove(&job->queued);
		pool->queue_length--;
		waiter = pool_room_give(pool);
	}
	pthread_mutex_unlock(&pool->lock);
	if (waiter != NULL)
		waiter_wake(waiter);
	if (queued)
		deadlock_outside_end();
	return queued;
}

int
pool_wait_room(struct pool *pool, instant deadline)
{
	struct pool_room room;
	bool full;
	int error;

	pthread_mutex_lock(&pool->lock);
	full = pool->queue_length == pool->queue_max && !pool->ending;
	if (full) {
		waiter_init(&room.waiter, true);
		list_push_back(&pool->rooms, &room.node);
	}
	pthread_mutex_unlock(&pool->lock);
	if (!full)
		return task_cancelled();
	error = waiter_wait(&room.waiter, "pool", deadline);
	pthread_mutex_lock(&pool->lock);
	list_remove(&room.node);
	pthread_mutex_unlock(&pool->lock);
	return error;
}

/* The next that has not begun, taken out; or NULL. */
static struct pool_job *
pool_take_unbegun(struct pool *pool)
{
	struct list *node;

	pthread_mutex_lock(&pool->lock);
	node = list_pop_front(&pool->queue);
	if (node != NULL)
		pool->queue_length--;
	pthread_mutex_unlock(&pool->lock);
	return node != NULL ? container_of(node, struct pool_job, queued)
			    : NULL;
}

/* From here on nothing is taken in, and threads end when all is done. @event
 * is set then if that is still to come; NULL: who calls joins them. */
static bool
pool_end(struct pool *pool, bool cancel, struct event *event)
{
	struct waiters wakes;
	struct waiter *waiter;
	bool live;

	waiters_init(&wakes);
	pthread_mutex_lock(&pool->lock);
	misuse_unless(!pool->ending,
	    "weir_pool_close() of a pool that is closed already");
	pool->ending = true;
	pool->cancelling = cancel;
	while ((waiter = pool_room_give(pool)) != NULL)
		waiters_add(&wakes, waiter);
	live = pool->live > 0;
	pool->closer = event;
	pthread_cond_broadcast(&pool->more);
	pthread_mutex_unlock(&pool->lock);
	waiters_wake(&wakes);
	return live;
}

void
pool_close(struct pool *pool, bool cancel)
{
	bool in_task = task_self() != NULL, live;
	struct pool_job *job;
	struct event event;

	if (in_task)
		event_init(&event);
	live = pool_end(pool, cancel, in_task ? &event : NULL);
	while (cancel && (job = pool_take_unbegun(pool)) != NULL) {
		job->cancel(job);
		deadlock_outside_end();
	}
	if (in_task && live) {
		/* Its threads are on their way to their end. */
		deadlock_outside_begin();
		event_wait_surely(&event);
		deadlock_outside_end();
	}
	for (unsigned i = 0; i < pool->thread_count; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->more);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
