#include "config/quantity.h"

struct quantity_unit {
	const char *name;
	uint64_t factor;
};

/* The largest first: "1m30s" is in order, "30s1m" is a slip of the pen. */
static const struct quantity_unit quantity_times[] = {
    {"d", 86400000000000},
    {"h", 3600000000000},
    {"m", 60000000000},
    {"s", 1000000000},
    {"ms", 1000000},
    {"us", 1000},
};

static const struct quantity_unit quantity_sizes[] = {
    {"TiB", UINT64_C(1) << 40},
    {"TB", 1000000000000},
    {"GiB", 1 << 30},
    {"GB", 1000000000},
    {"MiB", 1 << 20},
    {"MB", 1000000},
    {"KiB", 1 << 10},
    {"KB", 1000},
    {"kB", 1000},
    {"B", 1},
};

static bool
quantity_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Take a number off *@text. */
static enum quantity_result
quantity_number(struct bytes *text, uint64_t *ret)
{
	size_t digits = 0;
	uint64_t value;

	while (digits < text->length && quantity_is_digit(text->at[digits]))
		digits++;
	if (digits == 0)
		return QUANTITY_MALFORMED;
	if (bytes_to_u64(bytes_of(text->at, digits), UINT64_MAX, &value) < 0)
		return QUANTITY_TOO_LARGE;
	*text = bytes_skip(*text, digits);
	*ret = value;
	return QUANTITY_OK;
}

/* Take letters off *@text; the index of that unit, or -1. */
static int
quantity_unit(
    struct bytes *text, const struct quantity_unit *units, size_t count)
{
	size_t letters = 0;
	struct bytes name;

	while (letters < text->length && !quantity_is_digit(text->at[letters]))
		letters++;
	name = bytes_of(text->at, letters);
	*text = bytes_skip(*text, letters);
	for (size_t i = 0; i < count; i++) {
		if (bytes_equal(name, bytes_from(units[i].name)))
			return (int)i;
	}
	return -1;
}

enum quantity_result
quantity_duration(struct bytes text, int64_t *ret_ns)
{
	uint64_t total = 0, number;
	int last = -1;

	do {
		enum quantity_result r = quantity_number(&text, &number);
		int unit;

		if (r != QUANTITY_OK)
			return r;
		if (text.length == 0 && last < 0) {
			*ret_ns = (int64_t)min_of(number, (uint64_t)INT64_MAX);
			return number == 0 ? QUANTITY_OK : QUANTITY_NO_UNIT;
		}
		unit = quantity_unit(
		    &text, quantity_times, array_count(quantity_times));
		if (unit <= last)
			return QUANTITY_MALFORMED;
		last = unit;
		if (__builtin_mul_overflow(
			number, quantity_times[unit].factor, &number) ||
		    __builtin_add_overflow(total, number, &total) ||
		    total > INT64_MAX)
			return QUANTITY_TOO_LARGE;
	} while (text.length != 0);
	*ret_ns = (int64_t)total;
	return QUANTITY_OK;
}

enum quantity_result
quantity_size(struct bytes text, uint64_t *ret_bytes)
{
	uint64_t number;
	enum quantity_result r = quantity_number(&text, &number);
	int unit;

	if (r != QUANTITY_OK)
		return r;
	*ret_bytes = number;
	if (text.length == 0)
		return QUANTITY_OK;
	unit =
	    quantity_unit(&text, quantity_sizes, array_count(quantity_sizes));
	if (unit < 0 || text.length != 0)
		return QUANTITY_MALFORMED;
	if (__builtin_mul_overflow(
		number, quantity_sizes[unit].factor, ret_bytes))
		return QUANTITY_TOO_LARGE;
	return QUANTITY_OK;
}

enum quantity_result
quantity_percent(struct bytes text, uint64_t *ret_percent)
{
	enum quantity_result r = quantity_number(&text, ret_percent);

	if (r != QUANTITY_OK)
		return r;
	if (text.length == 0)
		return *ret_percent == 0 ? QUANTITY_OK : QUANTITY_NO_UNIT;
	return bytes_equal(text, BYTES("%")) ? QUANTITY_OK : QUANTITY_MALFORMED;
}

void
quantity_duration_write(int64_t ns, struct appender *into)
{
	uint64_t value = (uint64_t)max_of(ns, (int64_t)0);

	for (size_t i = 0; i < array_count(quantity_times); i++) {
		uint64_t factor = quantity_times[i].factor;

		if (value == 0 || value % factor != 0)
			continue;
		append_u64(into, value / factor);
		append_text(into, quantity_times[i].name);
		return;
	}
	append_char(into, '0');
}

void
quantity_size_write(uint64_t bytes, struct appender *into)
{
	for (size_t i = 0; i < array_count(quantity_sizes); i++) {
		uint64_t factor = quantity_sizes[i].factor;

		if (bytes != 0 && factor > 1 && bytes % factor == 0) {
			append_u64(into, bytes / factor);
			append_text(into, quantity_sizes[i].name);
			return;
		}
	}
	append_u64(into, bytes);
}
