#include "net/udp.h"

#include <errno.h>
#include <netinet/udp.h>

#include "os/datagram.h"
#include "os/socket.h"
#include "runtime/runtime.h"

/* An address and a segment size; the kernel sends the address of the other
 * family's form for IPv4 on an IPv6 socket, which is smaller. */
#define UDP_CONTROL_BYTES                                                      \
	(CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)))

union udp_control {
	struct cmsghdr align;
	char bytes[UDP_CONTROL_BYTES];
};

static int
udp_set(int fd, int level, int option, int value)
{
	return socket_option_set(fd, level, option, &value, sizeof(value));
}

static int
udp_prepare(int fd, int family, const struct udp_options *options)
{
	int r = 0;

	if (options->reuse_address)
		r = udp_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0 && options->reuse_port)
		r = udp_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r == 0 && family == AF_INET6)
		r = udp_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->v6_only);
	if (r == 0 && options->broadcast)
		r = datagram_broadcast(fd);
	if (r == 0 && options->local_address)
		r = datagram_pktinfo(fd, family);
	if (r == 0 && options->join)
		r = datagram_gro(fd);
	if (r == 0 && options->dont_fragment)
		r = datagram_dont_fragment(fd, family);
	if (r == 0)
		r = socket_buffers(
		    fd, options->recv_bytes, options->send_bytes);
	return r;
}

int
udp_open(struct io_fd *io, const struct net_address *local,
    const struct udp_options *options)
{
	int family = local->any.sa_family;
	int fd, r;

	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	fd = socket_datagram(family);
	if (fd < 0)
		return fd;
	r = udp_prepare(fd, family, options);
	if (r == 0)
		r = socket_bind(fd, &local->any, local->length);
	if (r == 0)
		r = io_attach(io, fd);
	if (r < 0)
		socket_close(fd);
	return r;
}

int
udp_connect(struct io_fd *io, const struct net_address *peer)
{
	if (io->fd < 0)
		return -EBADF;
	return socket_connect(io->fd, &peer->any, peer->length);
}

static int
udp_family(const struct io_fd *io)
{
	struct net_address address = {.length = sizeof(address.storage)};
	int r = socket_name(io->fd, &address.any, &address.length);

	return r < 0 ? r : address.any.sa_family;
}

/* ---- from and to messages ---- */

static void
udp_recv_prepare(struct udp_datagram *datagram, struct iovec *part,
    union udp_control *control, struct msghdr *ret_message)
{
	*part = (struct iovec){datagram->at, datagram->length};
	*ret_message = (struct msghdr){
	    .msg_name = &datagram->peer.storage,
	    .msg_namelen = sizeof(datagram->peer.storage),
	    .msg_iov = part,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(*control),
	};
}

static void
udp_control_take(struct udp_datagram *datagram, struct cmsghdr *control)
{
	if (control->cmsg_level == IPPROTO_IP &&
	    control->cmsg_type == IP_PKTINFO) {
		struct in_pktinfo info;

		memcpy(&info, CMSG_DATA(control), sizeof(info));
		datagram->local =
		    net_address_ipv4((const uint8_t *)&info.ipi_addr, 0);
		datagram->interface = (unsigned)info.ipi_ifindex;
	} else if (control->cmsg_level == IPPROTO_IPV6 &&
	    control->cmsg_type == IPV6_PKTINFO) {
		struct in6_pktinfo info;

		memcpy(&info, CMSG_DATA(control), sizeof(info));
		datagram->local =
		    net_address_ipv6((const uint8_t *)&info.ipi6_addr, 0);
		datagram->interface = info.ipi6_ifindex;
	} else if (control->cmsg_level == IPPROTO_UDP &&
	    control->cmsg_type == UDP_GRO) {
		int segment;

		memcpy(&segment, CMSG_DATA(control), sizeof(segment));
		datagram->segment = (uint16_t)segment;
	}
}

static void
udp_recv_take(
    struct udp_datagram *datagram, struct msghdr *message, size_t length)
{
	datagram->length = length;
	datagram->peer.length = message->msg_namelen;
	datagram->truncated = (message->msg_flags & MSG_TRUNC) != 0;
	datagram->local.length = 0;
	datagram->interface = 0;
	datagram->segment = 0;
	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL;
	     control = CMSG_NXTHDR(message, control))
		udp_control_take(datagram, control);
	/* Of one datagram the kernel tells its own length. */
	if (datagram->segment >= length)
		datagram->segment = 0;
}

static size_t
udp_control_put(union udp_control *control, size_t at, int level, int type,
    const void *data, size_t length)
{
	struct cmsghdr header = {.cmsg_len = CMSG_LEN(length),
	    .cmsg_level = level,
	    .cmsg_type = type};

	must(at + CMSG_SPACE(length) <= sizeof(*control));
	memset(control->bytes + at, 0, CMSG_SPACE(length));
	memcpy(control->bytes + at, &header, sizeof(header));
	memcpy(control->bytes + at + CMSG_LEN(0), data, length);
	return at + CMSG_SPACE(length);
}

static size_t
udp_local_put(const struct udp_datagram *datagram, union udp_control *control)
{
	const struct net_address *local = &datagram->local;

	if (local->length != 0 && local->any.sa_family == AF_INET6) {
		struct in6_pktinfo info = {.ipi6_addr = local->in6.sin6_addr,
		    .ipi6_ifindex = datagram->interface};

		return udp_control_put(control, 0, IPPROTO_IPV6, IPV6_PKTINFO,
		    &info, sizeof(info));
	}
	if (local->length != 0) {
		struct in_pktinfo info = {.ipi_spec_dst = local->in.sin_addr,
		    .ipi_ifindex = (int)datagram->interface};

		return udp_control_put(
		    control, 0, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	}
	return 0;
}

static void
udp_send_prepare(const struct udp_datagram *datagram, struct iovec *part,
    union udp_control *control, struct msghdr *ret_message)
{
	size_t length = udp_local_put(datagram, control);
	uint16_t segment = datagram->segment;

	if (segment != 0)
		length = udp_control_put(control, length, IPPROTO_UDP,
		    UDP_SEGMENT, &segment, sizeof(segment));
	*part = (struct iovec){datagram->at, datagram->length};
	*ret_message = (struct msghdr){
	    .msg_name = datagram->peer.length != 0
		? (void *)&datagram->peer.storage
		: NULL,
	    .msg_namelen = datagram->peer.length,
	    .msg_iov = part,
	    .msg_iovlen = 1,
	    .msg_control = length != 0 ? control : NULL,
	    .msg_controllen = length,
	};
}

/* ---- one ---- */

ssize_t
udp_recv(struct io_fd *io, struct udp_datagram *datagram, instant deadline)
{
	union udp_control control;
	struct msghdr message;
	struct iovec part;
	ssize_t n;

	udp_recv_prepare(datagram, &part, &control, &message);
	n = io_recvmsg(io, &message, 0, deadline);
	if (n >= 0)
		udp_recv_take(datagram, &message, (size_t)n);
	return n;
}

int
udp_send(
    struct io_fd *io, const struct udp_datagram *datagram, instant deadline)
{
	union udp_control control;
	struct msghdr message;
	struct iovec part;
	ssize_t n;

	udp_send_prepare(datagram, &part, &control, &message);
	n = io_sendmsg(io, &message, 0, deadline);
	return n < 0 ? (int)n : 0;
}

/* ---- many ---- */

struct udp_batch {
	struct mmsghdr messages[UDP_BATCH_MAX];
	struct iovec parts[UDP_BATCH_MAX];
	union udp_control controls[UDP_BATCH_MAX];
};

/* What is there without waiting; how many, -EAGAIN, -errno. */
static int
udp_recv_ready(struct io_fd *io, struct udp_datagram *datagrams, unsigned count)
{
	struct udp_batch batch;
	int n;

	for (unsigned i = 0; i < count; i++)
		udp_recv_prepare(&datagrams[i], &batch.parts[i],
		    &batch.controls[i], &batch.messages[i].msg_hdr);
	n = datagram_recv_many(io->fd, batch.messages, count);
	for (int i = 0; i < n; i++)
		udp_recv_take(&datagrams[i], &batch.messages[i].msg_hdr,
		    batch.messages[i].msg_len);
	return n;
}

int
udp_recv_batch(struct io_fd *io, struct udp_datagram *datagrams, unsigned count,
    instant deadline)
{
	ssize_t first;
	int more;

	must(count >= 1);
	count = min_of(count, (unsigned)UDP_BATCH_MAX);
	/* Waits, counts and is stopped as every call; the rest is a bonus. */
	first = udp_recv(io, &datagrams[0], deadline);
	if (first < 0)
		return (int)first;
	if (count == 1 || io->fd < 0)
		return 1;
	more = udp_recv_ready(io, datagrams + 1, count - 1);
	/* An error of the socket is told by the next call. */
	return more < 0 ? 1 : 1 + more;
}

static int
udp_send_ready(
    struct io_fd *io, const struct udp_datagram *datagrams, unsigned count)
{
	struct udp_batch batch;

	for (unsigned i = 0; i < count; i++)
		udp_send_prepare(&datagrams[i], &batch.parts[i],
		    &batch.controls[i], &batch.messages[i].msg_hdr);
	return datagram_send_many(io->fd, batch.messages, count);
}

int
udp_send_batch(struct io_fd *io, const struct udp_datagram *datagrams,
    unsigned count, unsigned *ret_sent, instant deadline)
{
	unsigned sent = 0;
	int r = 0;

	while (sent < count && r >= 0) {
		/* The first of each round waits for room and notices a stop. */
		r = udp_send(io, &datagrams[sent], deadline);
		if (r < 0)
			break;
		sent++;
		if (sent == count)
			break;
		if (io->fd < 0) {
			r = -EBADF;
			break;
		}
		r = udp_send_ready(io, &datagrams[sent],
		    min_of(count - sent, (unsigned)UDP_BATCH_MAX));
		if (r > 0)
			sent += (unsigned)r;
		else if (r == -EAGAIN)
			r = 0;
	}
	if (ret_sent != NULL)
		*ret_sent = sent;
	return r < 0 ? r : 0;
}

/* ---- groups, paths ---- */

int
udp_join(struct io_fd *io, const struct net_address *group, unsigned interface)
{
	return datagram_join(
	    io->fd, &group->any, group->length, interface, true);
}

int
udp_leave(struct io_fd *io, const struct net_address *group, unsigned interface)
{
	return datagram_join(
	    io->fd, &group->any, group->length, interface, false);
}

int
udp_multicast(struct io_fd *io, unsigned interface, int hops, bool loop)
{
	int family = udp_family(io);

	return family < 0
	    ? family
	    : datagram_multicast(io->fd, family, interface, hops, loop);
}

int
udp_path_mtu(const struct io_fd *io)
{
	int family = udp_family(io);

	return family < 0 ? family : datagram_mtu(io->fd, family);
}
