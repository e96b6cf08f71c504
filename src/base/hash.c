/*
 * hash.c - SipHash-1-3 and a word-at-a-time mixer
 */
#include "base/hash.h"

static inline uint64_t
hash_load(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

/* The last 0-7 bytes, little-endian, zero above. */
static inline uint64_t
hash_load_tail(const char *at, size_t length)
{
	uint64_t word = 0;

	for (size_t i = 0; i < length; i++)
		word |= (uint64_t)(unsigned char)at[i] << (8 * i);
	return word;
}

static inline uint64_t
rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline void
sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static inline void
sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

uint64_t
hash_keyed(const struct hash_key *key, struct bytes data)
{
	struct sip s = {
	    key->k0 ^ 0x736f6d6570736575u,
	    key->k1 ^ 0x646f72616e646f6du,
	    key->k0 ^ 0x6c7967656e657261u,
	    key->k1 ^ 0x7465646279746573u,
	};
	size_t at = 0;

	for (; data.length - at >= 8; at += 8)
		sip_word(&s, hash_load(data.at + at));
	sip_word(&s,
	    (uint64_t)data.length << 56 |
		hash_load_tail(data.at + at, data.length - at));
	s.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* Both halves of a product depend on all bits of both factors. */
static inline uint64_t
hash_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

uint64_t
hash_bytes(struct bytes data, uint64_t seed)
{
	static const uint64_t odd = 0x9e3779b97f4a7c15u;
	uint64_t h = hash_mix(seed + odd);
	size_t at = 0;

	for (; data.length - at >= 8; at += 8)
		h = hash_fold(h ^ hash_load(data.at + at), odd);
	h = hash_fold(h ^ hash_load_tail(data.at + at, data.length - at), odd);
	return hash_mix(h ^ data.length);
}
