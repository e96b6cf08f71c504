#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <weir/weir.h>

#define MS WEIR_MILLISECOND

static void
run(weir_task_fn root)
{
	struct weir_options options = {.worker_count = 1};

	assert_int_equal(weir_run(&options, root, NULL), 0);
}

static void
busy(int64_t ns)
{
	weir_time until = weir_after(ns);

	while (weir_after(0) < until)
		;
}

/* Never early, at whole multiples; what was slept through is counted. */
static int
root_ticker(void *arg)
{
	struct weir_ticker ticker;
	weir_time start;

	weir_ticker_init(&ticker, 3 * MS);
	start = ticker.next;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(weir_ticker_wait(&ticker), 0);
		assert_true(weir_after(0) >= ticker.next - 3 * MS);
		assert_int_equal((ticker.next - start) % (3 * MS), 0);
	}
	busy(10 * MS);
	uint64_t missed = ticker.missed;

	assert_int_equal(weir_ticker_wait(&ticker), 0);
	assert_true(ticker.missed >= missed + 2);
	assert_int_equal((ticker.next - start) % (3 * MS), 0);
	/* All ticks are accounted for. */
	assert_int_equal(
	    (ticker.next - start) / (3 * MS), (int64_t)(11 + ticker.missed));
	return 0;
}

static void
test_ticker(void **state)
{
	run(root_ticker);
}

static int
counts_runs(void *arg)
{
	int *runs = arg;

	return ++*runs % 2 == 0 ? -EIO : 0;
}

static int
root_every(void *arg)
{
	int runs = 0;
	struct weir_schedule schedule = {
	    .every_ns = MS, .run_max = 10, .fn = counts_runs, .arg = &runs};
	struct weir_schedule_counts counts;

	assert_int_equal(weir_schedule_run(&schedule, &counts), 0);
	assert_int_equal(runs, 10);
	assert_int_equal(counts.started, 10);
	assert_int_equal(counts.ended, 10);
	assert_int_equal(counts.failed, 5);
	return 0;
}

static void
test_every(void **state)
{
	run(root_every);
}

/* A run that lasts: the next ones are skipped, or run beside it. */
struct lasting {
	unsigned now, most;
};

static int
lasts(void *arg)
{
	struct lasting *lasting = arg;

	if (++lasting->now > lasting->most)
		lasting->most = lasting->now;
	assert_int_equal(weir_sleep(20 * MS), 0);
	lasting->now--;
	return 0;
}

static int
root_overlap(void *arg)
{
	struct lasting lasting = {0};
	struct weir_schedule schedule = {
	    .every_ns = 2 * MS, .run_max = 3, .fn = lasts, .arg = &lasting};
	struct weir_schedule_counts counts;

	assert_int_equal(weir_schedule_run(&schedule, &counts), 0);
	assert_int_equal(lasting.most, 1);
	assert_true(counts.skipped > 0);
	assert_int_equal(lasting.now, 0);
	schedule.parallel_max = 2;
	schedule.run_max = 4;
	assert_int_equal(weir_schedule_run(&schedule, &counts), 0);
	assert_int_equal(lasting.most, 2);
	assert_int_equal(counts.ended, 4);
	return 0;
}

static void
test_overlap(void **state)
{
	run(root_overlap);
}

/* Stopped, its runs are stopped too and waited for. */
static int
sleeps_long(void *arg)
{
	*(int *)arg = weir_sleep(1000 * WEIR_SECOND);
	return 0;
}

static int
schedules(void *arg)
{
	struct weir_schedule schedule = {
	    .every_ns = MS, .fn = sleeps_long, .arg = arg};

	return weir_schedule_run(&schedule, NULL);
}

static int
root_stop(void *arg)
{
	struct weir_scope scope;
	int slept = 1;

	weir_scope_init(&scope, WEIR_NEVER);
	assert_int_equal(
	    weir_task_start(&scope, "schedules", schedules, &slept), 0);
	assert_int_equal(weir_sleep(10 * MS), 0);
	assert_int_equal(slept, 1);
	weir_scope_fini(&scope);
	assert_int_equal(slept, -ECANCELED);
	return 0;
}

static void
test_stop(void **state)
{
	run(root_stop);
}

static int
root_wrong(void *arg)
{
	struct weir_cron cron, never;
	struct weir_schedule schedule = {.fn = counts_runs};

	assert_int_equal(weir_schedule_run(&schedule, NULL), -EINVAL);
	assert_int_equal(weir_cron_parse(&never, "0 0 31 2 *", NULL), 0);
	assert_int_equal(weir_cron_parse(&cron, "@daily", NULL), 0);
	schedule.cron = &cron;
	schedule.every_ns = MS;
	assert_int_equal(weir_schedule_run(&schedule, NULL), -EINVAL);
	schedule = (struct weir_schedule){.fn = counts_runs, .cron = &never};
	assert_int_equal(weir_schedule_run(&schedule, NULL), -ENOENT);
	schedule = (struct weir_schedule){.every_ns = MS};
	assert_int_equal(weir_schedule_run(&schedule, NULL), -EINVAL);
	return 0;
}

static void
test_wrong(void **state)
{
	run(root_wrong);
}

/* With the zone of the process: the rules of Central Europe, spelt out. */
static void
test_cron(void **state)
{
	struct weir_cron_error error;
	struct weir_cron cron;
	int64_t due;

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	assert_int_equal(weir_cron_parse(&cron, "0 25 * * *", &error), -EINVAL);
	assert_int_equal(error.at, 2);
	assert_string_equal(error.text, "hour above 23");
	assert_int_equal(weir_cron_parse(&cron, "30 2 * * *", &error), 0);
	/* 30 March 2024 12:00 UTC; the clock is turned in the night. */
	assert_int_equal(weir_cron_next(&cron, false, 1711800000, &due), 0);
	assert_int_equal(due, 1711848600);
	assert_int_equal(weir_cron_next(&cron, true, 1711800000, &due), 0);
	assert_int_equal(due, 1711852200);
	unsetenv("TZ");
	tzset();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ticker),
	    cmocka_unit_test(test_every),
	    cmocka_unit_test(test_overlap),
	    cmocka_unit_test(test_stop),
	    cmocka_unit_test(test_wrong),
	    cmocka_unit_test(test_cron),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
