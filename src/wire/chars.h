/*
 * chars.h - the character classes of HTTP and URLs
 *
 * Layer      wire
 * Cost       one table look-up a byte
 * Sources    RFC 9110 §5.6.2, RFC 3986 §2 and appendix A
 */
#pragma once

#include <string.h>

#include "base/cc.h"

#define CHAR_TOKEN      0x01 /* tchar */
#define CHAR_UNRESERVED 0x02 /* what needs no escape anywhere */
#define CHAR_PATH       0x04 /* pchar without '%', '/', and [ ] ^ | */
#define CHAR_TARGET     0x08 /* visible ASCII but '#' */
#define CHAR_HEX        0x10
#define CHAR_DIGIT      0x20
#define CHAR_UNDERSCORE 0x40

extern const uint8_t wire_chars[256];

static inline bool
char_is(char c, unsigned classes)
{
	return (wire_chars[(unsigned char)c] & classes) != 0;
}

static inline char
char_lower(char c)
{
	return (unsigned char)(c - 'A') < 26 ? (char)(c | 0x20) : c;
}

/* Eight letters at once: bit 7 of each byte says whether it is 'A' to 'Z'. */
static inline uint64_t
chars_lower_word(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t low = word & ones * 0x7f;
	uint64_t from_a = low + ones * (0x80 - 'A');
	uint64_t behind_z = low + ones * (0x7f - 'Z');

	return word | (((from_a ^ behind_z) & ~word & ones * 0x80) >> 2);
}

static inline void
chars_lower(char *at, size_t length)
{
	for (; length >= 8; at += 8, length -= 8) {
		uint64_t word;

		memcpy(&word, at, 8);
		word = chars_lower_word(word);
		memcpy(at, &word, 8);
	}
	for (; length > 0; at++, length--)
		*at = char_lower(*at);
}

/* Of a character of CHAR_HEX. */
static inline unsigned
char_hex_value(char c)
{
	return char_is(c, CHAR_DIGIT) ? (unsigned)(c - '0')
				      : (unsigned)((c | 0x20) - 'a' + 10);
}

static inline bool
char_is_control(char c)
{
	unsigned char u = (unsigned char)c;

	return (u < 0x20 && u != '\t') || u == 0x7f;
}
