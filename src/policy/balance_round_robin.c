/*
 * balance_round_robin.c - smooth weighted round robin
 *
 * Each step every candidate gains its weight and the one that has most loses
 * the sum of the weights: over a cycle each is taken exactly by its weight,
 * and spread out ({5,1,1} gives a a b a c a a). The credits of one step sum
 * to nothing, so a server that comes back has no backlog to be flooded with.
 */
#include "policy/balance_inner.h"

int
balance_rotate(struct balancer *balancer, const struct balance_server *like)
{
	int64_t *credit = balancer->state;
	unsigned count = balancer->count;
	unsigned first = count != 0 ? balancer->position % count : 0;
	int64_t total = 0;
	int best = -1;

	for (unsigned step = 0, i = first; step < count; step++) {
		const struct balance_server *server = &balancer->servers[i];

		if (balance_takes(server) &&
		    (like == NULL ||
			(!balance_lighter(server, like) &&
			    !balance_lighter(like, server)))) {
			credit[i] += server->weight;
			total += server->weight;
			if (best < 0 || credit[i] > credit[best])
				best = (int)i;
		}
		i = i + 1 < count ? i + 1 : 0;
	}
	if (best >= 0)
		credit[best] -= total;
	return best;
}

int
balance_round_robin_pick(
    struct balancer *balancer, const struct balance_request *request)
{
	return balance_rotate(balancer, NULL);
}
