#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "os/clock.h"
#include "runtime/runtime.h"
#include "runtime/wheel.h"

/*
 * The wheel alone, on a clock of our own: a thousand timers are started,
 * moved and stopped at random while time goes on in steps of any size. Each
 * must fire exactly when a run with a time at or after its own comes, at most
 * a tick late, in the order of ticks, and never early.
 */
#define TIMERS 1000
#define ROUNDS 20000

static struct item {
	struct timer timer;
	int64_t expected; /* -1: not armed */
} items[TIMERS];
static struct wheel wheel;
static int64_t now_ns;
static int64_t last_tick;
static unsigned fired;

static int64_t
tick_after(int64_t ns)
{
	return ns <= 0 ? 0 : (ns + WHEEL_TICK_NS - 1) / WHEEL_TICK_NS;
}

static void
item_fire(struct timer *timer)
{
	struct item *item = container_of(timer, struct item, timer);
	int64_t tick = tick_after(item->expected);

	assert_true(item->expected >= 0);
	assert_true(now_ns >= item->expected);
	assert_true(tick >= last_tick || last_tick == -1);
	last_tick = tick;
	item->expected = -1;
	fired++;
}

static uint64_t
draw(void)
{
	static uint64_t x = 88172645463325252;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* Anything from a part of a tick to years, small ones more often. */
static int64_t
draw_span(void)
{
	return (int64_t)(draw() >> (8 + draw() % 40)) + 1;
}

static void
check_all(void)
{
	int64_t earliest = INT64_MAX;

	for (int i = 0; i < TIMERS; i++) {
		struct item *item = &items[i];

		assert_int_equal(
		    timer_armed(&item->timer), item->expected >= 0);
		if (item->expected < 0)
			continue;
		/* What is left is not due. */
		assert_true(
		    tick_after(item->expected) > now_ns / WHEEL_TICK_NS);
		if (item->expected < earliest)
			earliest = item->expected;
	}
	/* Sleeping until then misses nothing. */
	assert_true(
	    wheel_next(&wheel).ns <= tick_after(earliest) * WHEEL_TICK_NS ||
	    earliest == INT64_MAX);
	if (earliest == INT64_MAX)
		assert_true(instant_is_never(wheel_next(&wheel)));
}

static void
test_random(void **state)
{
	wheel_init(&wheel, (instant){0});
	for (int i = 0; i < TIMERS; i++) {
		timer_init(&items[i].timer, item_fire);
		items[i].expected = -1;
	}
	for (int round = 0; round < ROUNDS; round++) {
		struct item *item = &items[draw() % TIMERS];

		switch (draw() % 4) {
		case 0:
			if (timer_armed(&item->timer))
				wheel_stop(&wheel, &item->timer);
			item->expected = -1;
			break;
		case 1:
			now_ns += draw_span() / 64;
			last_tick = -1;
			wheel_run(&wheel, (instant){now_ns});
			break;
		default:
			item->expected = now_ns + draw_span();
			wheel_start(
			    &wheel, &item->timer, (instant){item->expected});
			break;
		}
		if (round % 64 == 0) {
			last_tick = -1;
			wheel_run(&wheel, (instant){now_ns});
			check_all();
		}
	}
	assert_true(fired > 1000);
}

/* Stopped timers do not wake anybody: the slot's bit goes with the last one. */
static void
test_stop_clears(void **state)
{
	struct timer timers[3];

	wheel_init(&wheel, (instant){0});
	for (int i = 0; i < 3; i++)
		timer_init(&timers[i], item_fire);
	wheel_start(&wheel, &timers[0], (instant){5000000});
	wheel_start(&wheel, &timers[1], (instant){5000000});
	wheel_start(&wheel, &timers[2], (instant){5000000000});
	assert_int_equal(wheel_next(&wheel).ns, 5000000);
	wheel_stop(&wheel, &timers[0]);
	assert_int_equal(wheel_next(&wheel).ns, 5000000);
	wheel_stop(&wheel, &timers[1]);
	assert_true(wheel_next(&wheel).ns > 5000000);
	wheel_stop(&wheel, &timers[2]);
	assert_true(instant_is_never(wheel_next(&wheel)));
}

/* A hook that arms itself again for the past does not hold the loop. */
static unsigned again_count;

static void
again_fire(struct timer *timer)
{
	again_count++;
	wheel_start(&wheel, timer, instant_past());
}

static void
test_again(void **state)
{
	struct timer timer;

	wheel_init(&wheel, (instant){0});
	timer_init(&timer, again_fire);
	wheel_start(&wheel, &timer, instant_past());
	wheel_run(&wheel, (instant){0});
	assert_int_equal(again_count, 1);
	assert_int_equal(wheel_next(&wheel).ns, INSTANT_PAST_NS);
	wheel_run(&wheel, (instant){0});
	assert_int_equal(again_count, 2);
}

/* Against the real clock: sleeps end in order, none early. */
struct sleeper {
	int64_t us;
	int64_t late_us;
};

static int
sleep_task(void *arg)
{
	struct sleeper *s = arg;
	instant start = clock_now();
	int error = task_sleep(duration_us(s->us));

	s->late_us = instant_since(clock_now(), start).ns / 1000 - s->us;
	return error;
}

static int
root_sleepers(void *arg)
{
	static struct sleeper sleepers[200];
	struct scope scope;
	int error;

	(void)arg;
	scope_init(&scope, instant_never());
	for (size_t i = 0; i < array_count(sleepers); i++) {
		sleepers[i].us = (int64_t)(draw() % 60000);
		assert_int_equal(
		    task_start(&scope, "sleeper", sleep_task, &sleepers[i]), 0);
	}
	error = scope_wait(&scope);
	scope_fini(&scope);
	for (size_t i = 0; i < array_count(sleepers); i++)
		assert_true(sleepers[i].late_us >= 0);
	return error;
}

static void
test_sleepers(void **state)
{
	struct runtime_options options = {.worker_count = 1};

	assert_int_equal(runtime_run(&options, root_sleepers, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_stop_clears),
	    cmocka_unit_test(test_again),
	    cmocka_unit_test(test_sleepers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
