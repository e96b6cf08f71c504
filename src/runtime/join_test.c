#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/clock.h"
#include "runtime/join.h"
#include "runtime/runtime.h"

static const struct runtime_options one_worker = {.worker_count = 1};
static const struct runtime_options two_workers = {.worker_count = 2};

static void
run(const struct runtime_options *options, task_fn root)
{
	assert_int_equal(runtime_run(options, root, NULL), 0);
}

static instant
after_ms(int64_t ms)
{
	return instant_after(clock_now(), duration_ms(ms));
}

static int
returns_arg(void *arg)
{
	return (int)(intptr_t)arg;
}

static int
sleeps(void *arg)
{
	(void)arg;
	return task_sleep(duration_s(1000));
}

static void
start(struct scope *scope, struct task_handle *handle, task_fn fn, void *arg)
{
	struct task_options options = {.name = "joined", .handle = handle};

	assert_int_equal(task_start_with(scope, &options, fn, arg), 0);
}

/* ---- one worker ---- */

struct joiner {
	struct task_handle *handle;
	int error;
	int result;
};

static int
joins(void *arg)
{
	struct joiner *j = arg;

	j->error = task_join(j->handle, &j->result, instant_never());
	return j->error;
}

/* Before and after the end, by several. */
static int
root_result(void *arg)
{
	struct task_handle handle;
	struct joiner joiners[3];
	struct scope scope;
	int result = 0;

	(void)arg;
	scope_init(&scope, instant_never());
	start(&scope, &handle, returns_arg, (void *)(intptr_t)7);
	for (size_t i = 0; i < array_count(joiners); i++) {
		joiners[i] = (struct joiner){.handle = &handle, .error = 1};
		assert_int_equal(
		    task_start(&scope, "joins", joins, &joiners[i]), 0);
	}
	assert_int_equal(scope_wait(&scope), 0);
	for (size_t i = 0; i < array_count(joiners); i++) {
		assert_int_equal(joiners[i].error, 0);
		assert_int_equal(joiners[i].result, 7);
	}
	assert_int_equal(task_join(&handle, &result, instant_past()), 0);
	assert_int_equal(result, 7);
	assert_int_equal(task_join(&handle, NULL, instant_past()), 0);
	return scope_fini(&scope);
}

/* A deadline, a cancel of the one that joins, a cancel of the joined one. */
static int
root_stops(void *arg)
{
	struct task_handle handle, outer;
	struct joiner joiner = {.handle = &handle};
	struct scope scope;
	int result = 0;

	(void)arg;
	scope_init(&scope, instant_never());
	start(&scope, &handle, sleeps, NULL);
	assert_int_equal(
	    task_join(&handle, &result, instant_past()), -ETIMEDOUT);
	assert_int_equal(task_join(&handle, &result, after_ms(2)), -ETIMEDOUT);
	start(&scope, &outer, joins, &joiner);
	assert_int_equal(task_yield(), 0);
	task_cancel(&outer, -EPIPE);
	assert_int_equal(task_join(&outer, &result, instant_never()), 0);
	assert_int_equal(result, -EPIPE);
	assert_int_equal(joiner.error, -EPIPE);
	task_cancel(&handle, 0);
	task_cancel(&handle, -EIO); /* the first one holds */
	assert_int_equal(task_join(&handle, &result, instant_never()), 0);
	assert_int_equal(result, -ECANCELED);
	task_cancel(&handle, 0); /* it has ended */
	/* What was stopped alone is no error of the scope. */
	return scope_fini(&scope);
}

/* A task that was cancelled stops what it started by scope_fini(). */
static int
cancelled_parent(void *arg)
{
	struct scope scope;
	int error;

	scope_init(&scope, instant_never());
	start(&scope, arg, sleeps, NULL);
	error = scope_wait(&scope);
	scope_fini(&scope);
	return error;
}

static int
root_cancel_parent(void *arg)
{
	struct task_handle parent, child;
	int result;

	(void)arg;
	start(NULL, &parent, cancelled_parent, &child);
	assert_int_equal(task_yield(), 0);
	task_cancel(&parent, 0);
	assert_int_equal(task_join(&parent, &result, instant_never()), 0);
	assert_int_equal(result, -ECANCELED);
	assert_int_equal(task_join(&child, &result, instant_past()), 0);
	assert_int_equal(result, -ECANCELED);
	return 0;
}

struct circle {
	struct task_handle handles[3];
	int errors[3];
	unsigned next;
};

static int
joins_next(void *arg)
{
	struct circle *circle = arg;
	unsigned me = circle->next++;

	circle->errors[me] =
	    task_join(&circle->handles[(me + 1) % 3], NULL, instant_never());
	return 0;
}

static int
joins_itself(void *arg)
{
	return task_join(arg, NULL, instant_never());
}

static int
root_circle(void *arg)
{
	struct circle circle = {0};
	struct task_handle self;
	int result;

	(void)arg;
	start(NULL, &self, joins_itself, &self);
	assert_int_equal(task_join(&self, &result, instant_never()), 0);
	assert_int_equal(result, -EDEADLK);
	for (unsigned i = 0; i < 3; i++)
		start(NULL, &circle.handles[i], joins_next, &circle);
	assert_int_equal(
	    task_join(&circle.handles[0], NULL, instant_never()), 0);
	/* The one that would have closed it is told, the others go on. */
	assert_int_equal(circle.errors[0], 0);
	assert_int_equal(circle.errors[1], 0);
	assert_int_equal(circle.errors[2], -EDEADLK);
	return 0;
}

static int
root_detach(void *arg)
{
	struct task_handle *handle = malloc(sizeof(*handle));

	(void)arg;
	assert_non_null(handle);
	start(NULL, handle, returns_arg, NULL);
	task_detach(handle);
	free(handle);
	return task_yield();
}

/* Two handles and one wait, as select does it. */
static int
root_waiters(void *arg)
{
	struct task_handle slow, quick;
	struct task_waiter on_slow = {.task = task_self()};
	struct task_waiter on_quick = {.task = task_self()};

	(void)arg;
	start(NULL, &slow, sleeps, NULL);
	start(NULL, &quick, returns_arg, (void *)(intptr_t)3);
	task_waiter_add(&slow, &on_slow);
	task_waiter_add(&quick, &on_quick);
	assert_int_equal(task_park("select", instant_never()), 0);
	assert_true(on_quick.fired && !on_slow.fired);
	assert_int_equal(on_quick.result, 3);
	task_waiter_remove(&on_slow);
	task_waiter_remove(&on_quick);
	task_waiter_add(&quick, &on_quick);
	assert_true(on_quick.fired);
	task_cancel(&slow, 0);
	assert_int_equal(task_join(&slow, NULL, instant_never()), 0);
	assert_false(on_slow.fired);
	return 0;
}

/* ---- daemons ---- */

static int
start_daemon(struct scope *scope, struct task_handle *handle)
{
	struct task_options options = {
	    .name = "daemon", .handle = handle, .daemon = true};

	return task_start_with(scope, &options, sleeps, NULL);
}

static int
root_daemon(void *arg)
{
	struct task_handle handles[2], worker;
	struct scope scope;
	int result;

	(void)arg;
	scope_init(&scope, instant_never());
	assert_int_equal(start_daemon(&scope, &handles[0]), 0);
	assert_int_equal(start_daemon(&scope, &handles[1]), 0);
	start(&scope, &worker, returns_arg, NULL);
	assert_int_equal(task_join(&worker, NULL, instant_never()), 0);
	/* Nobody waits for the scope yet: more tasks may come. */
	assert_int_equal(task_join(&handles[0], NULL, after_ms(2)), -ETIMEDOUT);
	start(&scope, &worker, returns_arg, NULL);
	assert_int_equal(scope_wait(&scope), 0);
	assert_int_equal(task_join(&handles[1], &result, instant_past()), 0);
	assert_int_equal(result, -ECANCELED);
	/* The scope itself was not stopped. */
	start(&scope, &worker, returns_arg, (void *)(intptr_t)5);
	assert_int_equal(task_join(&worker, &result, instant_never()), 0);
	assert_int_equal(result, 5);
	assert_int_equal(start_daemon(&scope, &handles[0]), 0);
	assert_int_equal(scope_wait(&scope), 0);
	return scope_fini(&scope);
}

/* ---- two workers ---- */

static int
tells_worker(void *arg)
{
	(void)arg;
	return (int)worker_self();
}

static int
root_remote(void *arg)
{
	struct task_handle handle;
	int result = -1;

	(void)arg;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(
		    worker_start_handle(1, &handle, "w", tells_worker, NULL),
		    0);
		assert_int_equal(
		    task_join(&handle, &result, instant_never()), 0);
		assert_int_equal(result, 1);
	}
	assert_int_equal(
	    worker_start_handle(1, &handle, "sleeps", sleeps, NULL), 0);
	assert_int_equal(task_join(&handle, NULL, instant_past()), -ETIMEDOUT);
	assert_int_equal(task_join(&handle, NULL, after_ms(2)), -ETIMEDOUT);
	task_cancel(&handle, -EPIPE);
	assert_int_equal(task_join(&handle, &result, instant_never()), 0);
	assert_int_equal(result, -EPIPE);
	assert_int_equal(task_join(&handle, &result, instant_past()), 0);
	return 0;
}

/* Joins that give up race with the end, both ways. */
static int
short_sleep(void *arg)
{
	return task_sleep(duration_us((int)(intptr_t)arg));
}

static int
root_remote_race(void *arg)
{
	int timed_out = 0;

	(void)arg;
	for (int i = 0; i < 100; i++) {
		struct task_handle handle;
		int error;

		assert_int_equal(worker_start_handle(1, &handle, "short",
				     short_sleep, (void *)(intptr_t)1000),
		    0);
		do {
			error = task_join(&handle, NULL,
			    instant_after(clock_now(), duration_us(i * 10)));
			timed_out += error < 0;
		} while (error == -ETIMEDOUT);
		assert_int_equal(error, 0);
	}
	assert_true(timed_out > 0);
	return 0;
}

static int
root_remote_limit(void *arg)
{
	struct task_handle handles[4];
	int result, refused = 0;

	(void)arg;
	for (size_t i = 0; i < array_count(handles); i++)
		assert_int_equal(
		    worker_start_handle(1, &handles[i], "sleeps", sleeps, NULL),
		    0);
	for (size_t i = 0; i < array_count(handles); i++) {
		task_cancel(&handles[i], 0);
		assert_int_equal(
		    task_join(&handles[i], &result, instant_never()), 0);
		refused += result == -EAGAIN;
	}
	assert_int_equal(refused, 2);
	return 0;
}

static void
test_here(void **state)
{
	run(&one_worker, root_result);
	run(&one_worker, root_stops);
	run(&one_worker, root_cancel_parent);
	run(&one_worker, root_detach);
	run(&one_worker, root_waiters);
}

static void
test_circle(void **state)
{
	run(&one_worker, root_circle);
}

static void
test_daemon(void **state)
{
	run(&one_worker, root_daemon);
}

static void
test_there(void **state)
{
	struct runtime_options two_tasks = {
	    .worker_count = 2, .task_count_max = 2};

	run(&two_workers, root_remote);
	run(&two_workers, root_remote_race);
	run(&two_tasks, root_remote_limit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_here),
	    cmocka_unit_test(test_circle),
	    cmocka_unit_test(test_daemon),
	    cmocka_unit_test(test_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
