/*
 * weir/schedule.h - work that comes again: every so often, or by the calendar
 */
#ifndef WEIR_SCHEDULE_H
#define WEIR_SCHEDULE_H

#include <weir/api.h>
#include <weir/task.h>
#include <weir/time.h>

WEIR_BEGIN

/*
 * A ticker ticks at whole multiples of @every_ns after its start: it does not
 * drift. Ticks that come while nobody waits are counted and left out, not
 * made up for in a bunch. In the caller's memory; its fields may be read.
 */
struct weir_ticker {
	weir_time next; /* when weir_ticker_wait() returns next */
	int64_t every_ns;
	uint64_t missed; /* since the start */
};

/* @every_ns is more than 0. The first tick is @every_ns from now. */
WEIR_API void weir_ticker_init(struct weir_ticker *ticker, int64_t every_ns);
/* Suspends until the next tick. Returns 0, or why the task was stopped. */
WEIR_API WEIR_MUST_CHECK int weir_ticker_wait(struct weir_ticker *ticker);

/*
 * The five fields of crontab(5): minute, hour, day of the month, month, day of
 * the week. Each is a list by commas of: *, a value, a range a-b, and * or a
 * range with a step /n; months and days may be names of three letters. Or one
 * of @yearly @monthly @weekly @daily @hourly. A day is due when both fields of
 * days match; if neither begins with *, one is enough.
 *
 * When clocks are turned, schedules that name hours are due once: at a time
 * that is left out, as much later (02:30 becomes 03:30); at a time that comes
 * twice, the first time. Where the hour is * they go on through both.
 */
struct weir_cron {
	uint64_t opaque[6];
};

/* What is wrong, at which character (from 0) of the text. */
struct weir_cron_error {
	size_t at;
	const char *text; /* "minute above 59" */
};

/* Returns 0, or -EINVAL and *@ret_error (may be NULL). */
WEIR_API WEIR_MUST_CHECK int weir_cron_parse(struct weir_cron *ret_cron,
    const char *text, struct weir_cron_error *ret_error);

/*
 * The first time after @after_s at which @cron is due, both in seconds since
 * 1970. @utc: its fields are UTC, else the time of TZ or /etc/localtime.
 *
 * Returns 0; -ENOENT: there is no such day (31 February).
 */
WEIR_API WEIR_MUST_CHECK int weir_cron_next(
    const struct weir_cron *cron, bool utc, int64_t after_s, int64_t *ret_s);

/* All zero but for fn and one of every_ns and cron is a good choice. */
struct weir_schedule {
	const char *name; /* of its tasks, text that stays */
	int64_t every_ns; /* as a ticker */
	const struct weir_cron *cron; /* or by the calendar */
	bool utc;
	/* Runs that may be under way at once: a run that would be one more is
	 * skipped. 0: 1. */
	unsigned parallel_max;
	uint64_t run_max; /* end after that many; 0: never */
	weir_task_fn fn;
	void *arg;
	uint64_t reserved[4]; /* zero */
};

struct weir_schedule_counts {
	uint64_t started;
	uint64_t ended;
	uint64_t failed; /* of those: fn returned less than 0 */
	uint64_t skipped; /* the one before still ran, or no task was free */
	uint64_t missed; /* ticks left out since the worker was busy */
};

/*
 * Run @schedule->fn as a task each time it is due, in a scope of its own.
 * Suspends; start it as a task to go on with something else. When it returns,
 * nothing of it runs any more. *@counts (may be NULL) is kept while it runs.
 *
 * Returns 0 after run_max runs; -EINVAL; -ENOENT (cron is never due); why the
 * task was stopped.
 */
WEIR_API int weir_schedule_run(
    const struct weir_schedule *schedule, struct weir_schedule_counts *counts);

WEIR_END

#endif
