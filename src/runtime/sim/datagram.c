/*
 * datagram.c - messages: UDP over links, Unix datagrams at once
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/sim/sim_inner.h"

#define DATAGRAM_BYTES_MAX 65507
#define DATAGRAM_UNIX_MAX  (208 << 10)
#define DATAGRAM_HEADERS   28
/* One that is overtaken comes so many times the latency later, at most. */
#define REORDER_FACTOR 4

struct datagram {
	struct list node; /* of a queue */
	struct sim_event arrival;
	struct sim_name from;
	struct sim_name to;
	uint64_t sender;
	size_t length;
	char bytes[];
};

void
sim_datagrams_free(struct sim_socket *s)
{
	struct list *node;

	while ((node = list_pop_front(&s->datagrams)) != NULL)
		free(container_of(node, struct datagram, node));
	s->datagram_bytes = 0;
}

static bool
datagram_room(const struct sim_socket *s)
{
	return s->datagram_bytes < s->in.receive_max;
}

static void
datagram_queue(struct sim_socket *s, struct datagram *take)
{
	list_push_back(&s->datagrams, &take->node);
	/* Empty ones count too. */
	s->datagram_bytes += take->length + 1;
	sim_trace("datagram", s->id, (int64_t)take->length, 0);
	sim_socket_tell(s, IO_IN);
}

/* ---- on the way ---- */

/* Still under way at the end. */
static void
datagram_drop(struct sim_event *event)
{
	free(container_of(event, struct datagram, arrival));
}

static struct datagram *
datagram_copy(const struct datagram *d)
{
	struct datagram *copy = malloc(sizeof(*d) + d->length);

	must(copy != NULL);
	memcpy(copy, d, sizeof(*d) + d->length);
	copy->arrival.place = 0;
	return copy;
}

/* A copy for each socket that listens to the group, or to the port. */
static void
datagram_spread(const struct datagram *d)
{
	struct in6_addr group = sim_datagram_host(&d->to);
	bool broadcast = sim_datagram_broadcast(&d->to);

	list_each (node, sim_sockets()) {
		struct sim_socket *s =
		    container_of(node, struct sim_socket, all);

		if (sim_datagram_fit(s, &d->from, &d->to) == 0 ||
		    !datagram_room(s) ||
		    (!broadcast && !sim_datagram_member(s, &group)))
			continue;
		datagram_queue(s, datagram_copy(d));
	}
}

/* Nobody is there: a sender that is connected hears of it. */
static void
datagram_unreachable(const struct datagram *d)
{
	list_each (node, sim_sockets()) {
		struct sim_socket *s =
		    container_of(node, struct sim_socket, all);

		if (s->id != d->sender || s->peer_name.length == 0)
			continue;
		s->error = ECONNREFUSED;
		sim_socket_tell(s, IO_IN | IO_OUT);
	}
}

static void
datagram_arrives(struct sim_event *event)
{
	struct datagram *d = container_of(event, struct datagram, arrival);
	struct sim_socket *s;

	if (sim_datagram_multicast(&d->to) || sim_datagram_broadcast(&d->to)) {
		datagram_spread(d);
		free(d);
		return;
	}
	s = sim_datagram_receiver(&d->from, &d->to);
	if (s != NULL && datagram_room(s)) {
		datagram_queue(s, d);
		return;
	}
	if (s == NULL)
		datagram_unreachable(d);
	sim_trace("dropped", d->sender, (int64_t)d->length, s != NULL);
	free(d);
}

static void
datagram_fly(struct sim_socket *s, struct datagram *take)
{
	const struct sim_link *link =
	    sim_link_between(&take->from.address.any, &take->to.address.any);
	duration after = {0};
	enum sim_fate fate = sim_packet(
	    link, take->length + DATAGRAM_HEADERS, &s->link_busy, &after);

	if (fate != SIM_ARRIVES) {
		free(take);
		return;
	}
	if (sim_fault(link->duplicate_ppm, "duplicated")) {
		struct datagram *copy = datagram_copy(take);

		sim_event_after(&copy->arrival,
		    duration_ns(after.ns +
			sim_between(0, link->latency.ns + SIM_TURN_NS)));
	}
	if (sim_fault(link->reorder_ppm, "overtaken"))
		after.ns += sim_between(link->latency.ns + SIM_TURN_NS,
		    REORDER_FACTOR * (link->latency.ns + SIM_TURN_NS));
	sim_event_after(&take->arrival, after);
}

/* ---- calls ---- */

static void
datagram_gather(char *into, const struct iovec *iov, size_t count, size_t skip,
    size_t length)
{
	for (size_t i = 0; i < count && length > 0; i++) {
		size_t bytes = iov[i].iov_len;

		if (skip >= bytes) {
			skip -= bytes;
			continue;
		}
		bytes = min_of(bytes - skip, length);
		memcpy(into, (char *)iov[i].iov_base + skip, bytes);
		into += bytes;
		length -= bytes;
		skip = 0;
	}
}

static struct datagram *
datagram_new(const struct sim_socket *s, const struct sim_name *to,
    const struct iovec *iov, size_t count, size_t skip, size_t length)
{
	struct datagram *d = malloc(sizeof(*d) + length);

	if (d == NULL)
		return NULL;
	*d = (struct datagram){
	    .arrival = {.run = datagram_arrives, .drop = datagram_drop},
	    .to = *to,
	    .sender = s->id,
	    .length = length};
	sim_name_source(s, to, &d->from);
	datagram_gather(d->bytes, iov, count, skip, length);
	return d;
}

static int
datagram_target(const struct sim_socket *s, const struct msghdr *message,
    struct sim_name *ret_to)
{
	socklen_t length;

	*ret_to = s->peer_name;
	if (message->msg_name != NULL && message->msg_namelen != 0) {
		const struct sockaddr *to = message->msg_name;

		length = sim_address_length(to, message->msg_namelen);
		if (length == 0 || to->sa_family != s->family)
			return -EINVAL;
		sim_name_set(ret_to, to, length);
		sim_name_target(ret_to);
	}
	if (ret_to->length == 0)
		return s->family == AF_UNIX ? -ENOTCONN : -EDESTADDRREQ;
	return sim_datagram_broadcast(ret_to) && !s->broadcast ? -EACCES : 0;
}

/* Of a message that is to be cut into several (UDP_SEGMENT); 0: it is not. */
static size_t
datagram_segment(const struct msghdr *message)
{
	struct msghdr *m = (struct msghdr *)message;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	     c = CMSG_NXTHDR(m, c)) {
		uint16_t bytes;

		if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_SEGMENT)
			continue;
		memcpy(&bytes, CMSG_DATA(c), sizeof(bytes));
		return bytes;
	}
	return 0;
}

static ssize_t
datagram_send_unix(struct sim_socket *s, const struct sim_name *to,
    const struct msghdr *message, size_t length)
{
	struct sim_socket *receiver = sim_datagram_receiver(&s->name, to);
	struct datagram *d;

	if (receiver == NULL)
		return -ECONNREFUSED;
	if (!datagram_room(receiver))
		return -EAGAIN;
	d = datagram_new(
	    s, to, message->msg_iov, message->msg_iovlen, 0, length);
	if (d == NULL)
		return -ENOMEM;
	datagram_queue(receiver, d);
	return (ssize_t)length;
}

static ssize_t
datagram_send_udp(struct sim_socket *s, const struct sim_name *to,
    const struct msghdr *message, size_t length)
{
	size_t segment = datagram_segment(message);
	size_t sent = 0;

	do {
		size_t bytes = length - sent;
		struct datagram *d;

		if (segment != 0)
			bytes = min_of(bytes, segment);
		d = datagram_new(
		    s, to, message->msg_iov, message->msg_iovlen, sent, bytes);
		if (d == NULL)
			return -ENOMEM;
		datagram_fly(s, d);
		sent += bytes;
	} while (sent < length);
	return (ssize_t)length;
}

ssize_t
sim_datagram_send(struct sim_socket *s, const struct msghdr *message)
{
	struct sim_name to;
	size_t length = 0;
	int r = datagram_target(s, message, &to);

	if (s->error != 0) {
		r = -s->error;
		s->error = 0;
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < message->msg_iovlen; i++)
		length += message->msg_iov[i].iov_len;
	if (length >
	    (s->family == AF_UNIX ? DATAGRAM_UNIX_MAX : DATAGRAM_BYTES_MAX))
		return -EMSGSIZE;
	sim_trace("send datagram", s->id, (int64_t)length, 0);
	if (s->family == AF_UNIX)
		return datagram_send_unix(s, &to, message, length);
	r = sim_socket_name_auto(s, &to);
	return r < 0 ? r : datagram_send_udp(s, &to, message, length);
}

/* Who could not send to a queue that was full tries again. */
static void
datagram_queue_moved(const struct sim_socket *s)
{
	if (s->family != AF_UNIX)
		return;
	list_each (node, sim_sockets()) {
		struct sim_socket *other =
		    container_of(node, struct sim_socket, all);

		if (other->family == AF_UNIX && other->type == SOCK_DGRAM)
			sim_socket_tell(other, IO_OUT);
	}
}

static size_t
datagram_scatter(const struct datagram *d, struct msghdr *message)
{
	size_t got = 0;

	for (size_t i = 0; i < message->msg_iovlen && got < d->length; i++) {
		size_t bytes =
		    min_of(message->msg_iov[i].iov_len, d->length - got);

		memcpy(message->msg_iov[i].iov_base, d->bytes + got, bytes);
		got += bytes;
	}
	return got;
}

ssize_t
sim_datagram_recv(struct sim_socket *s, struct msghdr *message, int flags)
{
	struct datagram *d;
	size_t got, length;

	if (s->error != 0) {
		int error = s->error;

		s->error = 0;
		return -error;
	}
	if (list_empty(&s->datagrams))
		return s->read_shut ? 0 : -EAGAIN;
	d = container_of(s->datagrams.next, struct datagram, node);
	got = datagram_scatter(d, message);
	length = d->length;
	message->msg_flags = got < length ? MSG_TRUNC : 0;
	message->msg_controllen = 0;
	sim_name_copy(&d->from, message->msg_name, &message->msg_namelen);
	if ((flags & MSG_PEEK) == 0) {
		list_remove(&d->node);
		s->datagram_bytes -= length + 1;
		free(d);
		sim_trace("receive datagram", s->id, (int64_t)length, 0);
		datagram_queue_moved(s);
	}
	return (ssize_t)((flags & MSG_TRUNC) != 0 ? length : got);
}

int
sim_datagram_connect(
    struct sim_socket *s, const struct sockaddr *address, socklen_t length)
{
	struct sim_name to;
	int r;

	if (length >= sizeof(sa_family_t) && address->sa_family == AF_UNSPEC) {
		s->peer_name.length = 0;
		s->state = SIM_NEW;
		return 0;
	}
	length = sim_address_length(address, length);
	if (length == 0 || address->sa_family != s->family)
		return -EINVAL;
	sim_name_set(&to, address, length);
	sim_name_target(&to);
	if (s->family == AF_UNIX &&
	    sim_datagram_receiver(&s->name, &to) == NULL)
		return -ECONNREFUSED;
	r = sim_socket_name_auto(s, &to);
	if (r < 0)
		return r;
	s->peer_name = to;
	s->state = SIM_CONNECTED;
	return 0;
}

unsigned
sim_datagram_events(const struct sim_socket *s)
{
	unsigned events = 0;

	if (!list_empty(&s->datagrams) || s->error != 0 || s->read_shut)
		events |= IO_IN;
	if (s->family == AF_UNIX && s->peer_name.length != 0) {
		const struct sim_socket *to =
		    sim_datagram_receiver(&s->name, &s->peer_name);

		return to == NULL || datagram_room(to) ? events | IO_OUT
						       : events;
	}
	return events | IO_OUT;
}
