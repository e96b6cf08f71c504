/*
 * resolve_system.c - getaddrinfo(3) on the offload pool
 *
 * A look-up is a block of its own: whoever asked may be cancelled and gone
 * before the C library returns.
 */
#include "net/resolve_system.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/runtime.h"

struct system_lookup {
	char name[RESOLVE_NAME_BYTES + 1];
	int family;
	int result;
	const char *reason;
	unsigned count;
	struct net_address found[2 * RESOLVE_ADDRESSES_MAX];
};

static int
system_error(int gai)
{
	switch (gai) {
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_AGAIN:
	case EAI_FAIL:
		return E_RESOLVER_FAILED;
	case EAI_SYSTEM:
		return errno == EMFILE || errno == ENFILE ? -errno
							  : E_NO_ADDRESS;
	default:
		return E_NO_ADDRESS;
	}
}

static int
system_ask(struct system_lookup *lookup)
{
	struct addrinfo hints = {
	    .ai_family = lookup->family,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_ADDRCONFIG,
	};
	struct addrinfo *list;
	int gai = getaddrinfo(lookup->name, NULL, &hints, &list);

	if (gai != 0) {
		lookup->reason = gai_strerror(gai);
		return system_error(gai);
	}
	for (struct addrinfo *one = list; one != NULL; one = one->ai_next) {
		if (one->ai_family != AF_INET && one->ai_family != AF_INET6)
			continue;
		if (lookup->count < array_count(lookup->found) &&
		    net_address_from(one->ai_addr, one->ai_addrlen,
			&lookup->found[lookup->count]) == 0)
			lookup->count++;
	}
	freeaddrinfo(list);
	lookup->reason = "no address";
	return lookup->count != 0 ? 0 : E_NO_ADDRESS;
}

/* On a thread of the offload pool. Its own result is always 0, so that an
 * error of offload_run() tells that the look-up is given up. */
static int
system_run(void *arg)
{
	struct system_lookup *lookup = arg;

	lookup->result = system_ask(lookup);
	return 0;
}

int
resolve_system(struct bytes name, int family, struct net_address *addresses,
    unsigned max, unsigned *ret_count, struct resolve_error *ret_error,
    instant deadline)
{
	struct system_lookup *lookup;
	int r;

	lookup = calloc(1, sizeof(*lookup));
	if (lookup == NULL)
		return -ENOMEM;
	must(name.length <= RESOLVE_NAME_BYTES);
	memcpy(lookup->name, name.at, name.length);
	lookup->family = family;
	r = offload_run(system_run, lookup, free, deadline);
	if (r < 0)
		return r;
	r = lookup->result;
	if (r == 0) {
		*ret_count = min_of(lookup->count, max);
		memcpy(addresses, lookup->found,
		    *ret_count * sizeof(addresses[0]));
	} else if (lookup->reason != NULL) {
		snprintf(ret_error->text, sizeof(ret_error->text), "%s: %s",
		    lookup->name, lookup->reason);
	}
	free(lookup);
	return r;
}
