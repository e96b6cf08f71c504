/*
 * session.h - one HTTP/1.1 connection while it is busy
 *
 * Layer      http, inside only
 * Threads    the task that serves the connection
 * Memory     from the worker's stock; the input buffer holds the head of the
 *            request for as long as the exchange lives, `body` is taken when
 *            a body does not fit behind it
 *
 *   input: [ head ][ body and what the client sent ahead ... ]
 *          0       head_length      at                    end   capacity
 */
#pragma once

#include "http/conn.h"
#include "http/deployment.h"
#include "http/exchange.h"
#include "policy/rate.h"
#include "wire/http1.h"

/* Unread body that is still read to keep a connection (or its answer). */
#define SESSION_DISCARD_BYTES (64 * 1024)
/* An answer's body up to this goes into the buffer of its head: one send. */
#define SESSION_JOIN_BYTES (12 * 1024)
/* Bytes moved by the kernel only when at least so many are known to come. */
#define SESSION_SPLICE_BYTES (128 * 1024)

struct input {
	char *memory;
	uint32_t at;
	uint32_t end;
	uint32_t capacity;
};

struct session {
	struct exchange ex; /* first: exchange to session is a cast */
	struct session *next; /* in the stock */
	struct conn *conn;
	struct deployment *deployment;

	struct input head; /* the first buffer */
	char *head_large; /* when a head outgrew a stock buffer */
	uint32_t head_length;
	struct input body; /* memory == NULL: not taken */
	struct input *in; /* where unread bytes are */

	struct http1_chunks chunks;
	uint64_t body_left; /* with HTTP_BODY_LENGTH */
	uint64_t body_max; /* 0: no limit */
	bool continue_due; /* 100 Continue not yet sent */
	bool upgraded;

	bool chunked_out;
	bool bodiless_out; /* HEAD, 204, 304: body calls do nothing */
	uint64_t out_left; /* with a length: bytes still owed */
	bool out_length_known;
	bool keep; /* the connection survives this exchange */
	duration idle_timeout; /* of the site it was for */

	struct rate_meter rate_in, rate_out;
	int out_queued; /* see h1_client_took(); -1: not asked */
	void (*gone)(void *arg);
	void *gone_arg;
	char arena_memory[2048];
};

static inline struct session *
session_of(struct exchange *ex)
{
	return (struct session *)ex;
}

/* Until when the client may be waited for now: within @wait, and within what
 * its minimum rate leaves. */
static inline instant
session_patience(const struct rate_meter *meter, duration wait)
{
	duration patience = rate_meter_patience(meter);

	return instant_after(
	    runtime_now(), patience.ns < wait.ns ? patience : wait);
}

/* NULL: no memory. */
struct session *session_acquire(struct conn *conn);
void session_release(struct session *session);
/* Free this thread's stock. */
void sessions_thread_end(void);

/* h1_input.c: the request's side */

/* Returns 1 (a head is parsed), 0 (the client closed before any byte of it),
 * or an error. */
SUSPENDS
int h1_read_head(struct session *s);
void h1_body_begin(struct session *s);
SUSPENDS
int h1_recv_body(struct exchange *ex, struct bytes *ret);
SUSPENDS
ssize_t h1_recv_splice(struct exchange *ex, struct io_fd *to, instant deadline);
/* Read and drop what is left of the body, up to SESSION_DISCARD_BYTES.
 * Returns whether it has ended. */
SUSPENDS
bool h1_discard_body(struct session *s);
/* Bytes already received of the next request, moved to the front. */
bool h1_input_next(struct session *s);

/* h1_output.c: the answer's side */
extern const struct exchange_ops h1_exchange_ops;
