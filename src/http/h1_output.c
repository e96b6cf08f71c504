/*
 * h1_output.c - answers onto an HTTP/1.1 connection
 *
 * The framing of an answer is decided once, when its head is sent, and owed
 * from then on: out_left counts a known length down, and an exchange that
 * ends owing bytes closes its connection.
 */
#include <errno.h>
#include <string.h>

#include "base/counters.h"
#include "base/error.h"
#include "http/session.h"
#include "net/buffers.h"
#include "os/socket.h"
#include "runtime/runtime.h"

/* 16 digits and CRLF. */
#define H1_CHUNK_LINE_BYTES 18

/* ---- sending with patience ---- */

static instant
h1_send_deadline(const struct session *s)
{
	return session_patience(&s->rate_out, s->ex.limits->send_timeout);
}

static int
h1_send_gone(struct session *s, ssize_t error)
{
	s->keep = false;
	if (error == -ECANCELED)
		return -ECANCELED;
	s->ex.client_gone = true;
	return E_CLIENT_GONE;
}

static int
h1_send_too_slow(struct session *s, uint64_t *counter)
{
	++*counter;
	s->keep = false;
	s->ex.client_gone = true;
	return E_TOO_SLOW;
}

/*
 * What the client has taken since a send timed out before. A socket tells of
 * room only when a third of its buffer is free, which is megabytes, and takes
 * a slow client longer than its patience: so the kernel is asked. The first
 * time nothing is known to compare with, and that is to the client's good.
 */
static uint64_t
h1_client_took(struct session *s)
{
	int before = s->out_queued;
	int now = socket_queued(s->conn->io.fd);

	s->out_queued = now;
	if (before < 0 || now < 0)
		return now < 0 ? 0 : UINT64_MAX;
	return now < before ? (uint64_t)(before - now) : 0;
}

/* After a send that moved @sent bytes: is the client fast enough? */
static int
h1_send_account(struct session *s, instant began, size_t sent, ssize_t result)
{
	duration waited = instant_since(runtime_now(), began);
	uint64_t took = sent;

	counters_here->bytes_sent += sent;
	if (sent != 0)
		s->out_queued = -1;
	else if (result == -ETIMEDOUT)
		took = h1_client_took(s);
	if (!rate_meter_add(&s->rate_out, took, waited))
		return h1_send_too_slow(s, &counters_here->timeouts_rate);
	/* A time-out within which something moved is only a slow client. */
	if (result == -ETIMEDOUT)
		return took != 0
		    ? 0
		    : h1_send_too_slow(s, &counters_here->timeouts_send);
	return result < 0 ? h1_send_gone(s, result) : 0;
}

/* @flags: 0, or MSG_MORE when more is sent at once. */
static int
h1_sendv(struct session *s, struct iovec *iov, int count, int flags)
{
	while (count > 0) {
		struct iovec copy[3];
		instant began = runtime_now();
		size_t sent = 0;
		ssize_t n;
		int r;

		must(count <= 3);
		memcpy(copy, iov, (size_t)count * sizeof(*iov));
		if (count == 1 && flags == 0)
			n = io_send(&s->conn->io, iov->iov_base, iov->iov_len,
			    &sent, h1_send_deadline(s));
		else
			n = io_sendv(&s->conn->io, copy, count, flags, &sent,
			    h1_send_deadline(s));
		if (n >= 0)
			sent = (size_t)n;
		r = h1_send_account(s, began, sent, n);
		if (r < 0)
			return r;
		io_iov_skip(&iov, &count, sent);
	}
	return 0;
}

static int
h1_send(struct session *s, struct bytes data)
{
	struct iovec iov = {(void *)(uintptr_t)data.at, data.length};

	return data.length == 0 ? 0 : h1_sendv(s, &iov, 1, 0);
}

/* ---- heads ---- */

static void
h1_count_status(unsigned status)
{
	switch (status / 100) {
	case 1:
		counters_here->responses_1xx++;
		break;
	case 2:
		counters_here->responses_2xx++;
		break;
	case 3:
		counters_here->responses_3xx++;
		break;
	case 4:
		counters_here->responses_4xx++;
		break;
	default:
		counters_here->responses_5xx++;
	}
}

/* What the head promises about the body, from here on owed. */
static void
h1_output_begin(struct session *s, const struct http_head *head)
{
	struct exchange *ex = &s->ex;

	s->bodiless_out = ex->request.method == HTTP_HEAD ||
	    head->status < 200 || head->status == 204 || head->status == 304;
	s->chunked_out = head->framing == HTTP_BODY_CHUNKED;
	s->out_length_known = head->framing == HTTP_BODY_LENGTH;
	s->out_left =
	    s->out_length_known && !s->bodiless_out ? head->content_length : 0;
	if (head->framing == HTTP_BODY_UNTIL_CLOSE)
		s->keep = false;
	ex->status = head->status;
	ex->head_sent = true;
	ex->timeline.head_sent = runtime_now();
	h1_count_status(head->status);
}

static int
h1_owe(struct session *s, uint64_t bytes)
{
	if (!s->out_length_known)
		return 0;
	/* More than was promised would be read as the next answer. */
	if (bytes > s->out_left) {
		s->keep = false;
		return E_UPSTREAM_BROKEN;
	}
	s->out_left -= bytes;
	return 0;
}

static int
h1_send_head_and(
    struct session *s, struct appender *a, struct bytes body, bool last)
{
	struct iovec iov[3];
	char size_line[24];
	struct appender size = appender_over(size_line, sizeof(size_line));
	bool chunk = s->chunked_out && body.length != 0;

	/* One segment for the head and the first bytes of its body, which are
	 * sent next. */
	if (s->ex.body_at_hand && s->out_left != 0 && body.length == 0) {
		iov[0] = (struct iovec){a->at, a->length};
		return h1_sendv(s, iov, 1, MSG_MORE);
	}
	if (chunk)
		http1_write_chunk_start(a, body.length);
	if (body.length <= SESSION_JOIN_BYTES &&
	    appender_room(a) >= body.length + 16) {
		append_bytes(a, body);
		if (chunk)
			http1_write_chunk_end(a);
		if (s->chunked_out && last)
			http1_write_last_chunk(a, NULL);
		return h1_send(s, appender_bytes(a));
	}
	if (chunk)
		http1_write_chunk_end(&size);
	if (s->chunked_out && last)
		http1_write_last_chunk(&size, NULL);
	iov[0] = (struct iovec){a->at, a->length};
	iov[1] = (struct iovec){(void *)(uintptr_t)body.at, body.length};
	iov[2] = (struct iovec){size.at, size.length};
	return h1_sendv(s, iov, size.length != 0 ? 3 : 2, 0);
}

/* The head, written to @out, and as much of @body as belongs behind it. */
static int
h1_send_head_from(struct session *s, char *out, struct http_head *head,
    struct bytes body, bool last)
{
	struct exchange *ex = &s->ex;
	struct appender a = appender_over(out, BUFFER_BYTES);
	int r;

	http1_write_response(&a, head);
	/* The size of a first chunk goes behind it. */
	if (a.overflowed || appender_room(&a) < H1_CHUNK_LINE_BYTES)
		return E_HEAD_TOO_LARGE;
	h1_output_begin(s, head);
	if (s->bodiless_out)
		return h1_send(s, appender_bytes(&a));
	r = h1_owe(s, body.length);
	if (r < 0)
		return r;
	ex->bytes_out += body.length;
	return h1_send_head_and(s, &a, body, last);
}

static int
h1_send_head(struct exchange *ex, const struct http_head *head,
    struct bytes body, bool last)
{
	struct session *s = session_of(ex);
	struct http_head *own = (struct http_head *)(uintptr_t)head;
	char *out = buffer_acquire();
	int r;

	must(!ex->head_sent);
	if (out == NULL)
		return -ENOMEM;
	/* A body nobody will read through stands between us and the next
	 * request; what is left of a small one is read at the end. */
	if (!ex->body_ended &&
	    (s->continue_due || s->body_left > SESSION_DISCARD_BYTES))
		s->keep = false;
	if (head->framing == HTTP_BODY_UNTIL_CLOSE || conn_leaving(s->conn))
		s->keep = false;
	own->keep_alive = s->keep;
	own->version = ex->request.version;
	own->upgrade = head->status == 101;
	r = h1_send_head_from(s, out, own, body, last);
	buffer_release(out);
	return r;
}

static int
h1_send_interim(struct exchange *ex, const struct http_head *head)
{
	struct session *s = session_of(ex);
	struct http_head *own = (struct http_head *)(uintptr_t)head;
	struct appender a;
	char *out;
	int r = E_HEAD_TOO_LARGE;

	if (ex->request.version < 11)
		return 0; /* RFC 9110 §15.2 */
	out = buffer_acquire();
	if (out == NULL)
		return -ENOMEM;
	own->keep_alive = true;
	own->version = 11;
	own->upgrade = false;
	own->framing = HTTP_BODY_NONE;
	a = appender_over(out, BUFFER_BYTES);
	http1_write_response(&a, own);
	if (!a.overflowed) {
		h1_count_status(head->status);
		r = h1_send(s, appender_bytes(&a));
	}
	buffer_release(out);
	return r;
}

/* ---- bodies ---- */

static int
h1_send_chunk(struct session *s, struct bytes data)
{
	char line[24];
	struct appender a = appender_over(line, sizeof(line));
	struct iovec iov[3];

	http1_write_chunk_start(&a, data.length);
	iov[0] = (struct iovec){a.at, a.length};
	iov[1] = (struct iovec){(void *)(uintptr_t)data.at, data.length};
	iov[2] = (struct iovec){(char *)"\r\n", 2};
	return h1_sendv(s, iov, 3, 0);
}

static int
h1_send_body(struct exchange *ex, struct bytes data)
{
	struct session *s = session_of(ex);
	int r;

	must(ex->head_sent);
	if (s->bodiless_out || data.length == 0)
		return 0;
	r = h1_owe(s, data.length);
	if (r < 0)
		return r;
	ex->bytes_out += data.length;
	return s->chunked_out ? h1_send_chunk(s, data) : h1_send(s, data);
}

/* One megabyte at a time: the deadline is for progress. */
#define SEND_FILE_STEP ((uint64_t)1 << 20)

static int
h1_send_file_step(struct session *s, int file, off_t *offset, uint64_t *length)
{
	size_t step = (size_t)min_of(*length, SEND_FILE_STEP);
	instant began = runtime_now();
	off_t before = *offset;
	ssize_t n;
	size_t sent;

	n = io_sendfile(&s->conn->io, file, offset, step, h1_send_deadline(s));
	sent = (size_t)(*offset - before);
	/* The file shrank: what was promised cannot be sent. */
	if (n >= 0 && sent < step)
		n = -EIO;
	s->ex.bytes_out += sent;
	*length -= sent;
	return h1_send_account(s, began, sent, n);
}

static int
h1_send_file(struct exchange *ex, int file, off_t offset, uint64_t length)
{
	struct session *s = session_of(ex);
	/* sendfile(2) pushes after each 64 KB of its pipe; corked, the
	 * segments are full (docs/benchmarks.md). */
	bool cork = length >= SEND_FILE_STEP;
	int r;

	must(ex->head_sent && !s->chunked_out);
	if (s->bodiless_out)
		return 0;
	r = h1_owe(s, length);
	if (cork)
		socket_cork(s->conn->io.fd, true);
	while (r == 0 && length != 0)
		r = h1_send_file_step(s, file, &offset, &length);
	if (cork)
		socket_cork(s->conn->io.fd, false);
	return r;
}

static int
h1_send_last_chunk(struct session *s, const struct http_head *trailers)
{
	char small[64];
	bool none = trailers == NULL || trailers->field_count == 0;
	char *out = none ? small : buffer_acquire();
	struct appender a =
	    appender_over(out, none ? sizeof(small) : BUFFER_BYTES);
	int r = E_HEAD_TOO_LARGE;

	if (out == NULL)
		return -ENOMEM;
	http1_write_last_chunk(&a, trailers);
	if (!a.overflowed)
		r = h1_send(s, appender_bytes(&a));
	if (!none)
		buffer_release(out);
	return r;
}

static int
h1_send_end(struct exchange *ex, const struct http_head *trailers)
{
	struct session *s = session_of(ex);

	if (s->bodiless_out)
		return 0;
	if (s->out_length_known && s->out_left != 0)
		s->keep = false;
	return s->chunked_out ? h1_send_last_chunk(s, trailers) : 0;
}

static ssize_t
h1_send_splice(struct exchange *ex, struct io_fd *from, size_t length)
{
	struct session *s = session_of(ex);
	instant began = runtime_now();
	bool client_failed = false;
	ssize_t n;
	int r;

	if (s->bodiless_out || !s->out_length_known || length > s->out_left)
		return -EOPNOTSUPP;
	n = io_splice(from, &s->conn->io, length, &client_failed,
	    instant_after(runtime_now(), s->ex.limits->send_timeout));
	if (n == -EMFILE || n == -ENFILE || n == -ENOMEM)
		return -EOPNOTSUPP; /* no pipe: through memory then */
	if (n < 0 && client_failed)
		return n == -ETIMEDOUT
		    ? h1_send_too_slow(s, &counters_here->timeouts_send)
		    : h1_send_gone(s, n);
	if (n < 0)
		return n == -ECANCELED ? n : -EPIPE;
	s->out_left -= (uint64_t)n;
	ex->bytes_out += (uint64_t)n;
	counters_here->bytes_spliced += (uint64_t)n;
	r = h1_send_account(s, began, (size_t)n, n);
	return r < 0 ? r : n;
}

/* ---- the client while others are waited for ---- */

static void
h1_client_event(struct io_fd *io, unsigned events)
{
	struct conn *conn = container_of(io, struct conn, io);
	struct session *s = conn->session;
	char byte;

	/* More bytes are only the next request; the end of the stream or a
	 * reset is the client's going away. */
	if ((events & IO_HUP) == 0 && io_peek(io, &byte, 1) != 0)
		return;
	io_unwatch(&conn->io);
	s->ex.client_gone = true;
	s->keep = false;
	s->gone(s->gone_arg);
}

static void
h1_watch_client(struct exchange *ex, void (*gone)(void *arg), void *arg)
{
	struct session *s = session_of(ex);

	s->gone = gone;
	s->gone_arg = arg;
	if (gone == NULL)
		io_unwatch(&s->conn->io);
	else if (ex->body_ended && s->in->at == s->in->end)
		io_watch(&s->conn->io, h1_client_event);
}

static struct io_fd *
h1_tunnel(struct exchange *ex, struct bytes *ret_early)
{
	struct session *s = session_of(ex);

	s->keep = false;
	s->upgraded = true;
	*ret_early =
	    bytes_of(s->in->memory + s->in->at, s->in->end - s->in->at);
	s->in->at = s->in->end;
	return &s->conn->io;
}

const struct exchange_ops h1_exchange_ops = {
    .send_head = h1_send_head,
    .send_interim = h1_send_interim,
    .send_body = h1_send_body,
    .send_file = h1_send_file,
    .send_end = h1_send_end,
    .recv_body = h1_recv_body,
    .recv_splice = h1_recv_splice,
    .send_splice = h1_send_splice,
    .watch_client = h1_watch_client,
    .tunnel = h1_tunnel,
};
