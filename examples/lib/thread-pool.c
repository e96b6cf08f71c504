/*
 * thread-pool.c - work for threads, results in order or as they come
 *
 *   cc thread-pool.c $(pkg-config --cflags --libs weir)
 *
 * What computes or blocks would hold up the other tasks of its worker: it goes
 * to a pool, and the task waits for a future, or maps a function over many
 * arguments with a bound on how many are under way.
 */
#include <weir/weir.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define COUNT 12

struct number {
	int value;
	int divisors;
};

/* On a thread of the pool. */
static int
count_divisors(void *arg)
{
	struct number *number = arg;

	for (int i = 1; i <= number->value; i++)
		number->divisors += number->value % i == 0;
	return number->divisors;
}

/* In the task that maps. */
static int
tell(void *context, size_t index, int result)
{
	struct number *numbers = context;

	printf("%d has %d divisors\n", numbers[index].value, result);
	return 0;
}

static int
add(void *context, size_t index, int result)
{
	(void)index;
	*(int *)context += result;
	return 0;
}

static int
blocks(void *arg)
{
	usleep(2000);
	return *(int *)arg;
}

static int
root(void *arg)
{
	struct weir_pool_options options = {
	    .name = "divisors", .thread_count = 4, .queue_max = 4};
	struct number numbers[COUNT];
	void *args[COUNT];
	struct weir_map map = {.fn = count_divisors,
	    .args = args,
	    .count = COUNT,
	    .each = tell,
	    .context = numbers,
	    .ordered = true};
	struct weir_future *futures[3];
	struct weir_pool *pool;
	int values[3] = {10, 20, 12}, sum = 0, result;

	(void)arg;
	assert(weir_pool_new(&options, &pool) == 0);
	for (int i = 0; i < COUNT; i++) {
		numbers[i] = (struct number){.value = 1000 * (i + 1)};
		args[i] = &numbers[i];
	}
	assert(weir_pool_map(pool, &map, WEIR_NEVER) == 0);

	for (int i = 0; i < COUNT; i++)
		numbers[i].divisors = 0;
	map.each = add;
	map.context = &sum;
	map.ordered = false;
	assert(weir_pool_map(pool, &map, WEIR_NEVER) == 0);
	printf("together %d\n", sum);

	sum = 0;
	for (int i = 0; i < 3; i++)
		assert(weir_pool_submit(pool, blocks, &values[i], &futures[i],
			   WEIR_NEVER) == 0);
	assert(weir_future_wait_all(futures, 3, WEIR_NEVER) == 0);
	for (int i = 0; i < 3; i++) {
		assert(weir_future_wait(futures[i], &result, NULL, WEIR_PAST) ==
		    0);
		sum += result;
		weir_future_unref(futures[i]);
	}
	printf("three futures: %d\n", sum);
	weir_pool_close(pool, false);
	return 0;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) < 0;
}
