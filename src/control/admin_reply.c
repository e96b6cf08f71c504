/*
 * admin_reply.c - heads and bodies of answers
 */
#include "control/admin.h"

#include <errno.h>

#include "base/error.h"
#include "control/json.h"
#include "os/clock.h"
#include "os/local.h"

#define ADMIN_ANSWER_HEAD_BYTES 512

static instant
reply_deadline(void)
{
	return instant_after(clock_now(), duration_s(ADMIN_SEND_S));
}

static bool
reply_has_body(const struct admin_conn *conn)
{
	return conn->request.method != HTTP_HEAD;
}

static int
reply_fields(struct admin_conn *conn, struct http_head *head,
    struct bytes content_type, struct bytes date)
{
	int r = http_head_add(head, FIELD_DATE, date);

	if (r == 0)
		r = http_head_add(head, FIELD_CONTENT_TYPE, content_type);
	if (r == 0)
		r = http_head_add(head, FIELD_CACHE_CONTROL, BYTES("no-store"));
	if (r == 0)
		r = http_head_add_named(
		    head, BYTES("X-Content-Type-Options"), BYTES("nosniff"));
	if (r == 0 && head->status == 401)
		r = http_head_add(head, FIELD_WWW_AUTHENTICATE,
		    BYTES("Bearer realm=\"weir\""));
	if (r == 0 && head->status == 405)
		r = http_head_add(head, FIELD_ALLOW, bytes_from(conn->allow));
	return r;
}

/* The head, and what of the body goes with it in the same send. */
static int
reply_head(struct admin_conn *conn, struct http_head *head,
    struct bytes content_type, struct bytes body)
{
	char memory[ADMIN_ANSWER_HEAD_BYTES];
	char date[HTTP_DATE_BYTES];
	struct appender text = appender_over(memory, sizeof(memory));
	struct iovec parts[2];
	ssize_t n;
	int r;

	http_date_write(date, clock_wall_ns() / 1000000000);
	r = reply_fields(
	    conn, head, content_type, bytes_of(date, sizeof(date)));
	if (r < 0)
		return r;
	head->version = conn->request.version;
	head->keep_alive = !conn->close;
	http1_write_response(&text, head);
	if (text.overflowed)
		return -EOVERFLOW;
	parts[0] = (struct iovec){text.at, text.length};
	parts[1] = (struct iovec){(char *)(uintptr_t)body.at, body.length};
	n = io_sendv(&conn->io, parts, body.length != 0 ? 2 : 1, 0, NULL,
	    reply_deadline());
	return n < 0 ? (int)n : 0;
}

int
admin_reply(struct admin_conn *conn, unsigned status, struct bytes content_type,
    struct bytes body)
{
	struct http_head head;

	http_head_init(&head);
	head.status = (uint16_t)status;
	head.framing = HTTP_BODY_LENGTH;
	head.content_length = body.length;
	return reply_head(conn, &head, content_type,
	    reply_has_body(conn) ? body : bytes_of(NULL, 0));
}

static int
reply_json(struct admin_conn *conn, unsigned status, struct sink *sink_take)
{
	int r = sink_end(sink_take);

	if (r == 0)
		r = admin_reply(conn, status, BYTES("application/json"),
		    appender_bytes(&sink_take->out));
	sink_fini(sink_take);
	return r;
}

int
admin_reply_json(struct admin_conn *conn, struct sink *sink_take)
{
	return reply_json(conn, 200, sink_take);
}

int
admin_reply_error(struct admin_conn *conn, unsigned status, struct bytes error,
    const char *remedy, struct bytes details)
{
	struct json_writer json;
	struct sink sink;

	sink_init(&sink, NULL, NULL);
	json_write_init(&json, &sink);
	json_write_object_begin(&json, NULL);
	json_write_text(&json, "error", error);
	json_write_text(&json, "remedy", bytes_from(remedy));
	if (details.at != NULL)
		json_write_text(&json, "details", details);
	json_write_object_end(&json);
	json_write_end(&json);
	return reply_json(conn, status, &sink);
}

int
admin_reply_file(struct admin_conn *conn, struct bytes content_type, int fd)
{
	off_t length = scratch_length(fd), offset = 0;
	struct http_head head;
	ssize_t n;
	int r;

	if (length < 0)
		return (int)length;
	http_head_init(&head);
	head.status = 200;
	head.framing = HTTP_BODY_LENGTH;
	head.content_length = (uint64_t)length;
	r = reply_head(conn, &head, content_type, bytes_of(NULL, 0));
	if (r < 0 || length == 0 || !reply_has_body(conn))
		return r;
	n = io_sendfile(
	    &conn->io, fd, &offset, (size_t)length, reply_deadline());
	return n < 0 ? (int)n : n == length ? 0 : -EIO;
}

/* ---- streams ---- */

static int
stream_write(struct sink *sink, struct bytes data)
{
	struct admin_conn *conn = sink->to;
	char memory[32];
	struct appender start = appender_over(memory, sizeof(memory));
	struct iovec parts[3];
	ssize_t n;

	if (!reply_has_body(conn))
		return 0;
	if (conn->request.version >= 11)
		http1_write_chunk_start(&start, data.length);
	parts[0] = (struct iovec){start.at, start.length};
	parts[1] = (struct iovec){(char *)(uintptr_t)data.at, data.length};
	parts[2] = (struct iovec){
	    (char *)(uintptr_t) "\r\n", conn->request.version >= 11 ? 2 : 0};
	n = io_sendv(&conn->io, parts, 3, 0, NULL, reply_deadline());
	return n < 0 ? (int)n : 0;
}

int
admin_stream_begin(
    struct admin_conn *conn, struct bytes content_type, struct sink *sink)
{
	struct http_head head;

	http_head_init(&head);
	head.status = 200;
	head.framing = HTTP_BODY_CHUNKED;
	if (conn->request.version < 11) {
		head.framing = HTTP_BODY_UNTIL_CLOSE;
		conn->close = true;
	}
	sink_init(sink, stream_write, conn);
	return reply_head(conn, &head, content_type, bytes_of(NULL, 0));
}

int
admin_stream_end(struct admin_conn *conn, struct sink *sink_take)
{
	char memory[16];
	struct appender end = appender_over(memory, sizeof(memory));
	ssize_t n = sink_end(sink_take);

	sink_fini(sink_take);
	if (n < 0 || !reply_has_body(conn) || conn->request.version < 11)
		return (int)n;
	http1_write_last_chunk(&end, NULL);
	n = io_send(&conn->io, end.at, end.length, NULL, reply_deadline());
	return n < 0 ? (int)n : 0;
}
