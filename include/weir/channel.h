/*
 * weir/channel.h - bounded queues of items between tasks
 *
 * Items have one size and are copied. With a capacity of 0 a sender and a
 * receiver meet. Senders and receivers that wait are served in the order in
 * which they came. An item is delivered once, or its send fails: when a task is
 * stopped just as its item is taken, the call succeeds and the next one fails.
 *
 * A channel is counted: whoever uses it from another worker or thread holds a
 * reference of its own.
 */
#ifndef WEIR_CHANNEL_H
#define WEIR_CHANNEL_H

#include <weir/api.h>
#include <weir/time.h>

WEIR_BEGIN

/* What a send does when the channel is full. */
enum weir_overflow {
	WEIR_OVERFLOW_WAIT, /* it waits */
	WEIR_OVERFLOW_DROP_OLDEST, /* the item that waited longest gives way */
	WEIR_OVERFLOW_DROP_NEWEST, /* the item that is sent is dropped */
};

struct weir_channel_options {
	uint32_t item_bytes; /* 0: only the fact counts */
	uint32_t capacity; /* items; 0: sender and receiver meet */
	enum weir_overflow overflow;
	/* Used by several workers, and by any thread with the try calls and
	 * weir_channel_close(). Else only by the worker that makes it: cheaper.
	 */
	bool shared;
	uint64_t reserved[4]; /* zero */
};

struct weir_channel;

/* With one reference. @options  NULL: all zero. Returns 0, -ENOMEM, -EINVAL
 * (more than 1 GiB of items, or dropping without a capacity). */
WEIR_API WEIR_MUST_CHECK int
weir_channel_new(const struct weir_channel_options *options,
    struct weir_channel **ret_channel);
/* One more reference, which is returned. */
WEIR_API struct weir_channel *weir_channel_ref(struct weir_channel *channel);
/* The last one frees the channel; nobody may wait on it then. NULL: nothing. */
WEIR_API void weir_channel_unref(struct weir_channel *channel);

/* Copy one item in. Suspends while the channel is full. Returns 0; 1 when an
 * item was dropped; -EPIPE (closed, also while it waited); -ETIMEDOUT; why the
 * task was stopped. After an error nothing was sent. */
WEIR_API WEIR_MUST_CHECK int weir_channel_send(
    struct weir_channel *channel, const void *item, weir_time deadline);
/* Copy the next item out. Suspends while the channel is empty. Returns 0;
 * -EPIPE (closed and drained); -ETIMEDOUT; why the task was stopped. */
WEIR_API WEIR_MUST_CHECK int
weir_channel_recv(struct weir_channel *channel, void *item, weir_time deadline);

/* The same without waiting: -EAGAIN where they would. Also outside tasks. */
WEIR_API WEIR_MUST_CHECK int
weir_channel_try_send(struct weir_channel *channel, const void *item);
WEIR_API WEIR_MUST_CHECK int
weir_channel_try_recv(struct weir_channel *channel, void *item);

/* Senders get -EPIPE from now on, those that wait too; receivers get what is
 * there first. Once is enough, more is allowed. */
WEIR_API void weir_channel_close(struct weir_channel *channel);

/* Items in the buffer; items dropped since it was made. */
WEIR_API uint32_t weir_channel_length(struct weir_channel *channel);
WEIR_API uint64_t weir_channel_dropped(struct weir_channel *channel);

WEIR_END

#endif
