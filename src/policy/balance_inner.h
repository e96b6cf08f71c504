/*
 * balance_inner.h - what the policies of a balancer share
 *
 * Layer      policy, inside only
 */
#pragma once

#include "base/hash.h"
#include "base/random.h"
#include "policy/balance.h"

#define BALANCE(name, module, bytes, rebuild, summary)                         \
	int balance_##module##_pick(                                           \
	    struct balancer *balancer, const struct balance_request *request);
#include "policy/balance.tbl"
#undef BALANCE
void balance_hash_ring_rebuild(struct balancer *balancer);

static inline bool
balance_takes(const struct balance_server *server)
{
	return server->usable && server->weight != 0;
}

/* Whether @a has fewer requests in flight for its weight than @b. */
static inline bool
balance_lighter(const struct balance_server *a, const struct balance_server *b)
{
	return (uint64_t)a->load * b->weight < (uint64_t)b->load * a->weight;
}

/* The next in smooth weighted rotation among the servers that take requests
 * and, with @like, bear the same load for their weight as @like. -1: none. */
int
balance_rotate(struct balancer *balancer, const struct balance_server *like);

/* The sum of the weights that a draw is made from. */
uint64_t balance_weight_total(const struct balancer *balancer);

/* The server at @point (less than the total) of the line on which each server
 * but @except (-1: none) occupies its weight. */
int balance_draw(const struct balancer *balancer, uint64_t point, int except);

/*
 * Bounded loads (Mirrokni et al.): with the new request counted, no server
 * may exceed its share of all requests in flight times the bound, rounded up.
 */
struct balance_bound {
	unsigned __int128 load_factor; /* 100 * total weight; 0: no bound */
	unsigned __int128 weight_factor; /* bound * (total load + 1) */
};
void balance_bound_set(struct balance_bound *bound,
    const struct balancer *balancer, const struct balance_request *request);

/* load < ceil(bound * mean) is load < bound * mean, load being whole: no
 * division. 32 + 40 bits against 32 + 42 + 23 bits: 128 hold either side. */
static inline bool
balance_bound_takes(
    const struct balance_bound *bound, const struct balance_server *server)
{
	return bound->load_factor == 0 ||
	    server->load * bound->load_factor <
	    server->weight * bound->weight_factor;
}
