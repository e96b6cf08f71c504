/*
 * conn.c - connections come, idle and go
 *
 * The idle time-out is armed lazily: a busy connection would move its timer
 * with every request, so going idle only stores when it ends; a timer that
 * fires early arms itself again.
 */
#include "http/conn.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "http/listener.h"
#include "net/buffers.h"
#include "os/log.h"
#include "os/socket.h"
#include "runtime/runtime.h"

/* After an answer with unread input: so long and so much is still read. */
#define LINGER_TIME  duration_s(2)
#define LINGER_BYTES (256 * 1024)

static struct conn_table conn_tables[RUNTIME_WORKERS_MAX];

struct conn_table *
conn_table_here(void)
{
	struct conn_table *table = &conn_tables[worker_self()];

	if (unlikely(table->idle.next == NULL)) {
		list_init(&table->idle);
		list_init(&table->active);
	}
	return table;
}

uint64_t
conn_count_all(void)
{
	uint64_t count = 0;

	for (unsigned w = 0; w < runtime_worker_count(); w++)
		count += conn_table_count(&conn_tables[w]);
	return count;
}

static void
conn_table_count_set(struct conn_table *table, uint32_t count)
{
	atomic_store_explicit(&table->count, count, memory_order_relaxed);
}

void
conn_close(struct conn *conn)
{
	struct conn_table *table = conn_table_here();

	if (!conn->idle)
		counters_here->connections_active--;
	timer_stop(&conn->timer);
	list_remove(&conn->node);
	io_close(&conn->io);
	listener_unref(conn->listener);
	free(conn);
	conn_table_count_set(table, conn_table_count(table) - 1);
	counters_here->connections_open--;
}

/* Bytes, or the end, on an idle connection: only now does it get a task. */
static void
conn_on_ready(struct io_fd *io, unsigned events)
{
	struct conn *conn = container_of(io, struct conn, io);

	io_unwatch(&conn->io);
	if (task_start(NULL, "session", conn_session, conn) < 0) {
		log_error("http",
		    "no task for a request: %u connections are active; "
		    "closing this one",
		    (unsigned)counters_here->connections_active);
		conn_close(conn);
		return;
	}
	conn->idle = false;
	list_remove(&conn->node);
	list_push_back(&conn_table_here()->active, &conn->node);
	counters_here->connections_active++;
}

static void
conn_timer_fired(struct timer *timer)
{
	struct conn *conn = container_of(timer, struct conn, timer);

	if (!conn->idle)
		return; /* conn_idle() arms it again */
	if (instant_before(runtime_now(), conn->idle_until)) {
		timer_start(timer, conn->idle_until);
		return;
	}
	counters_here->timeouts_idle++;
	conn_close(conn);
}

bool
conn_leaving(const struct conn *conn)
{
	return conn_table_here()->draining || conn->listener->stopped;
}

void
conn_idle(struct conn *conn, duration idle_timeout)
{
	struct conn_table *table = conn_table_here();

	must(!conn->idle);
	if (conn_leaving(conn)) {
		conn_close(conn);
		return;
	}
	conn->idle = true;
	counters_here->connections_active--;
	list_remove(&conn->node);
	list_push_back(&table->idle, &conn->node);
	conn->idle_until = instant_after(runtime_now(), idle_timeout);
	if (!timer_armed(&conn->timer) ||
	    instant_before(conn->idle_until, conn->timer.when))
		timer_start(&conn->timer, conn->idle_until);
	io_watch(&conn->io, conn_on_ready);
}

void
conn_open(struct listener *listener, int fd, const struct sockaddr *peer,
    duration first_byte_within)
{
	struct conn_table *table = conn_table_here();
	struct conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL || io_attach_stream(&conn->io, fd) < 0) {
		counters_here->accept_errors++;
		log_error("http", "no memory for a connection; closing it");
		free(conn);
		socket_close(fd);
		return;
	}
	timer_init(&conn->timer, conn_timer_fired);
	list_init(&conn->node);
	conn->listener = listener_ref(listener);
	conn->accepted = runtime_now();
	if (peer->sa_family == AF_INET)
		memcpy(&conn->peer.v4, peer, sizeof(conn->peer.v4));
	else if (peer->sa_family == AF_INET6)
		memcpy(&conn->peer.v6, peer, sizeof(conn->peer.v6));
	else
		conn->peer.family = AF_UNIX;
	conn_table_count_set(table, conn_table_count(table) + 1);
	counters_here->connections_accepted++;
	counters_here->connections_open++;
	counters_here->connections_active++;
	conn_idle(conn, first_byte_within);
}

void
conn_close_lingering(struct conn *conn)
{
	instant end = instant_after(runtime_now(), LINGER_TIME);
	char *scratch = buffer_acquire();
	size_t total = 0;
	ssize_t n = 1;

	if (scratch != NULL && socket_shutdown_write(conn->io.fd) == 0) {
		while (n > 0 && total < LINGER_BYTES) {
			n = io_recv(&conn->io, scratch, BUFFER_BYTES, end);
			total += n > 0 ? (size_t)n : 0;
		}
	}
	buffer_release(scratch);
	conn_close(conn);
}

bool
conn_close_oldest_idle(void)
{
	struct conn_table *table = conn_table_here();

	if (list_empty(&table->idle))
		return false;
	conn_close(container_of(table->idle.next, struct conn, node));
	return true;
}

void
conn_close_idle(const struct listener *listener)
{
	list_each_safe (node, &conn_table_here()->idle) {
		struct conn *conn = container_of(node, struct conn, node);

		if (listener == NULL || conn->listener == listener)
			conn_close(conn);
	}
}
