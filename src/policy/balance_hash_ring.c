/*
 * balance_hash_ring.c - consistent hashing on a ring, with bounded load
 *
 * Each server owns points in proportion to its weight; a key belongs to the
 * first point at or after it whose server takes requests and is under the
 * bound. A point is one word: the upper 54 bits of its place and the index of
 * its server, so that sorting words sorts the ring.
 */
#include "policy/balance_inner.h"

#include <stdlib.h>

#define RING_INDEX_MASK ((uint64_t)BALANCE_SERVERS_MAX - 1)
_Static_assert((BALANCE_SERVERS_MAX & (BALANCE_SERVERS_MAX - 1)) == 0,
    "the index of a server is a bit field of its points");

static int
ring_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void
balance_hash_ring_rebuild(struct balancer *balancer)
{
	uint64_t *ring = balancer->state;
	uint64_t total = 0;

	for (unsigned i = 0; i < balancer->count; i++)
		total += balancer->servers[i].weight;
	for (unsigned i = 0; i < balancer->count; i++) {
		const struct balance_server *server = &balancer->servers[i];
		uint64_t points;

		if (server->weight == 0)
			continue;
		/* One point at least; the sum is POINTS * count at most. */
		points = 1 +
		    (uint64_t)server->weight * balancer->count *
			(BALANCE_RING_POINTS - 1) / total;
		for (uint64_t n = 0; n < points; n++)
			ring[balancer->used++] =
			    (hash_pair(server->key, n) & ~RING_INDEX_MASK) | i;
	}
	must(balancer->used <= balancer->count * BALANCE_RING_POINTS);
	if (balancer->used != 0)
		qsort(ring, balancer->used, sizeof(*ring), ring_compare);
}

/* The first point at or after @place; `used` when there is none. */
static unsigned
ring_find(const struct balancer *balancer, uint64_t place)
{
	const uint64_t *ring = balancer->state;
	unsigned low = 0, high = balancer->used;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (ring[middle] < place)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int
balance_hash_ring_pick(
    struct balancer *balancer, const struct balance_request *request)
{
	const uint64_t *ring = balancer->state;
	struct balance_bound bound;
	unsigned at = ring_find(balancer, hash_mix(request->hash));

	balance_bound_set(&bound, balancer, request);
	for (unsigned step = 0; step < balancer->used; step++, at++) {
		const struct balance_server *server;

		if (at >= balancer->used)
			at = 0;
		server = &balancer->servers[ring[at] & RING_INDEX_MASK];
		if (balance_takes(server) &&
		    balance_bound_takes(&bound, server))
			return (int)(ring[at] & RING_INDEX_MASK);
	}
	return -1;
}
