/*
 * reverse_request.c - the request as the server gets it
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "edge/reverse/reverse_private.h"
#include "http/forwarded.h"
#include "net/buffers.h"
#include "runtime/runtime.h"

/* ---- rewriting ---- */

/* What the client wants to switch to, when that may be carried through. h2c
 * would let it speak past us on the server's connection. */
static struct bytes
request_upgrade(const struct reverse *rv)
{
	const struct http_head *head = &rv->ex->request;
	struct bytes wish = http_head_get(head, FIELD_UPGRADE);

	if (!head->upgrade || !rv->config->upgrade || wish.at == NULL ||
	    head->framing != HTTP_BODY_NONE ||
	    http_list_has(wish, BYTES("h2c")))
		return bytes_of(NULL, 0);
	return wish;
}

/* RFC 9110 §7.6.2: a request that may go no further is answered here. */
static int
request_max_forwards(struct exchange *ex)
{
	struct http_head *head = &ex->request;
	struct bytes field = http_head_get(head, FIELD_MAX_FORWARDS);
	struct bytes value;
	uint64_t hops;

	if (field.at == NULL ||
	    (head->method != HTTP_OPTIONS && head->method != HTTP_TRACE))
		return 0;
	if (bytes_to_u64(field, UINT32_MAX, &hops) < 0 || hops == 0)
		return E_METHOD_REFUSED;
	http_head_remove(head, FIELD_MAX_FORWARDS);
	value = exchange_format(ex, "%llu", (unsigned long long)hops - 1);
	if (value.at == NULL)
		return -ENOMEM;
	return http_head_add(head, FIELD_MAX_FORWARDS, value);
}

static int
request_edit(
    struct http_head *head, const struct config_pair *edits, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int r = 0;

		http_head_remove_named(head, edits[i].name);
		if (edits[i].value.at != NULL)
			r = http_head_add_named(
			    head, edits[i].name, edits[i].value);
		if (r < 0)
			return r;
	}
	return 0;
}

int
reverse_request_rewrite(struct reverse *rv)
{
	struct exchange *ex = rv->ex;
	struct http_head *head = &ex->request;
	struct bytes upgrade = request_upgrade(rv);
	int r = http_head_strip_hop(head);

	if (r == 0)
		r = request_max_forwards(ex);
	http_head_remove(head, FIELD_EXPECT); /* answered by us */
	head->upgrade = rv->upgrade = upgrade.at != NULL;
	if (r == 0 && rv->upgrade)
		r = http_head_add(head, FIELD_UPGRADE, upgrade);
	if (r == 0)
		r = forwarded_write(ex, rv->config->forwarded);
	if (r == 0 && rv->config->via)
		r = http_head_add(head, FIELD_VIA,
		    head->version == 10 ? BYTES("1.0 weir")
					: BYTES("1.1 weir"));
	if (r == 0)
		r = request_edit(head, rv->config->request_headers,
		    rv->config->request_header_count);
	return r == -E2BIG ? E_H1_TOO_MANY_FIELDS : r;
}

static struct bytes
request_path(struct reverse *rv)
{
	struct exchange *ex = rv->ex;
	struct bytes path = ex->request.path, prefix = rv->config->prefix;

	if (rv->config->strip_prefix) {
		path = bytes_skip(path, ex->matched.length);
		/* "/api/" leaves "x" of "/api/x": the slash stays. */
		if (path.length == 0 || path.at[0] != '/')
			path = exchange_format(
			    ex, "/%.*s", (int)path.length, path.at);
	}
	if (prefix.length == 0 || path.at == NULL)
		return path;
	if (prefix.at[prefix.length - 1] == '/')
		prefix.length--;
	return exchange_format(ex, "%.*s%.*s", (int)prefix.length, prefix.at,
	    (int)path.length, path.at);
}

static struct bytes
request_authority(struct reverse *rv)
{
	const struct upstream_server_options *server =
	    upstream_server_options(&rv->attempt);

	if (rv->config->host.at != NULL)
		return rv->config->host;
	if (!rv->config->host_of_server &&
	    rv->ex->request.authority.length != 0)
		return rv->ex->request.authority;
	/* A Unix socket has no name that a Host could carry. */
	return bytes_starts_with(server->address, BYTES("unix:"))
	    ? BYTES("localhost")
	    : server->address;
}

/* The head as this attempt's server gets it; the exchange keeps the client's
 * path and host for the log. */
static int
request_serialise(struct reverse *rv, struct appender *into)
{
	struct http_head *head = &rv->ex->request;
	struct bytes path = head->path, authority = head->authority;
	bool keep_alive = head->keep_alive;

	head->path = request_path(rv);
	head->authority = request_authority(rv);
	head->keep_alive = true;
	if (head->path.at == NULL)
		into->overflowed = true;
	else
		http1_write_request(into, head);
	head->path = path;
	head->authority = authority;
	head->keep_alive = keep_alive;
	return into->overflowed ? E_H1_HEAD_TOO_LARGE : 0;
}

/* ---- bodies ---- */

int
reverse_body_peek(struct reverse *rv)
{
	struct exchange *ex = rv->ex;
	struct appender a;
	struct bytes data;
	int r;

	if (ex->body_ended) {
		rv->body_whole = true;
		return 0;
	}
	if (ex->request.framing != HTTP_BODY_LENGTH ||
	    ex->request.content_length > REVERSE_BODY_WHOLE)
		return 0;
	rv->body_memory = buffer_acquire();
	if (rv->body_memory == NULL)
		return -ENOMEM;
	a = appender_over(rv->body_memory, BUFFER_BYTES);
	while ((r = ex->ops->recv_body(ex, &data)) > 0)
		append_bytes(&a, data);
	must(!a.overflowed);
	rv->body = appender_bytes(&a);
	rv->body_whole = r == 0;
	return r;
}

static instant
upload_deadline(const struct reverse *rv)
{
	return instant_earlier(rv->ex->deadline,
	    instant_after(runtime_now(), rv->config->pool->send_timeout));
}

static int
upload_send(struct reverse *rv, struct bytes data)
{
	struct io_fd *io = &rv->attempt.conn->io;
	char line[24];
	struct appender a = appender_over(line, sizeof(line));
	struct iovec iov[3];
	ssize_t n;

	if (rv->ex->request.framing == HTTP_BODY_LENGTH) {
		n = io_send(
		    io, data.at, data.length, NULL, upload_deadline(rv));
	} else {
		http1_write_chunk_start(&a, data.length);
		iov[0] = (struct iovec){a.at, a.length};
		iov[1] =
		    (struct iovec){(void *)(uintptr_t)data.at, data.length};
		iov[2] = (struct iovec){(char *)"\r\n", 2};
		n = io_sendv(io, iov, 3, 0, NULL, upload_deadline(rv));
	}
	return n < 0 ? (int)n : 0;
}

static int
upload_end(struct reverse *rv)
{
	struct appender a;
	char *last;
	ssize_t n = E_H1_HEAD_TOO_LARGE;

	if (rv->ex->request.framing == HTTP_BODY_LENGTH)
		return 0;
	last = buffer_acquire();
	if (last == NULL)
		return -ENOMEM;
	a = appender_over(last, BUFFER_BYTES);
	http1_write_last_chunk(&a, &rv->ex->trailers);
	if (!a.overflowed) {
		n = io_send(&rv->attempt.conn->io, a.at, a.length, NULL,
		    upload_deadline(rv));
		n = n < 0 ? -EPIPE : 0;
	}
	buffer_release(last);
	return (int)n;
}

/* Returns 1 to go on, 0 at the end of the body. -EPIPE: the server's side
 * failed; any other error is the client's. */
static int
upload_step(struct reverse *rv)
{
	struct exchange *ex = rv->ex;
	struct bytes data;
	ssize_t n = 0;
	int r;

	if (ex->request.framing == HTTP_BODY_LENGTH)
		n = ex->ops->recv_splice(
		    ex, &rv->attempt.conn->io, upload_deadline(rv));
	if (n != 0)
		return n > 0 ? 1 : (int)n;
	r = ex->ops->recv_body(ex, &data);
	if (r <= 0)
		return r;
	r = upload_send(rv, data);
	if (r < 0)
		return r == -ECANCELED ? r : -EPIPE;
	return 1;
}

static int
upload_task(void *arg)
{
	struct reverse *rv = arg;
	int r;

	do {
		r = upload_step(rv);
	} while (r > 0);
	if (r == 0)
		r = upload_end(rv);
	rv->upload_error = r;
	/* From here on the client is waited for by nobody. */
	if (r == 0 && rv->ex->timeline.answer_head.ns == 0)
		reverse_watch_client(rv, true);
	if (r == 0 || r == -EPIPE || r == -ECANCELED)
		return r;
	/* The client's fault: no answer is worth waiting for. */
	if (r == E_CLIENT_GONE)
		rv->ex->client_gone = true;
	upstream_abandon(&rv->attempt);
	return r;
}

/* Head and what is in memory of the body, in one send. */
static ssize_t
request_send(struct reverse *rv, const struct appender *a)
{
	struct io_fd *io = &rv->attempt.conn->io;
	struct iovec iov[2] = {{a->at, a->length}, {NULL, 0}};
	struct bytes body = rv->body;

	if (body.length == 0 || body.length > appender_room(a)) {
		iov[1].iov_base = (void *)(uintptr_t)body.at;
		iov[1].iov_len = body.length;
	} else {
		struct appender joined = *a;

		append_bytes(&joined, body);
		iov[0].iov_len = joined.length;
	}
	if (iov[1].iov_len != 0)
		return io_sendv(io, iov, 2, 0, NULL, upload_deadline(rv));
	return io_send(
	    io, iov[0].iov_base, iov[0].iov_len, NULL, upload_deadline(rv));
}

static int
request_send_head(struct reverse *rv)
{
	struct appender a;
	char *memory = buffer_acquire();
	ssize_t n;

	if (memory == NULL)
		return -ENOMEM;
	a = appender_over(memory, BUFFER_BYTES);
	n = request_serialise(rv, &a);
	if (n == 0)
		n = request_send(rv, &a);
	buffer_release(memory);
	rv->ex->timeline.request_sent = runtime_now();
	return n < 0 ? (int)n : 0;
}

int
reverse_send(struct reverse *rv)
{
	int r = request_send_head(rv);

	if (r == -ETIMEDOUT)
		return E_UPSTREAM_TIMEOUT;
	/* Broken already: an early answer may still be there to be read. */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		return r;
	if (rv->body_whole || r < 0)
		return 0;
	rv->body_sent = true;
	rv->upload_error = -EINPROGRESS;
	scope_init(&rv->upload, rv->ex->deadline);
	r = task_start(&rv->upload, "upload", upload_task, rv);
	rv->upload_running = r == 0;
	if (r < 0)
		(void)scope_fini(&rv->upload);
	return r;
}

int
reverse_upload_end(struct reverse *rv)
{
	if (rv->upload_running) {
		rv->upload_running = false;
		(void)scope_fini(&rv->upload);
		return rv->upload_error;
	}
	return rv->body_whole ? 0 : -EPIPE;
}
