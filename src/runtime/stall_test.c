#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "os/clock.h"
#include "runtime/runtime.h"
#include "runtime/stall.h"

/* What was told; written by the monitor before `count`. */
static char told_text[8192];
static atomic_uint told_count;

static void
told(const char *text)
{
	if (strlen(text) < sizeof(told_text))
		memcpy(told_text, text, strlen(text) + 1);
	told_count++;
}

/* Holds its worker until it has been told of, for 20 seconds at most. Nearly
 * all of that in itself: what it calls, also for a sanitizer, may be met
 * without a frame. ThreadSanitizer runs a handler at the next call only. */
__attribute__((no_sanitize("thread"))) static NOINLINE void
spin_until_told(unsigned count)
{
	instant end = instant_after(clock_now(), duration_s(20));
	unsigned i = 0;

	while (told_count < count) {
		if (++i % (1u << 20) == 0 && !instant_before(clock_now(), end))
			return;
	}
}

static int
holds(void *arg)
{
	spin_until_told(*(unsigned *)arg);
	return task_yield();
}

/* A task with that name holds the worker; once more when the machine did not
 * let it run to answer the monitor. */
static void
hold(const char *name)
{
	unsigned count;
	struct scope scope;

	do {
		count = told_count + 1;
		scope_init(&scope, instant_never());
		assert_int_equal(task_start(&scope, name, holds, &count), 0);
		assert_int_equal(scope_fini(&scope), 0);
		assert_true(told_count >= count && count < 50);
	} while (strstr(told_text, name) == NULL);
}

static int
root_stall(void *arg)
{
	struct runtime_info info;
	unsigned count;

	(void)arg;
	hold("holder");
	assert_non_null(strstr(told_text, "task holder spawned at "));
	assert_non_null(strstr(told_text, "stall_test.c:"));
	assert_non_null(strstr(told_text, " holds worker 0 for "));
	assert_non_null(strstr(told_text, "spin_until_told+0x"));
	assert_non_null(strstr(told_text, " holds+0x"));
	/* Asleep, the monitor is woken by the next poll. */
	count = told_count;
	assert_int_equal(task_sleep(duration_ms(500)), 0);
	assert_int_equal(told_count, count);
	hold("second");
	assert_non_null(strstr(told_text, "task second spawned at "));
	runtime_info_get(&info);
	assert_int_equal(info.stall_count, told_count);
	return 0;
}

static void
test_stall(void **state)
{
	struct runtime_options options = {
	    .worker_count = 1, .stall_ns = 100000000, .stall_told = told};

	told_count = 0;
	assert_int_equal(runtime_run(&options, root_stall, NULL), 0);
}

/* On another worker; once, however long it lasts. */
static int
root_once(void *arg)
{
	static unsigned count = 1;

	(void)arg;
	assert_int_equal(worker_start_on(1, "far", holds, &count), 0);
	while (told_count == 0)
		assert_int_equal(task_sleep(duration_ms(10)), 0);
	assert_non_null(strstr(told_text, " holds worker 1 for "));
	return 0;
}

static void
test_once(void **state)
{
	struct runtime_options options = {
	    .worker_count = 2, .stall_ns = 100000000, .stall_told = told};

	told_count = 0;
	assert_int_equal(runtime_run(&options, root_once, NULL), 0);
}

/* While nothing runs nothing looks: no switches of any thread's context. */
static long
context_switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

static int
root_idle(void *arg)
{
	long before;

	(void)arg;
	assert_int_equal(task_sleep(duration_ms(700)), 0);
	before = context_switches();
	assert_int_equal(task_sleep(duration_ms(700)), 0);
	/* Ours, and the monitor's when we woke it at the start of the 700. */
	assert_true(context_switches() - before < 35);
	return 0;
}

static void
test_idle(void **state)
{
	struct runtime_options options = {.worker_count = 1};

	told_count = 0;
	assert_int_equal(runtime_run(&options, root_idle, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stall),
	    cmocka_unit_test(test_once),
	    cmocka_unit_test(test_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
