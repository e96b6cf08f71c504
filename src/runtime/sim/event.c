#include <stdlib.h>

#include "runtime/sim/sim_inner.h"

static struct {
	struct sim_event **heap;
	size_t count;
	size_t capacity;
	uint64_t sequence;
} events;

static bool
event_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at.ns != b->at.ns ? a->at.ns < b->at.ns
				    : a->sequence < b->sequence;
}

static void
event_put(size_t at, struct sim_event *event)
{
	events.heap[at] = event;
	event->place = at + 1;
}

static void
event_up(size_t at, struct sim_event *event)
{
	while (at > 0) {
		size_t parent = (at - 1) / 2;

		if (!event_before(event, events.heap[parent]))
			break;
		event_put(at, events.heap[parent]);
		at = parent;
	}
	event_put(at, event);
}

static void
event_down(size_t at, struct sim_event *event)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= events.count)
			break;
		if (child + 1 < events.count &&
		    event_before(events.heap[child + 1], events.heap[child]))
			child++;
		if (!event_before(events.heap[child], event))
			break;
		event_put(at, events.heap[child]);
		at = child;
	}
	event_put(at, event);
}

void
sim_event_cancel(struct sim_event *event)
{
	size_t at = event->place;
	struct sim_event *last;

	if (at-- == 0)
		return;
	event->place = 0;
	last = events.heap[--events.count];
	if (last == event)
		return;
	if (at > 0 && event_before(last, events.heap[(at - 1) / 2]))
		event_up(at, last);
	else
		event_down(at, last);
}

void
sim_event_at(struct sim_event *event, instant at)
{
	sim_event_cancel(event);
	if (events.count == events.capacity) {
		size_t capacity = max_of(events.capacity * 2, (size_t)64);
		struct sim_event **heap =
		    realloc(events.heap, capacity * sizeof(struct sim_event *));

		must(heap != NULL);
		events.heap = heap;
		events.capacity = capacity;
	}
	event->at = at;
	event->sequence = events.sequence++;
	event_up(events.count++, event);
}

void
sim_event_after(struct sim_event *event, duration after)
{
	sim_event_at(event, instant_after(sim_here.now, after));
}

instant
sim_event_next(void)
{
	return events.count > 0 ? events.heap[0]->at : instant_never();
}

struct sim_event *
sim_event_due(instant now)
{
	struct sim_event *event = events.count > 0 ? events.heap[0] : NULL;

	if (event == NULL || instant_before(now, event->at))
		return NULL;
	sim_event_cancel(event);
	return event;
}

void
sim_events_free(void)
{
	while (events.count > 0) {
		struct sim_event *event = events.heap[--events.count];

		event->place = 0;
		if (event->drop != NULL)
			event->drop(event);
	}
	free(events.heap);
	events.heap = NULL;
	events.capacity = 0;
	events.sequence = 0;
}
