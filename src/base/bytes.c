/*
 * bytes.c - comparison, splitting and numbers over runs of bytes
 */
#include "base/bytes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static inline unsigned char
bytes_lower(unsigned char c)
{
	return (unsigned char)(c - 'A') < 26 ? c | 0x20 : c;
}

bool
bytes_equal_nocase(struct bytes a, struct bytes b)
{
	if (a.length != b.length)
		return false;
	for (size_t i = 0; i < a.length; i++) {
		if (bytes_lower((unsigned char)a.at[i]) !=
		    bytes_lower((unsigned char)b.at[i]))
			return false;
	}
	return true;
}

struct bytes
bytes_trim(struct bytes a)
{
	while (a.length > 0 && (a.at[0] == ' ' || a.at[0] == '\t'))
		a = bytes_skip(a, 1);
	while (a.length > 0 &&
	    (a.at[a.length - 1] == ' ' || a.at[a.length - 1] == '\t'))
		a.length--;
	return a;
}

size_t
bytes_find(struct bytes a, char c)
{
	const char *hit;

	if (a.length == 0)
		return 0;
	hit = memchr(a.at, c, a.length);
	return hit != NULL ? (size_t)(hit - a.at) : a.length;
}

bool
bytes_split(struct bytes *rest, char separator, struct bytes *ret_part)
{
	size_t end;

	if (rest->at == NULL)
		return false;
	end = bytes_find(*rest, separator);
	*ret_part = bytes_of(rest->at, end);
	if (end == rest->length)
		*rest = bytes_of(NULL, 0);
	else
		*rest = bytes_skip(*rest, end + 1);
	return true;
}

int
bytes_to_u64(struct bytes a, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (a.length == 0 || a.length > 20)
		return -EINVAL;
	for (size_t i = 0; i < a.length; i++) {
		unsigned digit = (unsigned)((unsigned char)a.at[i] - '0');

		if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return -EINVAL;
	}
	if (value > max)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

void
append_u64(struct appender *a, uint64_t value)
{
	char digits[20];
	size_t start = sizeof(digits);

	do {
		digits[--start] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	append(a, digits + start, sizeof(digits) - start);
}

void
append_hex(struct appender *a, uint64_t value)
{
	char digits[16];
	size_t start = sizeof(digits);

	do {
		digits[--start] = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (value != 0);
	append(a, digits + start, sizeof(digits) - start);
}

void
append_format(struct appender *a, const char *format, ...)
{
	va_list args;
	int length;

	if (a->overflowed)
		return;
	va_start(args, format);
	length =
	    vsnprintf(a->at + a->length, a->capacity - a->length, format, args);
	va_end(args);
	/* vsnprintf needs a byte for its NUL; a text that only just fits
	 * counts as not fitting. */
	if (length < 0 || (size_t)length >= a->capacity - a->length)
		a->overflowed = true;
	else
		a->length += (size_t)length;
}
