/*
 * chars.h - the character classes of HTTP and URLs, and the search for a
 * control character
 *
 * Layer      wire
 * Cost       one table look-up a byte; the search takes 16 bytes a step with
 *            SSE2 or NEON and equals its scalar twin on every input
 * Sources    RFC 9110 §5.6.2, RFC 3986 §2 and appendix A
 */
#pragma once

#include "base/cc.h"

#if defined(__SSE2__)
#	include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#	include <arm_neon.h>
#endif

#define CHAR_TOKEN      0x01 /* tchar */
#define CHAR_UNRESERVED 0x02 /* what needs no escape anywhere */
#define CHAR_PATH       0x04 /* pchar without '%', and '/' */
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

/* The first control character but tab in [at, end), or end. */
static inline const char *
chars_find_control_scalar(const char *at, const char *end)
{
	while (at != end && !char_is_control(*at))
		at++;
	return at;
}

#if defined(__SSE2__)
/* A bit for every control character but tab of 16 bytes. */
static inline unsigned
chars_control_mask(const char *at)
{
	__m128i v = _mm_loadu_si128((const __m128i *)at);
	/* min(v, 31) == v: the unsigned comparison that SSE2 lacks. */
	__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(31)), v);
	__m128i tab = _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'));
	__m128i del = _mm_cmpeq_epi8(v, _mm_set1_epi8(127));

	return (unsigned)_mm_movemask_epi8(
	    _mm_or_si128(_mm_andnot_si128(tab, low), del));
}

static inline const char *
chars_find_control(const char *at, const char *end)
{
	while (end - at >= 16) {
		unsigned mask = chars_control_mask(at);

		if (mask != 0)
			return at + __builtin_ctz(mask);
		at += 16;
	}
	return chars_find_control_scalar(at, end);
}
#elif defined(__ARM_NEON) && defined(__aarch64__)
/* Four bits for every control character but tab of 16 bytes. */
static inline uint64_t
chars_control_mask(const char *at)
{
	uint8x16_t v = vld1q_u8((const uint8_t *)at);
	uint8x16_t low = vcltq_u8(v, vdupq_n_u8(32));
	uint8x16_t tab = vceqq_u8(v, vdupq_n_u8('\t'));
	uint8x16_t del = vceqq_u8(v, vdupq_n_u8(127));
	uint8x16_t hit = vorrq_u8(vbicq_u8(low, tab), del);

	return vget_lane_u64(
	    vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(hit), 4)), 0);
}

static inline const char *
chars_find_control(const char *at, const char *end)
{
	while (end - at >= 16) {
		uint64_t mask = chars_control_mask(at);

		if (mask != 0)
			return at + __builtin_ctzll(mask) / 4;
		at += 16;
	}
	return chars_find_control_scalar(at, end);
}
#else
static inline const char *
chars_find_control(const char *at, const char *end)
{
	return chars_find_control_scalar(at, end);
}
#endif
