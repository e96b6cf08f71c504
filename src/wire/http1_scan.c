#include "wire/http1_scan.h"

#include "wire/chars.h"

#if defined(__x86_64__)
#	include <emmintrin.h>
#elif defined(__aarch64__)
#	include <arm_neon.h>
#endif

const char *
http1_scan_control_scalar(const char *at, const char *end)
{
	while (at < end && chars_is(*at, CHAR_VALUE))
		at++;
	return at;
}

#if defined(__x86_64__)

const char *
http1_scan_control(const char *at, const char *end)
{
	const __m128i controls = _mm_set1_epi8(0x1f);
	const __m128i tab = _mm_set1_epi8('\t');
	const __m128i delete = _mm_set1_epi8(0x7f);

	for (; end - at >= 16; at += 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)at);
		/* Unsigned <= 0x1f is: the minimum with it is the byte. */
		__m128i low =
		    _mm_cmpeq_epi8(_mm_min_epu8(bytes, controls), bytes);
		__m128i bad = _mm_or_si128(
		    _mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), low),
		    _mm_cmpeq_epi8(bytes, delete));
		int mask = _mm_movemask_epi8(bad);

		if (mask != 0)
			return at + __builtin_ctz((unsigned)mask);
	}
	return http1_scan_control_scalar(at, end);
}

#elif defined(__aarch64__)

const char *
http1_scan_control(const char *at, const char *end)
{
	for (; end - at >= 16; at += 16) {
		uint8x16_t bytes = vld1q_u8((const uint8_t *)at);
		uint8x16_t low = vcltq_u8(bytes, vdupq_n_u8(0x20));
		uint8x16_t bad =
		    vorrq_u8(vbicq_u8(low, vceqq_u8(bytes, vdupq_n_u8('\t'))),
			vceqq_u8(bytes, vdupq_n_u8(0x7f)));

		if (vmaxvq_u8(bad) != 0)
			break;
	}
	return http1_scan_control_scalar(at, end);
}

#else

const char *
http1_scan_control(const char *at, const char *end)
{
	return http1_scan_control_scalar(at, end);
}

#endif
