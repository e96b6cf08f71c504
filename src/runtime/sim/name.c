/*
 * name.c - what simulated sockets are bound and connected to
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "runtime/sim/sim_inner.h"

#define PORT_FIRST 32768
#define PORT_LAST  60999

static struct {
	uint16_t next_port;
	unsigned next_abstract;
} names = {.next_port = PORT_FIRST};

void
sim_names_reset(void)
{
	names.next_port = PORT_FIRST;
	names.next_abstract = 0;
}

uint16_t
sim_port(const struct sockaddr *address)
{
	/* sin6_port lies where sin_port does. */
	return ntohs(
	    ((const struct sockaddr_in *)(const void *)address)->sin_port);
}

static void
socket_port_set(struct sockaddr *address, uint16_t port)
{
	((struct sockaddr_in *)(void *)address)->sin_port = htons(port);
}

bool
sim_name_any(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return ((const struct sockaddr_in *)(const void *)address)
			   ->sin_addr.s_addr == htonl(INADDR_ANY);
	return address->sa_family == AF_INET6 &&
	    IN6_IS_ADDR_UNSPECIFIED(
		&((const struct sockaddr_in6 *)(const void *)address)
		     ->sin6_addr);
}

static bool
name_host_same(const struct sockaddr *a, const struct sockaddr *b)
{
	if (a->sa_family == AF_INET)
		return ((const struct sockaddr_in *)(const void *)a)
			   ->sin_addr.s_addr ==
		    ((const struct sockaddr_in *)(const void *)b)
			->sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(
	    &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
	    &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr);
}

/* What the kernel's structs hold, whatever length was given; 0: too short. */
socklen_t
sim_address_length(const struct sockaddr *address, socklen_t length)
{
	socklen_t needed;

	if (length < sizeof(sa_family_t))
		return 0;
	switch (address->sa_family) {
	case AF_INET:
		needed = sizeof(struct sockaddr_in);
		break;
	case AF_INET6:
		needed = sizeof(struct sockaddr_in6);
		break;
	case AF_UNIX:
		return min_of(length, (socklen_t)sizeof(struct sockaddr_un));
	default:
		return 0;
	}
	return length >= needed ? needed : 0;
}

/* Of a path, the bytes up to its end; of an abstract name, all. */
static size_t
name_unix_length(const struct sockaddr *address, socklen_t length)
{
	const struct sockaddr_un *un = (const void *)address;
	size_t bytes = length - offsetof(struct sockaddr_un, sun_path);

	return bytes > 0 && un->sun_path[0] != '\0'
	    ? strnlen(un->sun_path, bytes)
	    : bytes;
}

static bool
name_unix_same(const struct sim_name *name, const struct sockaddr *address,
    socklen_t length)
{
	size_t bytes = name_unix_length(address, length);

	return name->length > sizeof(sa_family_t) &&
	    name_unix_length(&name->address.any, name->length) == bytes &&
	    memcmp(((const struct sockaddr_un *)(const void *)&name->address)
		       ->sun_path,
		((const struct sockaddr_un *)(const void *)address)->sun_path,
		bytes) == 0;
}

socklen_t
sim_name_length(int family)
{
	switch (family) {
	case AF_INET:
		return sizeof(struct sockaddr_in);
	case AF_INET6:
		return sizeof(struct sockaddr_in6);
	default:
		return sizeof(sa_family_t);
	}
}

void
sim_name_set(
    struct sim_name *name, const struct sockaddr *address, socklen_t length)
{
	memset(&name->address, 0, sizeof(name->address));
	memcpy(&name->address, address, length);
	name->length = length;
}

void
sim_name_copy(
    const struct sim_name *name, struct sockaddr *into, socklen_t *length)
{
	struct sim_name none = {.length = sizeof(sa_family_t)};

	if (into == NULL)
		return;
	none.address.any.sa_family = AF_UNIX;
	if (name->length == 0)
		name = &none;
	memcpy(into, &name->address, min_of(*length, name->length));
	*length = name->length;
}

bool
sim_socket_named(const struct sim_socket *s, const struct sim_name *to)
{
	const struct sockaddr *name = &s->name.address.any;
	const struct sockaddr *address = &to->address.any;

	if (s->name.length == 0 || name->sa_family != address->sa_family)
		return false;
	if (name->sa_family == AF_UNIX)
		return name_unix_same(&s->name, address, to->length);
	return sim_port(name) == sim_port(address) &&
	    (sim_name_any(name) || name_host_same(name, address));
}

/* ---- bind ---- */

static bool
bind_overlaps(const struct sim_socket *other, const struct sim_name *name)
{
	const struct sockaddr *a = &other->name.address.any;
	const struct sockaddr *b = &name->address.any;

	if (other->name.length == 0 || a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_UNIX)
		return name_unix_same(&other->name, b, name->length);
	return sim_port(a) == sim_port(b) &&
	    (sim_name_any(a) || sim_name_any(b) || name_host_same(a, b));
}

static bool
bind_conflict(const struct sim_socket *s, const struct sim_name *name)
{
	list_each (node, sim_sockets()) {
		const struct sim_socket *other =
		    container_of(node, struct sim_socket, all);

		/* What was accepted shares its listener's port; what a port
		 * was chosen for at its connect keeps nobody from it. */
		if (other == s || other->type != s->type || other->accepted ||
		    other->user_closed || !bind_overlaps(other, name))
			continue;
		if (s->reuse_port && other->reuse_port)
			continue;
		if (s->family != AF_UNIX && s->reuse_address &&
		    other->reuse_address && other->state != SIM_LISTENING)
			continue;
		return true;
	}
	return false;
}

static int
bind_port_choose(struct sim_socket *s, struct sim_name *name)
{
	for (unsigned i = 0; i <= PORT_LAST - PORT_FIRST; i++) {
		socket_port_set(&name->address.any, names.next_port);
		names.next_port = names.next_port == PORT_LAST
		    ? PORT_FIRST
		    : (uint16_t)(names.next_port + 1);
		if (!bind_conflict(s, name))
			return 0;
	}
	return -EADDRINUSE;
}

static void
bind_abstract_choose(struct sim_name *name)
{
	struct sockaddr_un *un = (void *)&name->address;
	char text[8];

	(void)snprintf(
	    text, sizeof(text), "%05x", names.next_abstract++ & 0xfffff);
	un->sun_path[0] = '\0';
	memcpy(&un->sun_path[1], text, 5);
	name->length = offsetof(struct sockaddr_un, sun_path) + 6;
}

int
sim_socket_bind(
    struct sim_socket *s, const struct sockaddr *address, socklen_t length)
{
	struct sim_name name;
	int r = 0;

	length = sim_address_length(address, length);
	if (length == 0 || address->sa_family != s->family ||
	    s->name.length != 0)
		return -EINVAL;
	sim_name_set(&name, address, length);
	if (s->family == AF_UNIX && length == sizeof(sa_family_t))
		bind_abstract_choose(&name);
	else if (s->family != AF_UNIX && sim_port(address) == 0)
		r = bind_port_choose(s, &name);
	else if (bind_conflict(s, &name))
		r = -EADDRINUSE;
	if (r == 0)
		s->name = name;
	return r;
}

static void
name_loopback(struct sim_name *name)
{
	if (name->address.any.sa_family == AF_INET)
		((struct sockaddr_in *)(void *)&name->address)
		    ->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		((struct sockaddr_in6 *)(void *)&name->address)->sin6_addr =
		    in6addr_loopback;
}

void
sim_name_target(struct sim_name *name)
{
	if (sim_name_any(&name->address.any))
		name_loopback(name);
}

bool
sim_name_same(const struct sim_name *a, const struct sim_name *b)
{
	const struct sockaddr *x = &a->address.any, *y = &b->address.any;

	if (a->length == 0 || b->length == 0 || x->sa_family != y->sa_family)
		return false;
	if (x->sa_family == AF_UNIX)
		return name_unix_same(a, y, b->length);
	return sim_port(x) == sim_port(y) && name_host_same(x, y);
}

void
sim_name_source(const struct sim_socket *s, const struct sim_name *to,
    struct sim_name *ret_name)
{
	const struct sockaddr_in *in = (const void *)&to->address;

	*ret_name = s->name;
	if (s->family == AF_UNIX || !sim_name_any(&s->name.address.any))
		return;
	*ret_name = *to;
	if (s->family == AF_INET &&
	    (ntohl(in->sin_addr.s_addr) >> 24 == 127 ||
		ntohl(in->sin_addr.s_addr) >> 28 >= 14))
		name_loopback(ret_name);
	socket_port_set(&ret_name->address.any, sim_port(&s->name.address.any));
}

int
sim_socket_name_auto(struct sim_socket *s, const struct sim_name *to)
{
	struct sim_name name = {.length = to->length};
	int r = 0;

	if (s->family == AF_UNIX)
		return 0;
	if (s->name.length == 0) {
		name.address.any.sa_family = to->address.any.sa_family;
		r = bind_port_choose(s, &name);
		if (r < 0)
			return r;
		s->name = name;
	}
	if (s->type == SOCK_STREAM) {
		sim_name_source(s, to, &name);
		s->name = name;
	}
	return 0;
}
