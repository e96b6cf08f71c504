/*
 * hash.h - keyed hashing of what strangers choose, fast mixing of the rest
 *
 * Layer      base
 * Threads    any; no state
 * Invariant  the same input gives the same value on every machine and in
 *            every release: balancers of several nodes must agree
 * Sources    Aumasson and Bernstein, SipHash (2012); Steele, Lea and Flood,
 *            splitmix (2014) for hash_mix()
 *
 * A table or a choice that a client can steer by choosing its key is hashed
 * with hash_keyed(); hash_bytes() and hash_mix() are for our own names.
 */
#pragma once

#include "base/bytes.h"

struct hash_key {
	uint64_t k0, k1;
};

/* SipHash-1-3 of @data. */
uint64_t hash_keyed(const struct hash_key *key, struct bytes data);

/* Unkeyed; for names from the configuration. */
uint64_t hash_bytes(struct bytes data, uint64_t seed);

/* A bijection: every bit of @x reaches every bit of the result. */
static inline uint64_t
hash_mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* Not symmetric: hash_pair(a, b) != hash_pair(b, a). */
static inline uint64_t
hash_pair(uint64_t a, uint64_t b)
{
	return hash_mix(hash_mix(a + 0x9e3779b97f4a7c15u) ^ b);
}
