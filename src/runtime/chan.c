/*
 * chan.c - hand-off, buffer, and the queues of those that wait
 *
 * Whoever completes another's call copies its item under the lock, claims its
 * waiter (which may stand on the lists of other channels: select) and wakes it
 * after the unlock, so that a task that was woken may free the channel.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/chan_inner.h"
#include "runtime/misuse.h"
#include "runtime/worker.h"

int
chan_new(const struct chan_options *options, struct chan **ret_channel)
{
	uint64_t bytes = (uint64_t)options->item_bytes * options->capacity;
	pthread_mutexattr_t kind;
	struct chan *channel;

	misuse_unless(options->shared || worker_here != NULL,
	    "weir_channel_new(): a channel that is not shared is made by a "
	    "worker, inside weir_run()");
	if (bytes > CHAN_BYTES_MAX || options->item_bytes > CHAN_BYTES_MAX ||
	    (unsigned)options->overflow > CHAN_DROP_NEWEST ||
	    (options->overflow != CHAN_WAIT && options->capacity == 0))
		return -EINVAL;
	channel = malloc(sizeof(*channel) + bytes);
	if (channel == NULL)
		return -ENOMEM;
	*channel = (struct chan){.item_bytes = options->item_bytes,
	    .capacity = options->capacity,
	    .worker = worker_self(),
	    .overflow = (uint8_t)options->overflow,
	    .shared = options->shared,
	    .refs = 1};
	list_init(&channel->senders);
	list_init(&channel->receivers);
	pthread_mutexattr_init(&kind);
	pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&channel->lock, &kind);
	pthread_mutexattr_destroy(&kind);
	*ret_channel = channel;
	return 0;
}

struct chan *
chan_ref(struct chan *channel)
{
	atomic_fetch_add_explicit(&channel->refs, 1, memory_order_relaxed);
	return channel;
}

void
chan_unref(struct chan *channel)
{
	if (channel == NULL ||
	    atomic_fetch_sub_explicit(
		&channel->refs, 1, memory_order_acq_rel) != 1)
		return;
	misuse_unless(
	    list_empty(&channel->senders) && list_empty(&channel->receivers),
	    "weir_channel_unref(): a channel is freed while a task waits on "
	    "it: close it first");
	pthread_mutex_destroy(&channel->lock);
	free(channel);
}

void
chan_check_use(const struct chan *channel, const char *function)
{
	if (likely(channel->shared ||
		(worker_here != NULL && worker_here->index == channel->worker)))
		return;
	misuse("%s(): a channel that is not shared belongs to the worker that "
	       "made it: make it shared",
	    function);
}

/* Constant sizes become a load and a store. */
static inline void
chan_copy(const struct chan *channel, void *to, const void *from)
{
	switch (channel->item_bytes) {
	case 0:
		break;
	case 4:
		memcpy(to, from, 4);
		break;
	case 8:
		memcpy(to, from, 8);
		break;
	case 16:
		memcpy(to, from, 16);
		break;
	default:
		memcpy(to, from, channel->item_bytes);
	}
}

/* The first of @queue that nothing else has completed; its result is 0. */
static inline struct chan_wait *
chan_claim(struct list *queue)
{
	while (unlikely(!list_empty(queue))) {
		struct chan_wait *wait =
		    container_of(queue->next, struct chan_wait, node);

		list_remove(&wait->node);
		if (waiter_claim(wait->waiter, wait->claim))
			return wait;
	}
	return NULL;
}

static char *
chan_slot(struct chan *channel, uint32_t index)
{
	if (index >= channel->capacity)
		index -= channel->capacity;
	return channel->items + (size_t)index * channel->item_bytes;
}

static void
chan_push(struct chan *channel, const void *item)
{
	chan_copy(
	    channel, chan_slot(channel, channel->head + channel->length), item);
	channel->length++;
}

static void
chan_drop_first(struct chan *channel)
{
	channel->length--;
	if (++channel->head == channel->capacity)
		channel->head = 0;
}

static int
chan_put_full(struct chan *channel, const void *item)
{
	if (channel->overflow == CHAN_WAIT)
		return -EAGAIN;
	channel->dropped++;
	if (channel->overflow == CHAN_DROP_OLDEST) {
		chan_drop_first(channel);
		chan_push(channel, item);
	}
	return 1;
}

static inline __attribute__((always_inline)) int
chan_put_now(struct chan *channel, const void *item, struct waiter **ret_wake)
{
	struct chan_wait *receiver;

	*ret_wake = NULL;
	if (unlikely(channel->closed))
		return -EPIPE;
	receiver = chan_claim(&channel->receivers);
	if (receiver != NULL) {
		chan_copy(channel, receiver->item, item);
		*ret_wake = receiver->waiter;
		return 0;
	}
	if (channel->length == channel->capacity)
		return chan_put_full(channel, item);
	chan_push(channel, item);
	return 0;
}

static inline __attribute__((always_inline)) int
chan_get_now(struct chan *channel, void *item, struct waiter **ret_wake)
{
	struct chan_wait *sender;

	*ret_wake = NULL;
	if (channel->length > 0) {
		chan_copy(channel, item, chan_slot(channel, channel->head));
		chan_drop_first(channel);
		sender = chan_claim(&channel->senders);
		if (sender != NULL) {
			chan_push(channel, sender->item);
			*ret_wake = sender->waiter;
		}
		return 0;
	}
	sender = chan_claim(&channel->senders);
	if (sender != NULL) {
		chan_copy(channel, item, sender->item);
		*ret_wake = sender->waiter;
		return 0;
	}
	return channel->closed ? -EPIPE : -EAGAIN;
}

int
chan_put(struct chan *channel, const void *item, struct waiter **ret_wake)
{
	return chan_put_now(channel, item, ret_wake);
}

int
chan_get(struct chan *channel, void *item, struct waiter **ret_wake)
{
	return chan_get_now(channel, item, ret_wake);
}

/* Locked; unlocks. Waits in @queue for somebody who completes the call. One
 * function for both directions: see park.h. */
static NOINLINE int
chan_wait(struct chan *channel, struct list *queue, void *item,
    const char *reason, instant deadline)
{
	struct waiter waiter;
	struct chan_wait wait = {
	    .waiter = &waiter, .item = item, .claim = 1, .result = 0};
	int error;

	waiter_init(&waiter, channel->shared);
	list_push_back(queue, &wait.node);
	chan_unlock(channel);
	error = waiter_wait(&waiter, reason, deadline);
	if (likely(error == 0))
		return wait.result;
	chan_lock(channel);
	list_remove(&wait.node);
	chan_unlock(channel);
	return error;
}

void
chan_recv_surely(struct chan *channel, void *item)
{
	struct waiter waiter, *wake;
	struct chan_wait wait = {.waiter = &waiter, .item = item, .claim = 1};
	int result;

	chan_lock(channel);
	result = chan_get_now(channel, item, &wake);
	waiter_init(&waiter, channel->shared);
	if (result == -EAGAIN)
		list_push_back(&channel->receivers, &wait.node);
	chan_unlock(channel);
	if (wake != NULL)
		waiter_wake(wake);
	while (result == -EAGAIN && !waiter.woken)
		task_park_uncancellable("channel recv");
}

/* Before a call that may wait. */
static inline int
chan_call_start(struct chan *channel, const char *function)
{
	struct worker *worker = worker_here;

	if (unlikely(worker == NULL || worker->current == NULL))
		misuse("%s() may wait and is called outside a task: use the "
		       "try call",
		    function);
	if (unlikely(!channel->shared && channel->worker != worker->index))
		chan_check_use(channel, function);
	return task_stop_error(worker->current, worker->now);
}

/* Locked; of a call that did not wait. Unlocks. */
static inline int
chan_call_end(struct chan *channel, struct waiter *wake, int result)
{
	bool streak = ++channel->streak % CHAN_STREAK == 0;

	chan_unlock(channel);
	if (wake != NULL)
		waiter_wake(wake);
	/* A stop is the next call's: this one has moved its item. */
	if (unlikely(streak))
		(void)task_yield();
	return result;
}

int
chan_send(struct chan *channel, const void *item, instant deadline)
{
	struct waiter *wake;
	int result = chan_call_start(channel, "weir_channel_send");

	if (unlikely(result < 0))
		return result;
	chan_lock(channel);
	result = chan_put_now(channel, item, &wake);
	if (result == -EAGAIN)
		return chan_wait(channel, &channel->senders, (void *)item,
		    "channel send", deadline);
	return chan_call_end(channel, wake, result);
}

int
chan_recv(struct chan *channel, void *item, instant deadline)
{
	struct waiter *wake;
	int result = chan_call_start(channel, "weir_channel_recv");

	if (unlikely(result < 0))
		return result;
	chan_lock(channel);
	result = chan_get_now(channel, item, &wake);
	if (result == -EAGAIN)
		return chan_wait(channel, &channel->receivers, item,
		    channel->shared ? "channel recv" : shrink_recv, deadline);
	return chan_call_end(channel, wake, result);
}

int
chan_try_send(struct chan *channel, const void *item)
{
	struct waiter *wake;
	int result;

	chan_check_use(channel, "weir_channel_try_send");
	chan_lock(channel);
	result = chan_put_now(channel, item, &wake);
	chan_unlock(channel);
	if (wake != NULL)
		waiter_wake(wake);
	return result;
}

int
chan_try_recv(struct chan *channel, void *item)
{
	struct waiter *wake;
	int result;

	chan_check_use(channel, "weir_channel_try_recv");
	chan_lock(channel);
	result = chan_get_now(channel, item, &wake);
	chan_unlock(channel);
	if (wake != NULL)
		waiter_wake(wake);
	return result;
}

static void
chan_fail_all(struct list *queue, struct waiters *wakes)
{
	struct chan_wait *wait;

	while ((wait = chan_claim(queue)) != NULL) {
		wait->result = -EPIPE;
		waiters_add(wakes, wait->waiter);
	}
}

void
chan_close(struct chan *channel)
{
	struct waiters wakes;

	chan_check_use(channel, "weir_channel_close");
	waiters_init(&wakes);
	chan_lock(channel);
	channel->closed = true;
	chan_fail_all(&channel->receivers, &wakes);
	chan_fail_all(&channel->senders, &wakes);
	chan_unlock(channel);
	waiters_wake(&wakes);
}

uint32_t
chan_length(struct chan *channel)
{
	uint32_t length;

	chan_lock(channel);
	length = channel->length;
	chan_unlock(channel);
	return length;
}

uint64_t
chan_dropped(struct chan *channel)
{
	uint64_t dropped;

	chan_lock(channel);
	dropped = channel->dropped;
	chan_unlock(channel);
	return dropped;
}
