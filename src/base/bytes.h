/*
 * bytes.h - a borrowed run of bytes, and an appender that cannot overflow
 *
 * Layer      base
 * Memory     nothing is owned: both point into memory of the caller
 * Invariant  appender: length <= capacity; once an append did not fit,
 *            `overflowed` stays set and nothing more is written
 */
#pragma once

#include "base/cc.h"

#include <string.h>

struct bytes {
	const char *at;
	size_t length;
};

#define BYTES(literal) ((struct bytes){"" literal, sizeof(literal) - 1})

static inline struct bytes
bytes_of(const char *at, size_t length)
{
	return (struct bytes){at, length};
}

static inline struct bytes
bytes_from(const char *text)
{
	return (struct bytes){text, text != NULL ? strlen(text) : 0};
}

static inline bool
bytes_equal(struct bytes a, struct bytes b)
{
	return a.length == b.length &&
	    (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

static inline bool
bytes_starts_with(struct bytes a, struct bytes prefix)
{
	return a.length >= prefix.length &&
	    (prefix.length == 0 || memcmp(a.at, prefix.at, prefix.length) == 0);
}

static inline struct bytes
bytes_skip(struct bytes a, size_t count)
{
	if (count > a.length)
		count = a.length;
	return (struct bytes){a.at + count, a.length - count};
}

/* ASCII only: bytes above 0x7f compare as they are. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);

/* Without leading and trailing space and tab (RFC 9110 OWS). */
struct bytes bytes_trim(struct bytes a);

/* The position of @c, or a.length. */
size_t bytes_find(struct bytes a, char c);

/*
 * bytes_split - take the run before the first @separator off *@rest
 *
 * Returns    false when *@rest was exhausted before the call
 */
bool bytes_split(struct bytes *rest, char separator, struct bytes *ret_part);

/* A decimal number of digits only, no sign, at most @max. 0, or -EINVAL. */
MUST_CHECK int bytes_to_u64(struct bytes a, uint64_t max, uint64_t *ret_value);

struct appender {
	char *at;
	size_t length;
	size_t capacity;
	bool overflowed;
};

static inline struct appender
appender_over(void *memory, size_t capacity)
{
	return (struct appender){.at = memory, .capacity = capacity};
}

static inline size_t
appender_room(const struct appender *a)
{
	return a->capacity - a->length;
}

static inline void
append(struct appender *a, const void *data, size_t length)
{
	if (unlikely(length > a->capacity - a->length || a->overflowed)) {
		a->overflowed = true;
		return;
	}
	if (length != 0)
		memcpy(a->at + a->length, data, length);
	a->length += length;
}

static inline void
append_bytes(struct appender *a, struct bytes b)
{
	append(a, b.at, b.length);
}

static inline void
append_char(struct appender *a, char c)
{
	append(a, &c, 1);
}

static inline void
append_text(struct appender *a, const char *text)
{
	append(a, text, strlen(text));
}

#define append_literal(a, literal) append((a), "" literal, sizeof(literal) - 1)

void append_u64(struct appender *a, uint64_t value);
void append_hex(struct appender *a, uint64_t value);
void append_format(struct appender *a, const char *format, ...) PRINTF(2, 3);

static inline struct bytes
appender_bytes(const struct appender *a)
{
	return (struct bytes){a->at, a->length};
}
