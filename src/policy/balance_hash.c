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

		/* No branch: a processor could not foresee it. */
		log = log << 1 | square >> 63;
		mantissa = square << (1 - (square >> 63));
	}
	/* u = 2^(64 - zeros - 1) * (1 + fraction), log its log2. */
	return ((uint64_t)(zeros + 1) << 32) - log;
}

struct hash_draw {
	uint64_t u;
	uint64_t weight;
	uint64_t cost; /* 0: not computed yet */
};

/* Whether @a beats @b: a.cost / a.weight < b.cost / b.weight. */
static bool
hash_draw_better(struct hash_draw *a, struct hash_draw *b)
{
	/* The logarithm does not change the order of equals. */
	if (likely(a->weight == b->weight))
		return a->u > b->u;
	if (b->cost == 0)
		b->cost = hash_cost(b->u);
	/* -log2(u) >= 1 - u: most who lose need no logarithm. */
	if ((~a->u >> 32) * b->weight > b->cost * a->weight)
		return false;
	a->cost = hash_cost(a->u);
	return a->cost * b->weight < b->cost * a->weight;
}

int
balance_hash_pick(
    struct balancer *balancer, const struct balance_request *request)
{
	struct balance_bound bound;
	struct hash_draw best = {0};
	int chosen = -1;

	balance_bound_set(&bound, balancer, request);
	for (unsigned i = 0; i < balancer->count; i++) {
		const struct balance_server *server = &balancer->servers[i];
		struct hash_draw draw = {.weight = server->weight};

		if (!balance_takes(server) ||
		    !balance_bound_takes(&bound, server))
			continue;
		draw.u = hash_mix(server->key ^ request->hash) | 1;
		if (chosen < 0 || hash_draw_better(&draw, &best)) {
			chosen = (int)i;
			best = draw;
		}
	}
	return chosen;
}
