#include "os/datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#include "os/socket_call.h"

static int
datagram_set(int fd, int level, int option, int value)
{
	return socket_option_set(fd, level, option, &value, sizeof(value));
}

int
datagram_broadcast(int fd)
{
	return datagram_set(fd, SOL_SOCKET, SO_BROADCAST, 1);
}

int
datagram_pktinfo(int fd, int family)
{
	return family == AF_INET6
	    ? datagram_set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
	    : datagram_set(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

int
datagram_gro(int fd)
{
	return datagram_set(fd, IPPROTO_UDP, UDP_GRO, 1);
}

int
datagram_dont_fragment(int fd, int family)
{
	return family == AF_INET6
	    ? datagram_set(
		  fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO)
	    : datagram_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
}

int
datagram_mtu(int fd, int family)
{
	socklen_t length = sizeof(int);
	int mtu, r;

	r = family == AF_INET6
	    ? socket_option_get(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &length)
	    : socket_option_get(fd, IPPROTO_IP, IP_MTU, &mtu, &length);
	return r < 0 ? r : mtu;
}

static int
datagram_level(int family)
{
	return family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
}

int
datagram_join(int fd, const struct sockaddr *group, socklen_t length,
    unsigned interface, bool join)
{
	struct group_req request = {.gr_interface = interface};

	if (length > sizeof(request.gr_group))
		return -EINVAL;
	memcpy(&request.gr_group, group, length);
	return socket_option_set(fd, datagram_level(group->sa_family),
	    join ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, &request,
	    sizeof(request));
}

static int
datagram_interface(int fd, int family, unsigned interface)
{
	struct ip_mreqn index = {.imr_ifindex = (int)interface};

	return family == AF_INET6
	    ? datagram_set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)interface)
	    : socket_option_set(
		  fd, IPPROTO_IP, IP_MULTICAST_IF, &index, sizeof(index));
}

int
datagram_multicast(int fd, int family, unsigned interface, int hops, bool loop)
{
	int level = datagram_level(family);
	int r = interface != 0 ? datagram_interface(fd, family, interface) : 0;

	if (r == 0 && hops >= 0)
		r = datagram_set(fd, level,
		    family == AF_INET6 ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL,
		    hops);
	if (r == 0)
		r = datagram_set(fd, level,
		    family == AF_INET6 ? IPV6_MULTICAST_LOOP
				       : IP_MULTICAST_LOOP,
		    loop);
	return r;
}

/* One by one, where the network is not the kernel's. */
static int
datagram_each(int fd, struct mmsghdr *messages, unsigned count, bool send)
{
	for (unsigned i = 0; i < count; i++) {
		ssize_t n = send ? socket_send(fd, &messages[i].msg_hdr, 0)
				 : socket_recv(fd, &messages[i].msg_hdr, 0);

		if (n < 0)
			return i == 0 ? (int)n : (int)i;
		messages[i].msg_len = (unsigned)n;
	}
	return (int)count;
}

int
datagram_recv_many(int fd, struct mmsghdr *messages, unsigned count)
{
	int n;

	if (socket_simulated(fd))
		return datagram_each(fd, messages, count, false);
	do {
		n = recvmmsg(
		    fd, messages, count, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int
datagram_send_many(int fd, struct mmsghdr *messages, unsigned count)
{
	int n;

	if (socket_simulated(fd))
		return datagram_each(fd, messages, count, true);
	do {
		n = sendmmsg(fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}
