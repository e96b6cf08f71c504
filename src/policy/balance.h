/*
 * balance.h - which server of a pool takes a request: pure decisions
 *
 * Layer      policy
 * Threads    a balancer belongs to one worker thread; the loads it is shown
 *            may be those of all threads
 * Cost       pick: one or two passes over the array that the caller has just
 *            filled (n <= BALANCE_SERVERS_MAX); hash_ring O(log n) when it has
 *            no bound; no allocation. Measured on an EPYC core with 10
 *            servers: round_robin 37 ns, least_requests 55, two_choices 51,
 *            random 29, hash 51 (weights alike) or 350, hash_ring 60.
 *            Rebuilding the ring sorts: 0.13 ms with 10 servers, 22 ms with
 *            1,000
 * Invariant  pick returns a server that is usable and has a weight, or -1;
 *            what a server that is not usable would have taken is spread over
 *            the others by weight
 * Sources    nginx's smooth weighted round robin (described in its commit
 *            52327e0627f4); Mitzenmacher, The Power of Two Choices (2001);
 *            Thaler and Ravishankar, rendezvous hashing (1998); Mirrokni et
 *            al., Consistent Hashing with Bounded Loads (2016)
 *
 * A policy is one file of about fifty lines and a row in balance.tbl.
 */
#pragma once

#include "base/bytes.h"
#include "base/cc.h"

#define BALANCE_SERVERS_MAX 1024
#define BALANCE_WEIGHT_MAX  65535
/* Weights are kept in hundredths, so that a server of weight 1 can start
 * slowly: balance_server.weight = configured weight * BALANCE_WEIGHT_UNIT. */
#define BALANCE_WEIGHT_UNIT 100
/* Points of hash_ring per server of average weight, as ketama has them: the
 * share of a server strays from its weight by about 1/sqrt(160) = 8 %. */
#define BALANCE_RING_POINTS 160

/* One server as a balancer sees it, refreshed by the caller before a pick. */
struct balance_server {
	uint64_t key; /* stable hash of its address: survives reloads */
	uint32_t weight; /* times UNIT; 0 takes nothing; slow start included */
	uint32_t load; /* requests in flight now */
	bool usable; /* up, not draining, not full, not tried already */
};

struct balance_request {
	uint64_t hash; /* of what balance.hash.on names; 0 when not hashing */
	uint64_t random; /* 64 fresh random bits */
	uint32_t bound_percent; /* hash: load bound, 125 = 1.25; 0: none */
};

struct balancer;

struct balance_policy {
	const char *name; /* as in the configuration */
	const char *summary; /* for the reference */
	size_t state_bytes; /* per server */
	/* Called by balancer_rebuild(); NULL when zeroed state will do. */
	void (*rebuild)(struct balancer *balancer);
	/* Index of the server, or -1 when none is usable. */
	int (*pick)(
	    struct balancer *balancer, const struct balance_request *request);
};

struct balancer {
	const struct balance_policy *policy;
	unsigned count;
	struct balance_server *servers; /* count of them; the caller fills */
	/* round_robin, least_requests: where ties are broken first. Set it to
	 * something random after balancer_init(), so that the workers do not
	 * all begin with the same server. */
	uint64_t position;
	unsigned used; /* entries of state in use; hash_ring: its points */
	void *state; /* count * state_bytes, zeroed at rebuild */
};

const struct balance_policy *balance_policy_find(struct bytes name);
/* The i-th policy, NULL past the end: for schema and reference. */
const struct balance_policy *balance_policy_at(unsigned i);

/* Allocates. Returns 0 or -ENOMEM; -EINVAL over BALANCE_SERVERS_MAX. */
MUST_CHECK
int balancer_init(struct balancer *balancer,
    const struct balance_policy *policy, unsigned count);
void balancer_fini(struct balancer *balancer);

/*
 * balancer_rebuild - begin afresh with the servers as they are now
 *
 * Call it once the servers are filled in, and again when the set or a
 * configured weight changed. Weights here are those without slow start;
 * `usable` and `load` do not matter.
 */
void balancer_rebuild(struct balancer *balancer);

static inline int
balancer_pick(struct balancer *balancer, const struct balance_request *request)
{
	return balancer->policy->pick(balancer, request);
}

/* Weight during slow start: from 1/10 of @weight, linear, to all of it; at
 * least 1 unless @weight is 0. @slow_start_ns 0 or less: off. */
uint32_t balance_slow_start_weight(
    uint32_t weight, int64_t up_for_ns, int64_t slow_start_ns);
