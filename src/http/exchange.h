/*
 * exchange.h - one request and its answer, whatever the HTTP version
 *
 * Layer      http
 * Threads    the task of the exchange
 * Memory     from the worker's pool; heads, body buffers and the arena live
 *            until the exchange has ended
 * Invariant  exactly one response head is sent, by the handler or, when the
 *            handler returned an error before it, by the session
 *
 * A handler is a plain function on an exchange. It returns 0 when the answer
 * is complete, or an error: before the head was sent the session answers with
 * error_http_status(); after it the connection is closed, so that the client
 * sees a truncated message and never a wrong one.
 */
#pragma once

#include <netinet/in.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/time.h"
#include "config/snapshot.h"
#include "runtime/io.h"
#include "wire/http.h"

struct deployment;
struct exchange;

/* Stamps of one exchange, from its first byte; ns == 0: did not happen. */
struct timeline {
	instant accepted; /* of the connection, first exchange only */
	instant first_byte;
	instant head_received;
	instant queued; /* began to wait for a server */
	instant server_chosen;
	instant connected; /* new upstream connection ready */
	instant request_sent; /* head (and what body fitted with it) */
	instant answer_head; /* upstream's head received */
	instant head_sent; /* to the client */
	instant ended;
};

/* How the version under the exchange does things. */
struct exchange_ops {
	/* The response head, with @body (may be empty) behind it in the same
	 * send when it fits; @last: that is the whole body. */
	SUSPENDS
	int (*send_head)(struct exchange *ex, const struct http_head *head,
	    struct bytes body, bool last);
	/* Interim responses: 100, 103. */
	SUSPENDS
	int (*send_interim)(struct exchange *ex, const struct http_head *head);
	SUSPENDS
	int (*send_body)(struct exchange *ex, struct bytes data);
	SUSPENDS
	int (*send_file)(
	    struct exchange *ex, int file, off_t offset, uint64_t length);
	/* End of a body; @trailers may be NULL. */
	SUSPENDS
	int (*send_end)(struct exchange *ex, const struct http_head *trailers);
	/* Some bytes of the request body: 1 and *@ret (valid until the next
	 * call), 0 at its end, or an error. Sends 100 Continue before it
	 * first waits, if the client expects it. */
	SUSPENDS
	int (*recv_body)(struct exchange *ex, struct bytes *ret);
	/*
	 * Body bytes that nobody reads, moved by the kernel. recv_splice: from
	 * the client to @to; bytes moved, 0 when there is nothing to move this
	 * way now (recv_body goes on), an error of the client, or -EPIPE when
	 * @to failed or took nothing until @deadline. send_splice: up to
	 * @length from @from, which the caller has waited for, to the client;
	 * bytes moved, 0 when @from has ended, -EPIPE when @from failed,
	 * -EOPNOTSUPP when it cannot be done this way (framing, no pipe).
	 */
	SUSPENDS
	ssize_t (*recv_splice)(
	    struct exchange *ex, struct io_fd *to, instant deadline);
	SUSPENDS
	ssize_t (*send_splice)(
	    struct exchange *ex, struct io_fd *from, size_t length);
	/*
	 * While the handler waits for somebody else: @gone(@arg) is called,
	 * on the loop, if the client goes away. NULL ends it.
	 */
	void (*watch_client)(
	    struct exchange *ex, void (*gone)(void *arg), void *arg);
	/*
	 * After a 101 was sent: the client's connection as a stream of bytes
	 * and what it had sent already; the exchange still owns it.
	 */
	struct io_fd *(*tunnel)(struct exchange *ex, struct bytes *ret_early);
};

struct exchange {
	const struct exchange_ops *ops;
	struct deployment *deployment; /* http/deployment.h */
	const struct snapshot *snapshot;
	const struct config_listener *listener;
	const struct config_site *site;
	const struct config_route *route;
	const struct config_limits *limits;
	struct http_head request;
	struct http_head response; /* being built, or the upstream's */
	struct http_head trailers; /* of the request, once its body ended */
	struct bytes matched; /* part of the path that the route matched */
	struct bytes captures[10]; /* of a regex route; [0] the whole match */
	struct arena arena;

	/* Address of the client: the peer's, or what a trusted peer said. */
	struct bytes client; /* text without port; "unix:" for Unix sockets */
	struct bytes peer; /* text of the connection's other end */
	struct bytes scheme; /* "http" */
	bool peer_trusted;

	instant deadline; /* of the whole exchange */
	struct timeline timeline;

	bool head_sent;
	bool body_at_hand; /* it follows the head without a wait */
	bool body_ended; /* the request body was read to its end */
	bool client_gone;
	uint16_t status; /* sent */
	int error; /* why it failed, or 0 */
	uint64_t bytes_in; /* of the request body */
	uint64_t bytes_out; /* of the response body */
	/* For the log. */
	struct bytes pool_name, server_name;
	uint16_t attempts;
	bool server_reused;
};

typedef int (*exchange_handler)(struct exchange *ex);

/*
 * exchange_respond - a whole answer at once
 *
 * ex->response.status and its fields are set by the caller; Content-Length is
 * written from @body. For HEAD only the head is sent. Date and Server are
 * added if absent.
 */
SUSPENDS
MUST_CHECK
int exchange_respond(struct exchange *ex, struct bytes body);

/*
 * exchange_begin - send the head of an answer whose body follows
 *
 * @length  of the body; -1: unknown (chunked, or until close for 1.0). When it
 *          is known the head may wait for the first bytes of the body: write
 *          them at once
 * Then exchange_write / exchange_send_file, then exchange_end. For HEAD the
 * body calls do nothing.
 */
SUSPENDS
MUST_CHECK
int exchange_begin(struct exchange *ex, int64_t length);
SUSPENDS
MUST_CHECK
int exchange_write(struct exchange *ex, struct bytes data);
SUSPENDS
MUST_CHECK
int exchange_send_file(
    struct exchange *ex, int file, off_t offset, uint64_t length);
SUSPENDS
MUST_CHECK
int exchange_end(struct exchange *ex);

/* A small page for @status, with what the client may know of @error; also
 * adds Allow, Retry-After where the status asks for it. */
SUSPENDS
MUST_CHECK
int exchange_refuse(struct exchange *ex, int error);

/* Format into the exchange's arena; at == NULL when out of memory. */
struct bytes
exchange_format(struct exchange *ex, const char *format, ...) PRINTF(2, 3);
