/*
 * network.c - the calls on simulated sockets, as the kernel's are called
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>

#include "os/socket_call.h"
#include "runtime/sim/sim_inner.h"

static bool
network_owns(int fd)
{
	return sim_socket_of(fd) != NULL;
}

static int
network_open(int family, int type, int protocol)
{
	struct sim_socket *s;
	int error;

	type &= ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
	if ((family != AF_INET && family != AF_INET6 && family != AF_UNIX) ||
	    (type != SOCK_STREAM && type != SOCK_DGRAM) ||
	    (family != AF_UNIX && protocol != 0 && protocol != IPPROTO_TCP &&
		protocol != IPPROTO_UDP))
		return -EAFNOSUPPORT;
	s = sim_socket_new(family, type, true, &error);
	if (s == NULL)
		return error;
	sim_trace("socket", s->id, family, type);
	return s->fd;
}

static int
network_bind(int fd, const struct sockaddr *address, socklen_t length)
{
	return sim_socket_bind(sim_socket_of(fd), address, length);
}

static int
network_listen(int fd, int backlog)
{
	return sim_stream_listen(sim_socket_of(fd), backlog);
}

static int
network_connect(int fd, const struct sockaddr *address, socklen_t length)
{
	struct sim_socket *s = sim_socket_of(fd);

	return s->type == SOCK_STREAM
	    ? sim_stream_connect(s, address, length)
	    : sim_datagram_connect(s, address, length);
}

static int
network_accept(int fd, struct sockaddr *address, socklen_t *length)
{
	return sim_stream_accept(sim_socket_of(fd), address, length);
}

static int
network_name(int fd, struct sockaddr *ret_address, socklen_t *length)
{
	const struct sim_socket *s = sim_socket_of(fd);
	struct sim_name none = {.length = sim_name_length(s->family)};

	none.address.any.sa_family = (sa_family_t)s->family;
	sim_name_copy(
	    s->name.length != 0 ? &s->name : &none, ret_address, length);
	return 0;
}

static int
network_peer(int fd, struct sockaddr *ret_address, socklen_t *length)
{
	const struct sim_socket *s = sim_socket_of(fd);

	if (s->state != SIM_CONNECTED)
		return -ENOTCONN;
	sim_name_copy(&s->peer_name, ret_address, length);
	return 0;
}

static int
network_option_get(
    int fd, int level, int option, void *ret_value, socklen_t *length)
{
	struct sim_socket *s = sim_socket_of(fd);
	int value;

	if (level != SOL_SOCKET ||
	    (option != SO_ERROR && option != SO_ACCEPTCONN) ||
	    *length < sizeof(value))
		/* The placeholder is a socket of the same kind. */
		return getsockopt(fd, level, option, ret_value, length) < 0
		    ? -errno
		    : 0;
	value = option == SO_ERROR ? s->error : s->state == SIM_LISTENING;
	if (option == SO_ERROR)
		s->error = 0;
	*(int *)ret_value = value;
	*length = sizeof(value);
	return 0;
}

/* As the kernel, twice what is asked for. */
static size_t
network_buffer(int value)
{
	return (size_t)max_of(value, 1024) * 2;
}

static bool
network_group_option(int level, int option, bool *ret_join)
{
	if (level == IPPROTO_IP) {
		*ret_join = option == IP_ADD_MEMBERSHIP;
		return *ret_join || option == IP_DROP_MEMBERSHIP;
	}
	*ret_join = option == IPV6_ADD_MEMBERSHIP;
	return level == IPPROTO_IPV6 &&
	    (*ret_join || option == IPV6_DROP_MEMBERSHIP);
}

static void
network_option_note(
    struct sim_socket *s, int option, const void *value, socklen_t length)
{
	int number = length >= sizeof(int) ? *(const int *)value : 0;

	switch (option) {
	case SO_REUSEADDR:
		s->reuse_address = number != 0;
		break;
	case SO_REUSEPORT:
		s->reuse_port = number != 0;
		break;
	case SO_BROADCAST:
		s->broadcast = number != 0;
		break;
	case SO_LINGER:
		s->linger_reset = length >= sizeof(struct linger) &&
		    number != 0 &&
		    ((const struct linger *)value)->l_linger == 0;
		break;
	case SO_RCVBUF:
		s->in.receive_max = network_buffer(number);
		break;
	case SO_SNDBUF:
		s->out_max = network_buffer(number);
		if (s->peer != NULL)
			s->peer->in.send_max = s->out_max;
		break;
	default:
		break;
	}
}

/* Where in @value the group is, or NULL. */
static const void *
network_group(const struct sim_socket *s, int level, int option,
    const void *value, socklen_t length, bool *ret_join)
{
	const struct group_req *request = value;
	const void *address = &request->gr_group;

	if (network_group_option(level, option, ret_join))
		return value;
	*ret_join = option == MCAST_JOIN_GROUP;
	if ((level != IPPROTO_IP && level != IPPROTO_IPV6) ||
	    (!*ret_join && option != MCAST_LEAVE_GROUP) ||
	    length < sizeof(*request))
		return NULL;
	return s->family == AF_INET
	    ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
	    : (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr;
}

static int
network_option_set(
    int fd, int level, int option, const void *value, socklen_t length)
{
	struct sim_socket *s = sim_socket_of(fd);
	const void *group = NULL;
	bool join;

	if (s->type == SOCK_DGRAM)
		group = network_group(s, level, option, value, length, &join);
	if (group != NULL)
		return sim_datagram_group(s, group, length, join);
	if (setsockopt(fd, level, option, value, length) < 0)
		return -errno;
	if (level == SOL_SOCKET)
		network_option_note(s, option, value, length);
	return 0;
}

static int
network_shutdown(int fd, int how)
{
	struct sim_socket *s = sim_socket_of(fd);

	if (s->type == SOCK_STREAM)
		return sim_stream_shutdown(s, how);
	if (how != SHUT_WR) {
		s->read_shut = true;
		sim_socket_tell(s, IO_IN);
	}
	return 0;
}

ssize_t
sim_socket_send(struct sim_socket *s, const struct msghdr *message)
{
	return s->type == SOCK_STREAM
	    ? sim_stream_send(s, message->msg_iov, message->msg_iovlen, false)
	    : sim_datagram_send(s, message);
}

ssize_t
sim_socket_recv(struct sim_socket *s, struct msghdr *message, int flags)
{
	ssize_t result;

	if (s->type != SOCK_STREAM)
		return sim_datagram_recv(s, message, flags);
	result =
	    sim_stream_recv(s, message->msg_iov, message->msg_iovlen, flags);
	message->msg_flags = 0;
	message->msg_controllen = 0;
	if (message->msg_name != NULL)
		message->msg_namelen = 0;
	return result;
}

static ssize_t
network_send(int fd, const struct msghdr *message, int flags)
{
	(void)flags;
	return sim_socket_send(sim_socket_of(fd), message);
}

static ssize_t
network_recv(int fd, struct msghdr *message, int flags)
{
	struct sim_socket *s = sim_socket_of(fd);
	ssize_t result = sim_socket_recv(s, message, flags);

	if (s->io != NULL)
		sim_socket_ready_keep(s);
	return result;
}

static int
network_poll(int fd, int events)
{
	unsigned now = sim_socket_events(sim_socket_of(fd));
	int result = 0;

	if ((now & IO_IN) != 0)
		result |= POLLIN;
	if ((now & IO_OUT) != 0)
		result |= POLLOUT;
	if ((now & IO_HUP) != 0)
		result |= POLLRDHUP;
	return result & events;
}

static int
network_queued(int fd)
{
	const struct sim_socket *s = sim_socket_of(fd);

	if (s->type != SOCK_STREAM || s->peer == NULL)
		return s->type != SOCK_STREAM ? 0 : -ENOTCONN;
	return (int)(s->peer->in.unsent + s->peer->in.under_way);
}

static void
network_close(int fd)
{
	sim_socket_close(sim_socket_of(fd));
}

const struct socket_network sim_network = {
    .owns = network_owns,
    .open = network_open,
    .bind = network_bind,
    .listen = network_listen,
    .connect = network_connect,
    .accept = network_accept,
    .name = network_name,
    .peer = network_peer,
    .option_get = network_option_get,
    .option_set = network_option_set,
    .shutdown = network_shutdown,
    .send = network_send,
    .recv = network_recv,
    .poll = network_poll,
    .queued = network_queued,
    .close = network_close,
};

unsigned
sim_socket_events(const struct sim_socket *s)
{
	return s->type == SOCK_STREAM ? sim_stream_events(s)
				      : sim_datagram_events(s);
}
