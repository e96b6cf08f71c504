/*
 * stream.c - connections: how they are made, and how they end
 *
 * A connection is two sockets that point at each other. One that was closed
 * stays, without a descriptor, until the other is closed too: its bytes still
 * have to arrive, and what comes for it is answered with a reset.
 */
#include <errno.h>
#include <stdlib.h>

#include "runtime/sim/sim_inner.h"

#define HANDSHAKE_BYTES   60
#define HANDSHAKE_RETRY   duration_s(1)
#define HANDSHAKE_RETRIES 6
#define BACKLOG_MAX       4096

int
sim_stream_listen(struct sim_socket *s, int backlog)
{
	if (s->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	if (s->state != SIM_NEW && s->state != SIM_LISTENING)
		return -EINVAL;
	if (s->name.length == 0)
		return -EDESTADDRREQ;
	s->state = SIM_LISTENING;
	backlog = max_of(backlog, 0);
	s->backlog_max = (unsigned)min_of(backlog, BACKLOG_MAX) + 1;
	sim_trace("listen", s->id, sim_port(&s->name.address.any), backlog);
	return 0;
}

/* One of those that share the address; the exact one before a wildcard. */
static struct sim_socket *
stream_listener(const struct sim_name *name)
{
	struct sim_socket *found = NULL;
	uint64_t same = 0;

	list_each (node, sim_sockets()) {
		struct sim_socket *s =
		    container_of(node, struct sim_socket, all);
		bool exact = !sim_name_any(&s->name.address.any);

		if (s->state != SIM_LISTENING || !sim_socket_named(s, name))
			continue;
		if (found == NULL ||
		    (exact && sim_name_any(&found->name.address.any))) {
			found = s;
			same = 1;
		} else if (exact != sim_name_any(&found->name.address.any) &&
		    sim_random(++same) == 0) {
			found = s;
		}
	}
	return found;
}

/* ---- connect ---- */

static void
stream_connect_failed(struct sim_socket *s, int error)
{
	s->state = SIM_NEW;
	s->error = error;
	sim_trace("connect failed", s->id, error, 0);
	sim_socket_tell(s, IO_IN | IO_OUT | IO_HUP);
}

/* A partner for @s, in the queue of @listener. 0, -EAGAIN: full, -ENOMEM. */
static int
stream_pair(struct sim_socket *s, struct sim_socket *listener)
{
	struct sim_socket *b;
	int error;

	if (listener->backlog_count >= listener->backlog_max)
		return -EAGAIN;
	b = sim_socket_new(s->family, SOCK_STREAM, false, &error);
	if (b == NULL)
		return error;
	b->accepted = true;
	b->name = s->peer_name;
	b->peer_name = s->name;
	b->state = s->state = SIM_CONNECTED;
	b->peer = s;
	s->peer = b;
	/* As the kernel's: buffer sizes are inherited. */
	b->in.receive_max = listener->in.receive_max;
	s->in.send_max = listener->out_max;
	b->in.send_max = s->out_max;
	b->out_max = listener->out_max;
	b->listener = listener;
	list_push_back(&listener->backlog, &b->in_backlog);
	listener->backlog_count++;
	sim_trace("connected", s->id, (int64_t)b->id, 0);
	sim_socket_tell(s, IO_OUT);
	sim_socket_tell(listener, IO_IN);
	return 0;
}

static void
stream_handshake(struct sim_socket *s)
{
	duration there = {0}, back = {0};
	enum sim_fate fate;
	instant busy = {INSTANT_PAST_NS};
	const struct sockaddr *from = &s->name.address.any;
	const struct sockaddr *to = &s->peer_name.address.any;

	fate = sim_packet(
	    sim_link_between(from, to), HANDSHAKE_BYTES, &busy, &there);
	if (fate == SIM_ARRIVES) {
		busy = instant_past();
		fate = sim_packet(
		    sim_link_between(to, from), HANDSHAKE_BYTES, &busy, &back);
		/* An answer has no sender that could be told. */
		if (fate == SIM_REFUSED)
			fate = SIM_LOST;
	}
	s->handshake_fate = (uint8_t)fate;
	if (fate == SIM_LOST)
		sim_event_after(&s->handshake,
		    duration_ns(HANDSHAKE_RETRY.ns << s->handshake_tries));
	else
		sim_event_after(&s->handshake, duration_ns(there.ns + back.ns));
}

static void
stream_handshake_again(struct sim_socket *s)
{
	if (s->handshake_tries++ == HANDSHAKE_RETRIES)
		stream_connect_failed(s, ETIMEDOUT);
	else
		stream_handshake(s);
}

void
sim_stream_handshake_run(struct sim_event *event)
{
	struct sim_socket *s =
	    container_of(event, struct sim_socket, handshake);
	struct sim_socket *listener;

	if (s->handshake_fate == SIM_LOST) {
		stream_handshake_again(s);
		return;
	}
	if (s->handshake_fate == SIM_REFUSED) {
		stream_connect_failed(s, EHOSTUNREACH);
		return;
	}
	listener = stream_listener(&s->peer_name);
	if (listener == NULL)
		stream_connect_failed(s, ECONNREFUSED);
	else if (stream_pair(s, listener) < 0)
		/* The kernel drops what its queue has no room for. */
		stream_handshake_again(s);
}

static int
stream_connect_unix(struct sim_socket *s)
{
	struct sim_socket *listener = stream_listener(&s->peer_name);

	return listener == NULL ? -ECONNREFUSED : stream_pair(s, listener);
}

static int
stream_connect_start(
    struct sim_socket *s, const struct sockaddr *address, socklen_t length)
{
	int r;

	length = sim_address_length(address, length);
	if (length == 0)
		return -EINVAL;
	if (address->sa_family != s->family)
		return -EAFNOSUPPORT;
	sim_name_set(&s->peer_name, address, length);
	sim_name_target(&s->peer_name);
	sim_trace("connect", s->id, sim_port(address), 0);
	if (s->family == AF_UNIX)
		return stream_connect_unix(s);
	r = sim_socket_name_auto(s, &s->peer_name);
	if (r < 0)
		return r;
	s->state = SIM_CONNECTING;
	s->handshake_tries = 0;
	stream_handshake(s);
	return -EINPROGRESS;
}

int
sim_stream_connect(
    struct sim_socket *s, const struct sockaddr *address, socklen_t length)
{
	int error = s->error;

	switch (s->state) {
	case SIM_CONNECTING:
		return -EALREADY;
	case SIM_LISTENING:
	case SIM_CONNECTED:
		return -EISCONN;
	case SIM_NEW:
		break;
	}
	if (error == 0)
		return stream_connect_start(s, address, length);
	s->error = 0;
	return -error;
}

int
sim_stream_accept(
    struct sim_socket *s, struct sockaddr *address, socklen_t *length)
{
	struct sim_socket *b;
	int fd;

	if (s->state != SIM_LISTENING)
		return -EINVAL;
	if (list_empty(&s->backlog))
		return -EAGAIN;
	b = container_of(s->backlog.next, struct sim_socket, in_backlog);
	fd = sim_socket_fd_give(b);
	if (fd < 0)
		return fd;
	list_remove(&b->in_backlog);
	s->backlog_count--;
	b->listener = NULL;
	sim_name_copy(&b->peer_name, address, length);
	sim_trace("accept", s->id, (int64_t)b->id, 0);
	return fd;
}

/* ---- ends ---- */

void
sim_stream_reset_arrives(struct sim_socket *s)
{
	if (s->reset)
		return;
	s->reset = true;
	s->error = ECONNRESET;
	if (s->peer != NULL)
		s->peer->in.unsent = 0;
	sim_trace("reset", s->id, 0, 0);
	sim_socket_tell(s, IO_IN | IO_OUT | IO_HUP);
}

/* In front of what has not left yet, behind what is under way. */
static void
stream_reset_send(struct sim_socket *to)
{
	sim_flow_unsent_drop(&to->in);
	sim_flow_reset(to);
}

void
sim_stream_break(struct sim_socket *s)
{
	s->reset = true;
	if (s->peer != NULL && !s->peer->user_closed)
		stream_reset_send(s->peer);
	sim_socket_tell(s, IO_IN | IO_OUT | IO_HUP);
}

int
sim_stream_shutdown(struct sim_socket *s, int how)
{
	if (s->state != SIM_CONNECTED || s->reset)
		return -ENOTCONN;
	if (how != SHUT_WR)
		s->read_shut = true;
	if (how != SHUT_WR)
		sim_socket_tell(s, IO_IN);
	if (how != SHUT_RD && s->peer != NULL) {
		s->peer->in.end_asked = true;
		sim_flow_transmit(s->peer);
	}
	sim_trace("shutdown", s->id, how, 0);
	return 0;
}

static void
stream_listener_close(struct sim_socket *s)
{
	struct list *node;

	while ((node = list_pop_front(&s->backlog)) != NULL) {
		struct sim_socket *b =
		    container_of(node, struct sim_socket, in_backlog);

		b->linger_reset = true;
		sim_socket_close(b);
	}
	sim_socket_free(s);
}

void
sim_stream_close(struct sim_socket *s)
{
	struct sim_socket *peer = s->peer;

	if (s->state == SIM_LISTENING) {
		stream_listener_close(s);
		return;
	}
	if (peer == NULL || peer->user_closed) {
		if (peer != NULL)
			sim_socket_free(peer);
		sim_socket_free(s);
		return;
	}
	s->user_closed = true;
	s->in.discards = true;
	if (s->reset)
		return;
	/* As TCP does: unread bytes were lost, and the peer is told so. */
	if (s->linger_reset || s->in.readable > 0) {
		stream_reset_send(peer);
		return;
	}
	peer->in.end_asked = true;
	sim_flow_transmit(peer);
}
