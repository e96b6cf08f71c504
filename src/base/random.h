/*
 * random.h - a fast generator for choices that need not be secret
 *
 * Layer      base
 * Threads    one: a generator belongs to whoever seeded it
 * Sources    Blackman and Vigna, xoshiro256** (2018)
 *
 * Not for keys, tokens or boundaries: those come from os/random.h's
 * random_fill(), which asks the kernel.
 */
#pragma once

#include "base/hash.h"

struct random {
	uint64_t s[4];
};

/* Any seed will do, also 0. */
static inline void
random_seed(struct random *random, uint64_t seed)
{
	for (unsigned i = 0; i < 4; i++)
		random->s[i] = hash_mix(seed + (i + 1) * 0x9e3779b97f4a7c15u);
}

static inline uint64_t
random_next(struct random *random)
{
	uint64_t *s = random->s;
	uint64_t x = s[1] * 5;
	uint64_t t = s[1] << 17;

	x = (x << 7 | x >> 57) * 9;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = s[3] << 45 | s[3] >> 19;
	return x;
}

/* 0 .. @limit - 1 from 64 random bits (Lemire's multiplication; the bias is
 * @limit / 2^64). @limit 0 gives 0. */
static inline uint64_t
random_scale(uint64_t bits, uint64_t limit)
{
	return (uint64_t)((unsigned __int128)bits * limit >> 64);
}
