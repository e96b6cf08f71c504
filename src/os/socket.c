#include "os/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

int
socket_stream(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static int
socket_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno
									: 0;
}

int
socket_nodelay(int fd)
{
	return socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

int
socket_bind_source(int fd, const struct sockaddr *address, socklen_t length)
{
	int r = 0;

	if (address->sa_family != AF_UNIX)
		r = socket_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	if (r == 0 && bind(fd, address, length) < 0)
		r = -errno;
	return r;
}

void
socket_close(int fd)
{
	close(fd);
}
