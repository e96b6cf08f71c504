#include "net/resolve_order.h"

#include <stdlib.h>

#include "os/random.h"
#include "os/socket.h"

static int
order_compare(const void *x, const void *y)
{
	const struct net_address *a = x, *b = y;

	if (a->any.sa_family != b->any.sa_family)
		return a->any.sa_family == AF_INET6 ? -1 : 1;
	if (a->any.sa_family == AF_INET)
		return memcmp(
		    &a->in.sin_addr, &b->in.sin_addr, sizeof(a->in.sin_addr));
	/* The scope tells link-local addresses of two interfaces apart. */
	if (a->in6.sin6_scope_id != b->in6.sin6_scope_id)
		return a->in6.sin6_scope_id < b->in6.sin6_scope_id ? -1 : 1;
	return memcmp(
	    &a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr));
}

/* The first @front of @count behind the rest. */
static void
order_rotate(struct net_address *addresses, unsigned count, unsigned front)
{
	for (unsigned i = 0; i < front; i++) {
		struct net_address first = addresses[0];

		memmove(
		    &addresses[0], &addresses[1], (count - 1) * sizeof(first));
		addresses[count - 1] = first;
	}
}

/* A way to an address with a port: some systems refuse port 0. */
static bool
order_reachable(const struct net_address *address)
{
	struct net_address probe = *address;

	net_address_port_set(&probe, 53);
	return socket_reachable(&probe.any, probe.length);
}

unsigned
resolve_order(struct net_address *addresses, unsigned count)
{
	unsigned kept = 0, ipv6 = 0;

	qsort(addresses, count, sizeof(addresses[0]), order_compare);
	for (unsigned i = 0; i < count; i++)
		if (kept == 0 ||
		    order_compare(&addresses[kept - 1], &addresses[i]) != 0)
			addresses[kept++] = addresses[i];
	while (ipv6 < kept && addresses[ipv6].any.sa_family == AF_INET6)
		ipv6++;
	if (ipv6 > 0 && ipv6 < kept && !order_reachable(&addresses[0]) &&
	    order_reachable(&addresses[ipv6]))
		order_rotate(addresses, kept, ipv6);
	return kept;
}

/* Draw one of @count by its weight; those without any come last but for a
 * small chance, as the RFC wishes. */
static unsigned
order_draw(const struct resolve_srv *services, unsigned count)
{
	uint64_t sum = 0, at;

	for (unsigned i = 0; i < count; i++)
		sum += services[i].weight;
	at = random_scale(random_u64(), sum + 1);
	for (unsigned i = 0; i < count; i++) {
		if (at <= services[i].weight)
			return i;
		at -= services[i].weight;
	}
	return count - 1;
}

static void
order_swap(struct resolve_srv *a, struct resolve_srv *b)
{
	struct resolve_srv kept = *a;

	*a = *b;
	*b = kept;
}

static int
order_compare_services(const void *x, const void *y)
{
	const struct resolve_srv *a = x, *b = y;

	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	/* Without weight first, for the draw. */
	return a->weight < b->weight ? -1 : a->weight > b->weight;
}

void
resolve_order_services(struct resolve_srv *services, unsigned count)
{
	qsort(services, count, sizeof(services[0]), order_compare_services);
	for (unsigned i = 0; i < count;) {
		unsigned end = i;

		while (end < count &&
		    services[end].priority == services[i].priority)
			end++;
		for (; i < end; i++)
			order_swap(&services[i],
			    &services[i + order_draw(&services[i], end - i)]);
	}
}
