/*
 * reverse_private.h - what the files of the reverse proxy share
 */
#pragma once

#include "http/exchange.h"
#include "net/upstream.h"
#include "runtime/task.h"
#include "wire/http1.h"

/* A body up to this is read whole before a server is chosen: a slow client
 * then holds no server, and the request can be sent again. */
#define REVERSE_BODY_WHOLE (16 * 1024)

/* One exchange's way to a server and back. */
struct reverse {
	struct exchange *ex;
	const struct config_reverse *config;
	struct upstream_pool *pool;
	struct upstream_attempt attempt;

	char *buffer; /* what the server sends; the head stays at its front
			 until it has been sent on */
	uint32_t at, end;
	struct http1_chunks chunks;
	uint64_t left; /* of a body with a length */
	bool ended; /* the answer's body has ended exactly */
	bool upgrade; /* the client asked, and the route allows it */

	/* The request body, when all of it is in memory: it can be sent again;
	 * else it is streamed beside, once. */
	bool body_whole;
	struct bytes body;
	char *body_memory;
	struct scope upload;
	bool upload_running;
	int upload_error; /* of the client's side, or -EPIPE of the server's */
	bool body_sent; /* some of a streamed body was taken from the client */

	bool keep; /* the server will keep the connection */
	instant answer_deadline;
};

/* reverse.c: the client is looked after while the server is waited for, as far
 * as the route wants it: its going away ends the wait. */
void reverse_watch_client(struct reverse *rv, bool on);

/* reverse_request.c */
MUST_CHECK
int reverse_request_rewrite(struct reverse *rv);
SUSPENDS
MUST_CHECK
int reverse_body_peek(struct reverse *rv);
SUSPENDS
MUST_CHECK
int reverse_send(struct reverse *rv);
/* Stop the upload; 0 when the body was sent to its end. */
SUSPENDS
int reverse_upload_end(struct reverse *rv);

/* reverse_answer.c */
SUSPENDS
MUST_CHECK
int reverse_recv_head(struct reverse *rv);
SUSPENDS
MUST_CHECK
int reverse_relay(struct reverse *rv);

/* reverse_tunnel.c */
SUSPENDS
MUST_CHECK
int reverse_tunnel(struct reverse *rv);
