/*
 * h1_input.c - request heads and bodies from an HTTP/1.1 connection
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/error.h"
#include "http/listener.h"
#include "http/session.h"
#include "net/buffers.h"
#include "runtime/runtime.h"

/* Less room than this behind the head, and the body gets its own buffer. */
#define INPUT_ROOM_MIN 8192

/* ---- heads ---- */

static const struct config_limits *
h1_head_limits(const struct session *s)
{
	const struct deployment *d = s->deployment;
	int i = d->listener_of[s->conn->listener->id];

	return i >= 0 ? &d->router.listeners[i].limits : &d->snapshot->limits;
}

/* The limit allows more than a stock buffer holds. */
static int
h1_head_grow(struct session *s, uint32_t head_bytes_max)
{
	/* One byte more than the limit lets the parser see the excess. */
	uint32_t capacity = head_bytes_max + INPUT_ROOM_MIN;
	char *large;

	if (s->head.capacity >= capacity)
		return E_H1_HEAD_TOO_LARGE;
	large = malloc(capacity);
	if (large == NULL)
		return -ENOMEM;
	memcpy(large, s->head.memory, s->head.end);
	must(s->head_large == NULL);
	s->head_large = large;
	buffer_release(s->head.memory);
	s->head.memory = large;
	s->head.capacity = capacity;
	return 0;
}

static int
h1_head_more(
    struct session *s, const struct config_limits *limits, instant deadline)
{
	struct input *in = &s->head;
	ssize_t n;

	if (in->end == in->capacity) {
		int r = h1_head_grow(s, limits->header_bytes);

		if (r < 0)
			return r;
	}
	n = io_recv(&s->conn->io, in->memory + in->end, in->capacity - in->end,
	    deadline);
	if (n > 0) {
		if (in->end == 0)
			s->ex.timeline.first_byte = runtime_now();
		in->end += (uint32_t)n;
		counters_here->bytes_received += (uint64_t)n;
		return 1;
	}
	if (n == 0)
		return in->end == 0 ? 0 : E_CLIENT_GONE;
	if (n == -ETIMEDOUT) {
		counters_here->timeouts_header++;
		return in->end == 0 ? 0 : E_TOO_SLOW;
	}
	return n == -ECANCELED ? -ECANCELED : E_CLIENT_GONE;
}

int
h1_read_head(struct session *s)
{
	const struct config_limits *limits = h1_head_limits(s);
	const struct http1_limits wire = {
	    .line_bytes = limits->request_line,
	    .head_bytes = limits->header_bytes,
	    .field_count = limits->header_count,
	};
	instant deadline = instant_after(runtime_now(), limits->header_timeout);
	struct http1_scan scan = {0};
	ssize_t n;
	int r;

	if (s->head.end != 0)
		s->ex.timeline.first_byte = runtime_now();
	for (;;) {
		n = s->head.end == 0
		    ? -EAGAIN
		    : http1_parse_request(&scan, s->head.memory, s->head.end,
			  &wire, &s->ex.request);
		if (n != -EAGAIN)
			break;
		r = h1_head_more(s, limits, deadline);
		if (r <= 0)
			return r;
	}
	if (n < 0)
		return (int)n;
	s->head_length = (uint32_t)n;
	s->head.at = s->head_length;
	return 1;
}

/* ---- bodies ---- */

void
h1_body_begin(struct session *s)
{
	struct exchange *ex = &s->ex;

	s->in = &s->head;
	s->body_left = ex->request.framing == HTTP_BODY_LENGTH
	    ? ex->request.content_length
	    : 0;
	s->continue_due = ex->request.expect_continue;
	if (ex->request.framing == HTTP_BODY_CHUNKED)
		http1_chunks_init(&s->chunks);
	ex->body_ended = ex->request.framing == HTTP_BODY_NONE ||
	    (ex->request.framing == HTTP_BODY_LENGTH && s->body_left == 0);
}

static int
h1_send_continue(struct session *s)
{
	static const char answer[] = "HTTP/1.1 100 Continue\r\n\r\n";
	ssize_t n;

	s->continue_due = false;
	if (s->ex.head_sent)
		return 0;
	n = io_send(&s->conn->io, answer, sizeof(answer) - 1, NULL,
	    instant_after(runtime_now(), s->ex.limits->send_timeout));
	if (n == -ECANCELED)
		return -ECANCELED;
	return n < 0 ? E_CLIENT_GONE : 0;
}

/* Room for at least INPUT_ROOM_MIN more bytes of body at in->end. What is
 * unread is kept, and stays in place when it is in the head's buffer. */
static int
h1_body_room(struct session *s)
{
	struct input *in = s->in;
	uint32_t unread = in->end - in->at;

	if (in == &s->head && in->capacity - s->head_length >= INPUT_ROOM_MIN) {
		memmove(
		    in->memory + s->head_length, in->memory + in->at, unread);
		in->at = s->head_length;
		in->end = in->at + unread;
		return 0;
	}
	if (s->body.memory == NULL) {
		s->body.memory = buffer_acquire();
		if (s->body.memory == NULL)
			return -ENOMEM;
		s->body.capacity = BUFFER_BYTES;
	}
	must(unread < BUFFER_BYTES);
	memmove(s->body.memory, in->memory + in->at, unread);
	s->body.at = 0;
	s->body.end = unread;
	s->in = &s->body;
	return 0;
}

static instant
h1_body_deadline(const struct session *s)
{
	return session_patience(&s->rate_in, s->ex.limits->body_timeout);
}

/* Account for one read from the client, which was waited for so long: its
 * bytes, and its slowness. */
static int
h1_body_account(struct session *s, duration waited, ssize_t n)
{
	if (n == -ETIMEDOUT) {
		if (rate_meter_add(&s->rate_in, 0, waited))
			counters_here->timeouts_body++;
		else
			counters_here->timeouts_rate++;
		return E_TOO_SLOW;
	}
	if (n == 0)
		return E_CLIENT_GONE;
	if (n < 0)
		return n == -ECANCELED ? -ECANCELED : E_CLIENT_GONE;
	counters_here->bytes_received += (uint64_t)n;
	if (!rate_meter_add(&s->rate_in, (uint64_t)n, waited)) {
		counters_here->timeouts_rate++;
		return E_TOO_SLOW;
	}
	return 0;
}

static int
h1_body_more(struct session *s)
{
	instant began;
	ssize_t n;
	int r = s->continue_due ? h1_send_continue(s) : 0;

	if (r == 0)
		r = h1_body_room(s);
	if (r < 0)
		return r;
	if (s->in->end == s->in->capacity)
		return E_H1_CHUNK_TOO_LONG;
	began = runtime_now();
	n = io_recv(&s->conn->io, s->in->memory + s->in->end,
	    s->in->capacity - s->in->end, h1_body_deadline(s));
	r = h1_body_account(s, instant_since(runtime_now(), began), n);
	if (r == 0)
		s->in->end += (uint32_t)n;
	return r;
}

static int
h1_body_count(struct session *s, uint64_t bytes)
{
	s->ex.bytes_in += bytes;
	if (s->body_max != 0 && s->ex.bytes_in > s->body_max)
		return E_BODY_TOO_LARGE;
	return 1;
}

static int
h1_recv_length(struct session *s, struct bytes *ret)
{
	struct input *in = s->in;
	uint64_t n;

	if (in->at == in->end) {
		int r = h1_body_more(s);

		if (r < 0)
			return r;
		in = s->in;
	}
	n = min_of((uint64_t)(in->end - in->at), s->body_left);
	*ret = bytes_of(in->memory + in->at, (size_t)n);
	in->at += (uint32_t)n;
	s->body_left -= n;
	s->ex.body_ended = s->body_left == 0;
	return h1_body_count(s, n);
}

static int
h1_recv_trailers(struct session *s)
{
	const struct config_limits *limits = s->ex.limits;
	const struct http1_limits wire = {
	    .line_bytes = limits->header_bytes,
	    .head_bytes =
		min_of(limits->header_bytes, (uint32_t)INPUT_ROOM_MIN),
	    .field_count = limits->header_count,
	};
	struct http1_scan scan = {0};

	for (;;) {
		struct input *in = s->in;
		ssize_t n = http1_parse_trailers(&scan, in->memory + in->at,
		    in->end - in->at, &wire, &s->ex.trailers);
		int r;

		if (n >= 0) {
			in->at += (uint32_t)n;
			s->ex.body_ended = true;
			return 0;
		}
		if (n != -EAGAIN)
			return (int)n;
		r = h1_body_more(s);
		if (r < 0)
			return r;
	}
}

static int
h1_recv_chunked(struct session *s, struct bytes *ret)
{
	for (;;) {
		struct input *in = s->in;
		struct bytes unread =
		    bytes_of(in->memory + in->at, in->end - in->at);
		int r = http1_chunks_next(&s->chunks, &unread, ret);

		in->at = in->end - (uint32_t)unread.length;
		if (r == 1)
			return h1_body_count(s, ret->length);
		if (r == 0)
			return h1_recv_trailers(s);
		if (r != -EAGAIN)
			return r;
		r = h1_body_more(s);
		if (r < 0)
			return r;
	}
}

int
h1_recv_body(struct exchange *ex, struct bytes *ret)
{
	struct session *s = session_of(ex);
	int r;

	if (ex->body_ended)
		return 0;
	r = ex->request.framing == HTTP_BODY_LENGTH ? h1_recv_length(s, ret)
						    : h1_recv_chunked(s, ret);
	/* Where the next request would begin is not known any more. */
	if (r < 0 && r != -ECANCELED)
		s->keep = false;
	return r;
}

/* Only what is known to be body, and much of it, and not yet in memory. */
static uint64_t
h1_splice_length(const struct session *s)
{
	uint64_t left = s->ex.request.framing == HTTP_BODY_LENGTH
	    ? s->body_left
	    : http1_chunks_left(&s->chunks);

	if (s->ex.body_ended || s->in->at != s->in->end ||
	    left < SESSION_SPLICE_BYTES)
		return 0;
	/* Within the limit; the byte beyond it is seen by recv_body. */
	if (s->body_max != 0)
		left = min_of(left, s->body_max - s->ex.bytes_in);
	return left;
}

/* @n bytes were moved past us. */
static void
h1_splice_count(struct session *s, uint64_t n)
{
	struct exchange *ex = &s->ex;

	counters_here->bytes_spliced += n;
	ex->bytes_in += n;
	if (ex->request.framing == HTTP_BODY_LENGTH) {
		s->body_left -= n;
		ex->body_ended = s->body_left == 0;
	} else {
		http1_chunks_skip(&s->chunks, n);
	}
}

/* The client is waited for first, by itself: only that time is its own. */
ssize_t
h1_recv_splice(struct exchange *ex, struct io_fd *to, instant deadline)
{
	struct session *s = session_of(ex);
	size_t length = (size_t)min_of(h1_splice_length(s), (uint64_t)1 << 20);
	bool to_failed = false;
	instant began = runtime_now();
	duration waited;
	ssize_t n;
	int r = 0;

	if (length == 0)
		return 0;
	if (s->continue_due)
		r = h1_send_continue(s);
	if (r < 0)
		return r;
	n = io_wait(&s->conn->io, IO_IN, h1_body_deadline(s));
	waited = instant_since(runtime_now(), began);
	if (n > 0)
		n = io_splice(&s->conn->io, to, length, &to_failed, deadline);
	if (n == -EMFILE || n == -ENFILE || n == -ENOMEM)
		return 0; /* no pipe: through memory then */
	r = to_failed ? -EPIPE : h1_body_account(s, waited, n);
	if (r < 0) {
		s->keep = false;
		return r;
	}
	h1_splice_count(s, (uint64_t)n);
	return n;
}

bool
h1_discard_body(struct session *s)
{
	struct exchange *ex = &s->ex;
	uint64_t limit = ex->bytes_in + SESSION_DISCARD_BYTES;
	struct bytes data;

	/* A client that waits for 100 Continue may never send the body, and
	 * may send it all the same: only closing is unambiguous. */
	if (!ex->body_ended &&
	    (s->continue_due || s->body_left > SESSION_DISCARD_BYTES))
		return false;
	while (!ex->body_ended && ex->bytes_in < limit) {
		if (h1_recv_body(ex, &data) < 0)
			return false;
	}
	return ex->body_ended;
}

bool
h1_input_next(struct session *s)
{
	uint32_t unread = s->in->end - s->in->at;

	if (unread != 0)
		memmove(s->head.memory, s->in->memory + s->in->at, unread);
	s->head.at = 0;
	s->head.end = unread;
	s->head_length = 0;
	buffer_release(s->body.memory);
	s->body = (struct input){0};
	s->in = &s->head;
	return unread != 0;
}
