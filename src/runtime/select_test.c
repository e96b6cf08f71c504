#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "os/clock.h"
#include "runtime/select.h"

#define WORKERS 3

static const struct runtime_options some_workers = {.worker_count = WORKERS};

static instant
after_ms(int64_t ms)
{
	return instant_after(clock_now(), duration_ms(ms));
}

static struct chan *
make(uint32_t capacity, bool shared)
{
	struct chan_options options = {
	    .item_bytes = sizeof(int), .capacity = capacity, .shared = shared};
	struct chan *chan;

	assert_int_equal(chan_new(&options, &chan), 0);
	return chan;
}

static struct select_case
on_send(struct chan *chan, int *item)
{
	return (struct select_case){
	    .kind = SELECT_SEND, .source = chan, .item = item};
}

static struct select_case
on_recv(struct chan *chan, int *item)
{
	return (struct select_case){
	    .kind = SELECT_RECV, .source = chan, .item = item};
}

static void
run(task_fn root, void *arg)
{
	static const char *const backends[] = {
	    "epoll", "uring", "poll", "select"};

	for (size_t i = 0; i < array_count(backends); i++) {
		struct runtime_options options = {
		    .worker_count = 1, .backend = backends[i]};

		assert_int_equal(runtime_run(&options, root, arg), 0);
	}
}

/* Ready, not ready, closed; and over many searches each ready case comes. */
static int
root_ready(void *arg)
{
	bool shared = arg != NULL;
	struct chan *full = make(1, shared), *empty = make(1, shared);
	int item = 7, got[4] = {0}, counts[4] = {0}, index;
	struct select_case cases[] = {on_send(full, &item),
	    on_recv(empty, &got[1]), on_recv(full, &got[2]),
	    on_send(empty, &item)};

	assert_int_equal(chan_try_send(full, &item), 0);
	assert_int_equal(select_wait(cases, 2, instant_past()), -ETIMEDOUT);
	assert_int_equal(select_wait(cases, 2, after_ms(2)), -ETIMEDOUT);
	assert_int_equal(select_wait(cases, 3, instant_never()), 2);
	assert_int_equal(got[2], 7);
	assert_int_equal(cases[2].result, 0);
	/* A closed channel is ready, with an error. */
	chan_close(full);
	for (int i = 0; i < 400; i++) {
		index = select_wait(cases, 4, instant_never());
		assert_true(index >= 0);
		counts[index]++;
		if (index == 0 || index == 2)
			assert_int_equal(cases[index].result, -EPIPE);
		else
			assert_int_equal(cases[index].result, 0);
	}
	for (int i = 0; i < 4; i++)
		assert_true(counts[i] > 20);
	chan_unref(full);
	chan_unref(empty);
	return 0;
}

static void
test_ready(void **state)
{
	run(root_ready, NULL);
	run(root_ready, &(int){1});
}

/* Everything that a select can wait for, one at a time. */
struct all {
	struct chan *in, *out;
	struct io_fd io;
	struct event event;
	struct task_handle handle;
	struct future *future;
	int peer;
	int what;
};

static int
returns_five(void *arg)
{
	assert_int_equal(task_yield(), 0);
	return 5;
}

/* Makes case @what of the waiting select come. */
static int
all_poke(void *arg)
{
	struct all *all = arg;
	int item = 11;

	/* Until it waits. */
	while (all->io.reader == NULL)
		assert_int_equal(task_yield(), 0);
	switch (all->what) {
	case 0:
		return chan_try_send(all->in, &item);
	case 1:
		return chan_try_recv(all->out, &item);
	case 2:
		return write(all->peer, "x", 1) == 1 ? 0 : -1;
	case 3:
		event_set(&all->event);
		return 0;
	case 4:
		return 0; /* ends by itself */
	case 5:
		return future_set(all->future, -EDOM, NULL);
	default:
		return 0; /* time */
	}
}

static void
all_wait(struct all *all, int what)
{
	static const int results[] = {0, 0, IO_IN, 0, 5, -EDOM, 0};
	struct task_options options = {.name = "five", .handle = &all->handle};
	struct scope scope;
	int item = 3, got = 0;
	struct select_case cases[] = {on_recv(all->in, &got),
	    on_send(all->out, &item),
	    {.kind = SELECT_IO, .source = &all->io, .events = IO_IN},
	    {.kind = SELECT_EVENT, .source = &all->event},
	    {.kind = SELECT_NEVER},
	    {.kind = SELECT_FUTURE, .source = all->future},
	    {.kind = SELECT_TIME, .when = instant_never()},
	    {.kind = SELECT_NEVER}};

	scope_init(&scope, instant_never());
	event_init(&all->event);
	all->what = what;
	if (what == 4) {
		cases[4] = (struct select_case){
		    .kind = SELECT_TASK, .source = &all->handle};
		assert_int_equal(
		    task_start_with(&scope, &options, returns_five, NULL), 0);
	}
	if (what == 6)
		cases[6].when = after_ms(2);
	assert_int_equal(task_start(&scope, "poke", all_poke, all), 0);
	assert_int_equal(select_wait(cases, 8, instant_never()), what);
	assert_int_equal(cases[what].result, results[what]);
	assert_int_equal(got, what == 0 ? 11 : 0);
	if (what == 6)
		assert_true(runtime_now().ns >= cases[6].when.ns);
	/* Nothing is left behind on any of them. */
	assert_null(all->io.reader);
	assert_null(all->event.waiter);
	assert_int_equal(chan_try_send(all->in, &item), -EAGAIN);
	assert_int_equal(chan_try_recv(all->out, &item), -EAGAIN);
	assert_int_equal(scope_fini(&scope), 0);
}

static int
root_all(void *arg)
{
	struct all all = {.in = make(0, false), .out = make(0, true)};
	int ends[2];
	char byte;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(io_attach(&all.io, ends[0]), 0);
	all.peer = ends[1];
	for (int what = 0; what < 7; what++) {
		assert_int_equal(future_new(&all.future), 0);
		all_wait(&all, what);
		future_unref(all.future);
		if (what == 2)
			assert_int_equal(
			    io_recv(&all.io, &byte, 1, instant_never()), 1);
	}
	io_close(&all.io);
	close(ends[1]);
	chan_unref(all.in);
	chan_unref(all.out);
	return 0;
}

static void
test_all(void **state)
{
	run(root_all, NULL);
}

/* What is ready before the select, also when it only looks. */
static int
root_looks(void *arg)
{
	struct task_handle handle;
	struct task_options options = {.name = "five", .handle = &handle};
	struct event event;
	struct future *future;
	struct io_fd io;
	int ends[2];
	struct select_case cases[] = {
	    {.kind = SELECT_IO, .source = &io, .events = IO_IN | IO_OUT},
	    {.kind = SELECT_EVENT, .source = &event},
	    {.kind = SELECT_TASK, .source = &handle},
	    {.kind = SELECT_TIME, .when = runtime_now()},
	};
	struct select_case future_case = {.kind = SELECT_FUTURE};

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(io_attach(&io, ends[0]), 0);
	event_init(&event);
	assert_int_equal(
	    task_start_with(NULL, &options, returns_five, NULL), 0);
	for (int i = 1; i < 3; i++)
		assert_int_equal(
		    select_wait(&cases[i], 1, instant_past()), -ETIMEDOUT);
	event_set(&event);
	assert_int_equal(task_join(&handle, NULL, instant_never()), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(select_wait(&cases[i], 1, instant_past()), 0);
	assert_int_equal(cases[0].result, IO_OUT);
	assert_int_equal(cases[2].result, 5);
	assert_int_equal(future_new(&future), 0);
	future_case.source = future;
	assert_int_equal(
	    select_wait(&future_case, 1, instant_past()), -ETIMEDOUT);
	assert_int_equal(future_set(future, 8, NULL), 0);
	assert_int_equal(select_wait(&future_case, 1, instant_past()), 0);
	assert_int_equal(future_case.result, 8);
	future_unref(future);
	io_close(&io);
	close(ends[1]);
	return 0;
}

static void
test_looks(void **state)
{
	run(root_looks, NULL);
}

static int
root_limits(void *arg)
{
	struct select_case cases[SELECT_CASES_MAX + 1] = {0};
	struct select_case wrong = {.kind = 99};

	assert_int_equal(
	    select_wait(cases, SELECT_CASES_MAX + 1, instant_past()), -E2BIG);
	assert_int_equal(
	    select_wait(cases, SELECT_CASES_MAX, instant_past()), -ETIMEDOUT);
	assert_int_equal(select_wait(cases, 0, after_ms(1)), -ETIMEDOUT);
	assert_int_equal(select_wait(&wrong, 1, instant_past()), -EINVAL);
	return 0;
}

static void
test_limits(void **state)
{
	run(root_limits, NULL);
}

/* Cancelled while it waits: nothing is taken, nothing is left behind. */
static int
waits_for_both(void *arg)
{
	struct chan **chans = arg;
	int a, b;
	struct select_case cases[] = {
	    on_recv(chans[0], &a), on_recv(chans[1], &b)};

	return select_wait(cases, 2, instant_never());
}

static int
root_cancel(void *arg)
{
	struct chan *chans[2] = {make(0, true), make(0, false)};
	struct task_handle handle;
	struct task_options options = {.name = "both", .handle = &handle};
	struct scope scope;
	int result, item = 1;

	scope_init(&scope, instant_never());
	assert_int_equal(
	    task_start_with(&scope, &options, waits_for_both, chans), 0);
	assert_int_equal(task_yield(), 0);
	scope_cancel(&scope, -ESTALE);
	assert_int_equal(scope_fini(&scope), 0);
	assert_int_equal(task_join(&handle, &result, instant_past()), 0);
	assert_int_equal(result, -ESTALE);
	assert_int_equal(chan_try_send(chans[0], &item), -EAGAIN);
	assert_int_equal(chan_try_send(chans[1], &item), -EAGAIN);
	/* Both come before it runs: it takes one of them only. */
	scope_init(&scope, instant_never());
	assert_int_equal(
	    task_start_with(&scope, &options, waits_for_both, chans), 0);
	assert_int_equal(task_yield(), 0);
	assert_int_equal(chan_try_send(chans[1], &item), 0);
	assert_int_equal(chan_try_send(chans[0], &item), -EAGAIN);
	assert_int_equal(task_join(&handle, &result, instant_never()), 0);
	assert_int_equal(result, 1);
	assert_int_equal(scope_fini(&scope), 0);
	chan_unref(chans[0]);
	chan_unref(chans[1]);
	return 0;
}

static void
test_cancel(void **state)
{
	run(root_cancel, NULL);
}

/*
 * Storm: tasks of every worker select over the same channels, in orders of
 * their own, sending and receiving at once (each case on either end). Numbers
 * that were sent are received, once; deadlines pass in between.
 */
#define STORM_CHANS 3
#define STORM_TASKS 6
#define STORM_ITEMS 1000

struct storm {
	struct chan *chans[STORM_CHANS];
	_Atomic unsigned started;
	_Atomic unsigned sending;
	_Atomic unsigned running;
	_Atomic unsigned timeouts;
	_Atomic uint8_t seen[STORM_TASKS * STORM_ITEMS];
	struct event done;
	uint64_t seed;
};

static int
storm_task(void *arg)
{
	struct storm *storm = arg;
	unsigned me = storm->started++;
	int next = (int)me * STORM_ITEMS, end = next + STORM_ITEMS, got[3];
	bool sending = true;
	struct random random;

	random_seed(&random, storm->seed + me);
	for (;;) {
		struct select_case cases[2 * STORM_CHANS];
		int index;

		for (int i = 0; i < STORM_CHANS; i++) {
			struct chan *chan =
			    storm->chans[(me + (unsigned)i) % STORM_CHANS];

			cases[2 * i] = on_recv(chan, &got[i]);
			cases[2 * i + 1] = on_send(chan, &next);
			if (next == end)
				cases[2 * i + 1].kind = SELECT_NEVER;
		}
		index = select_wait(cases, 2 * STORM_CHANS,
		    random_next(&random) % 2 == 0
			? instant_never()
			: instant_after(clock_now(), duration_us(200)));
		if (index == -ETIMEDOUT) {
			storm->timeouts++;
			continue;
		}
		assert_true(index >= 0);
		if (cases[index].result == -EPIPE)
			break;
		assert_int_equal(cases[index].result, 0);
		if (index % 2 == 0)
			storm->seen[got[index / 2]]++;
		else
			next++;
		if (sending && next == end) {
			sending = false;
			if (--storm->sending == 0) {
				for (int i = 0; i < STORM_CHANS; i++)
					chan_close(storm->chans[i]);
			}
		}
	}
	/* Of the channels that have a buffer. */
	for (int i = 0; i < STORM_CHANS; i++) {
		while (chan_try_recv(storm->chans[i], &got[0]) == 0)
			storm->seen[got[0]]++;
	}
	if (--storm->running == 0)
		event_set(&storm->done);
	return 0;
}

static int
root_storm(void *arg)
{
	struct storm *storm = arg;

	event_init(&storm->done);
	for (unsigned i = 0; i < STORM_TASKS; i++)
		assert_int_equal(
		    worker_start_on(i % WORKERS, "storm", storm_task, storm),
		    0);
	return event_wait(&storm->done, instant_never());
}

static void
test_storm(void **state)
{
	static struct storm storm;

	storm.seed = (uint64_t)clock_now().ns;
	print_message("seed %llu\n", (unsigned long long)storm.seed);
	for (int i = 0; i < STORM_CHANS; i++)
		storm.chans[i] = make((uint32_t)i, true);
	storm.sending = storm.running = STORM_TASKS;
	assert_int_equal(runtime_run(&some_workers, root_storm, &storm), 0);
	for (size_t i = 0; i < array_count(storm.seen); i++)
		assert_int_equal(storm.seen[i], 1);
	for (int i = 0; i < STORM_CHANS; i++)
		chan_unref(storm.chans[i]);
}

/* ---- futures ---- */

struct promise {
	struct future *future;
	int64_t after_us;
	int result;
};

static void *
keeps(void *arg)
{
	struct promise *promise = arg;

	usleep((useconds_t)promise->after_us);
	if (future_set(promise->future, promise->result, promise) != 0)
		abort();
	future_unref(promise->future);
	return NULL;
}

static _Atomic unsigned waited;

static int
waits(void *arg)
{
	struct promise *promise = arg;
	void *value = NULL;
	int result = 0;

	assert_int_equal(
	    future_wait(promise->future, &result, &value, instant_never()), 0);
	assert_int_equal(result, promise->result);
	assert_ptr_equal(value, promise);
	future_unref(promise->future);
	waited++;
	return 0;
}

static int
root_future(void *arg)
{
	struct promise promise = {.after_us = 2000, .result = -42};
	pthread_t thread;

	waited = 0;
	assert_int_equal(future_new(&promise.future), 0);
	assert_int_equal(
	    future_wait(promise.future, NULL, NULL, after_ms(1)), -ETIMEDOUT);
	future_ref(promise.future);
	assert_int_equal(pthread_create(&thread, NULL, keeps, &promise), 0);
	for (unsigned i = 0; i < 5 * WORKERS; i++) {
		future_ref(promise.future);
		assert_int_equal(
		    worker_start_on(i % WORKERS, "waits", waits, &promise), 0);
	}
	while (waited < 5 * WORKERS)
		assert_int_equal(task_sleep(duration_ms(1)), 0);
	pthread_join(thread, NULL);
	assert_int_equal(future_set(promise.future, 0, NULL), -EALREADY);
	future_unref(promise.future);
	return 0;
}

static void
test_future(void **state)
{
	assert_int_equal(runtime_run(&some_workers, root_future, NULL), 0);
}

static int
root_any_all(void *arg)
{
	struct future *futures[3];

	for (int i = 0; i < 3; i++)
		assert_int_equal(future_new(&futures[i]), 0);
	assert_int_equal(future_wait_any(futures, 3, after_ms(1)), -ETIMEDOUT);
	assert_int_equal(future_wait_any(futures, 0, after_ms(1)), -EINVAL);
	assert_int_equal(
	    future_wait_any(futures, FUTURE_ANY_MAX + 1, after_ms(1)), -E2BIG);
	assert_int_equal(future_set(futures[2], 0, NULL), 0);
	assert_int_equal(future_wait_any(futures, 3, instant_never()), 2);
	assert_int_equal(future_wait_all(futures, 3, after_ms(1)), -ETIMEDOUT);
	assert_int_equal(future_set(futures[0], -1, NULL), 0);
	assert_int_equal(future_set(futures[1], 0, NULL), 0);
	assert_int_equal(future_wait_all(futures, 3, instant_never()), 0);
	for (int i = 0; i < 3; i++)
		future_unref(futures[i]);
	return 0;
}

static void
test_any_all(void **state)
{
	run(root_any_all, NULL);
}

/* Many futures, each set once from another thread while we wait for any. */
static int
root_race(void *arg)
{
	for (int round = 0; round < 100; round++) {
		struct promise promises[4];
		pthread_t threads[4];
		struct future *futures[4];

		for (int i = 0; i < 4; i++) {
			assert_int_equal(future_new(&futures[i]), 0);
			promises[i] =
			    (struct promise){.future = future_ref(futures[i])};
			assert_int_equal(pthread_create(&threads[i], NULL,
					     keeps, &promises[i]),
			    0);
		}
		int index = future_wait_any(futures, 4, instant_never());

		assert_true(index >= 0 && future_is_set(futures[index]));
		assert_int_equal(
		    future_wait_all(futures, 4, instant_never()), 0);
		for (int i = 0; i < 4; i++) {
			pthread_join(threads[i], NULL);
			future_unref(futures[i]);
		}
	}
	return 0;
}

static void
test_race(void **state)
{
	run(root_race, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ready),
	    cmocka_unit_test(test_all),
	    cmocka_unit_test(test_looks),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_cancel),
	    cmocka_unit_test(test_storm),
	    cmocka_unit_test(test_future),
	    cmocka_unit_test(test_any_all),
	    cmocka_unit_test(test_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
