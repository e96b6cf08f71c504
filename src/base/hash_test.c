#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/random.h"

/* CPython hashes bytes with SipHash-1-3; with PYTHONHASHSEED=0 under the key
 * 0: hash(b'...') & (2**64 - 1). */
static const struct {
	struct bytes data;
	uint64_t value;
} zero_key[] = {
    {BYTES("a"), 0x407448d2b89b1813u},
    {BYTES("abcdefg"), 0x6db12aae9070f506u},
    {BYTES("abcdefgh"), 0x3f7b849c0b8e35eau},
    {BYTES("/index.html?q=1"), 0x8b579c62a58a808bu},
    {BYTES("192.0.2.17"), 0x3fa83b13132c8f64u},
    {BYTES("a longer key, more than two words long"), 0x40327eb15b0711a3u},
};

static void
siphash_vectors(void **state)
{
	static const struct hash_key zero;
	/* The reference implementation's key 00 01 .. 0f, empty message. */
	static const struct hash_key counting = {
	    0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

	for (size_t i = 0; i < array_count(zero_key); i++)
		assert_int_equal(
		    hash_keyed(&zero, zero_key[i].data), zero_key[i].value);
	assert_int_equal(hash_keyed(&counting, BYTES("")), 0xabac0158050fc4dcu);
}

static void
lengths_and_keys_differ(void **state)
{
	static const char zeros[32];
	struct hash_key a = {1, 2}, b = {1, 3};

	for (size_t i = 0; i < sizeof(zeros); i++) {
		struct bytes one = bytes_of(zeros, i);
		struct bytes more = bytes_of(zeros, i + 1);

		assert_true(hash_keyed(&a, one) != hash_keyed(&b, one));
		if (i + 1 > sizeof(zeros))
			break;
		assert_true(hash_keyed(&a, one) != hash_keyed(&a, more));
		assert_true(hash_bytes(one, 0) != hash_bytes(more, 0));
		assert_true(hash_bytes(one, 0) != hash_bytes(one, 1));
	}
	assert_true(hash_pair(1, 2) != hash_pair(2, 1));
}

/* Flipping one input bit flips about half of the output bits. */
static void
bytes_avalanche(void **state)
{
	char text[24] = "shop/10.0.0.1:8080";
	unsigned flips = 0, count = 0;
	uint64_t base = hash_bytes(bytes_of(text, 18), 0);

	for (unsigned bit = 0; bit < 18 * 8; bit++) {
		uint64_t other;

		text[bit / 8] ^= (char)(1 << bit % 8);
		other = hash_bytes(bytes_of(text, 18), 0);
		text[bit / 8] ^= (char)(1 << bit % 8);
		flips += (unsigned)__builtin_popcountll(base ^ other);
		count++;
	}
	assert_in_range(flips / count, 29, 35);
}

static void
random_is_even(void **state)
{
	struct random random;
	unsigned hits[10] = {0};

	random_seed(&random, 42);
	for (int i = 0; i < 100000; i++)
		hits[random_scale(random_next(&random), 10)]++;
	/* Standard deviation 95: five of them either way. */
	for (size_t i = 0; i < 10; i++)
		assert_in_range(hits[i], 9500, 10500);
	assert_int_equal(random_scale(UINT64_MAX, 0), 0);
	assert_int_equal(random_scale(UINT64_MAX, 7), 6);
	assert_int_equal(random_scale(0, 7), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(siphash_vectors),
	    cmocka_unit_test(lengths_and_keys_differ),
	    cmocka_unit_test(bytes_avalanche),
	    cmocka_unit_test(random_is_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
