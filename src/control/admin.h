/*
 * admin.h - the inside of the admin plane: connections and requests
 *
 * Layer      control
 * Threads    the control role's only one; a task per connection
 * Memory     one struct admin_conn per connection, about 13 KB
 * Limits     heads of ADMIN_HEAD_BYTES, bodies of ADMIN_BODY_BYTES,
 *            ADMIN_CONNECTIONS_MAX per listener: strangers on the loopback
 *            address cannot lock out the Unix socket
 *
 *   control.c       listeners, one task each
 *   admin_http.c    one connection: read, guard, dispatch
 *   admin_reply.c   answers
 *   admin_routes.c  what each endpoint does
 */
#pragma once

#include "control/control.h"
#include "control/sink.h"
#include "runtime/io.h"
#include "wire/http1.h"

#define ADMIN_HEAD_BYTES      8192
#define ADMIN_BODY_BYTES      4096
#define ADMIN_CONNECTIONS_MAX 32
#define ADMIN_IDLE_S          60
#define ADMIN_HEAD_S          10 /* a whole request, once it began */
#define ADMIN_SEND_S          10 /* one write */

struct admin_conn {
	struct io_fd io;
	const struct control_callbacks *callbacks;
	unsigned *open_count; /* of its listener */
	bool loopback; /* TCP: Host, Origin and token are asked for */
	bool close; /* after this answer */
	const char *allow; /* of a 405 */
	char who[96]; /* for the audit line */
	/* The request being served. */
	struct http_head request;
	struct bytes body;
	size_t have; /* bytes in the buffer */
	char buffer[ADMIN_HEAD_BYTES + ADMIN_BODY_BYTES];
};

/* Serve a connection to its end, and free it: the task of a connection. */
SUSPENDS
int admin_conn_run(void *conn_take);

/* Answer conn->request. Returns 0, or an error: the connection is over. */
SUSPENDS
MUST_CHECK
int admin_dispatch(struct admin_conn *conn);
/* Whether this path may be asked for without the token. */
bool admin_path_is_public(struct bytes path);

/* ---- answers; all return 0, or the error of the connection ---- */

SUSPENDS
MUST_CHECK
int admin_reply(struct admin_conn *conn, unsigned status,
    struct bytes content_type, struct bytes body);
/* {"error": @error, "remedy": @remedy, "details": @details}; the last is left
 * out when at == NULL. */
SUSPENDS
MUST_CHECK
int admin_reply_error(struct admin_conn *conn, unsigned status,
    struct bytes error, const char *remedy, struct bytes details);
/* A report in memory; consumes @sink. */
SUSPENDS
MUST_CHECK
int admin_reply_json(struct admin_conn *conn, struct sink *sink_take);
/* The bytes of the file @fd (borrowed), from its start. */
SUSPENDS
MUST_CHECK
int
admin_reply_file(struct admin_conn *conn, struct bytes content_type, int fd);
/* A body of unknown length: write it to @sink, then end it. */
SUSPENDS
MUST_CHECK
int admin_stream_begin(
    struct admin_conn *conn, struct bytes content_type, struct sink *sink);
SUSPENDS
MUST_CHECK
int admin_stream_end(struct admin_conn *conn, struct sink *sink_take);
