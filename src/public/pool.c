/*
 * public/pool.c - <weir/pool.h> over the runtime
 */
#include <weir/pool.h>

#include "public/inner.h"
#include "runtime/pool.h"

int
weir_pool_new(
    const struct weir_pool_options *options, struct weir_pool **ret_pool)
{
	struct pool_options inner = {0};

	if (options != NULL)
		inner = (struct pool_options){.name = options->name,
		    .thread_count = options->thread_count,
		    .queue_max = options->queue_max};
	return pool_new(&inner, (struct pool **)ret_pool);
}

void
weir_pool_close(struct weir_pool *pool, bool cancel)
{
	pool_close((struct pool *)pool, cancel);
}

int
weir_pool_submit(struct weir_pool *pool, int (*fn)(void *arg), void *arg,
    struct weir_future **ret_future, weir_time deadline)
{
	return pool_submit((struct pool *)pool, fn, arg,
	    (struct future **)ret_future, inner_time(deadline));
}

int
weir_pool_map(
    struct weir_pool *pool, const struct weir_map *map, weir_time deadline)
{
	struct pool_map inner = {.fn = map->fn,
	    .args = map->args,
	    .count = map->count,
	    .each = map->each,
	    .context = map->context,
	    .under_way_max = map->under_way_max,
	    .ordered = map->ordered};

	(void)task_required(__func__);
	return pool_map((struct pool *)pool, &inner, inner_time(deadline));
}
