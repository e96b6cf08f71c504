#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/cron.h"

static struct cron
parsed(const char *text)
{
	struct cron_error error;
	struct cron cron;

	if (cron_parse(text, strlen(text), &cron, &error) < 0)
		fail_msg("%s: at %zu: %s", text, error.at, error.text);
	return cron;
}

static void
test_parse(void **state)
{
	struct cron cron = parsed("*/20 9-17/4,22 1,15 jan,MAR-may mon-Fri");

	assert_int_equal(cron.minutes, 1ull | 1ull << 20 | 1ull << 40);
	assert_int_equal(cron.hours, 1 << 9 | 1 << 13 | 1 << 17 | 1 << 22);
	assert_int_equal(cron.days, 1 << 1 | 1 << 15);
	assert_int_equal(cron.months, 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5);
	assert_int_equal(cron.weekdays, 0x3e);
	assert_false(cron.any_day || cron.any_weekday);
	cron = parsed("  5\t0 * * 5-7 ");
	assert_int_equal(cron.weekdays, 1 << 5 | 1 << 6 | 1);
	assert_true(cron.any_day);
	cron = parsed("@Hourly");
	assert_int_equal(cron.minutes, 1);
	assert_int_equal(cron.hours, 0xffffff);
}

static const struct {
	const char *text;
	size_t at;
	const char *what;
} wrong[] = {
    {"", 0, "empty"},
    {"   ", 3, "empty"},
    {"* * * *", 7, "fewer than five fields"},
    {"* * * * * *", 10, "more than five fields"},
    {"60 * * * *", 0, "minute above 59"},
    {"* 24 * * *", 2, "hour above 23"},
    {"* * 0 * *", 4, "day below 1"},
    {"* * 1,32 * *", 6, "day above 31"},
    {"* * * 13 *", 6, "month above 12"},
    {"* * * * 8", 8, "day of the week above 7"},
    {"* * * foo *", 6, "not a number"},
    {"* * * janx *", 9, "unexpected character"},
    {"5-1 * * * *", 0, "range runs backwards"},
    {"*/0 * * * *", 2, "step of 0"},
    {"5/2 * * * *", 1, "step after a single value"},
    {"1, * * * *", 2, "not a number"},
    {"* * * * 1-", 10, "unexpected end"},
    {"12345 * * * *", 0, "number too long"},
    {"@often", 0, "no such word after @"},
    {"@hourly x", 0, "no such word after @"},
};

static void
test_wrong(void **state)
{
	for (size_t i = 0; i < array_count(wrong); i++) {
		struct cron_error error = {0};
		struct cron cron;

		assert_int_equal(cron_parse(wrong[i].text,
				     strlen(wrong[i].text), &cron, &error),
		    -EINVAL);
		assert_string_equal(error.text, wrong[i].what);
		assert_int_equal(error.at, wrong[i].at);
	}
}

/* "2024-02-29 12:30" as if it were UTC. */
static int64_t
at(const char *text)
{
	struct tm tm = {0};

	assert_int_equal(sscanf(text, "%d-%d-%d %d:%d", &tm.tm_year, &tm.tm_mon,
			     &tm.tm_mday, &tm.tm_hour, &tm.tm_min),
	    5);
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return timegm(&tm);
}

static void
expect(const char *schedule, const struct cron_zone *zone, int64_t after,
    int64_t due)
{
	struct cron cron = parsed(schedule);
	int64_t found = 0;

	assert_int_equal(cron_next(&cron, zone, after, &found), 0);
	if (found != due)
		fail_msg("%s after %lld: %lld, not %lld", schedule,
		    (long long)after, (long long)found, (long long)due);
}

static const struct {
	const char *schedule, *after, *due;
} dates[] = {
    {"* * * * *", "2024-01-01 00:00", "2024-01-01 00:01"},
    {"0 0 * * *", "2024-12-31 12:00", "2025-01-01 00:00"},
    {"30 4 29 2 *", "2024-03-01 00:00", "2028-02-29 04:30"},
    {"0 0 29 2 */7", "2024-03-01 00:00", "2032-02-29 00:00"},
    {"0 0 29 2 */7", "2088-02-29 00:00", "2128-02-29 00:00"},
    {"0 0 29 2 *", "2096-03-01 00:00", "2104-02-29 00:00"},
    {"0 0 31 * *", "2024-04-01 00:00", "2024-05-31 00:00"},
    {"59 23 31 dec *", "2024-12-31 23:59", "2025-12-31 23:59"},
    /* Either day is enough when both are given. */
    {"0 0 13 * fri", "2024-09-08 00:00", "2024-09-13 00:00"},
    {"0 0 13 * fri", "2024-09-13 00:00", "2024-09-20 00:00"},
    {"0 0 13 * fri", "2024-10-11 00:00", "2024-10-13 00:00"},
    {"0 9 * * mon-fri", "2024-09-13 09:00", "2024-09-16 09:00"},
    {"*/7 3 * * *", "2024-09-13 03:56", "2024-09-14 03:00"},
    {"5 6 7 8 *", "1969-01-01 00:00", "1969-08-07 06:05"},
    {"@weekly", "2024-09-13 00:00", "2024-09-15 00:00"},
};

static void
test_dates(void **state)
{
	struct cron never = parsed("0 0 30 2 *");
	int64_t found;

	for (size_t i = 0; i < array_count(dates); i++)
		expect(dates[i].schedule, &cron_utc, at(dates[i].after),
		    at(dates[i].due));
	assert_int_equal(cron_next(&never, &cron_utc, 0, &found), -ENOENT);
	/* From inside a minute. */
	expect("* * * * *", &cron_utc, at("2024-01-01 00:00") + 59,
	    at("2024-01-01 00:01"));
}

/* Central Europe in 2024: +1 h, and +2 h between the changes at 01:00 UTC. */
static int32_t
europe_offset(const struct cron_zone *zone, int64_t utc_s)
{
	return utc_s >= at("2024-03-31 01:00") && utc_s < at("2024-10-27 01:00")
	    ? 7200
	    : 3600;
}

static const struct cron_zone europe = {.offset_s = europe_offset};

/* After and due are UTC. */
static const struct {
	const char *schedule, *after, *due;
} changes[] = {
    /* 02:30 is left out: 03:30 summer time. */
    {"30 2 * * *", "2024-03-30 12:00", "2024-03-31 01:30"},
    {"30 2 * * *", "2024-03-31 01:30", "2024-04-01 00:30"},
    {"0 2 * * *", "2024-03-31 00:59", "2024-03-31 01:00"},
    {"0 2,3 * * *", "2024-03-31 01:00", "2024-04-01 00:00"},
    /* 02:30 comes twice: the first. */
    {"30 2 * * *", "2024-10-26 12:00", "2024-10-27 00:30"},
    {"30 2 * * *", "2024-10-27 00:30", "2024-10-28 01:30"},
    {"30 2 * * *", "2024-10-27 01:10", "2024-10-28 01:30"},
    {"0 4 * * *", "2024-10-27 00:30", "2024-10-27 03:00"},
    /* Every hour: through both. */
    {"*/30 * * * *", "2024-03-31 00:30", "2024-03-31 01:00"},
    {"*/30 * * * *", "2024-10-27 00:30", "2024-10-27 01:00"},
    {"*/30 * * * *", "2024-10-27 01:00", "2024-10-27 01:30"},
    {"*/30 * * * *", "2024-10-27 01:30", "2024-10-27 02:00"},
    {"30 * * * *", "2024-10-27 00:30", "2024-10-27 01:30"},
    {"0 * * * tue", "2024-10-27 00:30", "2024-10-28 23:00"},
};

static void
test_changes(void **state)
{
	for (size_t i = 0; i < array_count(changes); i++)
		expect(changes[i].schedule, &europe, at(changes[i].after),
		    at(changes[i].due));
}

/* Against a walk over every minute. */
static void
test_walk(void **state)
{
	static const char *const schedules[] = {"*/17 * * * *", "3 */5 * * 2",
	    "0 12 1-7 * *", "59 23 * 2,4 *", "1 1 1,11 * sat"};

	for (size_t i = 0; i < array_count(schedules); i++) {
		struct cron cron = parsed(schedules[i]);
		int64_t due = at("2024-02-20 00:00") - 1, walk = due + 1;

		for (int n = 0; n < 30; n++) {
			assert_int_equal(
			    cron_next(&cron, &cron_utc, due, &due), 0);
			for (;; walk += 60) {
				time_t t = (time_t)walk;
				struct tm tm;
				bool day, weekday;

				gmtime_r(&t, &tm);
				day = cron.days >> tm.tm_mday & 1;
				weekday = cron.weekdays >> tm.tm_wday & 1;
				if ((cron.minutes >> tm.tm_min & 1) &&
				    (cron.hours >> tm.tm_hour & 1) &&
				    (cron.months >> (tm.tm_mon + 1) & 1) &&
				    (cron.any_day || cron.any_weekday
					    ? day && weekday
					    : day || weekday))
					break;
			}
			assert_int_equal(due, walk);
			walk += 60;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_wrong),
	    cmocka_unit_test(test_dates),
	    cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
