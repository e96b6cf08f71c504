/*
 * conn.h - a client's connection, and what it costs while it is idle
 *
 * Layer      http, inside only
 * Threads    the worker that accepted it
 * Memory     this struct; a session (conn's task, buffers, exchange) only from
 *            the first byte of a request to the last of its answer
 * Invariant  idle: on_ready is set, no task, on the worker's idle list, oldest
 *            first; active: one task owns it
 */
#pragma once

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/un.h>

#include "base/list.h"
#include "base/time.h"
#include "runtime/io.h"
#include "runtime/timer.h"

struct listener;
struct session;

/* The other end, compact: a Unix socket has none worth keeping. */
union conn_address {
	sa_family_t family;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct conn {
	struct io_fd io;
	struct timer timer; /* armed lazily: see conn_idle() */
	instant idle_until;
	struct list node; /* idle list, or the worker's active list */
	struct listener *listener;
	struct session *session; /* while a request is in progress */
	instant accepted;
	union conn_address peer;
	uint32_t request_count;
	bool idle;
};
/* 0.8 KB of ours for an idle connection is the goal; this is most of it. */
_Static_assert(sizeof(struct conn) <= 256, "an idle connection: 256 bytes");

/* A worker's connections. */
struct conn_table {
	struct list idle; /* oldest first */
	struct list active;
	_Atomic uint32_t count; /* the worker writes, anybody reads */
	uint32_t count_max;
	bool draining;
} __attribute__((aligned(64)));
struct conn_table *conn_table_here(void);
static inline uint32_t
conn_table_count(const struct conn_table *table)
{
	return atomic_load_explicit(&table->count, memory_order_relaxed);
}
/* Of all workers; any thread. */
uint64_t conn_count_all(void);

/* Take over an accepted descriptor; closes it on failure. The connection goes
 * idle until @first_byte_by. */
void conn_open(struct listener *listener, int fd, const struct sockaddr *peer,
    duration first_byte_within);
/* No request in progress: wait for the next without a task. */
void conn_idle(struct conn *conn, duration idle_timeout);
/* It is to be closed after the answer in progress: its listener has gone, or
 * the worker is to end. */
bool conn_leaving(const struct conn *conn);
void conn_close(struct conn *conn);
/* Close once the peer has had its answer although bytes of it are unread: a
 * plain close would reset, and the answer could be lost (RFC 9112 §9.6). */
SUSPENDS
void conn_close_lingering(struct conn *conn);

/* The oldest idle connection, to make room; false when there is none. */
bool conn_close_oldest_idle(void);
/* Idle connections of that listener, or of all (NULL). */
void conn_close_idle(const struct listener *listener);

/* Started for every request that begins on an idle connection. */
int conn_session(void *conn);
