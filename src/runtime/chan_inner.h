/*
 * chan_inner.h - what a channel is made of, for chan.c and select.c
 *
 * Layer      runtime, inside only
 */
#pragma once

#include <pthread.h>

#include "base/list.h"
#include "runtime/chan.h"
#include "runtime/waiter.h"

struct chan {
	struct list senders; /* struct chan_wait */
	struct list receivers;
	uint32_t item_bytes;
	uint32_t capacity;
	uint32_t head; /* of the oldest item */
	uint32_t length;
	uint32_t streak; /* calls that did not wait */
	uint32_t worker; /* of a channel that is not shared */
	uint8_t overflow;
	bool shared;
	bool closed;
	_Atomic uint32_t refs;
	uint64_t dropped;
	pthread_mutex_t lock; /* shared only; never held across a switch */
	_Alignas(16) char items[];
};

/* A waiter's place in one queue of one channel. */
struct chan_wait {
	struct list node;
	struct waiter *waiter;
	void *item; /* to read from or to write to */
	int32_t claim; /* to claim the waiter with */
	int result; /* once claimed with that */
};

void chan_check_use(const struct chan *channel, const char *function);

static inline void
chan_lock(struct chan *channel)
{
	if (channel->shared)
		pthread_mutex_lock(&channel->lock);
}

static inline void
chan_unlock(struct chan *channel)
{
	if (channel->shared)
		pthread_mutex_unlock(&channel->lock);
}

/* Locked. As the try calls; *@ret_wake: to be woken after the unlock. */
int chan_put(struct chan *channel, const void *item, struct waiter **ret_wake);
int chan_get(struct chan *channel, void *item, struct waiter **ret_wake);

/* Waits for what is known to be coming; cannot be cancelled. */
SUSPENDS void chan_recv_surely(struct chan *channel, void *item);
