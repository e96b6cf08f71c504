/*
 * balance_random.c - a server drawn by weight
 */
#include "policy/balance_inner.h"

int
balance_random_pick(
    struct balancer *balancer, const struct balance_request *request)
{
	uint64_t total = balance_weight_total(balancer);

	return balance_draw(balancer, random_scale(request->random, total), -1);
}
