#include "os/socket_call.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const struct socket_network *socket_network;

void
socket_network_set(const struct socket_network *network)
{
	socket_network = network;
}

/* The network that made @fd, NULL for the kernel. */
static const struct socket_network *
socket_network_of(int fd)
{
	const struct socket_network *network = socket_network;

	return unlikely(network != NULL) && network->owns(fd) ? network : NULL;
}

bool
socket_simulated(int fd)
{
	return socket_network_of(fd) != NULL;
}

static int
socket_result(int result)
{
	return result < 0 ? -errno : result;
}

int
socket_open(int family, int type, int protocol)
{
	int fd = -EAFNOSUPPORT;

	if (unlikely(socket_network != NULL))
		fd = socket_network->open(family, type, protocol);
	if (fd == -EAFNOSUPPORT)
		fd = socket_result(socket(
		    family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
	return fd;
}

int
socket_bind(int fd, const struct sockaddr *address, socklen_t length)
{
	const struct socket_network *network = socket_network_of(fd);

	if (network != NULL)
		return network->bind(fd, address, length);
	return socket_result(bind(fd, address, length));
}

int
socket_listen(int fd, int backlog)
{
	const struct socket_network *network = socket_network_of(fd);

	if (network != NULL)
		return network->listen(fd, backlog);
	return socket_result(listen(fd, backlog));
}

int
socket_connect(int fd, const struct sockaddr *address, socklen_t length)
{
	const struct socket_network *network = socket_network_of(fd);

	if (network != NULL)
		return network->connect(fd, address, length);
	return socket_result(connect(fd, address, length));
}

int
socket_accept(int fd, struct sockaddr *address, socklen_t *length)
{
	const struct socket_network *network = socket_network_of(fd);

	if (network != NULL)
		return network->accept(fd, address, length);
	return socket_result(
	    accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int
socket_name(int fd, struct sockaddr *ret_address, socklen_t *length)
{
	const struct socket_network *network = socket_network_of(fd);

	if (network != NULL)
		return network->name(fd, ret_address, length);
	return socket_result(getsockname(fd, ret_address, length));
}

int
socket_peer(int fd, struct sockaddr *ret_address, socklen_t *length)
{
	const struct socket_network *network = socket_network_of(fd);

	if (network != NULL)
		return network->peer(fd, ret_address, length);
	return socket_result(getpeername(fd, ret_address, length));
}

int
socket_option_get(
    int fd, int level, int option, void *ret_value, socklen_t *length)
{
	const struct socket_network *network = socket_network_of(fd);

	if (network != NULL)
		return network->option_get(
		    fd, level, option, ret_value, length);
	return socket_result(getsockopt(fd, level, option, ret_value, length));
}

int
socket_option_set(
    int fd, int level, int option, const void *value, socklen_t length)
{
	const struct socket_network *network = socket_network_of(fd);

	if (network != NULL)
		return network->option_set(fd, level, option, value, length);
	return socket_result(setsockopt(fd, level, option, value, length));
}

int
socket_shutdown(int fd, int how)
{
	const struct socket_network *network = socket_network_of(fd);

	if (network != NULL)
		return network->shutdown(fd, how);
	return socket_result(shutdown(fd, how));
}

ssize_t
socket_send(int fd, const struct msghdr *message, int flags)
{
	const struct socket_network *network = socket_network_of(fd);
	ssize_t result;

	if (network != NULL)
		return network->send(fd, message, flags);
	result = sendmsg(fd, message, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
	return result < 0 ? -errno : result;
}

ssize_t
socket_recv(int fd, struct msghdr *message, int flags)
{
	const struct socket_network *network = socket_network_of(fd);
	ssize_t result;

	if (network != NULL)
		return network->recv(fd, message, flags);
	result = recvmsg(fd, message, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	return result < 0 ? -errno : result;
}

ssize_t
socket_send_bytes(int fd, const void *from, size_t length, int flags)
{
	struct iovec iov = {(void *)from, length};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	return socket_send(fd, &message, flags);
}

ssize_t
socket_recv_bytes(int fd, void *into, size_t length, int flags)
{
	struct iovec iov = {into, length};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	return socket_recv(fd, &message, flags);
}

int
socket_poll(int fd, int events)
{
	const struct socket_network *network = socket_network_of(fd);
	struct pollfd p = {.fd = fd, .events = (short)events};

	if (network != NULL)
		return network->poll(fd, events);
	return poll(&p, 1, 0) > 0 ? p.revents : 0;
}

int
socket_queued(int fd)
{
	const struct socket_network *network = socket_network_of(fd);
	int bytes;

	if (network != NULL)
		return network->queued(fd);
	return ioctl(fd, SIOCOUTQ, &bytes) < 0 ? -errno : bytes;
}

void
socket_close(int fd)
{
	const struct socket_network *network = socket_network_of(fd);

	if (network != NULL)
		network->close(fd);
	close(fd);
}
