#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/clock.h"
#include "runtime/runtime.h"
#include "runtime/timer.h"

static const struct runtime_options one_worker = {.worker_count = 1};

/* Runs @root on one worker; its result is 0. */
static void
run(task_fn root, void *arg)
{
	assert_int_equal(runtime_run(&one_worker, root, arg), 0);
}

static instant
after_ms(int64_t ms)
{
	return instant_after(clock_now(), duration_ms(ms));
}

/* The order in which things happened, as letters. */
struct story {
	char text[64];
	unsigned length;
};

static void
tell(struct story *story, char what)
{
	assert_true(story->length < sizeof(story->text) - 1);
	story->text[story->length++] = what;
	story->text[story->length] = '\0';
}

static int
returns_arg(void *arg)
{
	return (int)(intptr_t)arg;
}

static int
root_result(void *arg)
{
	(void)arg;
	return 42;
}

static void
test_root_result(void **state)
{
	assert_int_equal(runtime_run(&one_worker, root_result, NULL), 42);
	/* Again: nothing is left of the first. */
	assert_int_equal(runtime_run(&one_worker, root_result, NULL), 42);
}

/* Tasks run in the order in which they became ready. */
static int
say_twice(void *arg)
{
	struct story *story = arg;
	char me = (char)('a' + story->length);

	tell(story, me);
	assert_int_equal(task_yield(), 0);
	tell(story, (char)(me - 'a' + 'A'));
	return 0;
}

static int
root_order(void *arg)
{
	struct story story = {0};
	struct scope scope;

	scope_init(&scope, instant_never());
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    task_start(&scope, "say", say_twice, &story), 0);
	assert_string_equal(story.text, "");
	assert_int_equal(scope_wait(&scope), 0);
	assert_string_equal(story.text, "abcABC");
	assert_int_equal(scope_fini(&scope), 0);
	return 0;
}

static void
test_order(void **state)
{
	run(root_order, NULL);
}

/* How each suspending call ends when its scope is stopped in one of the ways.
 */
enum stop { STOP_CANCEL, STOP_CANCEL_CODE, STOP_DEADLINE, STOP_PARENT };

struct victim {
	int (*call)(void);
	int result;
	int again; /* the same call once more: level-triggered */
	bool ran;
};

static int
call_sleep(void)
{
	return task_sleep(duration_s(100));
}

static int
call_park(void)
{
	return task_park("test", instant_never());
}

static int
sleeper(void *arg)
{
	(void)arg;
	return call_sleep();
}

static int
parked(void *arg)
{
	(void)arg;
	return call_park();
}

static int
call_yield(void)
{
	int error = 0;

	while (error == 0)
		error = task_yield();
	return error;
}

static int
call_event(void)
{
	struct event event;

	event_init(&event);
	return event_wait(&event, instant_never());
}

static int
call_scope_wait(void)
{
	struct scope scope;
	int result, ended;

	scope_init(&scope, instant_never());
	assert_int_equal(task_start(&scope, "sleeper", sleeper, NULL), 0);
	result = scope_wait(&scope);
	ended = scope_fini(&scope);
	/* Its task was stopped, so it has no error of its own; but a deadline
	 * ends it by itself. */
	assert_true(ended == 0 || ended == -ETIMEDOUT);
	return result;
}

static int
run_victim(void *arg)
{
	struct victim *victim = arg;

	victim->result = victim->call();
	victim->again = victim->call();
	victim->ran = true;
	return victim->result;
}

static void
stop_victim(struct victim *victim, enum stop how)
{
	struct scope outer, inner;

	scope_init(&outer, instant_never());
	scope_init(
	    &inner, how == STOP_DEADLINE ? after_ms(100) : instant_never());
	assert_int_equal(task_start(&inner, "victim", run_victim, victim), 0);
	assert_int_equal(task_sleep(duration_ms(2)), 0);
	assert_false(victim->ran);
	switch (how) {
	case STOP_CANCEL:
		scope_cancel(&inner, 0);
		break;
	case STOP_CANCEL_CODE:
		scope_cancel(&inner, -EPIPE);
		/* The first one holds. */
		scope_cancel(&inner, -EIO);
		break;
	case STOP_PARENT:
		scope_cancel(&outer, 0);
		break;
	case STOP_DEADLINE:
		break;
	}
	scope_wait(&inner);
	assert_true(victim->ran);
	scope_fini(&inner);
	scope_fini(&outer);
}

static int
root_stops(void *arg)
{
	static int (*const calls[])(void) = {
	    call_sleep, call_park, call_yield, call_event, call_scope_wait};
	static const struct {
		enum stop how;
		int error;
	} stops[] = {
	    {STOP_CANCEL, -ECANCELED},
	    {STOP_CANCEL_CODE, -EPIPE},
	    {STOP_DEADLINE, -ETIMEDOUT},
	};

	(void)arg;
	for (size_t c = 0; c < array_count(calls); c++) {
		for (size_t s = 0; s < array_count(stops); s++) {
			struct victim victim = {.call = calls[c]};

			stop_victim(&victim, stops[s].how);
			assert_int_equal(victim.result, stops[s].error);
			assert_int_equal(victim.again, stops[s].error);
		}
	}
	return 0;
}

static void
test_stops(void **state)
{
	run(root_stops, NULL);
}

/* scope_init() inside a task of a scope inherits its deadline and its cancel.
 */
static int
nested(void *arg)
{
	struct victim *victim = arg;
	struct scope scope;
	int error;

	scope_init(&scope, instant_never());
	assert_int_equal(task_start(&scope, "victim", run_victim, victim), 0);
	error = scope_wait(&scope);
	scope_fini(&scope);
	return error;
}

static int
root_inherits(void *arg)
{
	struct victim by_cancel = {.call = call_park};
	struct victim by_deadline = {.call = call_park};
	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	assert_int_equal(task_start(&scope, "nested", nested, &by_cancel), 0);
	assert_int_equal(task_sleep(duration_ms(2)), 0);
	scope_cancel(&scope, -EPIPE);
	assert_int_equal(scope_fini(&scope), 0);
	assert_int_equal(by_cancel.result, -EPIPE);

	scope_init(&scope, after_ms(5));
	assert_int_equal(task_start(&scope, "nested", nested, &by_deadline), 0);
	scope_wait(&scope);
	assert_int_equal(by_deadline.result, -ETIMEDOUT);
	assert_int_equal(scope_fini(&scope), -ETIMEDOUT);
	return 0;
}

static void
test_inherits(void **state)
{
	run(root_inherits, NULL);
}

/* The first error of a task that ended by itself. */
static int
root_first_error(void *arg)
{
	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	assert_int_equal(
	    task_start(&scope, "ok", returns_arg, (void *)(intptr_t)7), 0);
	assert_int_equal(
	    task_start(&scope, "io", returns_arg, (void *)(intptr_t)-EIO), 0);
	assert_int_equal(
	    task_start(&scope, "pipe", returns_arg, (void *)(intptr_t)-EPIPE),
	    0);
	assert_int_equal(task_start(&scope, "sleeper", sleeper, NULL), 0);
	assert_int_equal(task_yield(), 0);
	assert_int_equal(scope_fini(&scope), -EIO);
	return 0;
}

static void
test_first_error(void **state)
{
	run(root_first_error, NULL);
}

/* A shield holds a cancel off for its budget and no longer. */
struct shielded {
	duration budget;
	duration work;
	int result; /* of the work */
	int after; /* of a call behind the shield */
};

static int
shielded_task(void *arg)
{
	struct shielded *s = arg;

	assert_int_equal(
	    task_park("until cancelled", instant_never()), -ECANCELED);
	task_shield(s->budget);
	task_shield(duration_s(100)); /* the outer one's budget holds */
	s->result = task_sleep(s->work);
	task_unshield();
	task_unshield();
	s->after = task_sleep(duration_ms(1));
	return 0;
}

static int
root_shield(void *arg)
{
	static const struct {
		int budget_ms, work_ms, result;
	} cases[] = {{1000, 3, 0}, {3, 1000, -ECANCELED}};

	(void)arg;
	for (size_t i = 0; i < array_count(cases); i++) {
		struct shielded s = {.budget = duration_ms(cases[i].budget_ms),
		    .work = duration_ms(cases[i].work_ms)};
		struct scope scope;
		instant start = clock_now();

		scope_init(&scope, instant_never());
		assert_int_equal(
		    task_start(&scope, "shielded", shielded_task, &s), 0);
		assert_int_equal(task_yield(), 0);
		scope_fini(&scope);
		assert_int_equal(s.result, cases[i].result);
		assert_int_equal(s.after, -ECANCELED);
		assert_true(instant_since(clock_now(), start).ns < 500000000);
	}
	return 0;
}

/* The cancel comes while the task is parked behind its shield. */
static int
shielded_first(void *arg)
{
	struct shielded *s = arg;

	task_shield(s->budget);
	s->result = task_sleep(s->work);
	task_unshield();
	s->after = task_yield();
	return 0;
}

static int
root_shield_parked(void *arg)
{
	struct shielded s = {.budget = duration_ms(8), .work = duration_s(100)};
	struct scope scope;
	instant start = clock_now();

	(void)arg;
	scope_init(&scope, instant_never());
	assert_int_equal(task_start(&scope, "shielded", shielded_first, &s), 0);
	assert_int_equal(task_yield(), 0);
	scope_fini(&scope);
	assert_int_equal(s.result, -ECANCELED);
	assert_int_equal(s.after, -ECANCELED);
	assert_true(instant_since(clock_now(), start).ns >= 8000000);
	return 0;
}

static void
test_shield(void **state)
{
	run(root_shield, NULL);
	run(root_shield_parked, NULL);
}

/* A wake before the park is remembered once; a deadline that was armed for an
 * earlier park does not end a later one. */
static int
root_park(void *arg)
{
	struct task *self = task_self();
	instant start = clock_now();

	(void)arg;
	task_wake(self);
	task_wake(self);
	assert_int_equal(task_park("first", instant_never()), 0);
	assert_int_equal(task_park("second", after_ms(3)), -ETIMEDOUT);
	assert_true(instant_since(clock_now(), start).ns >= 3000000);
	assert_int_equal(task_park("past", instant_past()), -ETIMEDOUT);
	return 0;
}

static int
wake_later(void *arg)
{
	task_wake(arg);
	return 0;
}

static int
root_lazy_timer(void *arg)
{
	instant start;

	(void)arg;
	assert_int_equal(task_start(NULL, "waker", wake_later, task_self()), 0);
	assert_int_equal(task_park("short", after_ms(5)), 0);
	start = clock_now();
	assert_int_equal(task_park("long", after_ms(20)), -ETIMEDOUT);
	assert_true(instant_since(clock_now(), start).ns >= 20000000);
	return 0;
}

static void
test_park(void **state)
{
	run(root_park, NULL);
	run(root_lazy_timer, NULL);
}

static int
root_limit(void *arg)
{
	struct scope scope;
	int error = 0, count = 0;

	(void)arg;
	scope_init(&scope, instant_never());
	while (error == 0 && count < 100) {
		error = task_start(&scope, "parked", parked, NULL);
		count++;
	}
	assert_int_equal(error, -EAGAIN);
	assert_int_equal(count, 10); /* root itself is one */
	scope_fini(&scope);
	/* They are free again. */
	scope_init(&scope, instant_never());
	assert_int_equal(task_start(&scope, "r", returns_arg, NULL), 0);
	return scope_fini(&scope);
}

static void
test_limit(void **state)
{
	struct runtime_options options = {
	    .worker_count = 1, .task_count_max = 10};

	assert_int_equal(runtime_run(&options, root_limit, NULL), 0);
}

/* A detached task is cancelled when root has returned, and waited for. */
static int
detached(void *arg)
{
	*(int *)arg = task_sleep(duration_s(100));
	/* It may start others still; their calls fail. */
	assert_int_equal(task_start(NULL, "late", sleeper, NULL), 0);
	return 0;
}

static int
root_detached(void *arg)
{
	return task_start(NULL, "detached", detached, arg);
}

static void
test_detached(void **state)
{
	int result = 1;

	run(root_detached, &result);
	assert_int_equal(result, -ECANCELED);
}

/* A stack that many tasks have used is like a new one. */
static int
root_many(void *arg)
{
	for (int i = 0; i < 70000; i++) {
		struct scope scope;

		scope_init(&scope, instant_never());
		assert_int_equal(task_start(&scope, "r", returns_arg, arg), 0);
		assert_int_equal(scope_fini(&scope), 0);
	}
	return 0;
}

static void
test_many(void **state)
{
	run(root_many, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_root_result),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_stops),
	    cmocka_unit_test(test_inherits),
	    cmocka_unit_test(test_first_error),
	    cmocka_unit_test(test_shield),
	    cmocka_unit_test(test_park),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_detached),
	    cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
