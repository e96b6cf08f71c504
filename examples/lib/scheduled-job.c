/*
 * scheduled-job.c - work that comes again
 *
 *   cc scheduled-job.c $(pkg-config --cflags --libs weir)
 *
 * A job every 20 ms that takes 30: runs do not pile up, what is skipped is
 * counted. And the calendar, in crontab's words.
 */
#include <weir/weir.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int
job(void *arg)
{
	int *runs = arg;

	printf("run %d\n", ++*runs);
	return weir_sleep(30 * WEIR_MILLISECOND);
}

static void
show_next(const char *text, int64_t after_s)
{
	struct weir_cron_error error;
	struct weir_cron cron;
	char line[40];
	time_t due;
	int64_t next;

	if (weir_cron_parse(&cron, text, &error) < 0) {
		printf("%s\n%*s^ %s\n", text, (int)error.at, "", error.text);
		return;
	}
	if (weir_cron_next(&cron, true, after_s, &next) == -ENOENT) {
		printf("%s: never\n", text);
		return;
	}
	due = (time_t)next;
	strftime(line, sizeof(line), "%a %F %R", gmtime(&due));
	printf("%s: %s\n", text, line);
}

static int
root(void *arg)
{
	int runs = 0;
	struct weir_schedule schedule = {.name = "job",
	    .every_ns = 20 * WEIR_MILLISECOND,
	    .run_max = 5,
	    .fn = job,
	    .arg = &runs};
	struct weir_schedule_counts counts;
	int64_t new_year = 1735689600; /* 2025-01-01 00:00 */

	(void)arg;
	assert(weir_schedule_run(&schedule, &counts) == 0);
	assert(counts.ended == 5 && counts.failed == 0);
	/* At least one tick comes inside each of the first four runs. */
	assert(counts.skipped + counts.missed >= 4);

	show_next("*/15 9-17 * * mon-fri", new_year);
	show_next("0 0 29 feb *", new_year);
	show_next("@weekly", new_year);
	show_next("0 0 31 2 *", new_year);
	show_next("0 25 * * *", new_year);
	show_next("0 12 * jun-mai *", new_year);
	return 0;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) < 0;
}
