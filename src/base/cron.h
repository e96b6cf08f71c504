/*
 * cron.h - when a schedule in cron's five fields is due
 *
 * Layer      base
 * Threads    any: pure
 * Memory     a struct of 40 bytes
 * Sources    crontab(5) of cron 3 (Vixie), POSIX crontab
 *
 * The fields, by blanks: minute (0-59), hour (0-23), day of the month (1-31),
 * month (1-12 or jan-dec), day of the week (0-7 or sun-sat; 0 and 7 are
 * Sunday). Each is a list by commas of: *, a value, a range a-b, any of these
 * but the value with a step /n. Names in any case. Instead of all five:
 * @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly.
 *
 * A day is due when the day of the month and that of the week both match; when
 * neither field begins with *, one of the two is enough, as in crontab(5).
 */
#pragma once

#include "base/cc.h"

/* No date of a schedule is rarer than 29 February on one day of the week: 40
 * years, over a century without a leap year. */
#define CRON_YEARS_MAX 44

struct cron {
	uint64_t minutes; /* bit n: at n */
	uint32_t hours;
	uint32_t days; /* of the month, 1.. */
	uint16_t months; /* 1.. */
	uint8_t weekdays; /* 0: Sunday */
	bool any_day; /* the field began with * */
	bool any_weekday;
};

struct cron_error {
	size_t at; /* offset in the text */
	const char *text; /* "minute above 59": static */
};

/*
 * cron_parse - read @text
 *
 * @ret_error  where it is wrong and what is wrong there, on error
 *
 * Returns    0; -EINVAL
 */
MUST_CHECK int cron_parse(const char *text, size_t length,
    struct cron *ret_cron, struct cron_error *ret_error);

/*
 * The clock on the wall at a point in time: seconds east of Greenwich. @utc_s
 * is seconds since 1970 in both directions.
 */
struct cron_zone {
	int32_t (*offset_s)(const struct cron_zone *zone, int64_t utc_s);
};
extern const struct cron_zone cron_utc; /* 0 */

/*
 * cron_next - the first time after @after_s that @cron is due
 *
 * When clocks are turned, schedules that name hours are due once: a time that
 * is left out, as many seconds after midnight as if the clock had not been
 * turned (02:30 becomes 03:30); a time that comes twice, the first time. Those
 * whose hour is every hour go on through both.
 *
 * Returns    0; -ENOENT: there is no such day (31 February)
 */
MUST_CHECK int cron_next(const struct cron *cron, const struct cron_zone *zone,
    int64_t after_s, int64_t *ret_s);
