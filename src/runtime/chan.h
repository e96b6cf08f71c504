/*
 * chan.h - bounded queue of items between tasks, closed by either side
 *
 * Layer      runtime
 * Threads    of one worker; or shared: any worker, and the try calls and
 *            chan_close() from any thread
 * Memory     one block: the channel and its capacity times the item; a task
 *            that waits lends its stack until its call returns
 * Cost       same worker: a copy, and a switch where a task waits, see
 *            docs/benchmarks.md; shared: a lock on top, and a message to the
 *            other worker if a task waits there
 * Limits     CHAN_BYTES_MAX of buffer. A task that never has to wait yields
 *            every CHAN_STREAK items.
 * Invariant  a receiver waits only while the channel is empty, a sender only
 *            while it is full; both queues are first come, first served.
 *            An item is delivered exactly once, or its send fails: when a
 *            cancel or a deadline meets a hand-off, the item counts as
 *            delivered, and the cancel waits for the next call.
 * Sources    Hoare, Communicating Sequential Processes, CACM 21(8) 1978
 *
 * A channel is counted: whoever uses it from another worker or thread holds a
 * reference of its own. It is freed with the last one, when nobody waits.
 */
#pragma once

#include "base/cc.h"
#include "base/time.h"

#define CHAN_BYTES_MAX (1u << 30)
#define CHAN_STREAK    256

enum chan_overflow {
	CHAN_WAIT, /* senders wait */
	CHAN_DROP_OLDEST, /* the item that waited longest gives way */
	CHAN_DROP_NEWEST, /* the item that is sent is dropped */
};

struct chan_options {
	uint32_t item_bytes; /* 0: only the fact counts */
	uint32_t capacity; /* items; 0: sender and receiver meet */
	enum chan_overflow overflow;
	bool shared;
};

struct chan;

/* With one reference. Returns 0, -ENOMEM, -EINVAL (too large, or dropping
 * without a capacity). A channel that is not shared belongs to this worker. */
MUST_CHECK int
chan_new(const struct chan_options *options, struct chan **ret_channel);
struct chan *chan_ref(struct chan *channel);
void chan_unref(struct chan *channel); /* NULL: nothing */

/*
 * chan_send - copy one item in
 *
 * Suspends   while the channel is full (CHAN_WAIT)
 * Returns    0; 1: an item was dropped (counted); -EPIPE: closed, also while
 *            it waited; -ETIMEDOUT; the cancel error
 * On error   nothing was sent
 */
SUSPENDS MUST_CHECK int
chan_send(struct chan *channel, const void *item, instant deadline);

/*
 * chan_recv - copy the next item out
 *
 * Suspends   while the channel is empty
 * Returns    0; -EPIPE: closed and drained; -ETIMEDOUT; the cancel error
 */
SUSPENDS MUST_CHECK int
chan_recv(struct chan *channel, void *item, instant deadline);

/* As above, but -EAGAIN where they would wait; not stopped by a cancel. */
MUST_CHECK int chan_try_send(struct chan *channel, const void *item);
MUST_CHECK int chan_try_recv(struct chan *channel, void *item);

/* No more is sent: senders get -EPIPE, those that wait too; receivers drain
 * what is there first. Once is enough, more is allowed. */
void chan_close(struct chan *channel);

uint32_t chan_length(struct chan *channel); /* items in the buffer */
uint64_t chan_dropped(struct chan *channel); /* since it was made */
