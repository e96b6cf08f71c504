/*
 * socket.c - simulated sockets, each behind a descriptor of its own
 *
 * The descriptor is a kernel socket of the same kind that nobody connects, so
 * that options can be set on it, and its inode tells whether a number is still
 * that socket: close(2) behind our back is noticed when the number comes again.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/sim/sim_inner.h"

static struct {
	struct sim_socket **by_fd;
	size_t by_fd_count;
	struct list all;
	uint64_t next_id;
} sockets = {.all = {&sockets.all, &sockets.all}};

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
	if (type == SOCK_DGRAM)
		s->in.receive_max = SIM_DATAGRAM_QUEUE;
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
	sim_names_reset();
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
