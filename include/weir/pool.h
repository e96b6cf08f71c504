/*
 * weir/pool.h - threads for work that blocks or computes
 *
 * A pool has a bounded queue; its threads start when there is work and none is
 * idle. Jobs begin in the order in which they came. A job is a plain function:
 * it must not call what suspends.
 */
#ifndef WEIR_POOL_H
#define WEIR_POOL_H

#include <weir/api.h>
#include <weir/future.h>
#include <weir/time.h>

WEIR_BEGIN

struct weir_pool_options {
	const char *name; /* text that stays, for the names of its threads */
	unsigned thread_count; /* 0: one per usable CPU; 256 at most */
	unsigned queue_max; /* jobs that wait for a thread; 0: 1024 */
	uint64_t reserved[4]; /* zero */
};

struct weir_pool;

/* @options may be NULL. Returns 0, -ENOMEM, -EINVAL (too many threads or jobs).
 */
WEIR_API WEIR_MUST_CHECK int weir_pool_new(
    const struct weir_pool_options *options, struct weir_pool **ret_pool);

/* Takes in no more, waits for what there is and frees @pool; it always
 * succeeds. @cancel: jobs that have not begun end with -ECANCELED. Suspends;
 * outside tasks it blocks. */
WEIR_API void weir_pool_close(struct weir_pool *pool, bool cancel);

/*
 * Run @fn(@arg) on a thread of @pool. *@ret_future is set to what it returns,
 * with @arg as the value; one reference is the caller's. @ret_future may be
 * NULL.
 *
 * @deadline  suspends until then while the queue is full; WEIR_PAST does not,
 *            and may be used in any thread
 *
 * Returns 0; -EAGAIN (full; WEIR_PAST); -ETIMEDOUT; -EPIPE (closed); -ENOMEM;
 * why the task was stopped.
 */
WEIR_API WEIR_MUST_CHECK int
weir_pool_submit(struct weir_pool *pool, int (*fn)(void *arg), void *arg,
    struct weir_future **ret_future, weir_time deadline);

struct weir_map {
	int (*fn)(void *arg); /* on a thread */
	void *const *args; /* one for each call of fn */
	size_t count;
	/* Told what each call returned, in the calling task, one at a time.
	 * Not 0: stop, and return that. May suspend. */
	int (*each)(void *context, size_t index, int result);
	void *context;
	unsigned under_way_max; /* 0: two per thread; 4096 at most */
	bool ordered; /* told in the order of args, else as they end */
	uint64_t reserved[4]; /* zero */
};

/*
 * Call map->fn for every argument. Suspends. When it returns, none of its calls
 * is under way or will be, however it ended.
 *
 * Returns 0; what `each` returned; -EINVAL, -ENOMEM, -EPIPE, -ETIMEDOUT; why
 * the task was stopped.
 */
WEIR_API WEIR_MUST_CHECK int weir_pool_map(
    struct weir_pool *pool, const struct weir_map *map, weir_time deadline);

WEIR_END

#endif
