/*
 * http_date.c - the three date forms of RFC 9110 §5.6.7
 *
 * Days are counted from 0000-03-01, so that the leap day ends a year; an era
 * is 400 years of 146,097 days.
 */
#include <errno.h>

#include "wire/chars.h"
#include "wire/http.h"

#define DAY_S        86400
#define DAYS_TO_1970 719468 /* from 0000-03-01 */
#define DATE_MAX_S   INT64_C(253402300799) /* 9999-12-31 23:59:59 */

static const char day_names[7][10] = {"Sunday", "Monday", "Tuesday",
    "Wednesday", "Thursday", "Friday", "Saturday"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May",
    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct date {
	int year; /* 1970 is 1970 */
	unsigned month; /* 0: January */
	unsigned day; /* from 1 */
	unsigned hour, minute, second;
};

static int64_t
date_days(const struct date *date)
{
	int year = date->year - (date->month < 2);
	int era = year / 400;
	unsigned year_of_era = (unsigned)(year - era * 400);
	unsigned month = (date->month + 10) % 12; /* 0: March */
	unsigned day_of_year = (153 * month + 2) / 5 + date->day - 1;

	return (int64_t)era * 146097 + year_of_era * 365 + year_of_era / 4 -
	    year_of_era / 100 + day_of_year - DAYS_TO_1970;
}

static struct date
date_of(int64_t unix_s)
{
	int64_t days = unix_s / DAY_S + DAYS_TO_1970;
	unsigned second = (unsigned)(unix_s % DAY_S);
	unsigned day = (unsigned)(days % 146097);
	unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	unsigned day_of_year = day - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * day_of_year + 2) / 153;

	return (struct date){
	    .year = (int)(days / 146097 * 400 + year + (month >= 10)),
	    .month = (month + 2) % 12,
	    .day = day_of_year - (153 * month + 2) / 5 + 1,
	    .hour = second / 3600,
	    .minute = second / 60 % 60,
	    .second = second % 60,
	};
}

static void
digits_put(char *at, unsigned value, unsigned count)
{
	while (count-- > 0) {
		at[count] = (char)('0' + value % 10);
		value /= 10;
	}
}

void
http_date_write(char into[HTTP_DATE_BYTES], int64_t unix_s)
{
	struct date date;

	unix_s = max_of(unix_s, INT64_C(0));
	unix_s = min_of(unix_s, DATE_MAX_S);
	date = date_of(unix_s);
	memcpy(into, "Sun, 00 Jan 0000 00:00:00 GMT", HTTP_DATE_BYTES);
	memcpy(into, day_names[(unix_s / DAY_S + 4) % 7], 3);
	digits_put(into + 5, date.day, 2);
	memcpy(into + 8, month_names[date.month], 3);
	digits_put(into + 12, (unsigned)date.year, 4);
	digits_put(into + 17, date.hour, 2);
	digits_put(into + 20, date.minute, 2);
	digits_put(into + 23, date.second, 2);
}

/* @count digits off the front of @text; false when there are none. */
static bool
digits_take(struct bytes *text, unsigned count, unsigned *ret_value)
{
	unsigned value = 0;

	if (text->length < count)
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (!char_is(text->at[i], CHAR_DIGIT))
			return false;
		value = value * 10 + (unsigned)(text->at[i] - '0');
	}
	*text = bytes_skip(*text, count);
	*ret_value = value;
	return true;
}

static bool
text_take(struct bytes *text, struct bytes expected)
{
	if (!bytes_starts_with(*text, expected))
		return false;
	*text = bytes_skip(*text, expected.length);
	return true;
}

static bool
month_take(struct bytes *text, unsigned *ret_month)
{
	for (unsigned i = 0; i < 12; i++) {
		if (text_take(text, bytes_of(month_names[i], 3))) {
			*ret_month = i;
			return true;
		}
	}
	return false;
}

static bool
clock_take(struct bytes *text, struct date *date)
{
	return digits_take(text, 2, &date->hour) &&
	    text_take(text, BYTES(":")) &&
	    digits_take(text, 2, &date->minute) &&
	    text_take(text, BYTES(":")) && digits_take(text, 2, &date->second);
}

/* "06 Nov 1994 08:49:37 GMT" */
static bool
date_take_imf(struct bytes text, struct date *date)
{
	unsigned year;

	if (!digits_take(&text, 2, &date->day) ||
	    !text_take(&text, BYTES(" ")) || !month_take(&text, &date->month) ||
	    !text_take(&text, BYTES(" ")) || !digits_take(&text, 4, &year) ||
	    !text_take(&text, BYTES(" ")) || !clock_take(&text, date))
		return false;
	date->year = (int)year;
	return bytes_equal(text, BYTES(" GMT"));
}

/* "06-Nov-94 08:49:37 GMT"; years as POSIX reads them: 69-99 are 19xx. */
static bool
date_take_rfc850(struct bytes text, struct date *date)
{
	unsigned year;

	if (!digits_take(&text, 2, &date->day) ||
	    !text_take(&text, BYTES("-")) || !month_take(&text, &date->month) ||
	    !text_take(&text, BYTES("-")) || !digits_take(&text, 2, &year) ||
	    !text_take(&text, BYTES(" ")) || !clock_take(&text, date))
		return false;
	date->year = (int)year + (year < 69 ? 2000 : 1900);
	return bytes_equal(text, BYTES(" GMT"));
}

/* "Nov  6 08:49:37 1994" */
static bool
date_take_asctime(struct bytes text, struct date *date)
{
	unsigned year;

	if (!month_take(&text, &date->month) || !text_take(&text, BYTES(" ")))
		return false;
	if (text_take(&text, BYTES(" "))) {
		if (!digits_take(&text, 1, &date->day))
			return false;
	} else if (!digits_take(&text, 2, &date->day)) {
		return false;
	}
	if (!text_take(&text, BYTES(" ")) || !clock_take(&text, date) ||
	    !text_take(&text, BYTES(" ")) || !digits_take(&text, 4, &year))
		return false;
	date->year = (int)year;
	return text.length == 0;
}

static bool
date_is_valid(const struct date *date)
{
	static const uint8_t days[12] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year = date->year;
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	/* Second 60 is a leap second; it counts as the next minute's 0. */
	return year >= 1 && date->day >= 1 &&
	    date->day <= days[date->month] + (leap && date->month == 1) &&
	    date->hour < 24 && date->minute < 60 && date->second <= 60;
}

int
http_date_parse(struct bytes text, int64_t *ret_unix_s)
{
	struct date date = {0};
	bool taken = false;

	/* The name of the day is not held against its date: senders err. */
	for (size_t i = 0; i < 7 && !taken; i++) {
		struct bytes rest = text;

		if (!text_take(&rest, bytes_of(day_names[i], 3)))
			continue;
		if (text_take(&rest, BYTES(", ")))
			taken = date_take_imf(rest, &date);
		else if (text_take(&rest, BYTES(" ")))
			taken = date_take_asctime(rest, &date);
		else if (text_take(&rest, bytes_from(day_names[i] + 3)) &&
		    text_take(&rest, BYTES(", ")))
			taken = date_take_rfc850(rest, &date);
	}
	if (!taken || !date_is_valid(&date))
		return -EINVAL;
	*ret_unix_s = date_days(&date) * DAY_S + date.hour * 3600 +
	    date.minute * 60 + date.second;
	return 0;
}
