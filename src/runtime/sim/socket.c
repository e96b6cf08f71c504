/*
 * socket.c - simulated sockets, each behind a descriptor of its own
 *
 * The descriptor is a kernel socket of the same kind that nobody connects, so
 * that options can be set on it, and its inode tells whether a number is still
 * that socket: close(2) behind our back is noticed when the number comes again.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/sim/sim_inner.h"

#define PORT_FIRST 32768
#define PORT_LAST  60999

static struct {
	struct sim_socket **by_fd;
	size_t by_fd_count;
	struct list all;
	uint64_t next_id;
	uint16_t next_port;
	unsigned next_abstract;
} sockets = {.all = {&sockets.all, &sockets.all}, .next_port = PORT_FIRST};

struct list *
sim_sockets(void)
{
	return &sockets.all;
}

struct sim_socket *
sim_socket_of(int fd)
{
	return fd >= 0 && (size_t)fd < sockets.by_fd_count ? sockets.by_fd[fd]
							   : NULL;
}

static uint64_t
socket_inode(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

static void
socket_number_set(int fd, struct sim_socket *socket)
{
	if ((size_t)fd >= sockets.by_fd_count) {
		size_t count = max_of((size_t)fd + 1, sockets.by_fd_count * 2);
		struct sim_socket **grown =
		    realloc(sockets.by_fd, count * sizeof(struct sim_socket *));

		must(grown != NULL);
		memset(grown + sockets.by_fd_count, 0,
		    (count - sockets.by_fd_count) * sizeof(*grown));
		sockets.by_fd = grown;
		sockets.by_fd_count = count;
	}
	sockets.by_fd[fd] = socket;
}

/* @fd is new: whoever had the number was closed by close(2). */
static void
socket_number_give(struct sim_socket *socket, int fd)
{
	struct sim_socket *old = sim_socket_of(fd);

	if (old != NULL)
		sim_socket_close(old);
	socket_number_set(fd, socket);
	socket->fd = fd;
	socket->inode = socket_inode(fd);
}

int
sim_socket_fd_give(struct sim_socket *s)
{
	int fd;

	if (sim_fault(sim_here.options.faults.descriptor_ppm, "no descriptor"))
		return sim_random(2) == 0 ? -EMFILE : -ENFILE;
	fd = socket(s->family, s->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	socket_number_give(s, fd);
	return fd;
}

static struct sim_socket *
socket_new(int family, int type)
{
	struct sim_socket *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->fd = -1;
	s->id = ++sockets.next_id;
	s->family = family;
	s->type = type;
	list_push_back(&sockets.all, &s->all);
	list_init(&s->dirty);
	list_init(&s->backlog);
	list_init(&s->in_backlog);
	list_init(&s->datagrams);
	sim_flow_init(&s->in);
	s->out_max = s->in.send_max;
	sim_socket_events_init(s);
	return s;
}

struct sim_socket *
sim_socket_new(int family, int type, bool with_fd, int *ret_error)
{
	struct sim_socket *s = socket_new(family, type);
	int fd;

	*ret_error = -ENOMEM;
	if (s == NULL || !with_fd)
		return s;
	fd = sim_socket_fd_give(s);
	if (fd < 0) {
		*ret_error = fd;
		sim_socket_free(s);
		return NULL;
	}
	return s;
}

void
sim_socket_free(struct sim_socket *s)
{
	if (s->fd >= 0 && sim_socket_of(s->fd) == s)
		socket_number_set(s->fd, NULL);
	sim_event_cancel(&s->hold[0]);
	sim_event_cancel(&s->hold[1]);
	sim_event_cancel(&s->cancel[0]);
	sim_event_cancel(&s->cancel[1]);
	sim_event_cancel(&s->deferred);
	sim_event_cancel(&s->handshake);
	sim_flow_free(&s->in);
	sim_datagrams_free(s);
	sim_groups_free(s);
	list_remove(&s->all);
	list_remove(&s->dirty);
	free(s);
}

void
sim_socket_close(struct sim_socket *s)
{
	if (s->fd >= 0)
		socket_number_set(s->fd, NULL);
	s->fd = -1;
	s->io = NULL;
	list_remove(&s->dirty);
	sim_trace("close", s->id, 0, 0);
	if (s->type == SOCK_STREAM)
		sim_stream_close(s);
	else
		sim_socket_free(s);
}

/* Those that are left at the end are no longer ours: a descriptor that the
 * program still has stays open, as the program's. */
void
sim_sockets_free(void)
{
	list_each_safe (node, &sockets.all)
		sim_socket_free(container_of(node, struct sim_socket, all));
	free(sockets.by_fd);
	sockets.by_fd = NULL;
	sockets.by_fd_count = 0;
	sockets.next_id = 0;
	sockets.next_port = PORT_FIRST;
	sockets.next_abstract = 0;
}

unsigned
sim_socket_count(void)
{
	unsigned count = sim_here.running ? 0 : sim_here.left_open;

	list_each (node, &sockets.all) {
		struct sim_socket *s =
		    container_of(node, struct sim_socket, all);

		count += s->fd >= 0 && socket_inode(s->fd) == s->inode;
	}
	return count;
}

/* ---- names ---- */

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
	list_each (node, &sockets.all) {
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
		socket_port_set(&name->address.any, sockets.next_port);
		sockets.next_port = sockets.next_port == PORT_LAST
		    ? PORT_FIRST
		    : (uint16_t)(sockets.next_port + 1);
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
	    text, sizeof(text), "%05x", sockets.next_abstract++ & 0xfffff);
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

/* ---- adoption ---- */

static int
socket_int(int fd, int option)
{
	int value = 0;
	socklen_t length = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value
									: -1;
}

static bool
adopt_fit(int family, int type, int protocol, bool connected)
{
	if (family == AF_UNIX)
		return !connected &&
		    (type == SOCK_STREAM || type == SOCK_DGRAM);
	if (family != AF_INET && family != AF_INET6)
		return false;
	return (type == SOCK_STREAM && protocol == IPPROTO_TCP && !connected) ||
	    (type == SOCK_DGRAM && protocol == IPPROTO_UDP);
}

static void
adopt_names(struct sim_socket *s, bool connected)
{
	struct sim_name name = {.length = sizeof(name.address)};

	if (getsockname(s->fd, &name.address.any, &name.length) == 0 &&
	    (s->family == AF_UNIX ? name.length > sizeof(sa_family_t)
				  : sim_port(&name.address.any) != 0))
		s->name = name;
	if (!connected)
		return;
	name.length = sizeof(name.address);
	if (getpeername(s->fd, &name.address.any, &name.length) == 0) {
		s->peer_name = name;
		s->state = SIM_CONNECTED;
	}
}

struct sim_socket *
sim_socket_adopt(int fd)
{
	struct sim_socket *s = sim_socket_of(fd);
	union sim_address peer;
	socklen_t length = sizeof(peer);
	bool connected;
	int type;

	if (s != NULL && socket_inode(fd) == s->inode)
		return s;
	if (s != NULL)
		sim_socket_close(s);
	type = socket_int(fd, SO_TYPE);
	if (type < 0)
		return NULL;
	connected = getpeername(fd, &peer.any, &length) == 0;
	if (!adopt_fit(socket_int(fd, SO_DOMAIN), type,
		socket_int(fd, SO_PROTOCOL), connected))
		return NULL;
	s = socket_new(socket_int(fd, SO_DOMAIN), type);
	if (s == NULL)
		return NULL;
	socket_number_give(s, fd);
	adopt_names(s, connected);
	s->broadcast = socket_int(fd, SO_BROADCAST) > 0;
	if (socket_int(fd, SO_ACCEPTCONN) > 0)
		(void)sim_stream_listen(s, SOMAXCONN);
	sim_trace("adopt", s->id, s->family, type);
	return s;
}
