/*
 * select.c - one waiter on many lists
 *
 * What only ends (a task, an event, a future) or only tells (a descriptor, the
 * time) is armed first and stays ready. Channels move items, so their locks
 * are taken all together, in the order of their addresses: either one of them
 * can go on now, or the waiter stands on all of them before anybody can see it
 * on one. After that whoever claims the waiter decides; we claim it ourselves
 * when anything else comes first.
 */
#include "runtime/select.h"

#include <errno.h>

#include "runtime/chan_inner.h"
#include "runtime/future_inner.h"
#include "runtime/io/call.h"
#include "runtime/worker.h"

union select_room {
	struct chan_wait chan;
	struct future_wait future;
	struct io_op op;
	struct task_waiter task;
};
_Static_assert(
    sizeof(union select_room) <= sizeof(((struct select_case *)NULL)->room),
    "room for what waits in a case");

struct select {
	struct select_case *cases;
	unsigned count;
	unsigned start; /* where the search begins */
	unsigned chan_count;
	bool outer; /* a descriptor may end it */
	bool open; /* threads of the program may */
	uint8_t chans[SELECT_CASES_MAX]; /* cases on channels, by address */
	struct waiter waiter;
	struct waiter *wake; /* of the other side, when none had to wait */
};

/* Where searches of this thread begin: a generator of Lehmer's kind. */
static __thread uint32_t select_seed;

static unsigned
select_any(unsigned count)
{
	select_seed = select_seed * 1664525 + 1013904223;
	return (unsigned)((uint64_t)select_seed * count >> 32);
}

static union select_room *
select_room(struct select_case *c)
{
	return (union select_room *)c->room;
}

static bool
select_on_chan(const struct select_case *c)
{
	return c->kind == SELECT_SEND || c->kind == SELECT_RECV;
}

/* ---- channels ---- */

static void
select_chan_insert(struct select *select, unsigned index)
{
	struct select_case *cases = select->cases;
	unsigned at = select->chan_count++;

	while (at > 0 &&
	    (uintptr_t)cases[select->chans[at - 1]].source >
		(uintptr_t)cases[index].source) {
		select->chans[at] = select->chans[at - 1];
		at--;
	}
	select->chans[at] = (uint8_t)index;
}

/* Each channel once, though several cases may be on it. */
static void
select_lock(struct select *select, void (*change)(struct chan *chan))
{
	struct chan *last = NULL;

	for (unsigned i = 0; i < select->chan_count; i++) {
		struct chan *chan = select->cases[select->chans[i]].source;

		if (chan != last)
			change(chan);
		last = chan;
	}
}

static bool
select_chan_try(struct select *select, struct select_case *c)
{
	int result;

	if (c->kind == SELECT_SEND)
		result = chan_put(c->source, c->item, &select->wake);
	else
		result = chan_get(c->source, c->item, &select->wake);
	if (result == -EAGAIN)
		return false;
	c->result = result;
	return true;
}

static void
select_chan_enqueue(struct select *select, unsigned index)
{
	struct select_case *c = &select->cases[index];
	struct chan_wait *wait = &select_room(c)->chan;
	struct chan *chan = c->source;

	*wait = (struct chan_wait){.waiter = &select->waiter,
	    .item = c->item,
	    .claim = (int32_t)index + 1};
	list_push_back(
	    c->kind == SELECT_SEND ? &chan->senders : &chan->receivers,
	    &wait->node);
}

/* ---- everything else ---- */

static void
select_io_arm(struct select_case *c)
{
	struct io_op *op = &select_room(c)->op;
	int result = io_wait_start(op, c->source, c->events);

	if (result == 0) {
		c->armed = true;
		result = worker_here->backend->submit(worker_here, op);
		if (result == 0)
			return;
		if (result > 0)
			result = (int)op->result;
	}
	c->ready = true;
	c->result = result;
}

static void
select_task_arm(struct select_case *c)
{
	struct task_waiter *waiter = &select_room(c)->task;
	struct task_handle *handle = c->source;

	misuse_unless(handle->worker == worker_here->index,
	    "weir_select() on a task of another worker");
	if (handle->ended) {
		c->ready = true;
		c->result = handle->result;
		return;
	}
	*waiter = (struct task_waiter){.task = task_self()};
	task_waiter_add(handle, waiter);
	c->armed = true;
}

static void
select_event_arm(struct select_case *c)
{
	struct event *event = c->source;

	misuse_unless(event->worker == worker_here->index,
	    "weir_select() on an event of another worker");
	event->waiter = worker_here->current;
	c->armed = true;
}

static void
select_future_arm(struct select *select, unsigned index)
{
	struct select_case *c = &select->cases[index];
	struct future_wait *wait = &select_room(c)->future;

	*wait = (struct future_wait){
	    .waiter = &select->waiter, .claim = (int32_t)index + 1};
	select->waiter.shared = true;
	c->armed = future_wait_add(c->source, wait);
	c->ready = !c->armed;
}

static int
select_arm(struct select *select, unsigned index)
{
	struct select_case *c = &select->cases[index];

	c->ready = c->armed = false;
	c->result = 0;
	switch (c->kind) {
	case SELECT_NEVER:
	case SELECT_TIME:
		break;
	case SELECT_SEND:
	case SELECT_RECV:
		chan_check_use(c->source, "weir_select");
		select->waiter.shared |= ((struct chan *)c->source)->shared;
		select->open |= ((struct chan *)c->source)->shared;
		select_chan_insert(select, index);
		break;
	case SELECT_IO:
		select->outer = true;
		select_io_arm(c);
		break;
	case SELECT_TASK:
		select_task_arm(c);
		break;
	case SELECT_EVENT:
		select->open = true;
		select_event_arm(c);
		break;
	case SELECT_FUTURE:
		select->open = true;
		select_future_arm(select, index);
		break;
	default:
		return -EINVAL;
	}
	return 0;
}

/* A submitted operation ends before its memory goes. */
static void
select_io_stop(struct io_op *op)
{
	if (!op->done)
		worker_here->backend->cancel(worker_here, op);
	while (!op->done)
		task_park_uncancellable("select end");
}

static void
select_disarm(struct select_case *c)
{
	if (!c->armed)
		return;
	switch (c->kind) {
	case SELECT_SEND:
	case SELECT_RECV:
		chan_lock(c->source);
		list_remove(&select_room(c)->chan.node);
		chan_unlock(c->source);
		break;
	case SELECT_IO:
		select_io_stop(&select_room(c)->op);
		io_wait_end(&select_room(c)->op);
		break;
	case SELECT_TASK:
		task_waiter_remove(&select_room(c)->task);
		break;
	case SELECT_EVENT:
		((struct event *)c->source)->waiter = NULL;
		break;
	default:
		future_wait_remove(c->source, &select_room(c)->future);
	}
}

/* Has a case come that no claim tells? */
static bool
select_came(struct select_case *c)
{
	struct io_op *op = &select_room(c)->op;

	switch (c->kind) {
	case SELECT_TIME:
		return !instant_before(worker_here->now, c->when);
	case SELECT_EVENT:
		return ((struct event *)c->source)->set;
	case SELECT_IO:
		if (!c->ready && op->done && op->result != -ECANCELED) {
			c->ready = true;
			c->result = (int)op->result;
		}
		return c->ready;
	case SELECT_TASK:
		if (!c->ready && select_room(c)->task.fired) {
			c->ready = true;
			c->result = select_room(c)->task.result;
		}
		return c->ready;
	default:
		return c->ready;
	}
}

static unsigned
select_nth(const struct select *select, unsigned n)
{
	unsigned index = select->start + n;

	return index < select->count ? index : index - select->count;
}

/* The first that can go on now, or -1; locked. */
static int
select_try(struct select *select)
{
	for (unsigned n = 0; n < select->count; n++) {
		unsigned i = select_nth(select, n);
		struct select_case *c = &select->cases[i];

		if (select_on_chan(c) ? select_chan_try(select, c)
				      : select_came(c))
			return (int)i;
	}
	return -1;
}

/* As select_try(), and if none can, the waiter stands at every channel. */
static int
select_try_or_enqueue(struct select *select)
{
	int index;

	select_lock(select, chan_lock);
	index = select_try(select);
	for (unsigned i = 0; i < select->chan_count && index < 0; i++) {
		select_chan_enqueue(select, select->chans[i]);
		select->cases[select->chans[i]].armed = true;
	}
	select_lock(select, chan_unlock);
	if (select->wake != NULL)
		waiter_wake(select->wake);
	return index;
}

static int
select_find_came(struct select *select)
{
	for (unsigned n = 0; n < select->count; n++) {
		unsigned i = select_nth(select, n);

		if (!select_on_chan(&select->cases[i]) &&
		    select_came(&select->cases[i]))
			return (int)i;
	}
	return -1;
}

static instant
select_until(const struct select *select, instant deadline)
{
	for (unsigned i = 0; i < select->count; i++) {
		if (select->cases[i].kind == SELECT_TIME)
			deadline =
			    instant_earlier(deadline, select->cases[i].when);
	}
	return deadline;
}

/* Ours if nobody has claimed it, else his whose message we wait for. */
static int
select_settle(struct select *select, int index)
{
	struct waiter *waiter = &select->waiter;
	int32_t claim;

	if (waiter_claim(waiter, WAITER_LEFT))
		return index;
	while (!waiter->woken)
		task_park_uncancellable("select");
	claim = atomic_load_explicit(&waiter->claim, memory_order_relaxed);
	return claim - 1;
}

/* By who can end it. */
static int
select_park_once(const struct select *select, instant until)
{
	if (select->outer)
		return task_park("select", until);
	return select->open ? task_park_open("select", until)
			    : task_park_inner("select", until);
}

static int
select_park(struct select *select, instant deadline)
{
	instant until = select_until(select, deadline);
	int index = -1, error = 0;

	/* A proactor knows only then whether a descriptor is ready now. */
	for (unsigned i = 0;
	     i < select->count && deadline.ns == INSTANT_PAST_NS; i++) {
		if (select->cases[i].kind == SELECT_IO &&
		    select->cases[i].armed)
			select_io_stop(&select_room(&select->cases[i])->op);
	}
	while (!select->waiter.woken && index < 0 && error == 0) {
		error = select_park_once(select, until);
		index = select_find_came(select);
	}
	return select_settle(select, index >= 0 ? index : error);
}

static void
select_take_result(struct select_case *c)
{
	if (c->kind == SELECT_FUTURE)
		c->result = future_result(c->source, NULL);
	else if (select_on_chan(c) && c->armed)
		c->result = select_room(c)->chan.result;
}

int
select_wait(struct select_case *cases, unsigned count, instant deadline)
{
	struct select select = {.cases = cases, .count = count};
	unsigned armed = 0;
	int index;

	(void)task_required("weir_select");
	if (count > SELECT_CASES_MAX)
		return -E2BIG;
	index = worker_op(worker_here) ? task_cancelled() : task_yield();
	if (index < 0)
		return index;
	select.start = select_any(count);
	waiter_init(&select.waiter, false);
	for (; armed < count && index == 0; armed++)
		index = select_arm(&select, armed);
	if (index == 0) {
		index = select_try_or_enqueue(&select);
		if (index < 0)
			index = select_park(&select, deadline);
		else
			(void)select_settle(&select, index);
	}
	for (unsigned i = 0; i < armed; i++)
		select_disarm(&cases[i]);
	if (index >= 0)
		select_take_result(&cases[index]);
	return index;
}
