#include "os/socket.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

int
socket_stream(int family)
{
	return socket_open(family, SOCK_STREAM, 0);
}

int
socket_datagram(int family)
{
	return socket_open(family, SOCK_DGRAM, 0);
}

unsigned
socket_interface_index(const char *name)
{
	return if_nametoindex(name);
}

bool
socket_reachable(const struct sockaddr *address, socklen_t length)
{
	int fd = socket_datagram(address->sa_family);
	bool reachable;

	if (fd < 0)
		return false;
	reachable = socket_connect(fd, address, length) == 0;
	socket_close(fd);
	return reachable;
}

static int
socket_set(int fd, int level, int option, int value)
{
	return socket_option_set(fd, level, option, &value, sizeof(value));
}

int
socket_nodelay(int fd)
{
	return socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

int
socket_nodelay_set(int fd, bool on)
{
	return socket_set(fd, IPPROTO_TCP, TCP_NODELAY, on);
}

int
socket_keepalive(int fd, unsigned idle_s, unsigned every_s, unsigned count)
{
	int r = socket_set(fd, SOL_SOCKET, SO_KEEPALIVE, idle_s != 0);

	if (r < 0 || idle_s == 0)
		return r;
	r = socket_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)idle_s);
	if (r == 0)
		r = socket_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)every_s);
	if (r == 0)
		r = socket_set(fd, IPPROTO_TCP, TCP_KEEPCNT, (int)count);
	return r;
}

int
socket_buffers(int fd, unsigned recv_bytes, unsigned send_bytes)
{
	int r = 0;

	if (recv_bytes != 0)
		r = socket_set(fd, SOL_SOCKET, SO_RCVBUF, (int)recv_bytes);
	if (r == 0 && send_bytes != 0)
		r = socket_set(fd, SOL_SOCKET, SO_SNDBUF, (int)send_bytes);
	return r;
}

int
socket_bind_source(int fd, const struct sockaddr *address, socklen_t length)
{
	int r = 0;

	if (address->sa_family != AF_UNIX)
		r = socket_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	return r == 0 ? socket_bind(fd, address, length) : r;
}

void
socket_cork(int fd, bool on)
{
	/* A socket that has no such thing sends as before. */
	(void)!socket_set(fd, IPPROTO_TCP, TCP_CORK, on);
}

int
socket_shutdown_write(int fd)
{
	return socket_shutdown(fd, SHUT_WR);
}

uint64_t
socket_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1024;
	return limit.rlim_cur;
}
