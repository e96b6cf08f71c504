/*
 * public/transport_write.c - what a transport sends, and who is told
 *
 * Writers append to `waiting`; whoever sends takes all of it as `sending`, so
 * that bytes do not move while the kernel reads them. The first attempt is made
 * by the writer itself and does not wait; what is left is a task's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "public/transport.h"
#include "runtime/task.h"

#define OUTPUT_HIGH_DEFAULT 65536
#define OUTPUT_PIECE        ((size_t)65536) /* then who waits is looked at */

size_t
transport_high(const struct weir_transport *transport)
{
	size_t high = transport->protocol->output_high;

	return high != 0 ? high : OUTPUT_HIGH_DEFAULT;
}

size_t
transport_output(const struct weir_transport *transport)
{
	return transport->waiting.length + transport->sending.length -
	    transport->sent;
}

void
transport_output_free(struct weir_transport *transport)
{
	free(transport->waiting.bytes);
	free(transport->sending.bytes);
}

static int
output_append(struct output *output, const void *bytes, size_t length)
{
	size_t room = output->room != 0 ? output->room : 512;
	unsigned char *grown;

	while (room - output->length < length) {
		if (room > SIZE_MAX / 2)
			return -ENOMEM;
		room *= 2;
	}
	if (room != output->room) {
		grown = realloc(output->bytes, room);
		if (grown == NULL)
			return -ENOMEM;
		output->bytes = grown;
		output->room = room;
	}
	memcpy(output->bytes + output->length, bytes, length);
	output->length += length;
	return 0;
}

/* False: everything has been sent. An idle transport keeps no buffer. */
static bool
output_take(struct weir_transport *transport)
{
	if (transport->sent < transport->sending.length)
		return true;
	free(transport->sending.bytes);
	transport->sending = transport->waiting;
	transport->waiting = (struct output){0};
	transport->sent = 0;
	return transport->sending.length > 0;
}

static void
output_look(struct weir_transport *transport)
{
	if (transport->closing ||
	    ((transport->stalled || transport->refused) &&
		transport_output(transport) <= transport_high(transport) / 2))
		transport_look(transport);
}

static weir_time
output_deadline(int64_t within)
{
	if (within == 0)
		return WEIR_PAST;
	return within < 0 ? WEIR_NEVER : weir_after(within);
}

/* 0 when all is sent, or what weir_send() said. */
static ssize_t
output_send(struct weir_transport *transport, int64_t within)
{
	ssize_t result;
	size_t sent;

	while (!transport->dead && output_take(transport)) {
		result = weir_send(&transport->io,
		    transport->sending.bytes + transport->sent,
		    min_of(transport->sending.length - transport->sent,
			OUTPUT_PIECE),
		    &sent, output_deadline(within));
		transport->sent += sent;
		if (result == -ETIMEDOUT && within > 0 && sent > 0 &&
		    weir_stopped() == 0)
			continue; /* It takes some. */
		if (result < 0)
			return result;
		output_look(transport);
	}
	return 0;
}

static void
output_sent(struct weir_transport *transport)
{
	transport->writing = false;
	output_look(transport);
	transport_leave(transport);
}

static int
output_task(void *arg)
{
	struct weir_transport *transport = arg;
	int64_t within = transport->protocol->send_ns;
	ssize_t result = output_send(transport, within > 0 ? within : -1);

	if (result < 0)
		transport_kill(transport, (int)result);
	output_sent(transport);
	return 0;
}

static void
output_flush(struct weir_transport *transport)
{
	ssize_t result = -EAGAIN;
	int error;

	transport->writing = true;
	transport->busy++;
	if (task_self() != NULL)
		result = output_send(transport, 0);
	/* Not all at once, or the task that writes is being stopped, which is
	 * not the transport's matter. */
	if (result < 0 &&
	    (task_self() == NULL || result == -ETIMEDOUT ||
		weir_stopped() != 0)) {
		error = weir_task_start(&transport->group->scope,
		    "transport send", output_task, transport);
		if (error == 0)
			return;
		result = error;
	}
	if (result < 0)
		transport_kill(transport, (int)result);
	output_sent(transport);
}

/* Whether a write may be taken now; a refusal owes drained(). */
static int
output_admit(struct weir_transport *transport)
{
	if (transport->dead || transport->closing)
		return -EPIPE;
	if (transport_output(transport) <= transport_high(transport))
		return 0;
	transport->refused = true;
	return -EAGAIN;
}

int
weir_transport_write(
    struct weir_transport *transport, const void *bytes, size_t length)
{
	int error = output_admit(transport);

	if (error < 0)
		return error;
	error = output_append(&transport->waiting, bytes, length);
	if (error == 0 && !transport->writing)
		output_flush(transport);
	return error;
}

int
weir_transport_write_frame(
    struct weir_transport *transport, const void *data, size_t length)
{
	unsigned char head[WEIR_FRAME_HEAD_MAX];
	unsigned char tail[WEIR_FRAME_DELIMITER_MAX];
	size_t before = transport->waiting.length;
	size_t head_length, tail_length;
	int error;

	if (transport->protocol->framing == NULL)
		return -EINVAL;
	error = weir_frame_borders(transport->protocol->framing, length, head,
	    &head_length, tail, &tail_length);
	if (error == 0)
		error = output_admit(transport);
	if (error < 0)
		return error;
	error = output_append(&transport->waiting, head, head_length);
	if (error == 0)
		error = output_append(&transport->waiting, data, length);
	if (error == 0)
		error = output_append(&transport->waiting, tail, tail_length);
	if (error < 0)
		transport->waiting.length = before;
	else if (!transport->writing)
		output_flush(transport);
	return error;
}
