/*
 * chars.h - which bytes may stand where
 *
 * Layer      wire, inside only
 * Cost       one load and one test a byte
 * Sources    RFC 3986 §2, §3; RFC 9110 §5.6.2
 */
#pragma once

#include "base/cc.h"

enum {
	CHAR_TOKEN = 1, /* RFC 9110: names of methods and fields */
	CHAR_UNRESERVED = 2, /* RFC 3986 */
	CHAR_PATH = 4, /* pchar and '/', without '%' */
	CHAR_QUERY = 8, /* pchar, '/', '?', without '%' */
	CHAR_HOST = 16, /* reg-name without '%' and ',' ';' '=' quotes */
	CHAR_ALPHA = 32,
	CHAR_SCHEME = 64,
	CHAR_VALUE = 128, /* field values: all but controls, with tab */
};

extern const uint8_t chars_table[256];

static inline bool
chars_is(char c, unsigned class)
{
	return (chars_table[(unsigned char)c] & class) != 0;
}

/* 0-15, or -1. */
static inline int
chars_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline char
chars_lower(char c)
{
	return (unsigned char)(c - 'A') < 26 ? (char)(c | 0x20) : c;
}
