#include "os/socket.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
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
socket_cork(int fd, bool on)
{
	/* A socket that has no such thing sends as before. */
	(void)!socket_set(fd, IPPROTO_TCP, TCP_CORK, on);
}

int
socket_queued(int fd)
{
	int bytes;

	return ioctl(fd, SIOCOUTQ, &bytes) < 0 ? -errno : bytes;
}

int
socket_shutdown_write(int fd)
{
	return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

uint64_t
socket_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1024;
	return limit.rlim_cur;
}

void
socket_close(int fd)
{
	close(fd);
}
