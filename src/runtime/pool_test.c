#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/clock.h"
#include "runtime/pool.h"

static const struct runtime_options one_worker = {.worker_count = 1};

static instant
after_ms(int64_t ms)
{
	return instant_after(clock_now(), duration_ms(ms));
}

static void
run(task_fn root, void *arg)
{
	assert_int_equal(runtime_run(&one_worker, root, arg), 0);
}

static struct pool *
make(unsigned threads, unsigned queue_max)
{
	struct pool_options options = {
	    .name = "test", .thread_count = threads, .queue_max = queue_max};
	struct pool *pool;

	assert_int_equal(pool_new(&options, &pool), 0);
	return pool;
}

/* A job that waits until it is let go. */
static _Atomic bool gate_open;
static _Atomic unsigned begun;

static int
waits(void *arg)
{
	begun++;
	while (!gate_open)
		usleep(100);
	return (int)(intptr_t)arg;
}

static void
await_begun(unsigned count)
{
	while (begun < count)
		assert_int_equal(task_sleep(duration_ms(1)), 0);
}

static int
doubles(void *arg)
{
	return 2 * *(int *)arg;
}

static int
root_submit(void *arg)
{
	struct pool *pool = make(3, 0);
	struct future *futures[50];
	int args[50], result;
	void *value;

	for (int i = 0; i < 50; i++) {
		args[i] = i;
		assert_int_equal(pool_submit(pool, doubles, &args[i],
				     &futures[i], instant_past()),
		    0);
	}
	for (int i = 0; i < 50; i++) {
		assert_int_equal(
		    future_wait(futures[i], &result, &value, instant_never()),
		    0);
		assert_int_equal(result, 2 * i);
		assert_ptr_equal(value, &args[i]);
		future_unref(futures[i]);
	}
	pool_close(pool, false);
	return 0;
}

static void
test_submit(void **state)
{
	run(root_submit, NULL);
}

/* A full queue refuses, or is waited for. */
static int
lets_go(void *arg)
{
	assert_int_equal(task_sleep(duration_ms(2)), 0);
	gate_open = true;
	return 0;
}

static int
root_full(void *arg)
{
	struct pool *pool = make(1, 2);
	struct future *last;
	int result;

	begun = 0;
	gate_open = false;
	assert_int_equal(
	    pool_submit(pool, waits, NULL, NULL, instant_never()), 0);
	await_begun(1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    pool_submit(pool, waits, NULL, NULL, instant_past()), 0);
	assert_int_equal(
	    pool_submit(pool, waits, NULL, NULL, instant_past()), -EAGAIN);
	assert_int_equal(
	    pool_submit(pool, waits, NULL, &last, after_ms(2)), -ETIMEDOUT);
	assert_int_equal(task_start(NULL, "go", lets_go, NULL), 0);
	assert_int_equal(
	    pool_submit(pool, waits, (void *)7, &last, instant_never()), 0);
	assert_int_equal(future_wait(last, &result, NULL, instant_never()), 0);
	assert_int_equal(result, 7);
	future_unref(last);
	pool_close(pool, false);
	assert_int_equal(begun, 4);
	return 0;
}

static void
test_full(void **state)
{
	run(root_full, NULL);
}

/* Closed gently, all that was taken in runs; else what has not begun does
 * not. */
static int
root_close(void *arg)
{
	bool cancel = *(bool *)arg;
	struct pool *pool = make(1, 0);
	struct future *futures[5];
	int result;

	begun = 0;
	gate_open = false;
	for (int i = 0; i < 5; i++)
		assert_int_equal(pool_submit(pool, waits, (void *)3,
				     &futures[i], instant_never()),
		    0);
	await_begun(1);
	assert_int_equal(task_start(NULL, "go", lets_go, NULL), 0);
	pool_close(pool, cancel);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(
		    future_wait(futures[i], &result, NULL, instant_past()), 0);
		assert_int_equal(result, cancel && i > 0 ? -ECANCELED : 3);
		future_unref(futures[i]);
	}
	return 0;
}

static void
test_close(void **state)
{
	run(root_close, &(bool){false});
	run(root_close, &(bool){true});
}

/* Outside the runtime a pool works too, but for waiting on it. */
static void
test_outside(void **state)
{
	struct pool *pool = make(2, 0);
	struct future *future;
	int arg = 21;

	assert_int_equal(
	    pool_submit(pool, doubles, &arg, &future, instant_past()), 0);
	pool_close(pool, false);
	assert_true(future_is_set(future));
	future_unref(future);
	assert_int_equal(
	    pool_new(
		&(struct pool_options){.thread_count = POOL_THREADS_MAX + 1},
		&pool),
	    -EINVAL);
}

/* ---- map ---- */

#define MAP_COUNT 200

struct told {
	size_t count;
	size_t order[MAP_COUNT];
	bool seen[MAP_COUNT];
	size_t stop_at;
};

static _Atomic unsigned under_way, under_way_most;

static int
sleeps_and_doubles(void *arg)
{
	unsigned now = ++under_way;

	if (now > under_way_most)
		under_way_most = now;
	usleep((useconds_t)(*(int *)arg * 7919 % 13 * 20));
	under_way--;
	return 2 * *(int *)arg;
}

static int
tell(void *context, size_t index, int result)
{
	struct told *told = context;

	assert_int_equal(result, 2 * (int)index);
	assert_false(told->seen[index]);
	told->seen[index] = true;
	told->order[told->count++] = index;
	return told->count == told->stop_at ? -ENOTTY : 0;
}

static int
map(struct pool *pool, struct told *told, bool ordered, unsigned max,
    instant deadline)
{
	static int numbers[MAP_COUNT];
	static void *args[MAP_COUNT];
	struct pool_map map = {.fn = sleeps_and_doubles,
	    .args = args,
	    .count = MAP_COUNT,
	    .each = tell,
	    .context = told,
	    .under_way_max = max,
	    .ordered = ordered};

	for (int i = 0; i < MAP_COUNT; i++) {
		numbers[i] = i;
		args[i] = &numbers[i];
	}
	return pool_map(pool, &map, deadline);
}

static int
root_map(void *arg)
{
	struct pool *pool = make(4, 3);
	struct told told = {0};

	assert_int_equal(map(pool, &told, true, 0, instant_never()), 0);
	assert_int_equal(told.count, MAP_COUNT);
	for (size_t i = 0; i < MAP_COUNT; i++)
		assert_int_equal(told.order[i], i);
	under_way_most = 0;
	told = (struct told){0};
	assert_int_equal(map(pool, &told, false, 2, instant_never()), 0);
	assert_int_equal(told.count, MAP_COUNT);
	assert_true(under_way_most <= 2);
	/* Stopped by its user, and by a deadline: nothing is under way. */
	told = (struct told){.stop_at = 10};
	assert_int_equal(map(pool, &told, false, 50, instant_never()), -ENOTTY);
	assert_int_equal(told.count, 10);
	assert_int_equal(under_way, 0);
	told = (struct told){0};
	assert_int_equal(map(pool, &told, true, 50, after_ms(1)), -ETIMEDOUT);
	assert_int_equal(under_way, 0);
	assert_int_equal(
	    map(pool, &told, true, POOL_MAP_MAX + 1, instant_never()), -EINVAL);
	pool_close(pool, false);
	return 0;
}

static void
test_map(void **state)
{
	run(root_map, NULL);
}

/* The first job holds the results of the others back. */
static int
holds_window(void *arg)
{
	const unsigned *number = arg;
	instant until = after_ms(5000);

	begun++;
	if (*number > 0)
		return 0;
	while (begun < 4 && instant_before(clock_now(), until))
		usleep(100);
	/* Time enough for one too many. */
	usleep(20000);
	return (int)begun;
}

static int
tell_window(void *context, size_t index, int result)
{
	if (index == 0)
		*(int *)context = result;
	return 0;
}

/* Two jobs for each thread are under way or wait to be told, where the map says
 * nothing. */
static int
root_map_window(void *arg)
{
	struct pool *pool = make(2, 0);
	unsigned numbers[20];
	void *args[20];
	int seen = 0;
	struct pool_map map = {.fn = holds_window,
	    .args = args,
	    .count = 20,
	    .each = tell_window,
	    .context = &seen,
	    .ordered = true};

	begun = 0;
	for (unsigned i = 0; i < 20; i++) {
		numbers[i] = i;
		args[i] = &numbers[i];
	}
	assert_int_equal(pool_map(pool, &map, instant_never()), 0);
	assert_int_equal(begun, 20);
	assert_int_equal(seen, 4);
	pool_close(pool, false);
	return 0;
}

static void
test_map_window(void **state)
{
	run(root_map_window, NULL);
}

/* A map whose task is stopped. */
static int
maps(void *arg)
{
	struct told told = {0};

	assert_int_equal(map(arg, &told, true, 20, instant_never()), -EPIPE);
	return 0;
}

static int
root_map_stopped(void *arg)
{
	struct pool *pool = make(1, 0);
	struct scope scope;

	scope_init(&scope, instant_never());
	assert_int_equal(task_start(&scope, "maps", maps, pool), 0);
	while (under_way == 0)
		assert_int_equal(task_yield(), 0);
	scope_cancel(&scope, -EPIPE);
	assert_int_equal(scope_fini(&scope), 0);
	pool_close(pool, true);
	return 0;
}

static void
test_map_stopped(void **state)
{
	run(root_map_stopped, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_submit),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_close),
	    cmocka_unit_test(test_outside),
	    cmocka_unit_test(test_map),
	    cmocka_unit_test(test_map_window),
	    cmocka_unit_test(test_map_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
