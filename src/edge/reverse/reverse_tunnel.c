/*
 * reverse_tunnel.c - after 101 Switching Protocols: bytes both ways
 *
 * Two tasks, one per direction; a direction that is silent holds a task but
 * no buffer. The end of one side is passed on as a half-close; the tunnel ends
 * when both sides have ended, when one fails, or when nothing has moved either
 * way for tunnel_timeout.
 */
#include <errno.h>

#include "base/counters.h"
#include "base/error.h"
#include "edge/reverse/reverse_private.h"
#include "net/buffers.h"
#include "os/socket.h"
#include "runtime/runtime.h"

struct tunnel {
	duration timeout;
	instant moved; /* last, in either direction */
};

struct tunnel_side {
	struct tunnel *tunnel;
	struct io_fd *from, *to;
	uint64_t *bytes;
};

static int
tunnel_send(struct tunnel_side *side, struct bytes data)
{
	ssize_t n = 0;

	side->tunnel->moved = runtime_now();
	if (data.length != 0)
		n = io_send(side->to, data.at, data.length, NULL,
		    instant_after(runtime_now(), side->tunnel->timeout));
	*side->bytes += data.length;
	return n < 0 ? (int)n : 0;
}

/* Wait without a buffer. Silence here is no silence of the tunnel while the
 * other direction moves. */
static int
tunnel_wait(struct tunnel_side *side)
{
	struct tunnel *tunnel = side->tunnel;
	int r;

	do {
		r = io_wait(side->from, IO_IN,
		    instant_after(tunnel->moved, tunnel->timeout));
	} while (r == -ETIMEDOUT &&
	    instant_before(
		runtime_now(), instant_after(tunnel->moved, tunnel->timeout)));
	return r;
}

static int
tunnel_side_run(void *arg)
{
	struct tunnel_side *side = arg;
	char *buffer;
	ssize_t n;
	int r;

	for (;;) {
		r = tunnel_wait(side);
		if (r < 0)
			return r;
		buffer = buffer_acquire();
		if (buffer == NULL)
			return -ENOMEM;
		n = io_recv(side->from, buffer, BUFFER_BYTES,
		    instant_after(runtime_now(), side->tunnel->timeout));
		r = n > 0 ? tunnel_send(side, bytes_of(buffer, (size_t)n)) : 0;
		buffer_release(buffer);
		if (n == 0)
			return socket_shutdown_write(side->to->fd);
		if (n < 0 || r < 0)
			return n < 0 ? (int)n : r;
	}
}

/* A side that fails ends the other one, too: nobody could pass its end on. */
static int
tunnel_up_task(void *arg)
{
	struct tunnel_side *up = arg;
	int r = tunnel_side_run(up);

	if (r < 0)
		io_close(up->to);
	return r;
}

static int
tunnel_run(struct reverse *rv, struct io_fd *client, struct bytes early)
{
	struct exchange *ex = rv->ex;
	struct io_fd *server = &rv->attempt.conn->io;
	struct tunnel tunnel = {rv->config->tunnel_timeout, runtime_now()};
	struct tunnel_side up = {&tunnel, client, server, &ex->bytes_in};
	struct tunnel_side down = {&tunnel, server, client, &ex->bytes_out};
	struct scope scope;
	int r, other;

	r = tunnel_send(&up, early);
	if (r >= 0)
		r = tunnel_send(
		    &down, bytes_of(rv->buffer + rv->at, rv->end - rv->at));
	rv->at = rv->end;
	/* Both directions wait without it from here on. */
	buffer_release(rv->buffer);
	rv->buffer = NULL;
	if (r < 0)
		return r;
	scope_init(&scope, ex->deadline);
	r = task_start(&scope, "tunnel", tunnel_up_task, &up);
	if (r >= 0)
		r = tunnel_side_run(&down);
	/* A side that ended well lets the other one end by itself. */
	other = r >= 0 ? scope_wait(&scope) : 0;
	(void)scope_fini(&scope);
	return r < 0 ? r : other;
}

int
reverse_tunnel(struct reverse *rv)
{
	struct exchange *ex = rv->ex;
	struct bytes early;
	struct io_fd *client;
	int r;

	rv->keep = false;
	r = reverse_relay(rv);
	if (r < 0)
		return r;
	client = ex->ops->tunnel(ex, &early);
	counters_here->tunnels++;
	r = tunnel_run(rv, client, early);
	counters_here->tunnels--;
	/* However it ended, the exchange has been answered. */
	return r == -ECANCELED ? r : 0;
}
