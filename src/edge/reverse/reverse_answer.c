/*
 * reverse_answer.c - the server's answer, head and body
 *
 * The head is parsed where it was received; its fields point into rv->buffer,
 * so the first send carries head and whatever body came with it, and only then
 * is the buffer used again.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "edge/reverse/reverse_private.h"
#include "net/buffers.h"
#include "os/log.h"
#include "runtime/runtime.h"

/* Bytes moved by the kernel when at least so many are known to come:
 * splice costs two calls where a copy costs a receive and a send, and pays
 * from about 100 KB (docs/benchmarks.md). */
#define ANSWER_SPLICE_BYTES (128 * 1024)
/* A server that is silent for so long in the middle of its answer may be for
 * hours (events that are pushed): from then on the client is looked after. Not
 * before, because that costs every answer that comes in pieces. */
#define ANSWER_SILENCE_MS 500
/* Interim answers before the final one: more is a loop. */
#define ANSWER_INTERIM_MAX 16

static const struct http1_limits answer_limits = {
    .line_bytes = 8192,
    .head_bytes = BUFFER_BYTES - 1024,
    .field_count = HTTP_FIELDS_MAX - 8, /* room for what we add */
};

/* ---- receiving ---- */

/* Why reading from the server ended. */
static int
answer_error(const struct reverse *rv, ssize_t n, bool begun)
{
	if (rv->ex->client_gone)
		return E_CLIENT_GONE;
	if (rv->upload_error < 0 && rv->upload_error != -EPIPE &&
	    rv->upload_error != -EINPROGRESS)
		return rv->upload_error;
	if (n == -ETIMEDOUT)
		return E_UPSTREAM_TIMEOUT;
	if (n == -ECANCELED || n == -ENOMEM)
		return (int)n;
	if (begun)
		return E_UPSTREAM_TRUNCATED;
	return rv->attempt.reused ? E_STALE : E_UPSTREAM_CLOSED;
}

static ssize_t
answer_more(struct reverse *rv, instant deadline)
{
	ssize_t n;

	if (rv->end == BUFFER_BYTES)
		return E_UPSTREAM_BROKEN;
	n = io_recv(&rv->attempt.conn->io, rv->buffer + rv->end,
	    BUFFER_BYTES - rv->end, deadline);
	if (n > 0)
		rv->end += (uint32_t)n;
	return n;
}

static int
answer_interim(struct reverse *rv, unsigned *count)
{
	struct exchange *ex = rv->ex;

	if (++*count > ANSWER_INTERIM_MAX)
		return E_UPSTREAM_BROKEN;
	/* 100 was for our own Expect, which we never send. */
	if (ex->response.status == 100)
		return 0;
	if (http_head_strip_hop(&ex->response) < 0)
		return E_UPSTREAM_BROKEN;
	return ex->ops->send_interim(ex, &ex->response);
}

static int
answer_malformed(struct reverse *rv, int error)
{
	struct bytes server = upstream_server_options(&rv->attempt)->address;

	log_warn("reverse",
	    "pool %.*s, server %.*s: %s in its answer; look at what it sends",
	    (int)rv->ex->pool_name.length, rv->ex->pool_name.at,
	    (int)server.length, server.at, error_text(error));
	return E_UPSTREAM_BROKEN;
}

int
reverse_recv_head(struct reverse *rv)
{
	struct exchange *ex = rv->ex;
	struct http1_scan scan = {0};
	unsigned interim = 0;
	ssize_t n;
	int r;

	rv->at = rv->end = 0;
	for (;;) {
		n = rv->end == 0
		    ? -EAGAIN
		    : http1_parse_response(&scan, rv->buffer, rv->end,
			  &answer_limits, ex->request.method, &ex->response);
		if (n == -EAGAIN) {
			n = answer_more(rv, rv->answer_deadline);
			if (n <= 0)
				return answer_error(
				    rv, n, rv->end != 0 || interim != 0);
			continue;
		}
		if (n < 0)
			return answer_malformed(rv, (int)n);
		if (ex->response.status >= 200 || ex->response.status == 101)
			break;
		r = answer_interim(rv, &interim);
		if (r < 0)
			return r;
		memmove(rv->buffer, rv->buffer + n, rv->end - (size_t)n);
		rv->end -= (uint32_t)n;
		scan = (struct http1_scan){0};
	}
	rv->at = (uint32_t)n;
	rv->keep = ex->response.keep_alive && ex->response.version >= 11;
	ex->timeline.answer_head = runtime_now();
	if (ex->response.status == 101 && !rv->upgrade)
		return answer_malformed(rv, E_H1_BAD_STATUS);
	return 0;
}

/* ---- the head for the client ---- */

static int
answer_rewrite(struct reverse *rv)
{
	const struct config_reverse *config = rv->config;
	struct http_head *head = &rv->ex->response;
	struct bytes upgrade = http_head_get(head, FIELD_UPGRADE);
	int r = http_head_strip_hop(head);

	if (r == 0 && head->status == 101 && upgrade.at != NULL)
		r = http_head_add(head, FIELD_UPGRADE, upgrade);
	if (r == 0 && config->via)
		r = http_head_add(head, FIELD_VIA, BYTES("1.1 weir"));
	for (unsigned i = 0; r == 0 && i < config->response_header_count; i++) {
		const struct config_pair *edit = &config->response_headers[i];

		http_head_remove_named(head, edit->name);
		if (edit->value.at != NULL)
			r = http_head_add_named(head, edit->name, edit->value);
	}
	return r == -E2BIG ? E_HEAD_TOO_LARGE : r;
}

/* How the client learns the end of the body; the server's way is kept in
 * @framing. */
static void
answer_frame(struct reverse *rv, enum http_framing framing)
{
	struct http_head *head = &rv->ex->response;

	if (framing == HTTP_BODY_CHUNKED || framing == HTTP_BODY_UNTIL_CLOSE)
		head->framing = rv->ex->request.version >= 11
		    ? HTTP_BODY_CHUNKED
		    : HTTP_BODY_UNTIL_CLOSE;
	/* HEAD and 304 tell the length of a body that they do not have. */
	if (framing == HTTP_BODY_NONE && head->status != 204 &&
	    head->status >= 200 && http_head_has(head, FIELD_CONTENT_LENGTH))
		head->framing = HTTP_BODY_LENGTH;
}

/* ---- bodies ---- */

static instant
answer_body_deadline(const struct reverse *rv)
{
	return instant_earlier(rv->ex->deadline,
	    instant_after(runtime_now(), rv->config->response_timeout));
}

static instant
answer_silence(instant deadline)
{
	return instant_earlier(deadline,
	    instant_after(runtime_now(), duration_ms(ANSWER_SILENCE_MS)));
}

/* Whether that time is over, and patience is left. */
static bool
answer_is_silent(ssize_t waited, instant deadline)
{
	return waited == -ETIMEDOUT && instant_before(runtime_now(), deadline);
}

/* More of the body or of what follows it. */
static ssize_t
answer_more_body(struct reverse *rv)
{
	instant deadline = answer_body_deadline(rv);
	ssize_t n = answer_more(rv, answer_silence(deadline));

	if (answer_is_silent(n, deadline)) {
		reverse_watch_client(rv, true);
		n = answer_more(rv, deadline);
		reverse_watch_client(rv, false);
	}
	return n;
}

/* More body into the buffer, which is free by now. */
static int
answer_refill(struct reverse *rv)
{
	ssize_t n;

	must(rv->at == rv->end);
	rv->at = rv->end = 0;
	n = answer_more_body(rv);
	return n > 0 ? 1 : n == 0 ? 0 : answer_error(rv, n, true);
}

/* The server is waited for by itself, with its own patience: the client
 * answers for the time of the splice. */
static ssize_t
answer_splice(struct reverse *rv)
{
	struct io_fd *io = &rv->attempt.conn->io;
	instant deadline = answer_body_deadline(rv);
	int r = io_wait(io, IO_IN, answer_silence(deadline));

	if (answer_is_silent(r, deadline)) {
		reverse_watch_client(rv, true);
		r = io_wait(io, IO_IN, deadline);
		reverse_watch_client(rv, false);
	}
	if (r < 0)
		return answer_error(rv, r, true);
	return rv->ex->ops->send_splice(
	    rv->ex, io, (size_t)min_of(rv->left, (uint64_t)1 << 30));
}

static int
answer_relay_length(struct reverse *rv)
{
	struct exchange *ex = rv->ex;
	uint64_t n;
	ssize_t moved;
	int r = 0;

	while (r >= 0 && rv->left > 0) {
		moved = -EOPNOTSUPP;
		if (rv->at == rv->end && rv->left >= ANSWER_SPLICE_BYTES)
			moved = answer_splice(rv);
		if (moved > 0) {
			rv->left -= (uint64_t)moved;
			continue;
		}
		if (moved == 0 || moved == -EPIPE)
			return E_UPSTREAM_TRUNCATED;
		if (moved != -EOPNOTSUPP)
			return (int)moved;
		if (rv->at == rv->end) {
			r = answer_refill(rv);
			if (r <= 0)
				return r < 0 ? r : E_UPSTREAM_TRUNCATED;
		}
		n = min_of((uint64_t)(rv->end - rv->at), rv->left);
		r = ex->ops->send_body(
		    ex, bytes_of(rv->buffer + rv->at, (size_t)n));
		rv->at += (uint32_t)n;
		rv->left -= n;
	}
	rv->ended = r >= 0;
	return r < 0 ? r : ex->ops->send_end(ex, NULL);
}

static int
answer_relay_until_close(struct reverse *rv)
{
	struct exchange *ex = rv->ex;
	int r;

	for (;;) {
		if (rv->at < rv->end) {
			r = ex->ops->send_body(ex,
			    bytes_of(rv->buffer + rv->at, rv->end - rv->at));
			rv->at = rv->end;
			if (r < 0)
				return r;
		}
		r = answer_refill(rv);
		if (r < 0)
			return r;
		if (r == 0)
			return ex->ops->send_end(ex, NULL);
	}
}

/* The fields behind the last chunk. They need one run of memory; what was
 * received of them is moved to the front of the buffer first. */
static int
answer_trailers(struct reverse *rv, struct http_head *trailers)
{
	struct http1_scan scan = {0};
	ssize_t n;

	for (;;) {
		n = http1_parse_trailers(&scan, rv->buffer + rv->at,
		    rv->end - rv->at, &answer_limits, trailers);
		if (n >= 0) {
			rv->at += (uint32_t)n;
			rv->ended = true;
			return 0;
		}
		if (n != -EAGAIN)
			return answer_malformed(rv, (int)n);
		memmove(rv->buffer, rv->buffer + rv->at, rv->end - rv->at);
		rv->end -= rv->at;
		rv->at = 0;
		n = answer_more_body(rv);
		if (n <= 0)
			return answer_error(rv, n, true);
	}
}

/* Take framing and data from what is in the buffer; see http1_chunks_next. */
static int
answer_chunk(struct reverse *rv, struct bytes *ret_data)
{
	struct bytes unread = bytes_of(rv->buffer + rv->at, rv->end - rv->at);
	int r = http1_chunks_next(&rv->chunks, &unread, ret_data);

	rv->at = rv->end - (uint32_t)unread.length;
	if (r < 0 && r != -EAGAIN)
		return answer_malformed(rv, r);
	return r;
}

static int
answer_relay_chunked(struct reverse *rv)
{
	struct exchange *ex = rv->ex;
	struct bytes data;
	int r;

	for (;;) {
		r = answer_chunk(rv, &data);
		if (r == 1)
			r = ex->ops->send_body(ex, data);
		else if (r == 0)
			break;
		else if (r == -EAGAIN) {
			r = answer_refill(rv);
			if (r == 0)
				return E_UPSTREAM_TRUNCATED;
		}
		if (r < 0)
			return r;
	}
	/* The answer's head has been sent: its memory serves the trailers. */
	http_head_init(&ex->response);
	r = answer_trailers(rv, &ex->response);
	return r < 0 ? r : ex->ops->send_end(ex, &ex->response);
}

/* An answer that is here to its end goes out with one send. Returns whether
 * @data is all of its body; else nothing was consumed. */
static bool
answer_chunked_whole(struct reverse *rv)
{
	struct http1_chunks chunks = rv->chunks;
	uint32_t at = rv->at;
	struct http1_scan scan = {0};
	struct http_head trailers;
	struct bytes none;
	ssize_t n = -EAGAIN;

	if (answer_chunk(rv, &none) == 0)
		n = http1_parse_trailers(&scan, rv->buffer + rv->at,
		    rv->end - rv->at, &answer_limits, &trailers);
	if (n >= 0 && trailers.field_count == 0) {
		rv->at += (uint32_t)n;
		rv->ended = true;
		return true;
	}
	rv->chunks = chunks;
	rv->at = at;
	return false;
}

static int
answer_begin_chunked(struct reverse *rv)
{
	struct exchange *ex = rv->ex;
	struct bytes data = bytes_of(NULL, 0);
	int r;

	http1_chunks_init(&rv->chunks);
	r = answer_chunk(rv, &data);
	if (r < 0 && r != -EAGAIN)
		return r;
	if (r == 1 && answer_chunked_whole(rv))
		return ex->ops->send_head(ex, &ex->response, data, true);
	r = ex->ops->send_head(ex, &ex->response, data, false);
	return r < 0 ? r : answer_relay_chunked(rv);
}

static int
answer_begin_length(struct reverse *rv)
{
	struct exchange *ex = rv->ex;
	struct bytes data;
	int r;

	rv->left = ex->response.content_length;
	data = bytes_of(rv->buffer + rv->at,
	    (size_t)min_of((uint64_t)(rv->end - rv->at), rv->left));
	rv->at += (uint32_t)data.length;
	rv->left -= data.length;
	rv->ended = rv->left == 0;
	r = ex->ops->send_head(ex, &ex->response, data, rv->ended);
	return r < 0 || rv->ended ? r : answer_relay_length(rv);
}

int
reverse_relay(struct reverse *rv)
{
	struct exchange *ex = rv->ex;
	enum http_framing framing = ex->response.framing;
	int r = answer_rewrite(rv);

	if (r < 0)
		return r;
	answer_frame(rv, framing);
	switch (framing) {
	case HTTP_BODY_NONE:
		rv->ended = true;
		return ex->ops->send_head(
		    ex, &ex->response, bytes_of(NULL, 0), true);
	case HTTP_BODY_LENGTH:
		return answer_begin_length(rv);
	case HTTP_BODY_CHUNKED:
		return answer_begin_chunked(rv);
	case HTTP_BODY_UNTIL_CLOSE:
		rv->keep = false;
		r = ex->ops->send_head(
		    ex, &ex->response, bytes_of(NULL, 0), false);
		return r < 0 ? r : answer_relay_until_close(rv);
	}
	return E_UPSTREAM_BROKEN;
}
