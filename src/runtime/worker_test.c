#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/clock.h"
#include "runtime/io.h"
#include "runtime/runtime.h"

#define WORKERS       4
#define STORM_SENDERS 3 /* per worker */
#define STORM_ITEMS   2000

static const struct runtime_options four_workers = {.worker_count = WORKERS};
static const struct runtime_options one_worker = {.worker_count = 1};

/*
 * Storm: tasks of every worker post items to all workers, now and then with a
 * pause so that the workers fall asleep in between. Every item must arrive,
 * once, on the worker it was sent to; an item that is lost hangs the test.
 */
struct storm {
	_Atomic unsigned arrived[WORKERS];
	_Atomic unsigned senders;
	struct event done;
};

struct storm_item {
	struct inbox_item item;
	struct storm *storm;
	unsigned target;
};

static void
storm_arrive(struct inbox_item *item)
{
	struct storm_item *s = container_of(item, struct storm_item, item);

	assert_int_equal(s->target, worker_self());
	s->storm->arrived[s->target]++;
	free(s);
}

static int
storm_send(void *arg)
{
	struct storm *storm = arg;
	unsigned seed = worker_self() * 7 + 1;

	for (int i = 0; i < STORM_ITEMS; i++) {
		struct storm_item *s = malloc(sizeof(*s));

		assert_non_null(s);
		seed = seed * 1103515245 + 12345;
		s->item.run = storm_arrive;
		s->storm = storm;
		s->target = (seed >> 16) % WORKERS;
		worker_post(s->target, &s->item);
		if ((seed >> 20) % 64 == 0)
			assert_int_equal(task_sleep(duration_ms(1)), 0);
	}
	if (--storm->senders == 0)
		event_set(&storm->done);
	return 0;
}

static int
root_storm(void *arg)
{
	struct storm *storm = arg;

	event_init(&storm->done);
	storm->senders = WORKERS * STORM_SENDERS;
	for (unsigned i = 0; i < WORKERS * STORM_SENDERS; i++)
		assert_int_equal(
		    worker_start_on(i % WORKERS, "sender", storm_send, storm),
		    0);
	return event_wait(&storm->done, instant_never());
}

static void
test_storm(void **state)
{
	struct storm storm = {0};
	unsigned total = 0;

	assert_int_equal(runtime_run(&four_workers, root_storm, &storm), 0);
	for (int i = 0; i < WORKERS; i++) {
		assert_true(storm.arrived[i] > 0);
		total += storm.arrived[i];
	}
	assert_int_equal(total, WORKERS * STORM_SENDERS * STORM_ITEMS);
}

/* Ping-pong between sleeping workers: a wake-up lost once hangs it. */
struct pong {
	struct event event;
	unsigned from;
};

static int
pong_answer(void *arg)
{
	struct pong *pong = arg;

	assert_int_not_equal(worker_self(), pong->event.worker);
	event_set(&pong->event);
	return 0;
}

static int
root_pong(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3000; i++) {
		struct pong pong;

		event_init(&pong.event);
		assert_int_equal(worker_start_on(1 + (unsigned)i % 3, "pong",
				     pong_answer, &pong),
		    0);
		assert_int_equal(event_wait(&pong.event, instant_never()), 0);
	}
	return 0;
}

static void
test_pong(void **state)
{
	assert_int_equal(runtime_run(&four_workers, root_pong, NULL), 0);
}

/* Offload: results, a wait that is left, and what is released. */
static int
offload_sum(void *arg)
{
	return *(int *)arg + 1;
}

static int
offload_slow(void *arg)
{
	usleep(30000);
	return 0;
}

static int released;

static void
offload_released(void *arg)
{
	released++;
	free(arg);
}

static int
offload_cancelled(void *arg)
{
	(void)arg;
	return offload_run(offload_slow, malloc(sizeof(int)), offload_released,
	    instant_never());
}

static int
root_offload(void *arg)
{
	int value = 41;
	int *block = malloc(sizeof(int));
	struct scope scope;

	(void)arg;
	assert_int_equal(
	    offload_run(offload_sum, &value, NULL, instant_never()), 42);
	assert_int_equal(offload_run(offload_slow, block, offload_released,
			     instant_after(clock_now(), duration_ms(3))),
	    -ETIMEDOUT);
	assert_int_equal(released, 0);
	assert_int_equal(task_sleep(duration_ms(60)), 0);
	assert_int_equal(released, 1);
	/* Never queued: it is given up all the same. */
	scope_init(&scope, instant_never());
	assert_int_equal(
	    task_start(&scope, "cancelled", offload_cancelled, NULL), 0);
	scope_fini(&scope);
	assert_int_equal(released, 2);
	return 0;
}

static int
root_offload_left(void *arg)
{
	(void)arg;
	/* Left behind at the end of the runtime: it is waited for. */
	assert_int_equal(
	    offload_run(offload_slow, malloc(sizeof(int)), offload_released,
		instant_after(clock_now(), duration_ms(3))),
	    -ETIMEDOUT);
	return 0;
}

static void
test_offload(void **state)
{
	released = 0;
	assert_int_equal(runtime_run(&one_worker, root_offload, NULL), 0);
	assert_int_equal(released, 2);
	assert_int_equal(runtime_run(&one_worker, root_offload_left, NULL), 0);
	assert_int_equal(released, 3);
}

static int
offload_one(void *arg)
{
	int value = 1;

	assert_int_equal(
	    offload_run(offload_sum, &value, NULL, instant_never()), 2);
	++*(int *)arg;
	return 0;
}

static int
root_offload_many(void *arg)
{
	struct scope scope;
	int count = 0, error;

	(void)arg;
	scope_init(&scope, instant_never());
	for (int i = 0; i < 500; i++)
		assert_int_equal(
		    task_start(&scope, "offload", offload_one, &count), 0);
	error = scope_wait(&scope);
	scope_fini(&scope);
	assert_int_equal(count, 500);
	return error;
}

static void
test_offload_many(void **state)
{
	assert_int_equal(runtime_run(&one_worker, root_offload_many, NULL), 0);
}

static int
sleeper(void *arg)
{
	(void)arg;
	return task_sleep(duration_s(100));
}

static int
root_dump(void *arg)
{
	char text[16384];
	int fds[2];
	ssize_t length;
	struct runtime_info info;

	(void)arg;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(worker_start_on(2, "far", sleeper, NULL), 0);
	assert_int_equal(task_start(NULL, "near", sleeper, NULL), 0);
	assert_int_equal(task_sleep(duration_ms(20)), 0);
	assert_int_equal(runtime_dump(fds[1]), 0);
	length = read(fds[0], text, sizeof(text) - 1);
	assert_true(length > 0);
	text[length] = '\0';
	assert_non_null(strstr(text, "worker 2: 1 tasks"));
	assert_non_null(strstr(text, " far spawned at "));
	assert_non_null(strstr(text, " near spawned at "));
	assert_non_null(strstr(text, "worker_test.c:"));
	assert_non_null(strstr(text, "waits: sleep for: "));
	/* Static functions have their names too. */
	assert_non_null(strstr(text, " root_dump+0x"));
	assert_non_null(strstr(text, "#0 task_park+0x"));
	close(fds[0]);
	close(fds[1]);
	runtime_info_get(&info);
	assert_int_equal(info.worker_count, WORKERS);
	assert_int_equal(info.task_count, 3);
	assert_true(info.stack_bytes_mapped >= 3 * 65536);
	assert_true(info.switch_count > 0 && info.poll_count > 0);
	return 0;
}

static void
test_dump(void **state)
{
	assert_int_equal(runtime_run(&four_workers, root_dump, NULL), 0);
}

/* Work that comes by the inbox while the runtime is ending. */
static _Atomic int chained;

static int
chain(void *arg)
{
	intptr_t left = (intptr_t)arg;

	chained++;
	if (left > 0)
		return worker_start_on(((unsigned)left * 3) % WORKERS, "chain",
		    chain, (void *)(left - 1));
	return 0;
}

static int
root_chain(void *arg)
{
	(void)arg;
	return worker_start_on(1, "chain", chain, (void *)(intptr_t)200);
}

static void
test_end_waits(void **state)
{
	for (int i = 0; i < 20; i++) {
		chained = 0;
		assert_int_equal(
		    runtime_run(&four_workers, root_chain, NULL), 0);
		assert_int_equal(chained, 201);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_storm),
	    cmocka_unit_test(test_pong),
	    cmocka_unit_test(test_offload),
	    cmocka_unit_test(test_offload_many),
	    cmocka_unit_test(test_dump),
	    cmocka_unit_test(test_end_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
