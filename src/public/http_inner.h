/*
 * http_inner.h - what a client, its connections and its answers are made of
 *
 * A client belongs to a worker, so nothing here is locked. A response holds its
 * connection from fetch to close; its one block of memory is written with the
 * request's head first, then filled with the answer's.
 */
#pragma once

#include <weir/http.h>

#include "base/list.h"
#include "runtime/io.h"
#include "runtime/timer.h"
#include "wire/http1.h"
#include "wire/url.h"

#define HTTP_BODY_BYTES 4096 /* of the block, for what follows the head */
#define HTTP_ORIGIN_MAX 264 /* name, colon, port */

struct http_conn {
	struct io_fd io; /* first: its hook gets its address */
	struct weir_http_client *client;
	struct list of_idle;
	instant idle_since;
	bool kept; /* an answer came through it before */
	char origin[HTTP_ORIGIN_MAX];
};

struct weir_http_client {
	struct weir_http_options options;
	struct list idle; /* the latest first */
	struct list waiting; /* struct http_turn, for a connection to be free */
	struct timer timer;
	unsigned open; /* in use or idle */
	unsigned promised; /* places of tasks that were woken for one */
	unsigned idle_count;
};

struct weir_http_response {
	struct http_head head; /* of the request, then of the answer */
	struct http_conn *conn;
	char *url;
	enum http_method method;
	struct http1_chunks chunks;
	struct bytes run; /* data of a chunk, not given out yet */
	uint64_t left; /* of a body of known length */
	bool ended; /* all of the body has come */
	size_t head_length;
	size_t start; /* of what is not parsed, behind the head */
	size_t end;
	size_t size;
	char memory[];
};

/* http_pool.c */
void http_pool_init(struct weir_http_client *client);
void http_pool_close(struct weir_http_client *client);
/* A connection to @origin: a kept one, or else a new one to @host and @port.
 * Returns 0, or -errno with a sentence in @error. Suspends. */
SUSPENDS MUST_CHECK int http_pool_take(struct weir_http_client *client,
    struct bytes host, uint16_t port, bool fresh, struct http_conn **ret_conn,
    struct appender *error, instant deadline);
void http_pool_keep(struct http_conn *conn);
void http_pool_drop(struct http_conn *conn);

/* http_response.c */

/* Receive the final head. Returns 0 or an error of ours, or -errno. */
SUSPENDS MUST_CHECK int
http_response_head(struct weir_http_response *response, instant deadline);
