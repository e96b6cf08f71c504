/*
 * network.c - the calls on simulated sockets, as the kernel's are called
 */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include "os/socket_call.h"
#include "runtime/sim/sim_inner.h"
#include "runtime/worker.h"

/* Of a file or a pipe, in one operation. */
#define NETWORK_COPY_BYTES (16 << 10)

/* There is one worker, and a task's stack is small. */
static char network_block[NETWORK_COPY_BYTES];

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

static int
network_option_set(
    int fd, int level, int option, const void *value, socklen_t length)
{
	struct sim_socket *s = sim_socket_of(fd);
	bool join;

	if (s->type == SOCK_DGRAM && network_group_option(level, option, &join))
		return sim_datagram_group(s, value, length, join);
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

static ssize_t
network_socket_send(struct sim_socket *s, const struct msghdr *message)
{
	return s->type == SOCK_STREAM
	    ? sim_stream_send(s, message->msg_iov, message->msg_iovlen, false)
	    : sim_datagram_send(s, message);
}

static ssize_t
network_socket_recv(struct sim_socket *s, struct msghdr *message, int flags)
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
	return network_socket_send(sim_socket_of(fd), message);
}

static ssize_t
network_recv(int fd, struct msghdr *message, int flags)
{
	struct sim_socket *s = sim_socket_of(fd);
	ssize_t result = network_socket_recv(s, message, flags);

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

/* ---- operations ---- */

static ssize_t
call_sendfile(struct sim_socket *s, struct io_op *op)
{
	struct iovec iov = {
	    network_block, min_of(op->length, sizeof(network_block))};
	ssize_t got, sent;

	if ((sim_stream_events(s) & IO_OUT) == 0)
		return -EAGAIN;
	got = op->offset != NULL
	    ? pread(op->other_fd, network_block, iov.iov_len, *op->offset)
	    : pread(op->other_fd, network_block, iov.iov_len,
		  lseek(op->other_fd, 0, SEEK_CUR));
	if (got <= 0)
		return got < 0 ? -errno : 0;
	iov.iov_len = (size_t)got;
	sent = sim_stream_send(s, &iov, 1, false);
	if (sent > 0 && op->offset != NULL)
		*op->offset += sent;
	else if (sent > 0)
		(void)lseek(op->other_fd, sent, SEEK_CUR);
	return sent;
}

/* To a pipe: what it takes is taken from the socket. */
static ssize_t
call_splice_in(struct sim_socket *s, struct io_op *op)
{
	struct iovec iov = {
	    network_block, min_of(op->length, sizeof(network_block))};
	ssize_t got = sim_stream_recv(s, &iov, 1, MSG_PEEK);
	ssize_t put;

	if (got <= 0)
		return got;
	put = write(op->other_fd, network_block, (size_t)got);
	if (put < 0)
		return -errno;
	iov.iov_len = (size_t)put;
	sim_stream_take(s, (size_t)put);
	return put;
}

static ssize_t
call_splice_out(struct sim_socket *s, struct io_op *op)
{
	size_t room;
	struct iovec iov = {network_block, 0};
	ssize_t got;

	if ((sim_stream_events(s) & IO_OUT) == 0)
		return -EAGAIN;
	/* An error is told before anything leaves the pipe. */
	room = s->state == SIM_CONNECTED && s->peer != NULL && !s->reset
	    ? sim_stream_room(s)
	    : 0;
	if (room == 0)
		return sim_stream_send(
		    s, &(struct iovec){network_block, 1}, 1, false);
	room = min_of(room, sizeof(network_block));
	got = read(op->other_fd, network_block, min_of(op->length, room));
	if (got <= 0)
		return got < 0 ? -errno : 0;
	iov.iov_len = (size_t)got;
	/* What has left the pipe must not be lost. */
	return sim_stream_send(s, &iov, 1, true);
}

static ssize_t
call_lend(struct sim_socket *s, struct io_op *op)
{
	struct io_lent *lent = op->memory;
	struct iovec iov = {io_block_acquire(worker_here), IO_LENT_BYTES};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t result;

	if (iov.iov_base == NULL)
		return -ENOMEM;
	result = network_socket_recv(s, &message, 0);
	if (result > 0)
		*lent = (struct io_lent){
		    iov.iov_base, (size_t)result, IO_LENT_BLOCK};
	else
		io_block_release(worker_here, iov.iov_base);
	return result;
}

static ssize_t
call_wait(const struct sim_socket *s, const struct io_op *op)
{
	unsigned now = sim_socket_events(s);
	unsigned result = now & (unsigned)op->flags;

	if ((now & IO_HUP) != 0)
		result |= IO_HUP | ((unsigned)op->flags & now);
	return result != 0 ? (ssize_t)result : -EAGAIN;
}

static ssize_t
call_connect(struct sim_socket *s, const struct io_op *op)
{
	int r = network_connect(s->fd, op->memory, (socklen_t)op->length);

	if (r == -EISCONN)
		return 0;
	return r == -EALREADY ? -EINPROGRESS : r;
}

ssize_t
sim_call(struct sim_socket *s, struct io_op *op)
{
	struct iovec iov = {op->memory, op->length};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	switch ((enum io_code)op->code) {
	case IO_OP_RECV:
	case IO_OP_READ:
		return network_socket_recv(s, &message, 0);
	case IO_OP_SEND:
	case IO_OP_WRITE:
		return network_socket_send(s, &message);
	case IO_OP_SENDV:
		message.msg_iov = op->memory;
		message.msg_iovlen = op->length;
		return network_socket_send(s, &message);
	case IO_OP_RECVMSG:
		return network_socket_recv(s, op->memory, op->flags);
	case IO_OP_SENDMSG:
		return network_socket_send(s, op->memory);
	case IO_OP_ACCEPT:
		return sim_stream_accept(s, op->memory, op->address_length);
	case IO_OP_CONNECT:
		return call_connect(s, op);
	case IO_OP_SENDFILE:
		return call_sendfile(s, op);
	case IO_OP_SPLICE_IN:
		return call_splice_in(s, op);
	case IO_OP_SPLICE_OUT:
		return call_splice_out(s, op);
	case IO_OP_WAIT:
		return call_wait(s, op);
	case IO_OP_LEND:
		return call_lend(s, op);
	case IO_OP_QUIET:
		return 0;
	}
	return -EINVAL;
}
