/*
 * http_date.c - dates (RFC 9110 §5.6.7), without the C library's locale
 */
#include <errno.h>

#include "wire/chars.h"
#include "wire/http.h"

static const char date_days[] = "SunMonTueWedThuFriSat";
static const char date_months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Days since 1970-01-01 of a civil date (Hinnant, chrono-compatible
 * algorithms): the year is counted from March, so that leap days end it. */
static int64_t
date_days_from_civil(int64_t year, unsigned month, unsigned day)
{
	int64_t era;
	unsigned year_of_era, day_of_year, day_of_era;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = (unsigned)(year - era * 400);
	day_of_year =
	    (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;
	day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	    day_of_year;
	return era * 146097 + (int64_t)day_of_era - 719468;
}

static void
date_civil_from_days(
    int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	int64_t era, year;
	unsigned day_of_era, year_of_era, day_of_year, month;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	day_of_era = (unsigned)(days - era * 146097);
	year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
			  day_of_era / 146096) /
	    365;
	year = (int64_t)year_of_era + era * 400;
	day_of_year = day_of_era -
	    (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	month = (5 * day_of_year + 2) / 153;
	*ret_day = day_of_year - (153 * month + 2) / 5 + 1;
	*ret_month = month < 10 ? month + 3 : month - 9;
	*ret_year = year + (*ret_month <= 2);
}

static void
date_digits(char *into, unsigned count, uint64_t value)
{
	while (count-- > 0) {
		into[count] = (char)('0' + value % 10);
		value /= 10;
	}
}

void
http_date_write(char into[HTTP_DATE_BYTES], int64_t unix_s)
{
	int64_t days, year;
	unsigned month, day, second;

	/* Four digits of year: what is outside is cut to their ends. */
	if (unix_s < 0)
		unix_s = 0;
	if (unix_s > 253402300799)
		unix_s = 253402300799;
	days = unix_s / 86400;
	second = (unsigned)(unix_s % 86400);
	date_civil_from_days(days, &year, &month, &day);
	memcpy(into, "Thu, 01 Jan 1970 00:00:00 GMT", HTTP_DATE_BYTES);
	memcpy(into, date_days + 3 * ((days + 4) % 7), 3);
	date_digits(into + 5, 2, day);
	memcpy(into + 8, date_months + 3 * (month - 1), 3);
	date_digits(into + 12, 4, (uint64_t)year);
	date_digits(into + 17, 2, second / 3600);
	date_digits(into + 20, 2, second / 60 % 60);
	date_digits(into + 23, 2, second % 60);
}

/* ---- reading ---- */

struct date_parts {
	int64_t year;
	unsigned month, day, hour, minute, second;
};

/* The pattern's letters take digits or a month; every other byte stands for
 * itself; '*' skips letters. */
static bool
date_match(const char *pattern, struct bytes text, struct date_parts *parts)
{
	size_t at = 0;

	for (; *pattern != '\0'; pattern++) {
		unsigned *part = *pattern == 'd' ? &parts->day
		    : *pattern == 'h'            ? &parts->hour
		    : *pattern == 'm'            ? &parts->minute
		    : *pattern == 's'            ? &parts->second
						 : NULL;
		uint64_t value;

		if (*pattern == '*') {
			size_t start = at;

			while (at < text.length &&
			    chars_is(text.at[at], CHAR_ALPHA))
				at++;
			if (at == start)
				return false;
		} else if (*pattern == 'B') {
			const char *hit = NULL;

			for (unsigned i = 0;
			     at + 3 <= text.length && i < 12 && hit == NULL;
			     i++) {
				if (memcmp(date_months + 3 * i, text.at + at,
					3) == 0)
					hit = date_months + 3 * i;
			}
			if (hit == NULL)
				return false;
			parts->month = (unsigned)(hit - date_months) / 3 + 1;
			at += 3;
		} else if (*pattern == 'Y' || *pattern == 'y') {
			size_t digits = *pattern == 'Y' ? 4 : 2;

			if (at + digits > text.length ||
			    bytes_to_u64(bytes_of(text.at + at, digits), 9999,
				&value) < 0)
				return false;
			parts->year = (int64_t)value;
			at += digits;
		} else if (part != NULL) {
			struct bytes two = bytes_of(text.at + at, 2);

			if (at + 2 > text.length)
				return false;
			/* asctime pads the day with a space. */
			if (*pattern == 'd' && two.at[0] == ' ')
				two = bytes_skip(two, 1);
			if (bytes_to_u64(two, 99, &value) < 0)
				return false;
			*part = (unsigned)value;
			at += 2;
		} else {
			if (at == text.length || text.at[at] != *pattern)
				return false;
			at++;
		}
	}
	return at == text.length;
}

static bool
date_valid(const struct date_parts *p)
{
	static const uint8_t lengths[] = {
	    31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return p->day >= 1 && p->day <= lengths[p->month - 1] && p->hour < 24 &&
	    p->minute < 60 && p->second <= 60;
}

int
http_date_parse(struct bytes text, int64_t *ret_unix_s)
{
	struct date_parts parts = {.month = 1};

	if (date_match("*, d B Y h:m:s GMT", text, &parts) ||
	    date_match("* B d h:m:s Y", text, &parts)) {
	} else if (date_match("*, d-B-y h:m:s GMT", text, &parts)) {
		/* RFC 850: a year that looks more than 50 years ahead is of
		 * the last century. 1970 to 2069 needs no clock. */
		parts.year += parts.year < 70 ? 2000 : 1900;
	} else {
		return -EINVAL;
	}
	if (!date_valid(&parts))
		return -EINVAL;
	*ret_unix_s =
	    date_days_from_civil(parts.year, parts.month, parts.day) * 86400 +
	    parts.hour * 3600 + parts.minute * 60 + parts.second;
	return 0;
}
