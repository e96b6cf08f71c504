/*
 * chars_find.h - the search for a control character, 16 bytes a step
 *
 * Layer      wire
 * Cost       SSE2 (every x86-64) or NEON (every aarch64); elsewhere a loop.
 *            Equals its scalar twin on every input, which tests hold
 */
#pragma once

#include "wire/chars.h"

#if defined(__SSE2__)
#	include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#	include <arm_neon.h>
#endif

/* The first control character but tab in [at, end), or end. */
static inline const char *
chars_find_control_scalar(const char *at, const char *end)
{
	while (at != end && !char_is_control(*at))
		at++;
	return at;
}

/*
 * A mask has CHARS_MASK_BITS bits for each of 16 bytes, all set when it is a
 * control character but tab.
 */
#if defined(__SSE2__)
#	define CHARS_MASK_BITS 1

static inline uint64_t
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

static inline uint64_t
chars_equal_mask(const char *at, char c)
{
	__m128i v = _mm_loadu_si128((const __m128i *)at);

	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(c)));
}
#elif defined(__ARM_NEON) && defined(__aarch64__)
#	define CHARS_MASK_BITS 4

static inline uint64_t
chars_narrow(uint8x16_t hit)
{
	return vget_lane_u64(
	    vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(hit), 4)), 0);
}

static inline uint64_t
chars_control_mask(const char *at)
{
	uint8x16_t v = vld1q_u8((const uint8_t *)at);
	uint8x16_t low = vcltq_u8(v, vdupq_n_u8(32));
	uint8x16_t tab = vceqq_u8(v, vdupq_n_u8('\t'));
	uint8x16_t del = vceqq_u8(v, vdupq_n_u8(127));

	return chars_narrow(vorrq_u8(vbicq_u8(low, tab), del));
}

static inline uint64_t
chars_equal_mask(const char *at, char c)
{
	return chars_narrow(
	    vceqq_u8(vld1q_u8((const uint8_t *)at), vdupq_n_u8((uint8_t)c)));
}
#else
#	define CHARS_MASK_BITS 1

static inline uint64_t
chars_control_mask(const char *at)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < 16; i++)
		mask |= (uint64_t)char_is_control(at[i]) << i;
	return mask;
}

static inline uint64_t
chars_equal_mask(const char *at, char c)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < 16; i++)
		mask |= (uint64_t)(at[i] == c) << i;
	return mask;
}
#endif

/* The number of the first byte in a mask that is not zero. */
static inline unsigned
chars_mask_first(uint64_t mask)
{
	return (unsigned)__builtin_ctzll(mask) / CHARS_MASK_BITS;
}

/* The mask without its first @count bytes. */
static inline uint64_t
chars_mask_from(uint64_t mask, unsigned count)
{
	return count < 16 ? mask & ~UINT64_C(0) << count * CHARS_MASK_BITS : 0;
}

static inline const char *
chars_find_control(const char *at, const char *end)
{
	const char *start = at;
	uint64_t mask;

	for (; end - at >= 16; at += 16) {
		mask = chars_control_mask(at);
		if (mask != 0)
			return at + chars_mask_first(mask);
	}
	if (end - start < 16)
		return chars_find_control_scalar(at, end);
	/* The last 16 bytes; those before @at are known to be none. */
	mask = chars_control_mask(end - 16);
	return mask != 0 ? end - 16 + chars_mask_first(mask) : end;
}

/* The first @c in [at, end), or end. */
static inline const char *
chars_find(const char *at, const char *end, char c)
{
	for (; end - at >= 16; at += 16) {
		uint64_t mask = chars_equal_mask(at, c);

		if (mask != 0)
			return at + chars_mask_first(mask);
	}
	while (at != end && *at != c)
		at++;
	return at;
}
