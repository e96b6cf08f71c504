/*
 * cron.c - parse, and search in the calendar
 *
 * Local times are seconds since 1970 as the clock on the wall shows them. The
 * search goes by fields: months that are not due are skipped whole, then days,
 * then hours. Days are counted by the algorithm of H. Hinnant, "chrono-
 * Compatible Low-Level Date Algorithms".
 */
#include "base/cron.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define DAY_S 86400

static const struct cron_field {
	const char *below, *above, *name;
	unsigned first, last;
	const char *names; /* three letters each */
} cron_fields[] = {
    {"minute below 0", "minute above 59", "minute", 0, 59, NULL},
    {"hour below 0", "hour above 23", "hour", 0, 23, NULL},
    {"day below 1", "day above 31", "day", 1, 31, NULL},
    {"month below 1", "month above 12", "month", 1, 12,
	"janfebmaraprmayjunjulaugsepoctnovdec"},
    {"day of the week below 0", "day of the week above 7", "day of the week", 0,
	7, "sunmontuewedthufrisat"},
};

static const struct cron_word {
	const char *word, *means;
} cron_words[] = {
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
    {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

struct cron_text {
	const char *at, *end, *start;
	struct cron_error *error;
};

static int
cron_fail(struct cron_text *text, const char *at, const char *what)
{
	text->error->at = (size_t)(at - text->start);
	text->error->text = what;
	return -EINVAL;
}

static bool
cron_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void
cron_skip_blanks(struct cron_text *text)
{
	while (text->at < text->end && cron_blank(*text->at))
		text->at++;
}

static bool
cron_take(struct cron_text *text, char c)
{
	if (text->at == text->end || *text->at != c)
		return false;
	text->at++;
	return true;
}

static int
cron_number(struct cron_text *text, unsigned *ret_value)
{
	const char *start = text->at;
	unsigned value = 0;

	while (text->at < text->end && *text->at >= '0' && *text->at <= '9') {
		if (text->at - start == 4)
			return cron_fail(text, start, "number too long");
		value = value * 10 + (unsigned)(*text->at++ - '0');
	}
	if (text->at == start)
		return cron_fail(text, start,
		    start == text->end ? "unexpected end" : "not a number");
	*ret_value = value;
	return 0;
}

/* 1: a name was there. */
static int
cron_name(
    struct cron_text *text, const struct cron_field *field, unsigned *ret_value)
{
	size_t count = field->names != NULL ? strlen(field->names) / 3 : 0;

	if (text->end - text->at < 3)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (strncasecmp(text->at, field->names + 3 * i, 3) != 0)
			continue;
		text->at += 3;
		*ret_value = field->first + (unsigned)i;
		return 1;
	}
	return 0;
}

static int
cron_value(
    struct cron_text *text, const struct cron_field *field, unsigned *ret_value)
{
	const char *start = text->at;
	int result = cron_name(text, field, ret_value);

	if (result != 0)
		return 0;
	result = cron_number(text, ret_value);
	if (result < 0)
		return result;
	if (*ret_value < field->first)
		return cron_fail(text, start, field->below);
	if (*ret_value > field->last)
		return cron_fail(text, start, field->above);
	return 0;
}

static int
cron_range(struct cron_text *text, const struct cron_field *field,
    unsigned *ret_first, unsigned *ret_last, bool *ret_range)
{
	const char *start = text->at;
	int error;

	*ret_range = true;
	if (cron_take(text, '*')) {
		*ret_first = field->first;
		*ret_last = field->last;
		return 0;
	}
	error = cron_value(text, field, ret_first);
	*ret_last = *ret_first;
	if (error < 0 || !cron_take(text, '-')) {
		*ret_range = false;
		return error;
	}
	error = cron_value(text, field, ret_last);
	if (error == 0 && *ret_last < *ret_first)
		return cron_fail(text, start, "range runs backwards");
	return error;
}

/* One member of a list, into @set. */
static int
cron_item(struct cron_text *text, const struct cron_field *field, uint64_t *set)
{
	unsigned first = 0, last = 0, step = 1;
	bool range;
	int error = cron_range(text, field, &first, &last, &range);
	const char *slash = text->at;

	if (error < 0)
		return error;
	if (cron_take(text, '/')) {
		if (!range)
			return cron_fail(
			    text, slash, "step after a single value");
		error = cron_number(text, &step);
		if (error < 0)
			return error;
		if (step == 0)
			return cron_fail(text, slash + 1, "step of 0");
	}
	for (unsigned i = first; i <= last; i += step)
		*set |= UINT64_C(1) << i;
	return 0;
}

static int
cron_field_parse(struct cron_text *text, const struct cron_field *field,
    uint64_t *ret_set, bool *ret_any)
{
	int error;

	cron_skip_blanks(text);
	if (text->at == text->end)
		return cron_fail(text, text->at, "fewer than five fields");
	*ret_any = *text->at == '*';
	*ret_set = 0;
	do {
		error = cron_item(text, field, ret_set);
	} while (error == 0 && cron_take(text, ','));
	if (error == 0 && text->at < text->end && !cron_blank(*text->at))
		return cron_fail(text, text->at, "unexpected character");
	return error;
}

static int
cron_parse_fields(struct cron_text *text, struct cron *ret_cron)
{
	uint64_t sets[array_count(cron_fields)];
	bool any[array_count(cron_fields)];

	for (size_t i = 0; i < array_count(cron_fields); i++) {
		int error =
		    cron_field_parse(text, &cron_fields[i], &sets[i], &any[i]);

		if (error < 0)
			return error;
	}
	cron_skip_blanks(text);
	if (text->at < text->end)
		return cron_fail(text, text->at, "more than five fields");
	*ret_cron = (struct cron){.minutes = sets[0],
	    .hours = (uint32_t)sets[1],
	    .days = (uint32_t)sets[2],
	    .months = (uint16_t)sets[3],
	    /* 7 is Sunday too. */
	    .weekdays = (uint8_t)((sets[4] | sets[4] >> 7) & 0x7f),
	    .any_day = any[2],
	    .any_weekday = any[4]};
	return 0;
}

int
cron_parse(const char *input, size_t length, struct cron *ret_cron,
    struct cron_error *ret_error)
{
	struct cron_text text = {.at = input,
	    .end = input + length,
	    .start = input,
	    .error = ret_error};

	cron_skip_blanks(&text);
	if (text.at == text.end)
		return cron_fail(&text, text.at, "empty");
	while (cron_blank(text.end[-1]))
		text.end--;
	if (*text.at != '@')
		return cron_parse_fields(&text, ret_cron);
	for (size_t i = 0; i < array_count(cron_words); i++) {
		const struct cron_word *word = &cron_words[i];
		size_t bytes = strlen(word->word);

		if ((size_t)(text.end - text.at) != bytes ||
		    strncasecmp(text.at, word->word, bytes) != 0)
			continue;
		return cron_parse(
		    word->means, strlen(word->means), ret_cron, ret_error);
	}
	return cron_fail(&text, text.at, "no such word after @");
}

/* ---- the calendar ---- */

struct cron_date {
	int64_t year;
	unsigned month, day; /* 1.. */
};

static int64_t
cron_days_of(struct cron_date date)
{
	int64_t year = date.year - (date.month <= 2);
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int64_t of_year =
	    (153 * ((int64_t)date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 +
	    date.day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
	    of_year - 719468;
}

static struct cron_date
cron_date_of(int64_t days)
{
	int64_t shifted = days + 719468;
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t of_era = shifted - era * 146097;
	int64_t years =
	    (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * years + years / 4 - years / 100);
	int64_t month = (5 * of_year + 2) / 153;

	return (struct cron_date){.year = years + era * 400 + (month >= 10),
	    .month = (unsigned)(month < 10 ? month + 3 : month - 9),
	    .day = (unsigned)(of_year - (153 * month + 2) / 5 + 1)};
}

static int64_t
cron_floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static bool
cron_day_due(const struct cron *cron, int64_t days, struct cron_date date)
{
	/* 1 January 1970 was a Thursday. */
	unsigned weekday = (unsigned)(((days + 4) % 7 + 7) % 7);
	bool day = (cron->days >> date.day & 1) != 0;
	bool of_week = (cron->weekdays >> weekday & 1) != 0;

	return cron->any_day || cron->any_weekday ? day && of_week
						  : day || of_week;
}

/* The first day from @days on that is due; false: never. */
static bool
cron_next_day(const struct cron *cron, int64_t days, int64_t *ret_days)
{
	struct cron_date date = cron_date_of(days);
	int64_t last_year = date.year + CRON_YEARS_MAX;

	while (date.year <= last_year) {
		if ((cron->months >> date.month & 1) == 0) {
			date.day = 1;
			if (++date.month == 13) {
				date.month = 1;
				date.year++;
			}
			days = cron_days_of(date);
			continue;
		}
		if (cron_day_due(cron, days, date)) {
			*ret_days = days;
			return true;
		}
		date = cron_date_of(++days);
	}
	return false;
}

/* The first second of the day from @second on that is due, or -1. */
static int64_t
cron_next_second(const struct cron *cron, int64_t second)
{
	int64_t minute = (second + 59) / 60;

	for (; minute < 24 * 60; minute++) {
		if ((cron->hours >> minute / 60 & 1) == 0)
			minute += 59 - minute % 60;
		else if ((cron->minutes >> minute % 60 & 1) != 0)
			return minute * 60;
	}
	return -1;
}

/* The first local time from @local on; false: never. */
static bool
cron_next_local(const struct cron *cron, int64_t local, int64_t *ret_local)
{
	int64_t days = cron_floor_div(local, DAY_S);
	int64_t today = days, second;

	while (cron_next_day(cron, days, &days)) {
		second = cron_next_second(
		    cron, days == today ? local - days * DAY_S : 0);
		if (second >= 0) {
			*ret_local = days * DAY_S + second;
			return true;
		}
		days++;
	}
	return false;
}

/* ---- zones ---- */

static int32_t
cron_utc_offset(const struct cron_zone *zone, int64_t utc_s)
{
	(void)zone;
	(void)utc_s;
	return 0;
}

const struct cron_zone cron_utc = {.offset_s = cron_utc_offset};

/* The first point in time at which the clock shows @local; if it is left out,
 * as if it had not been turned. */
static int64_t
cron_utc_of(const struct cron_zone *zone, int64_t local)
{
	int32_t before = zone->offset_s(zone, local - DAY_S);
	int32_t after = zone->offset_s(zone, local + DAY_S);
	int64_t first = local - before;

	if (zone->offset_s(zone, first) == before || before == after)
		return first;
	if (zone->offset_s(zone, local - after) == after)
		return local - after;
	return first;
}

/* Every hour: minute by minute through a change of the clock, two hours of it
 * at most. */
static bool
cron_next_through(const struct cron *cron, const struct cron_zone *zone,
    int64_t after_s, int64_t *ret_s)
{
	int64_t minute = cron_floor_div(after_s, 60) * 60 + 60;

	for (int i = 0; i < 180; i++, minute += 60) {
		int64_t local = minute + zone->offset_s(zone, minute), due;

		if (cron_next_local(cron, local, &due) && due == local) {
			*ret_s = minute;
			return true;
		}
	}
	return false;
}

int
cron_next(const struct cron *cron, const struct cron_zone *zone,
    int64_t after_s, int64_t *ret_s)
{
	int32_t offset = zone->offset_s(zone, after_s);
	int64_t local, utc;

	if (cron->hours == 0xffffff &&
	    (zone->offset_s(zone, after_s - 3 * 3600) != offset ||
		zone->offset_s(zone, after_s + 3 * 3600) != offset) &&
	    cron_next_through(cron, zone, after_s, ret_s))
		return 0;
	local = after_s + offset + 1;
	/* A time that comes twice is behind us the second time. */
	while (cron_next_local(cron, local, &local)) {
		utc = cron_utc_of(zone, local);
		if (utc > after_s) {
			*ret_s = utc;
			return 0;
		}
		local++;
	}
	return -ENOENT;
}
