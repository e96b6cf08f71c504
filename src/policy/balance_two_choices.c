/*
 * balance_two_choices.c - the better of two servers drawn at random
 *
 * Unlike least_requests it does not send every worker to the same server that
 * looks idle: the workers draw differently.
 */
#include "policy/balance_inner.h"

int
balance_two_choices_pick(
    struct balancer *balancer, const struct balance_request *request)
{
	const struct balance_server *servers = balancer->servers;
	uint64_t total = balance_weight_total(balancer);
	int first, second;

	if (total == 0)
		return -1;
	first =
	    balance_draw(balancer, random_scale(request->random, total), -1);
	total -= servers[first].weight;
	if (total == 0)
		return first;
	second = balance_draw(
	    balancer, random_scale(hash_mix(request->random), total), first);
	return balance_lighter(&servers[second], &servers[first]) ? second
								  : first;
}
