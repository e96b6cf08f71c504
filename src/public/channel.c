/*
 * public/channel.c - <weir/channel.h> over the runtime
 */
#include <weir/channel.h>

#include "public/inner.h"
#include "runtime/chan.h"

_Static_assert((int)WEIR_OVERFLOW_DROP_OLDEST == (int)CHAN_DROP_OLDEST &&
	(int)WEIR_OVERFLOW_DROP_NEWEST == (int)CHAN_DROP_NEWEST,
    "");

int
weir_channel_new(const struct weir_channel_options *options,
    struct weir_channel **ret_channel)
{
	struct chan_options inner = {.item_bytes = 0};

	if (options != NULL)
		inner = (struct chan_options){.item_bytes = options->item_bytes,
		    .capacity = options->capacity,
		    .overflow = (enum chan_overflow)options->overflow,
		    .shared = options->shared};
	return chan_new(&inner, (struct chan **)ret_channel);
}

struct weir_channel *
weir_channel_ref(struct weir_channel *channel)
{
	chan_ref(inner_channel(channel));
	return channel;
}

void
weir_channel_unref(struct weir_channel *channel)
{
	chan_unref(inner_channel(channel));
}

int
weir_channel_send(
    struct weir_channel *channel, const void *item, weir_time deadline)
{
	return chan_send(inner_channel(channel), item, inner_time(deadline));
}

int
weir_channel_recv(struct weir_channel *channel, void *item, weir_time deadline)
{
	return chan_recv(inner_channel(channel), item, inner_time(deadline));
}

int
weir_channel_try_send(struct weir_channel *channel, const void *item)
{
	return chan_try_send(inner_channel(channel), item);
}

int
weir_channel_try_recv(struct weir_channel *channel, void *item)
{
	return chan_try_recv(inner_channel(channel), item);
}

void
weir_channel_close(struct weir_channel *channel)
{
	chan_close(inner_channel(channel));
}

uint32_t
weir_channel_length(struct weir_channel *channel)
{
	return chan_length(inner_channel(channel));
}

uint64_t
weir_channel_dropped(struct weir_channel *channel)
{
	return chan_dropped(inner_channel(channel));
}
