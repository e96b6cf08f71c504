/*
 * public/schedule.c - tickers, the calendar, and tasks that run by them
 *
 * The wall clock may be set while we sleep until it shows a time: we look at it
 * again at least every WALL_LOOK, and a time that was jumped over is due now.
 */
#include <weir/schedule.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cron.h"
#include "os/clock.h"
#include "public/inner.h"
#include "runtime/task.h"

#define WALL_LOOK duration_s(10)

_Static_assert(sizeof(struct cron) <= sizeof(struct weir_cron), "");

void
weir_ticker_init(struct weir_ticker *ticker, int64_t every_ns)
{
	misuse_unless(
	    every_ns > 0, "weir_ticker_init() of %lld ns", (long long)every_ns);
	*ticker = (struct weir_ticker){
	    .next = instant_after(clock_now(), duration_ns(every_ns)).ns,
	    .every_ns = every_ns};
}

int
weir_ticker_wait(struct weir_ticker *ticker)
{
	int64_t late = clock_now().ns - ticker->next;
	int error;

	(void)task_required(__func__);
	if (late >= ticker->every_ns) {
		int64_t missed = late / ticker->every_ns;

		ticker->missed += (uint64_t)missed;
		ticker->next += missed * ticker->every_ns;
	}
	error = task_sleep_until((instant){ticker->next});
	if (error == 0)
		ticker->next = instant_after(
		    (instant){ticker->next}, duration_ns(ticker->every_ns))
				   .ns;
	return error;
}

int
weir_cron_parse(struct weir_cron *ret_cron, const char *text,
    struct weir_cron_error *ret_error)
{
	struct cron_error error = {0};
	int result =
	    cron_parse(text, strlen(text), (struct cron *)ret_cron, &error);

	if (result < 0 && ret_error != NULL)
		*ret_error = (struct weir_cron_error){error.at, error.text};
	return result;
}

static int32_t
schedule_local_offset(const struct cron_zone *zone, int64_t utc_s)
{
	time_t t = (time_t)utc_s;
	struct tm tm;

	(void)zone;
	return localtime_r(&t, &tm) != NULL ? (int32_t)tm.tm_gmtoff : 0;
}

static const struct cron_zone schedule_local = {schedule_local_offset};

int
weir_cron_next(
    const struct weir_cron *cron, bool utc, int64_t after_s, int64_t *ret_s)
{
	return cron_next((const struct cron *)cron,
	    utc ? &cron_utc : &schedule_local, after_s, ret_s);
}

static int
schedule_wait_wall(int64_t wall_s)
{
	for (;;) {
		int64_t left = wall_s - clock_wall_ns() / 1000000000;
		int error;

		if (left <= 0)
			return task_cancelled();
		/* To the start of that second, but for what WALL_LOOK is. */
		error = task_sleep(duration_ns(min_of(
		    wall_s * 1000000000 - clock_wall_ns(), WALL_LOOK.ns)));
		if (error < 0)
			return error;
	}
}

/* ---- runs ---- */

struct schedule_run {
	const struct weir_schedule *schedule;
	struct weir_schedule_counts *counts;
	struct weir_ticker ticker;
	int64_t after_s; /* by the calendar: the last time that was due */
	struct scope scope;
	unsigned under_way;
};

static int
schedule_task(void *arg)
{
	struct schedule_run *run = arg;

	if (run->schedule->fn(run->schedule->arg) < 0)
		run->counts->failed++;
	run->counts->ended++;
	run->under_way--;
	return 0;
}

static void
schedule_begin(struct schedule_run *run)
{
	const struct weir_schedule *schedule = run->schedule;
	unsigned max = max_of(schedule->parallel_max, 1u);

	if (run->under_way >= max ||
	    task_start(&run->scope,
		schedule->name != NULL ? schedule->name : "scheduled",
		schedule_task, run) < 0) {
		run->counts->skipped++;
		return;
	}
	run->counts->started++;
	run->under_way++;
}

static int
schedule_wait(struct schedule_run *run)
{
	const struct weir_schedule *schedule = run->schedule;
	int64_t due;
	int error;

	if (schedule->cron == NULL) {
		error = weir_ticker_wait(&run->ticker);
		run->counts->missed = run->ticker.missed;
		return error;
	}
	error =
	    weir_cron_next(schedule->cron, schedule->utc, run->after_s, &due);
	if (error == 0)
		error = schedule_wait_wall(due);
	if (error < 0)
		return error;
	/* Those that are past by now are not made up for. */
	run->after_s = max_of(due, clock_wall_ns() / 1000000000);
	return 0;
}

int
weir_schedule_run(
    const struct weir_schedule *schedule, struct weir_schedule_counts *counts)
{
	struct weir_schedule_counts own;
	struct schedule_run run = {.schedule = schedule,
	    .counts = counts != NULL ? counts : &own,
	    .after_s = clock_wall_ns() / 1000000000};
	int error = 0;

	(void)task_required(__func__);
	if (schedule->fn == NULL ||
	    (schedule->cron == NULL) == (schedule->every_ns <= 0))
		return -EINVAL;
	*run.counts = (struct weir_schedule_counts){0};
	if (schedule->cron == NULL)
		weir_ticker_init(&run.ticker, schedule->every_ns);
	scope_init(&run.scope, instant_never());
	while (error == 0 &&
	    (schedule->run_max == 0 ||
		run.counts->started < schedule->run_max)) {
		error = schedule_wait(&run);
		if (error == 0)
			schedule_begin(&run);
	}
	if (error == 0)
		error = scope_wait(&run.scope);
	scope_fini(&run.scope);
	return error;
}
