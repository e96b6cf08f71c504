/*
 * receiver.c - who gets a datagram
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/sim/sim_inner.h"

#define GROUPS_MAX 20

/* An address of either family, the IPv4 one at the start. */
struct sim_group {
	struct in6_addr addresses[GROUPS_MAX];
	unsigned count;
};

void
sim_groups_free(struct sim_socket *s)
{
	free(s->groups);
	s->groups = NULL;
}

struct in6_addr
sim_datagram_host(const struct sim_name *name)
{
	struct in6_addr host = {0};

	if (name->address.any.sa_family == AF_INET6)
		return (
		    (const struct sockaddr_in6 *)(const void *)&name->address)
		    ->sin6_addr;
	memcpy(&host,
	    &((const struct sockaddr_in *)(const void *)&name->address)
		 ->sin_addr,
	    4);
	return host;
}

bool
sim_datagram_multicast(const struct sim_name *name)
{
	struct in6_addr host = sim_datagram_host(name);

	return name->address.any.sa_family == AF_INET
	    ? host.s6_addr[0] >> 4 == 14
	    : name->address.any.sa_family == AF_INET6 &&
		IN6_IS_ADDR_MULTICAST(&host);
}

bool
sim_datagram_broadcast(const struct sim_name *name)
{
	return name->address.any.sa_family == AF_INET &&
	    sim_datagram_host(name).s6_addr32[0] == htonl(INADDR_BROADCAST);
}

bool
sim_datagram_member(const struct sim_socket *s, const struct in6_addr *group)
{
	for (unsigned i = 0; s->groups != NULL && i < s->groups->count; i++) {
		if (IN6_ARE_ADDR_EQUAL(&s->groups->addresses[i], group))
			return true;
	}
	return false;
}

int
sim_datagram_group(
    struct sim_socket *s, const void *value, socklen_t length, bool join)
{
	struct in6_addr group = {0};
	size_t size = s->family == AF_INET ? 4 : sizeof(group);

	/* Both structs begin with the group. */
	if (length < size)
		return -EINVAL;
	memcpy(&group, value, size);
	if (s->groups == NULL)
		s->groups = calloc(1, sizeof(*s->groups));
	if (s->groups == NULL)
		return -ENOMEM;
	if (join && sim_datagram_member(s, &group))
		return -EADDRINUSE;
	if (join && s->groups->count == GROUPS_MAX)
		return -ENOBUFS;
	if (join) {
		s->groups->addresses[s->groups->count++] = group;
		return 0;
	}
	for (unsigned i = 0; i < s->groups->count; i++) {
		if (!IN6_ARE_ADDR_EQUAL(&s->groups->addresses[i], &group))
			continue;
		s->groups->addresses[i] =
		    s->groups->addresses[--s->groups->count];
		return 0;
	}
	return -EADDRNOTAVAIL;
}

/* How well @s fits; 0: not at all. */
unsigned
sim_datagram_fit(const struct sim_socket *s, const struct sim_name *from,
    const struct sim_name *to)
{
	if (s->type != SOCK_DGRAM || s->user_closed || !sim_socket_named(s, to))
		return 0;
	if (s->peer_name.length != 0)
		return sim_name_same(&s->peer_name, from) ? 3 : 0;
	return sim_name_any(&s->name.address.any) ? 1 : 2;
}

struct sim_socket *
sim_datagram_receiver(const struct sim_name *from, const struct sim_name *to)
{
	struct sim_socket *found = NULL;
	unsigned best = 0;
	uint64_t same = 0;

	list_each (node, sim_sockets()) {
		struct sim_socket *s =
		    container_of(node, struct sim_socket, all);
		unsigned fit = sim_datagram_fit(s, from, to);

		if (fit == 0 || fit < best)
			continue;
		same = fit > best ? 1 : same + 1;
		best = fit;
		if (same == 1 || sim_random(same) == 0)
			found = s;
	}
	return found;
}
