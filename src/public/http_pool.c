/*
 * public/http_pool.c - the connections of an HTTP client
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "net/dial.h"
#include "net/resolve.h"
#include "public/http_inner.h"
#include "public/net.h"
#include "runtime/runtime.h"

#define ADDRESSES_MAX 16 /* tried, in turn */

/* On the stack of a task that waits. */
struct http_turn {
	struct event event;
	struct list of_waiting;
};

static void pool_timer(struct timer *timer);

void
http_pool_init(struct weir_http_client *client)
{
	list_init(&client->idle);
	list_init(&client->waiting);
	timer_init(&client->timer, pool_timer);
}

/* A connection was closed, or one is idle. */
static void
pool_next(struct weir_http_client *client)
{
	struct list *node = list_pop_front(&client->waiting);

	if (node != NULL)
		event_set(
		    &container_of(node, struct http_turn, of_waiting)->event);
}

void
http_pool_drop(struct http_conn *conn)
{
	struct weir_http_client *client = conn->client;

	io_close(&conn->io);
	free(conn);
	client->open--;
	pool_next(client);
}

static void
pool_unlist(struct http_conn *conn)
{
	list_remove(&conn->of_idle);
	conn->client->idle_count--;
	io_watch(&conn->io, NULL);
}

/* A server that speaks unasked, or has gone. */
static void
pool_idle_event(struct io_fd *io, unsigned events)
{
	struct http_conn *conn = (struct http_conn *)io;

	(void)events;
	pool_unlist(conn);
	http_pool_drop(conn);
}

static struct http_conn *
pool_oldest(struct weir_http_client *client)
{
	return list_empty(&client->idle)
	    ? NULL
	    : container_of(client->idle.prev, struct http_conn, of_idle);
}

static instant
pool_expires(const struct weir_http_client *client, struct http_conn *conn)
{
	return instant_after(
	    conn->idle_since, duration_ns(client->options.idle_ns));
}

static void
pool_timer(struct timer *timer)
{
	struct weir_http_client *client =
	    container_of(timer, struct weir_http_client, timer);
	struct http_conn *conn;

	while ((conn = pool_oldest(client)) != NULL) {
		if (instant_before(runtime_now(), pool_expires(client, conn))) {
			timer_start(timer, pool_expires(client, conn));
			return;
		}
		pool_unlist(conn);
		http_pool_drop(conn);
	}
}

void
http_pool_keep(struct http_conn *conn)
{
	struct weir_http_client *client = conn->client;
	struct http_conn *oldest;

	conn->kept = true;
	conn->idle_since = runtime_now();
	list_push_front(&client->idle, &conn->of_idle);
	client->idle_count++;
	io_watch(&conn->io, pool_idle_event);
	if (!timer_armed(&client->timer))
		timer_start(&client->timer, pool_expires(client, conn));
	if (client->idle_count > client->options.idle_max) {
		oldest = pool_oldest(client);
		pool_unlist(oldest);
		http_pool_drop(oldest);
	} else {
		pool_next(client);
	}
}

void
http_pool_close(struct weir_http_client *client)
{
	struct http_conn *conn;

	timer_stop(&client->timer);
	while ((conn = pool_oldest(client)) != NULL) {
		pool_unlist(conn);
		http_pool_drop(conn);
	}
	must(client->open == 0); /* A response was not closed. */
}

static struct http_conn *
pool_find(struct weir_http_client *client, const char *origin)
{
	list_each (node, &client->idle) {
		struct http_conn *conn =
		    container_of(node, struct http_conn, of_idle);

		if (strcmp(conn->origin, origin) == 0) {
			pool_unlist(conn);
			return conn;
		}
	}
	return NULL;
}

/* Wait until there may be room for one more. Whoever came first is first. */
static int
pool_wait(struct weir_http_client *client, instant deadline)
{
	struct http_turn turn;
	int error;

	event_init(&turn.event);
	list_push_back(&client->waiting, &turn.of_waiting);
	error = event_wait(&turn.event, deadline);
	if (error < 0 && list_empty(&turn.of_waiting)) {
		/* Its turn came too late: it is passed on. */
		event_wait_surely(&turn.event);
		pool_next(client);
	}
	list_remove(&turn.of_waiting);
	return error;
}

/* Its place is ours: nobody else is woken. */
static void
pool_replace(struct http_conn *conn)
{
	pool_unlist(conn);
	io_close(&conn->io);
	conn->client->open--;
	free(conn);
}

/* Wait for the turn to have a connection: an idle one to @origin, or room for
 * a new one, and then *@ret_conn is NULL. */
static int
pool_turn(struct weir_http_client *client, const char *origin, bool fresh,
    struct http_conn **ret_conn, instant deadline)
{
	bool waits = !list_empty(&client->waiting);
	struct http_conn *oldest;
	int error;

	for (;;) {
		*ret_conn = NULL;
		if (!waits) {
			if (!fresh)
				*ret_conn = pool_find(client, origin);
			if (*ret_conn != NULL ||
			    client->open < client->options.connections_max)
				return 0;
			oldest = pool_oldest(client);
			if (oldest != NULL) {
				pool_replace(oldest);
				return 0;
			}
		}
		error = pool_wait(client, deadline);
		if (error < 0)
			return error;
		waits = false;
	}
}

static int
pool_connect(struct http_conn *conn, struct bytes host, uint16_t port,
    struct appender *error, instant deadline)
{
	struct sockaddr_storage addresses[ADDRESSES_MAX];
	unsigned count = 0;
	const struct dial_options options = {0};
	int os_error = 0;
	int r;

	r = resolve_name(
	    host, port, addresses, ADDRESSES_MAX, &count, deadline);
	if (r < 0) {
		append_format(error, "%.*s: %s",
		    (int)min_of(host.length, (size_t)80), host.at,
		    error_text(r));
		return inner_net_error(r, 0);
	}
	for (unsigned i = 0; i < count; i++) {
		r = dial(&conn->io, (const struct sockaddr *)&addresses[i],
		    resolve_address_length(&addresses[i]), &options, deadline,
		    &os_error);
		if (r == 0)
			return 0;
		if (r != E_CONNECT_FAILED && r != E_CONNECT_TIMEOUT)
			break;
	}
	r = inner_net_error(r, os_error);
	append_format(
	    error, "connect to %.80s: %s", conn->origin, error_text(r));
	return r;
}

int
http_pool_take(struct weir_http_client *client, struct bytes host,
    uint16_t port, bool fresh, struct http_conn **ret_conn,
    struct appender *error, instant deadline)
{
	char origin[HTTP_ORIGIN_MAX];
	struct http_conn *conn;
	int r;

	(void)snprintf(
	    origin, sizeof(origin), "%.*s:%u", (int)host.length, host.at, port);
	r = pool_turn(client, origin, fresh, ret_conn, deadline);
	if (r < 0)
		append_format(error, "%u connections are open: %s",
		    client->open, error_text(r));
	if (r < 0 || *ret_conn != NULL)
		return r;
	conn = calloc(1, sizeof(*conn));
	if (conn == NULL)
		return -ENOMEM;
	conn->client = client;
	memcpy(conn->origin, origin, sizeof(origin));
	client->open++;
	r = pool_connect(conn, host, port, error, deadline);
	if (r < 0) {
		conn->io = IO_FD_NONE;
		http_pool_drop(conn);
		return r;
	}
	*ret_conn = conn;
	return 0;
}
