/*
 * admin_http.c - one connection of the admin plane, from its first byte
 *
 * A plain server: one request is read whole into the buffer, answered, and
 * what came behind it is moved to the front.
 */
#include "control/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "control/admin_guard.h"
#include "os/clock.h"
#include "os/log.h"

/* Guessing a token over loopback: five tries a second and connection. */
#define ADMIN_REFUSAL_PAUSE_MS 200
#define ADMIN_DRAIN_MS         500

static const struct http1_limits admin_limits = {
    .line_bytes = 4096,
    .head_bytes = ADMIN_HEAD_BYTES,
    .field_count = 64,
};

/* More bytes into the buffer. 0, -EPIPE at the end of the stream, -errno. */
static int
conn_fill(struct admin_conn *conn, instant deadline)
{
	ssize_t n = io_recv(&conn->io, conn->buffer + conn->have,
	    sizeof(conn->buffer) - conn->have, deadline);

	if (n == 0)
		return -EPIPE;
	if (n < 0)
		return (int)n;
	conn->have += (size_t)n;
	return 0;
}

/* Returns the length of the head. */
static ssize_t
conn_read_head(struct admin_conn *conn, instant *ret_deadline)
{
	struct http1_scan scan = {0};
	ssize_t n = -EAGAIN;
	int r = 0;

	if (conn->have == 0)
		r = conn_fill(
		    conn, instant_after(clock_now(), duration_s(ADMIN_IDLE_S)));
	*ret_deadline = instant_after(clock_now(), duration_s(ADMIN_HEAD_S));
	while (r == 0) {
		n = http1_parse_request(&scan, conn->buffer, conn->have,
		    &admin_limits, &conn->request);
		if (n != -EAGAIN)
			return n;
		if (conn->have == sizeof(conn->buffer))
			return E_H1_HEAD_TOO_LARGE;
		r = conn_fill(conn, *ret_deadline);
	}
	return r;
}

/* The body behind the head of @head_bytes. */
static int
conn_read_body(struct admin_conn *conn, size_t head_bytes, instant deadline)
{
	uint64_t length = conn->request.content_length;
	int r;

	if (conn->request.framing == HTTP_BODY_NONE)
		length = 0;
	else if (conn->request.framing != HTTP_BODY_LENGTH)
		return E_LENGTH_REQUIRED;
	if (length > ADMIN_BODY_BYTES ||
	    length > sizeof(conn->buffer) - head_bytes)
		return E_BODY_TOO_LARGE;
	if (conn->request.expect_continue && conn->have < head_bytes + length) {
		struct bytes go_on = BYTES("HTTP/1.1 100 Continue\r\n\r\n");
		ssize_t n =
		    io_send(&conn->io, go_on.at, go_on.length, NULL, deadline);

		if (n < 0)
			return (int)n;
	}
	while (conn->have < head_bytes + length) {
		r = conn_fill(conn, deadline);
		if (r < 0)
			return r;
	}
	conn->body = bytes_of(conn->buffer + head_bytes, length);
	return 0;
}

/* What the client still sends is read and thrown away, for a moment: a close
 * with unread bytes would reset the connection under our answer. */
static void
conn_drain(struct admin_conn *conn)
{
	instant end = instant_after(clock_now(), duration_ms(ADMIN_DRAIN_MS));
	ssize_t n;

	do
		n = io_recv(&conn->io, conn->buffer, sizeof(conn->buffer), end);
	while (n > 0 && instant_before(clock_now(), end));
	conn->have = 0;
}

/* Errors of a parser are answered; those of the connection end it. */
static int
conn_refuse_malformed(struct admin_conn *conn, int error)
{
	bool ours = error < -1000 || error == -ETIMEDOUT;
	int r;

	conn->close = true;
	if (!ours || (error == -ETIMEDOUT && conn->have == 0))
		return error;
	if (error == -ETIMEDOUT)
		error = E_TOO_SLOW;
	conn->request.version = 11;
	conn->request.method = HTTP_GET;
	r = admin_reply_error(conn, (unsigned)error_http_status(error),
	    bytes_from(error_text(error)),
	    "send HTTP/1.1 requests with a Content-Length of at most 4096",
	    bytes_of(NULL, 0));
	if (r == 0)
		conn_drain(conn);
	return r;
}

static int
conn_refuse(struct admin_conn *conn, unsigned status, const char *error,
    const char *remedy)
{
	int r = task_sleep(duration_ms(ADMIN_REFUSAL_PAUSE_MS));

	conn->close = true;
	log_warn("admin", "%s was refused: %s", conn->who, error);
	if (r < 0)
		return r;
	return admin_reply_error(
	    conn, status, bytes_from(error), remedy, bytes_of(NULL, 0));
}

static bool
conn_token_shown(const struct admin_conn *conn)
{
	const struct snapshot *snapshot = conn->callbacks->snapshot();

	return snapshot != NULL &&
	    guard_token_matches(snapshot->admin.token,
		http_head_get(&conn->request, FIELD_AUTHORIZATION));
}

/* Returns 1 when the request may go on; else it was answered (0 or error). */
static int
conn_guard(struct admin_conn *conn)
{
	const struct http_head *head = &conn->request;
	struct bytes origin = http_head_find(head, BYTES("Origin"));

	if (conn->loopback && !guard_host_is_loopback(head->host))
		return conn_refuse(conn, 403, "Host is no loopback name",
		    "ask for localhost, 127.0.0.1 or [::1]");
	if (origin.at != NULL && !guard_origin_is_ours(origin, head->authority))
		return conn_refuse(conn, 403, "Origin is another site",
		    "pages of other sites may not use the admin API");
	if (conn->loopback && !admin_path_is_public(head->path) &&
	    !conn_token_shown(conn))
		return conn_refuse(conn, 401, "token missing or wrong",
		    "send Authorization: Bearer with the admin.token of the "
		    "configuration");
	return 1;
}

static int
conn_serve_one(struct admin_conn *conn)
{
	instant deadline;
	ssize_t n = conn_read_head(conn, &deadline);
	size_t used;
	int r;

	if (n < 0)
		return conn_refuse_malformed(conn, (int)n);
	r = conn_read_body(conn, (size_t)n, deadline);
	if (r < 0)
		return conn_refuse_malformed(conn, r);
	conn->close = !conn->request.keep_alive;
	used = (size_t)n + conn->body.length;
	r = conn_guard(conn);
	if (r == 1)
		r = admin_dispatch(conn);
	conn->have -= used;
	memmove(conn->buffer, conn->buffer + used, conn->have);
	conn->body = bytes_of(NULL, 0);
	return r;
}

int
admin_conn_run(void *conn_take)
{
	struct admin_conn *conn = conn_take;
	int r;

	do
		r = conn_serve_one(conn);
	while (r == 0 && !conn->close);
	io_close(&conn->io);
	(*conn->open_count)--;
	free(conn);
	/* How one client ended is no failure of the plane. */
	return 0;
}
