/*
 * flow.c - the bytes of a connection, in one direction
 *
 * They are kept by the socket they go to. A packet that is lost is not sent
 * again: it comes as late as if it had been, and everything behind it waits.
 * Only over a silent link a flow stands still and tries from time to time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/sim/sim_inner.h"

#define FLOW_RING_FIRST 4096
#define FLOW_BUFFER     (64 << 10)
#define FLOW_SEGMENT    1460
#define FLOW_HEADERS    40
#define FLOW_RETRY      duration_ms(200)
#define FLOW_RETRIES    9 /* doubled each time: 100 s */
#define FLOW_LOSSES_MAX 4 /* of one packet, in a row */

enum segment_kind { SEGMENT_DATA, SEGMENT_END, SEGMENT_RESET };

struct segment {
	struct list node;
	instant at;
	size_t bytes;
	enum segment_kind kind;
};

static size_t
flow_total(const struct sim_flow *flow)
{
	return flow->readable + flow->under_way + flow->unsent;
}

void
sim_flow_free(struct sim_flow *flow)
{
	struct list *node;

	while ((node = list_pop_front(&flow->segments)) != NULL)
		free(container_of(node, struct segment, node));
	sim_event_cancel(&flow->arrival);
	sim_event_cancel(&flow->retry);
	free(flow->ring);
	flow->ring = NULL;
}

/* ---- the ring ---- */

void
sim_flow_put(struct sim_flow *flow, const char *from, size_t length)
{
	size_t at = (flow->start + flow_total(flow)) & (flow->ring_bytes - 1);
	size_t first = min_of(length, flow->ring_bytes - at);

	memcpy(flow->ring + at, from, first);
	memcpy(flow->ring, from + first, length - first);
}

void
sim_flow_get(
    const struct sim_flow *flow, size_t offset, char *into, size_t length)
{
	size_t at = (flow->start + offset) & (flow->ring_bytes - 1);
	size_t first = min_of(length, flow->ring_bytes - at);

	memcpy(into, flow->ring + at, first);
	memcpy(into + first, flow->ring, length - first);
}

void
sim_flow_grow(struct sim_flow *flow, size_t more)
{
	size_t total = flow_total(flow);
	size_t bytes = max_of(flow->ring_bytes, (size_t)FLOW_RING_FIRST);
	char *ring;

	while (bytes < total + more)
		bytes *= 2;
	if (bytes == flow->ring_bytes)
		return;
	ring = malloc(bytes);
	must(ring != NULL);
	if (total > 0)
		sim_flow_get(flow, 0, ring, total);
	free(flow->ring);
	flow->ring = ring;
	flow->ring_bytes = bytes;
	flow->start = 0;
}

/* ---- under way ---- */

static void
flow_segment(
    struct sim_flow *flow, enum segment_kind kind, size_t bytes, instant at)
{
	struct segment *segment = malloc(sizeof(*segment));

	must(segment != NULL);
	*segment = (struct segment){.at = at, .bytes = bytes, .kind = kind};
	/* Nothing overtakes: what comes early waits behind those before it. */
	list_push_back(&flow->segments, &segment->node);
	if (flow->arrival.place == 0)
		sim_event_at(&flow->arrival, at);
}

static const struct sim_link *
flow_link(const struct sim_socket *to)
{
	return sim_link_between(
	    &to->peer_name.address.any, &to->name.address.any);
}

/* Over a link without any delay bytes are there when the call returns. */
static bool
flow_at_once(const struct sim_link *link)
{
	return link->latency.ns == 0 && link->jitter.ns == 0 &&
	    link->bytes_per_second == 0 && link->loss_ppm == 0 &&
	    link->state == SIM_UP;
}

/* When a packet that leaves now arrives; never: the link is silent. */
static instant
flow_arrival(struct sim_flow *flow, const struct sim_link *link, size_t bytes)
{
	duration after, waited = {0};

	for (unsigned losses = 0;; losses++) {
		enum sim_fate fate = sim_packet(
		    link, bytes + FLOW_HEADERS, &flow->link_busy, &after);

		if (fate == SIM_ARRIVES ||
		    (losses == FLOW_LOSSES_MAX && link->state == SIM_UP))
			break;
		if (link->state != SIM_UP)
			return instant_never();
		waited.ns += (FLOW_RETRY.ns << losses) + 2 * link->latency.ns;
	}
	return instant_after(sim_here.now, duration_ns(after.ns + waited.ns));
}

static void
flow_silent(struct sim_socket *to)
{
	struct sim_flow *flow = &to->in;

	struct sim_socket *from = to->peer;

	if (flow->retry.place != 0 || from->reset)
		return;
	if (flow->retries == FLOW_RETRIES) {
		from->error = ETIMEDOUT;
		from->reset = true;
		flow->unsent = 0;
		sim_trace("gave up", from->id, 0, 0);
		sim_socket_tell(from, IO_IN | IO_OUT | IO_HUP);
		return;
	}
	sim_event_after(
	    &flow->retry, duration_ns(FLOW_RETRY.ns << flow->retries++));
}

static size_t
flow_window(const struct sim_flow *flow)
{
	size_t held = flow->readable + flow->under_way;

	return held < flow->receive_max ? flow->receive_max - held : 0;
}

/* What the link and the window let go, in segments; false: silent. */
static bool
flow_transmit_bytes(struct sim_socket *to, const struct sim_link *link)
{
	struct sim_flow *flow = &to->in;
	size_t window;

	while (flow->unsent > 0 && (window = flow_window(flow)) > 0) {
		size_t bytes = min_of(flow->unsent, window);
		instant at;

		if (flow_at_once(link) && list_empty(&flow->segments)) {
			flow->readable += bytes;
			flow->unsent -= bytes;
			sim_socket_tell(to, IO_IN);
			sim_socket_tell(to->peer, IO_OUT);
			continue;
		}
		bytes = min_of(bytes, (size_t)FLOW_SEGMENT);
		at = flow_arrival(flow, link, bytes);
		if (instant_is_never(at))
			return false;
		flow->unsent -= bytes;
		flow->under_way += bytes;
		flow_segment(flow, SEGMENT_DATA, bytes, at);
	}
	return true;
}

void
sim_flow_transmit(struct sim_socket *to)
{
	struct sim_flow *flow = &to->in;
	const struct sim_link *link = flow_link(to);
	instant at;

	if (!flow_transmit_bytes(to, link)) {
		flow_silent(to);
		return;
	}
	flow->retries = 0;
	if (!flow->end_asked || flow->end_sent || flow->unsent > 0)
		return;
	at = flow_arrival(flow, link, 0);
	if (instant_is_never(at)) {
		flow_silent(to);
		return;
	}
	flow->end_sent = true;
	flow_segment(flow, SEGMENT_END, 0, at);
}

void
sim_flow_reset(struct sim_socket *to)
{
	const struct sim_link *link = flow_link(to);
	instant at = flow_arrival(&to->in, link, 0);

	/* Over a silent link it is lost, and the other side finds out when
	 * it sends. */
	if (!instant_is_never(at))
		flow_segment(&to->in, SEGMENT_RESET, 0, at);
}

void
sim_flow_unsent_drop(struct sim_flow *flow)
{
	flow->unsent = 0;
	flow->end_asked = false;
}

static void
flow_arrived(struct sim_socket *to, const struct segment *segment)
{
	struct sim_flow *flow = &to->in;

	sim_trace("arrives", to->id, segment->kind, (int64_t)segment->bytes);
	switch (segment->kind) {
	case SEGMENT_DATA:
		flow->under_way -= segment->bytes;
		flow->readable += segment->bytes;
		if (flow->discards) {
			flow->readable = 0;
			flow->start = 0;
			if (!to->peer->user_closed && !to->peer->reset)
				sim_flow_reset(to->peer);
			return;
		}
		break;
	case SEGMENT_END:
		flow->ended = true;
		sim_socket_tell(to, IO_IN | IO_HUP);
		return;
	case SEGMENT_RESET:
		if (!to->user_closed)
			sim_stream_reset_arrives(to);
		return;
	}
	sim_socket_tell(to, IO_IN);
	sim_socket_tell(to->peer, IO_OUT);
}

static void
flow_arrival_run(struct sim_event *event)
{
	struct sim_flow *flow = container_of(event, struct sim_flow, arrival);
	struct sim_socket *to = container_of(flow, struct sim_socket, in);

	while (!list_empty(&flow->segments)) {
		struct segment *segment =
		    container_of(flow->segments.next, struct segment, node);

		if (instant_before(sim_here.now, segment->at)) {
			sim_event_at(&flow->arrival, segment->at);
			return;
		}
		list_remove(&segment->node);
		flow_arrived(to, segment);
		free(segment);
	}
	sim_flow_transmit(to);
}

static void
flow_retry_run(struct sim_event *event)
{
	struct sim_flow *flow = container_of(event, struct sim_flow, retry);

	sim_flow_transmit(container_of(flow, struct sim_socket, in));
}

void
sim_flow_init(struct sim_flow *flow)
{
	list_init(&flow->segments);
	flow->receive_max = flow->send_max = FLOW_BUFFER;
	flow->link_busy = instant_past();
	flow->arrival.run = flow_arrival_run;
	flow->retry.run = flow_retry_run;
}
