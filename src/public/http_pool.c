/*
 * public/http_pool.c - the connections of an HTTP client
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "net/dial_host.h"
#include "public/http_inner.h"
#include "public/net.h"
#include "runtime/runtime.h"

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

/* Whether a connection can be had that nobody was woken for. */
static bool
pool_has_place(const struct weir_http_client *client)
{
	return client->options.connections_max + client->idle_count >
	    client->open + client->promised;
}

/* A place may have become free: it is promised to whoever waits longest, so
 * that none who comes later takes it before he runs. */
static void
pool_next(struct weir_http_client *client)
{
	struct list *node;

	while (pool_has_place(client) &&
	    (node = list_pop_front(&client->waiting)) != NULL) {
		client->promised++;
		event_set(
		    &container_of(node, struct http_turn, of_waiting)->event);
	}
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
	misuse_unless(client->open == 0,
	    "weir_http_close() while a response is not closed");
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

/* Wait for a place. Whoever came first is first. */
static int
pool_wait(struct weir_http_client *client, instant deadline)
{
	struct http_turn turn;
	int error;

	if (list_empty(&client->waiting) && pool_has_place(client))
		return 0;
	event_init(&turn.event);
	list_push_back(&client->waiting, &turn.of_waiting);
	error = event_wait(&turn.event, deadline);
	/* Whoever was woken has the place, also when he was stopped since: his
	 * connection fails, and the place goes on to the next. */
	if (error == 0)
		client->promised--;
	else
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
	int error = pool_wait(client, deadline);

	if (error < 0)
		return error;
	*ret_conn = fresh ? NULL : pool_find(client, origin);
	if (*ret_conn == NULL &&
	    client->open == client->options.connections_max) {
		must(client->idle_count > 0);
		pool_replace(pool_oldest(client));
	}
	return 0;
}

static int
pool_connect(struct http_conn *conn, struct bytes host, uint16_t port,
    struct appender *error, instant deadline)
{
	static const struct dial_host_options options;
	struct dial_host_error why = {.os_error = 0};
	int r =
	    dial_host(&conn->io, host, port, &options, deadline, NULL, &why);

	if (r < 0)
		append_bytes(error,
		    bytes_of(why.text,
			min_of(strlen(why.text),
			    error->capacity - error->length)));
	return inner_net_error(r, why.os_error);
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
	if (conn == NULL) {
		pool_next(client);
		return -ENOMEM;
	}
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
