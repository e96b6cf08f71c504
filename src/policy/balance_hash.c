/*
 * balance_hash.c - weighted rendezvous hashing with bounded load
 *
 * Each server draws -log2(u) / weight, u in (0, 1] from the hash of its key
 * with the request's; the lowest draw wins. Such draws are exponential with
 * rate proportional to the weight, so each wins by weight, and taking one
 * server away leaves every other draw as it was. Whole numbers only: nodes of
 * any architecture decide alike.
 */
#include "policy/balance_inner.h"

/* -log2(@u / 2^64) times 2^32, rounded down, by repeated squaring. */
static uint64_t
hash_cost(uint64_t u)
{
	unsigned zeros = (unsigned)__builtin_clzll(u);
	uint64_t mantissa = u << zeros;
	uint64_t log = 0;

	for (unsigned bit = 0; bit < 32; bit++) {
		uint64_t square =
		    (uint64_t)((unsigned __int128)mantissa * mantissa >> 64);

		log <<= 1;
		if (square >> 63 != 0) {
			log |= 1;
			mantissa = square;
		} else {
			mantissa = square << 1;
		}
	}
	/* u = 2^(64 - zeros - 1) * (1 + fraction), log its log2. */
	return ((uint64_t)(zeros + 1) << 32) - log;
}

int
balance_hash_pick(
    struct balancer *balancer, const struct balance_request *request)
{
	struct balance_bound bound;
	uint64_t best_cost = 0, best_weight = 0;
	int best = -1;

	balance_bound_set(&bound, balancer, request);
	for (unsigned i = 0; i < balancer->count; i++) {
		const struct balance_server *server = &balancer->servers[i];
		uint64_t u, cost;

		if (!balance_takes(server) ||
		    !balance_bound_takes(&bound, server))
			continue;
		u = hash_pair(server->key, request->hash) | 1;
		/* -log2(u) >= 1 - u: nearly all who lose do so here, and
		 * the logarithm is taken about ln(n) times. */
		if (best >= 0 &&
		    (~u >> 32) * best_weight > best_cost * server->weight)
			continue;
		cost = hash_cost(u);
		if (best < 0 ||
		    cost * best_weight < best_cost * server->weight) {
			best = (int)i;
			best_cost = cost;
			best_weight = server->weight;
		}
	}
	return best;
}
