/*
 * balance_least_requests.c - the server with the fewest requests in flight
 *
 * Load is compared per weight. Servers that are equal take turns in smooth
 * weighted rotation: an idle pool is used by weight and not from its front.
 */
#include "policy/balance_inner.h"

int
balance_least_requests_pick(
    struct balancer *balancer, const struct balance_request *request)
{
	const struct balance_server *least = NULL;

	for (unsigned i = 0; i < balancer->count; i++) {
		const struct balance_server *server = &balancer->servers[i];

		if (balance_takes(server) &&
		    (least == NULL || balance_lighter(server, least)))
			least = server;
	}
	return least != NULL ? balance_rotate(balancer, least) : -1;
}
