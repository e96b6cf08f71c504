/*
 * stream_io.c - sends to and receives from connections
 */
#include <errno.h>

#include "runtime/sim/sim_inner.h"

size_t
sim_stream_room(const struct sim_socket *s)
{
	const struct sim_flow *flow = &s->peer->in;
	size_t held = flow->unsent + flow->under_way;

	return held < flow->send_max ? flow->send_max - held : 0;
}

/* An error is told once; what happens then is what the state says. */
static int
stream_error_take(struct sim_socket *s)
{
	int error = s->error;

	s->error = 0;
	return -error;
}

static bool
stream_write_shut(const struct sim_socket *s)
{
	return s->reset || s->peer == NULL || s->peer->in.end_asked;
}

static ssize_t
stream_copy_in(
    struct sim_flow *flow, const struct iovec *iov, size_t count, size_t room)
{
	size_t sent = 0;

	sim_flow_grow(flow, room);
	for (size_t i = 0; i < count && sent < room; i++) {
		size_t bytes = min_of(iov[i].iov_len, room - sent);

		if (bytes == 0)
			continue;
		sim_flow_put(flow, iov[i].iov_base, bytes);
		flow->unsent += bytes;
		sent += bytes;
	}
	return (ssize_t)sent;
}

static size_t
stream_iov_bytes(const struct iovec *iov, size_t count)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

/* The peer is gone: the bytes leave, and a reset comes back. */
static ssize_t
stream_send_in_vain(struct sim_socket *s, size_t bytes)
{
	sim_flow_reset(s);
	return (ssize_t)bytes;
}

ssize_t
sim_stream_send(
    struct sim_socket *s, const struct iovec *iov, size_t count, bool whole)
{
	size_t bytes = stream_iov_bytes(iov, count);
	ssize_t sent;

	if (s->error != 0)
		return stream_error_take(s);
	if (s->state == SIM_CONNECTING)
		return -EAGAIN;
	if (s->state != SIM_CONNECTED || stream_write_shut(s))
		return -EPIPE;
	if (bytes == 0)
		return 0;
	if (sim_stream_room(s) == 0)
		return -EAGAIN;
	if (!whole && sim_fault(sim_here.options.faults.reset_ppm, "break")) {
		sim_stream_break(s);
		return -ECONNRESET;
	}
	bytes = min_of(bytes, sim_stream_room(s));
	if (!whole &&
	    sim_fault(sim_here.options.faults.short_ppm, "short send"))
		bytes = (size_t)sim_between(1, (int64_t)bytes);
	if (s->peer->in.discards)
		return stream_send_in_vain(s, bytes);
	sent = stream_copy_in(&s->peer->in, iov, count, bytes);
	sim_trace("send", s->id, sent, 0);
	sim_flow_transmit(s->peer);
	return sent;
}

static size_t
stream_copy_out(const struct sim_flow *flow, const struct iovec *iov,
    size_t count, size_t max)
{
	size_t got = 0;

	for (size_t i = 0; i < count && got < max; i++) {
		size_t bytes = min_of(iov[i].iov_len, max - got);

		sim_flow_get(flow, got, iov[i].iov_base, bytes);
		got += bytes;
	}
	return got;
}

/* There is room again: the sender hears of it when the news has arrived. */
static void
stream_consumed(struct sim_socket *s, size_t bytes)
{
	struct sim_flow *flow = &s->in;
	const struct sim_link *back;

	flow->readable -= bytes;
	flow->start = (flow->start + bytes) & (flow->ring_bytes - 1);
	if (flow->unsent == 0 || flow->retry.place != 0)
		return;
	back =
	    sim_link_between(&s->name.address.any, &s->peer_name.address.any);
	sim_event_after(&flow->retry, back->latency);
}

ssize_t
sim_stream_recv(
    struct sim_socket *s, const struct iovec *iov, size_t count, int flags)
{
	size_t max = s->in.readable;

	if (s->state == SIM_LISTENING || s->state == SIM_NEW)
		return s->error != 0 ? stream_error_take(s) : -ENOTCONN;
	if (max == 0 && s->error != 0)
		return stream_error_take(s);
	if (max == 0)
		return s->reset || s->in.ended || s->read_shut ? 0 : -EAGAIN;
	if (sim_fault(sim_here.options.faults.reset_ppm, "break")) {
		sim_stream_break(s);
		return -ECONNRESET;
	}
	if (sim_fault(sim_here.options.faults.short_ppm, "short receive"))
		max = (size_t)sim_between(1, (int64_t)max);
	max = stream_copy_out(&s->in, iov, count, max);
	if ((flags & MSG_PEEK) == 0) {
		sim_trace("receive", s->id, (int64_t)max, 0);
		stream_consumed(s, max);
	}
	return (ssize_t)max;
}

void
sim_stream_take(struct sim_socket *s, size_t bytes)
{
	sim_trace("receive", s->id, (int64_t)bytes, 0);
	stream_consumed(s, bytes);
}

unsigned
sim_stream_events(const struct sim_socket *s)
{
	unsigned events = 0;

	switch (s->state) {
	case SIM_LISTENING:
		return list_empty(&s->backlog) ? 0 : IO_IN;
	case SIM_CONNECTING:
		return 0;
	case SIM_NEW:
		return s->error != 0 ? IO_IN | IO_OUT | IO_HUP : 0;
	case SIM_CONNECTED:
		break;
	}
	if (s->reset || s->error != 0)
		return IO_IN | IO_OUT | IO_HUP;
	if (s->in.readable > 0 || s->in.ended || s->read_shut)
		events |= IO_IN;
	if (s->in.ended)
		events |= IO_HUP;
	if (stream_write_shut(s) || sim_stream_room(s) > 0)
		events |= IO_OUT;
	return events;
}
