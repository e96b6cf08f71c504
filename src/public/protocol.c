/*
 * public/protocol.c - <weir/protocol.h>: who reads, who is told, who closes
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/socket.h"
#include "public/frame.h"
#include "public/inner.h"
#include "public/transport.h"

#define BLOCK_BYTES       7168
#define INPUT_MAX_DEFAULT 65536
#define FRAMING_MAX       65536 /* where a framing says nothing */
/* Bytes come quickly, or the stack is given back. */
#define IDLE_WAIT    (2 * WEIR_MILLISECOND)
#define ACCEPT_PAUSE (100 * WEIR_MILLISECOND)
/* After our last byte the peer's are read away for so long: a close with bytes
 * unread would reset the connection, and ours could be lost. */
#define LINGER       WEIR_SECOND
#define LINGER_BYTES (1 << 20)

static void transport_ready(struct weir_io *io, unsigned events);

static void
transport_tell_lost(struct weir_transport *transport)
{
	if (transport->made && transport->protocol->lost != NULL)
		transport->protocol->lost(transport, transport->error);
	transport->made = false;
}

static void
transport_bury(struct weir_transport *transport)
{
	struct transport_group *group = transport->group;

	transport_tell_lost(transport);
	list_remove(&transport->of_group);
	group->count--;
	group->error = transport->error;
	if (group->waits) {
		group->waits = false;
		weir_event_set(&group->gone);
	}
	transport_output_free(transport);
	free(transport->input);
	free(transport);
}

void
transport_leave(struct weir_transport *transport)
{
	if (--transport->busy == 0 && transport->dead)
		transport_bury(transport);
}

void
transport_kill(struct weir_transport *transport, int error)
{
	if (transport->dead)
		return;
	transport->dead = true;
	transport->error = error;
	weir_timer_stop(&transport->idle);
	transport->busy++;
	weir_io_close(&transport->io);
	transport_leave(transport);
}

/* ---- what came ---- */

static size_t
transport_input_max(const struct weir_transport *transport)
{
	const struct weir_protocol *protocol = transport->protocol;

	if (protocol->framing != NULL)
		return (protocol->framing->max != 0 ? protocol->framing->max
						    : FRAMING_MAX) +
		    WEIR_FRAME_HEAD_MAX + WEIR_FRAME_DELIMITER_MAX;
	return protocol->input_max != 0 ? protocol->input_max
					: INPUT_MAX_DEFAULT;
}

/* Nothing may be delivered now. */
static bool
transport_held(const struct weir_transport *transport)
{
	return transport->dead || transport->closing || transport->paused ||
	    transport->refused ||
	    transport_output(transport) > transport_high(transport);
}

/* Cut and deliver frames. Returns the bytes they took, or an error. */
static ssize_t
take_frames(struct weir_transport *transport, const unsigned char *bytes,
    size_t length, size_t looked)
{
	const struct weir_protocol *protocol = transport->protocol;
	struct weir_frame frame;
	size_t taken = 0;
	ssize_t found;
	int error;

	for (;;) {
		if (transport_held(transport)) {
			transport->looked = 0;
			return (ssize_t)taken;
		}
		found = frame_find(protocol->framing, bytes + taken,
		    length - taken, looked, &frame);
		if (found < 0)
			return found;
		if (found == 0)
			break;
		looked = 0;
		taken += (size_t)found;
		error = protocol->frame(transport, &frame);
		if (error < 0)
			return error;
	}
	transport->looked = length - taken;
	return (ssize_t)taken;
}

static ssize_t
transport_take(
    struct weir_transport *transport, const unsigned char *bytes, size_t length)
{
	ssize_t taken;

	if (transport->protocol->framing != NULL)
		return take_frames(transport, bytes, length, transport->looked);
	taken = transport->protocol->data(transport, bytes, length);
	return taken <= (ssize_t)length ? taken : -EINVAL;
}

static int
input_reserve(struct weir_transport *transport, size_t length)
{
	unsigned char *grown;

	if (length <= transport->input_room)
		return 0;
	/* The first time what is needed, then so that bytes that come one by
	 * one are not copied each time. */
	length = max_of(length, 2 * transport->input_room);
	grown = realloc(transport->input, length);
	if (grown == NULL)
		return -ENOMEM;
	transport->input = grown;
	transport->input_room = length;
	return 0;
}

/* Keep the last @rest of @length bytes at @bytes for the next time. */
static int
input_keep(struct weir_transport *transport, const unsigned char *bytes,
    size_t length, size_t rest)
{
	int error;

	transport->unfinished = rest > 0 && transport_held(transport);
	/* What is held back is a block more at most: nothing is received
	 * until it was offered. */
	if (!transport->unfinished && rest > transport_input_max(transport))
		return -EMSGSIZE;
	if (rest == 0) {
		free(transport->input);
		transport->input = NULL;
		transport->input_room = 0;
	} else {
		error = input_reserve(transport, rest);
		if (error < 0)
			return error;
		memmove(transport->input, bytes + length - rest, rest);
	}
	transport->input_length = rest;
	return 0;
}

static int
transport_deliver(
    struct weir_transport *transport, const unsigned char *bytes, size_t length)
{
	ssize_t taken;
	int error;

	if (transport->input_length > 0) {
		error =
		    input_reserve(transport, transport->input_length + length);
		if (error < 0)
			return error;
		if (length > 0)
			memcpy(transport->input + transport->input_length,
			    bytes, length);
		bytes = transport->input;
		length += transport->input_length;
		transport->input_length = length;
	}
	taken = transport_take(transport, bytes, length);
	if (taken < 0)
		return (int)taken;
	return input_keep(transport, bytes, length, length - (size_t)taken);
}

static int
transport_ended(struct weir_transport *transport)
{
	transport->ended = true;
	if (transport->protocol->framing != NULL && transport->input_length > 0)
		return -EBADMSG;
	if (transport->protocol->end != NULL)
		transport->protocol->end(transport);
	else
		weir_transport_close(transport);
	return 0;
}

/* ---- the task that reads and calls ---- */

static void
transport_linger(struct weir_transport *transport)
{
	weir_time until = weir_after(LINGER);
	char block[BLOCK_BYTES];
	size_t total = 0;
	ssize_t length;

	if (transport->ended ||
	    socket_shutdown_write(weir_io_fd(&transport->io)) < 0)
		return;
	do {
		length = weir_recv(&transport->io, block, sizeof(block), until);
		total += length > 0 ? (size_t)length : 0;
	} while (length > 0 && total < LINGER_BYTES);
}

/* Call what is owed before the next bytes. */
static int
transport_tell(struct weir_transport *transport)
{
	if (!transport->made) {
		transport->made = true;
		if (transport->protocol->made != NULL)
			return transport->protocol->made(transport);
	} else if (transport->refused &&
	    transport_output(transport) <= transport_high(transport) / 2) {
		transport->refused = false;
		if (transport->protocol->drained != NULL)
			transport->protocol->drained(transport);
	} else if (transport->unfinished && !transport_held(transport)) {
		return transport_deliver(transport, NULL, 0);
	}
	return 0;
}

static bool
transport_owes(const struct weir_transport *transport)
{
	return !transport->made ||
	    (transport->refused &&
		transport_output(transport) <= transport_high(transport) / 2) ||
	    (transport->unfinished && !transport_held(transport));
}

/* One receive. False: nothing came, or nothing more will. */
static bool
transport_receive(struct weir_transport *transport)
{
	unsigned char block[BLOCK_BYTES];
	ssize_t length = weir_recv(
	    &transport->io, block, sizeof(block), weir_after(IDLE_WAIT));

	if (transport->dead)
		return false;
	if (length == -ETIMEDOUT && weir_stopped() == 0) {
		weir_io_watch(&transport->io, transport_ready);
		return false;
	}
	if (length > 0) {
		transport->heard = weir_now();
		length = transport_deliver(transport, block, (size_t)length);
	} else if (length == 0) {
		length = transport_ended(transport);
	}
	if (length < 0)
		transport_kill(transport, (int)length);
	return length >= 0;
}

static void
transport_read(struct weir_transport *transport)
{
	int error;

	while (!transport->dead) {
		if (!transport->closing && transport_owes(transport)) {
			error = transport_tell(transport);
			if (error < 0)
				transport_kill(transport, error);
		} else if (transport->closing) {
			if (transport->writing)
				return;
			transport_tell_lost(transport);
			transport_linger(transport);
			transport_kill(transport, 0);
		} else if (transport->ended || transport_held(transport)) {
			transport->stalled = !transport->paused;
			return;
		} else if (!transport_receive(transport) &&
		    !transport->closing && !transport_owes(transport)) {
			return;
		}
	}
}

static int
transport_task(void *arg)
{
	struct weir_transport *transport = arg;

	transport_read(transport);
	transport->reading = false;
	transport_leave(transport);
	return 0;
}

void
transport_look(struct weir_transport *transport)
{
	int error;

	if (transport->reading || transport->dead)
		return;
	transport->reading = true;
	transport->stalled = false;
	transport->busy++;
	weir_io_watch(&transport->io, NULL);
	error = weir_task_start(&transport->group->scope,
	    transport->protocol->name, transport_task, transport);
	if (error == 0)
		return;
	transport->reading = false;
	transport_kill(transport, error);
	transport_leave(transport);
}

static void
transport_ready(struct weir_io *io, unsigned events)
{
	(void)events;
	transport_look((struct weir_transport *)io);
}

static void
transport_idle(struct weir_timer *timer)
{
	struct weir_transport *transport =
	    container_of(timer, struct weir_transport, idle);
	weir_time until = transport->heard + transport->protocol->idle_ns;

	if (weir_now() < until)
		weir_timer_start(timer, until);
	else
		transport_kill(transport, -ETIMEDOUT);
}

static int
transport_new(struct transport_group *group, int fd,
    const struct weir_protocol *protocol, void *user)
{
	struct weir_transport *transport = calloc(1, sizeof(*transport));
	int error = -ENOMEM;

	if (transport != NULL)
		error = weir_io_attach(&transport->io, fd);
	if (error < 0) {
		free(transport);
		socket_close(fd);
		return error;
	}
	transport->protocol = protocol;
	transport->user = user;
	transport->group = group;
	transport->heard = weir_now();
	list_push_back(&group->transports, &transport->of_group);
	group->count++;
	weir_timer_init(&transport->idle, transport_idle);
	if (protocol->idle_ns > 0)
		weir_timer_start(
		    &transport->idle, transport->heard + protocol->idle_ns);
	transport_look(transport);
	return 0;
}

/* ---- calls of the user ---- */

void *
weir_transport_user(const struct weir_transport *transport)
{
	return transport->user;
}

void
weir_transport_user_set(struct weir_transport *transport, void *user)
{
	transport->user = user;
}

int
weir_transport_fd(const struct weir_transport *transport)
{
	return weir_io_fd(&transport->io);
}

void
weir_transport_pause(struct weir_transport *transport)
{
	transport->paused = true;
}

void
weir_transport_resume(struct weir_transport *transport)
{
	transport->paused = false;
	transport_look(transport);
}

void
weir_transport_close(struct weir_transport *transport)
{
	transport->closing = true;
	transport_look(transport);
}

void
weir_transport_abort(struct weir_transport *transport, int error)
{
	transport_kill(transport, error);
}

/* ---- groups ---- */

static void
group_init(struct transport_group *group)
{
	*group = (struct transport_group){0};
	list_init(&group->transports);
	weir_scope_init(&group->scope, WEIR_NEVER);
}

static void
group_end(struct transport_group *group, int error)
{
	/* A lost() may abort another transport: from the start each time. */
	while (!list_empty(&group->transports)) {
		struct weir_transport *transport = container_of(
		    group->transports.next, struct weir_transport, of_group);

		transport_kill(transport, error);
		if (!list_empty(&group->transports) &&
		    group->transports.next == &transport->of_group) {
			/* Busy: its task buries it. */
			group->waits = true;
			weir_event_init(&group->gone);
			weir_scope_cancel(&group->scope, error);
			event_wait_surely(inner_event(&group->gone));
		}
	}
	weir_scope_fini(&group->scope);
}

/* Suspends until a transport is gone. */
static int
group_wait(struct transport_group *group)
{
	int error;

	group->waits = true;
	weir_event_init(&group->gone);
	error = weir_event_wait(&group->gone, WEIR_NEVER);
	group->waits = false;
	return error;
}

int
weir_protocol_serve(struct weir_io *listener,
    const struct weir_protocol *protocol, void *user, unsigned connections_max)
{
	struct transport_group group;
	int error = 0;
	int fd;

	(void)task_required(__func__);
	group_init(&group);
	while (error == 0) {
		if (connections_max > 0 && group.count >= connections_max) {
			error = group_wait(&group);
			continue;
		}
		fd = weir_accept(listener, NULL, NULL, WEIR_NEVER);
		if (fd >= 0)
			/* No memory for one: it is closed, others go on. */
			(void)transport_new(&group, fd, protocol, user);
		else if (fd == -EMFILE || fd == -ENFILE)
			error = weir_sleep(ACCEPT_PAUSE);
		else if (fd != -ECONNABORTED)
			error = fd;
	}
	group_end(&group, -ECANCELED);
	return error;
}

int
weir_protocol_run(int fd, const struct weir_protocol *protocol, void *user)
{
	struct transport_group group;
	int error;

	(void)task_required(__func__);
	group_init(&group);
	error = transport_new(&group, fd, protocol, user);
	if (error == 0) {
		while (error == 0 && group.count > 0)
			error = group_wait(&group);
		if (error < 0)
			group_end(&group, error);
		else
			weir_scope_fini(&group.scope);
		return group.error;
	}
	weir_scope_fini(&group.scope);
	return error;
}
