/*
 * resolve.c - getaddrinfo(3) on the offload pool
 *
 * A look-up is a block of its own: whoever asked may be cancelled and gone
 * before the resolver returns.
 */
#include "net/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "runtime/runtime.h"

union resolve_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

struct resolve_lookup {
	char name[RESOLVE_NAME_BYTES + 1];
	int result;
	unsigned count;
	union resolve_address found[RESOLVE_ADDRESSES_MAX];
};

socklen_t
resolve_address_length(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					      : sizeof(struct sockaddr_in);
}

static bool
resolve_numeric(const char *name, union resolve_address *ret_address)
{
	union resolve_address address = {0};

	if (inet_pton(AF_INET, name, &address.in.sin_addr) == 1)
		address.in.sin_family = AF_INET;
	else if (inet_pton(AF_INET6, name, &address.in6.sin6_addr) == 1)
		address.in6.sin6_family = AF_INET6;
	else
		return false;
	*ret_address = address;
	return true;
}

static int
resolve_compare(const union resolve_address *a, const union resolve_address *b,
    int first_family)
{
	if (a->any.sa_family != b->any.sa_family)
		return a->any.sa_family == first_family ? -1 : 1;
	if (a->any.sa_family == AF_INET)
		return memcmp(
		    &a->in.sin_addr, &b->in.sin_addr, sizeof(a->in.sin_addr));
	/* The scope tells link-local addresses of two interfaces apart. */
	if (a->in6.sin6_scope_id != b->in6.sin6_scope_id)
		return a->in6.sin6_scope_id < b->in6.sin6_scope_id ? -1 : 1;
	return memcmp(
	    &a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr));
}

/* Insert in order, unless it is there: the list is short. */
static void
resolve_insert(
    struct resolve_lookup *lookup, const union resolve_address *address)
{
	int first_family = lookup->found[0].any.sa_family;
	unsigned at = lookup->count;

	if (lookup->count == RESOLVE_ADDRESSES_MAX)
		return;
	if (at == 0)
		first_family = address->any.sa_family;
	while (at > 0) {
		int order = resolve_compare(
		    address, &lookup->found[at - 1], first_family);

		if (order == 0)
			return;
		if (order > 0)
			break;
		at--;
	}
	memmove(&lookup->found[at + 1], &lookup->found[at],
	    (lookup->count - at) * sizeof(lookup->found[0]));
	lookup->found[at] = *address;
	lookup->count++;
}

static int
resolve_error(int gai)
{
	switch (gai) {
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		return errno == EMFILE || errno == ENFILE ? -errno
							  : E_NO_ADDRESS;
	default:
		return E_NO_ADDRESS;
	}
}

static int
resolve_ask(struct resolve_lookup *lookup)
{
	struct addrinfo hints = {
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_ADDRCONFIG,
	};
	struct addrinfo *list;
	int gai = getaddrinfo(lookup->name, NULL, &hints, &list);

	if (gai != 0)
		return resolve_error(gai);
	for (struct addrinfo *one = list; one != NULL; one = one->ai_next) {
		union resolve_address address = {0};

		if (one->ai_family != AF_INET && one->ai_family != AF_INET6)
			continue;
		memcpy(&address, one->ai_addr, one->ai_addrlen);
		resolve_insert(lookup, &address);
	}
	freeaddrinfo(list);
	return lookup->count != 0 ? 0 : E_NO_ADDRESS;
}

/* On a thread of the offload pool. Its own result is always 0, so that an
 * error of offload_run() tells that nobody waited for it. */
static int
resolve_run(void *arg)
{
	struct resolve_lookup *lookup = arg;

	lookup->result = resolve_ask(lookup);
	return 0;
}

static void
resolve_give(const struct resolve_lookup *lookup, uint16_t port,
    struct sockaddr_storage *addresses, unsigned max, unsigned *ret_count)
{
	unsigned count = min_of(lookup->count, max);

	for (unsigned i = 0; i < count; i++) {
		union resolve_address address = lookup->found[i];

		/* sin6_port lies where sin_port does. */
		address.in.sin_port = htons(port);
		addresses[i] = address.storage;
	}
	*ret_count = count;
}

int
resolve_name(struct bytes name, uint16_t port,
    struct sockaddr_storage *addresses, unsigned max, unsigned *ret_count,
    instant deadline)
{
	struct resolve_lookup *lookup;
	int r;

	must(max >= 1);
	r = task_cancelled();
	if (r < 0)
		return r;
	if (name.length == 0 || name.length > RESOLVE_NAME_BYTES ||
	    bytes_find(name, '\0') != name.length)
		return E_NO_ADDRESS;
	lookup = calloc(1, sizeof(*lookup));
	if (lookup == NULL)
		return -ENOMEM;
	memcpy(lookup->name, name.at, name.length);
	if (resolve_numeric(lookup->name, &lookup->found[0]))
		lookup->count = 1;
	else
		r = offload_run(resolve_run, lookup, free, deadline);
	/* Cut short, the look-up goes on and its block is freed by the pool;
	 * with these two it was never begun. */
	if (r < 0 && r != -EAGAIN && r != -ENOMEM)
		return r;
	if (r == 0)
		r = lookup->result;
	if (r == 0)
		resolve_give(lookup, port, addresses, max, ret_count);
	free(lookup);
	return r;
}
