/*
 * pool.h - threads for work that blocks or computes
 *
 * Layer      runtime
 * Threads    a pool may be given work from any thread; who waits (for room, for
 *            a map, for the end) is a task
 * Memory     a block per pool; a job in the memory of who gives it, or one
 *            block of its own (pool_submit)
 * Limits     POOL_THREADS_MAX threads, POOL_QUEUE_MAX jobs that wait
 * Invariant  a job that was taken in ends exactly once: it runs, or is
 *            cancelled before it has begun. Jobs begin in the order in which
 *            they came. Threads start when a job comes and none is idle.
 */
#pragma once

#include "base/list.h"
#include "runtime/future.h"
#include "runtime/runtime.h"

#define POOL_THREADS_MAX 256
#define POOL_QUEUE_MAX   1000000
#define POOL_MAP_MAX     4096

struct pool_options {
	const char *name; /* static text, for the names of its threads */
	unsigned thread_count; /* 0: one per usable CPU */
	unsigned queue_max; /* jobs that wait for a thread; 0: 1024 */
};

struct pool;

/* Returns 0, -ENOMEM, -EINVAL (beyond the limits). */
MUST_CHECK int
pool_new(const struct pool_options *options, struct pool **ret_pool);

/*
 * pool_close - take in no more, wait for what there is, free @pool
 *
 * @cancel  jobs that have not begun are cancelled: their futures get
 *          -ECANCELED
 *
 * Suspends   in a task; elsewhere it blocks. Cannot be cancelled.
 */
SUSPENDS void pool_close(struct pool *pool, bool cancel);

/*
 * pool_submit - run @fn(@arg) on a thread of @pool
 *
 * @ret_future  set to what fn returns, with @arg as its value; NULL: nobody
 *              wants to know
 * @deadline    to wait for room in the queue; instant_past(): -EAGAIN instead
 *
 * Suspends   while the queue is full; any thread may call with instant_past()
 * Returns    0, -EAGAIN, -EPIPE (closed), -ENOMEM, -ETIMEDOUT, the cancel error
 */
SUSPENDS MUST_CHECK int pool_submit(struct pool *pool, int (*fn)(void *arg),
    void *arg, struct future **ret_future, instant deadline);

struct pool_map {
	int (*fn)(void *arg); /* on a thread */
	void *const *args; /* one for each call of fn */
	size_t count;
	/* What the calls returned, in this task, one at a time; not 0: stop,
	 * and return that. May suspend. */
	int (*each)(void *context, size_t index, int result);
	void *context;
	unsigned under_way_max; /* 0: two per thread; POOL_MAP_MAX at most */
	bool ordered; /* each in the order of args, else as they end */
};

/*
 * pool_map - @map->fn for every argument
 *
 * When it returns, none of its calls is under way or will be.
 *
 * Suspends   always
 * Returns    0, what `each` returned, -EINVAL, -ENOMEM, -EPIPE, -ETIMEDOUT, the
 *            cancel error
 */
SUSPENDS MUST_CHECK int
pool_map(struct pool *pool, const struct pool_map *map, instant deadline);

/*
 * Below pool_submit(): a job in the caller's memory, which stays until `run`
 * or `cancel` was called; both on any thread, in a simulation on the loop.
 */
struct pool_job {
	struct list queued;
	struct inbox_item item;
	void (*run)(struct pool_job *job);
	void (*cancel)(struct pool_job *job);
};

/* Returns 0, -EAGAIN (full, or no thread could be started), -EPIPE. */
MUST_CHECK int pool_push(struct pool *pool, struct pool_job *job);
/* Take it out again. False: it has begun, or has ended. */
bool pool_forget(struct pool *pool, struct pool_job *job);
