/*
 * upstream_server.c - addresses of a server, and the connections kept to it
 *
 * Model: one object per server and worker, found by verdict slot and address
 * text. Pools hold references, and so does every connection in use; when the
 * last pool has gone, connections are closed instead of kept. A kept
 * connection owns neither task nor buffer: any event on it (the server closed
 * it, or spoke out of turn) closes it, on the loop.
 */
#include "net/upstream_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/error.h"
#include "net/dial.h"
#include "net/resolve.h"
#include "os/log.h"
#include "runtime/runtime.h"

/* After a look-up that failed. */
#define SERVER_RESOLVE_AGAIN duration_s(1)

static __thread struct list server_registry;

static struct list *
server_registry_list(void)
{
	if (server_registry.next == NULL)
		list_init(&server_registry);
	return &server_registry;
}

/* ---- kept connections ---- */

void
upstream_conn_close(struct upstream_conn *conn)
{
	io_close(&conn->io);
	free(conn);
}

static void
server_idle_drop(struct upstream_conn *conn)
{
	list_remove(&conn->node);
	conn->server->idle_count--;
	counters_here->upstream_idle--;
	upstream_conn_close(conn);
}

static void
server_idle_event(struct io_fd *io, unsigned events)
{
	server_idle_drop(container_of(io, struct upstream_conn, io));
}

static void
server_idle_drop_all(struct upstream_server *server)
{
	while (!list_empty(&server->idle))
		server_idle_drop(container_of(
		    server->idle.prev, struct upstream_conn, node));
	timer_stop(&server->sweep);
}

static void
server_sweep(struct timer *timer)
{
	struct upstream_server *server =
	    container_of(timer, struct upstream_server, sweep);

	while (!list_empty(&server->idle)) {
		struct upstream_conn *oldest =
		    container_of(server->idle.prev, struct upstream_conn, node);
		instant end =
		    instant_after(oldest->idle_since, server->idle_timeout);

		if (instant_before(runtime_now(), end)) {
			timer_start(timer, end);
			return;
		}
		server_idle_drop(oldest);
	}
}

struct upstream_conn *
upstream_server_take_idle(struct upstream_server *server, bool careful)
{
	while (!list_empty(&server->idle)) {
		struct upstream_conn *conn =
		    container_of(server->idle.next, struct upstream_conn, node);
		char byte;
		bool look = careful || (conn->io.ready & IO_IN) != 0;

		list_remove(&conn->node);
		server->idle_count--;
		counters_here->upstream_idle--;
		io_unwatch(&conn->io);
		/* Its closing, or an answer that nobody asked for, may have
		 * arrived without our having looked. */
		if ((conn->io.ready & IO_HUP) != 0 ||
		    (look && io_peek(&conn->io, &byte, 1) != -EAGAIN)) {
			counters_here->upstream_stale++;
			upstream_conn_close(conn);
			continue;
		}
		server->refs++;
		return conn;
	}
	return NULL;
}

void
upstream_server_put_idle(struct upstream_conn *conn)
{
	struct upstream_server *server = conn->server;

	if (server->pools == 0 || server->keepalive == 0) {
		upstream_conn_close(conn);
		return;
	}
	if (server->idle_count >= server->keepalive)
		server_idle_drop(container_of(
		    server->idle.prev, struct upstream_conn, node));
	conn->idle_since = runtime_now();
	list_push_front(&server->idle, &conn->node);
	server->idle_count++;
	counters_here->upstream_idle++;
	if (!timer_armed(&server->sweep))
		timer_start(&server->sweep,
		    instant_after(conn->idle_since, server->idle_timeout));
	io_watch(&conn->io, server_idle_event);
}

void
upstream_idle_close_all(void)
{
	list_each (node, server_registry_list())
		server_idle_drop_all(
		    container_of(node, struct upstream_server, node));
}

/* ---- the registry ---- */

static void
server_free(struct upstream_server *server)
{
	server_idle_drop_all(server);
	list_remove(&server->node);
	free(server->address);
	free(server->host);
	free(server);
}

static struct upstream_server *
server_new(const struct upstream_server_options *options, int slot)
{
	struct upstream_server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		return NULL;
	list_init(&server->node);
	list_init(&server->idle);
	timer_init(&server->sweep, server_sweep);
	server->slot = slot;
	server->port = options->port;
	server->address = strndup(options->address.at, options->address.length);
	if (options->host.at != NULL)
		server->host = strndup(options->host.at, options->host.length);
	if (server->address == NULL ||
	    (options->host.at != NULL && server->host == NULL)) {
		server_free(server);
		return NULL;
	}
	if (server->host == NULL) {
		must(options->socket_length <= sizeof(server->addresses[0]));
		memcpy(&server->addresses[0], options->socket,
		    options->socket_length);
		server->address_lengths[0] = options->socket_length;
		server->address_count = 1;
	}
	list_push_back(server_registry_list(), &server->node);
	return server;
}

static struct upstream_server *
server_find(const struct upstream_server_options *options, int slot)
{
	list_each (node, server_registry_list()) {
		struct upstream_server *server =
		    container_of(node, struct upstream_server, node);

		if (server->slot == slot &&
		    bytes_equal(bytes_from(server->address), options->address))
			return server;
	}
	return NULL;
}

bool
upstream_server_known(const struct upstream_server_options *options, int slot)
{
	return server_find(options, slot) != NULL;
}

struct upstream_server *
upstream_server_ref(const struct upstream_server_options *options,
    const struct upstream_pool_options *pool, int slot)
{
	struct upstream_server *server = server_find(options, slot);

	if (server == NULL)
		server = server_new(options, slot);
	if (server == NULL)
		return NULL;
	server->refs++;
	server->pools++;
	/* The newest configuration's wishes hold. */
	server->keepalive = pool->keepalive;
	server->idle_timeout = pool->idle_timeout;
	server->resolve_every = pool->resolve_every;
	return server;
}

void
upstream_server_unref(struct upstream_server *server, bool pool)
{
	must(server->refs > 0);
	if (pool) {
		must(server->pools > 0);
		server->pools--;
		if (server->pools == 0)
			server_idle_drop_all(server);
	}
	if (--server->refs == 0)
		server_free(server);
}

/* ---- addresses ---- */

static bool
server_name_fails(int error)
{
	return error == E_NO_ADDRESS || error == E_RESOLVER_FAILED ||
	    error == E_RESOLVER_TIMEOUT;
}

static int
server_resolve(struct upstream_server *server, instant deadline)
{
	struct sockaddr_storage found[UPSTREAM_ADDRESSES_MAX];
	unsigned count = 0;
	int r;

	r = resolve_name(bytes_from(server->host), server->port, found,
	    UPSTREAM_ADDRESSES_MAX, &count, deadline);
	server->resolved = runtime_now();
	if (r == -ETIMEDOUT && task_cancelled() == 0)
		r = E_RESOLVER_TIMEOUT;
	server->resolve_error = server_name_fails(r) ? r : 0;
	if (r < 0)
		return r;
	memcpy(server->addresses, found, count * sizeof(found[0]));
	for (unsigned i = 0; i < count; i++)
		server->address_lengths[i] = resolve_address_length(&found[i]);
	server->address_count = count;
	return 0;
}

static int
server_refresh_task(void *arg)
{
	struct upstream_server *server = arg;
	int r;

	r = server_resolve(
	    server, instant_after(runtime_now(), duration_s(10)));
	if (r < 0 && r != -ECANCELED)
		log_warn("upstream",
		    "%s: looking the name up again failed (%s); the "
		    "addresses known so far stay in use",
		    server->address, error_text(r));
	server->resolving = false;
	upstream_server_unref(server, false);
	return 0;
}

/* The first addresses. What failed a moment ago is not tried for every request
 * that comes; the C library's resolver, say, keeps no denial. */
static int
server_resolve_first(struct upstream_server *server, instant deadline)
{
	if (server->resolve_error < 0 &&
	    instant_before(runtime_now(),
		instant_after(server->resolved, SERVER_RESOLVE_AGAIN)))
		return server->resolve_error;
	return server_resolve(server, deadline);
}

/* Old addresses serve while newer ones are looked up beside. */
static void
server_refresh(struct upstream_server *server)
{
	if (server->resolving ||
	    instant_before(runtime_now(),
		instant_after(server->resolved, server->resolve_every)))
		return;
	server->resolving = true;
	server->refs++;
	if (task_start(NULL, "resolve", server_refresh_task, server) < 0) {
		server->resolving = false;
		server->refs--;
	}
}

/* ---- connecting ---- */

/* One address after the other, beginning with another one each time, until
 * one takes the connection. */
static int
server_dial(struct upstream_server *server, struct upstream_conn *conn,
    instant deadline, int *ret_os_error)
{
	unsigned left = server->address_count;
	int r;

	do {
		unsigned i = server->address_next++ % server->address_count;
		/* A refresh may change them while this one is dialled. */
		struct sockaddr_storage address = server->addresses[i];

		r = dial(&conn->io, (struct sockaddr *)&address,
		    server->address_lengths[i], &(struct dial_options){0},
		    deadline, ret_os_error);
		/* -EBADF: closed under the call, the client has gone. */
	} while (r == E_CONNECT_FAILED && *ret_os_error != EBADF && --left > 0);
	return r;
}

int
upstream_server_connect(struct upstream_server *server, instant deadline,
    struct upstream_conn **dialing, struct upstream_conn **ret_conn,
    int *ret_os_error)
{
	struct upstream_conn *conn;
	int r = 0;

	server->refs++;
	if (server->host != NULL && server->address_count == 0)
		r = server_resolve_first(server, deadline);
	else if (server->host != NULL)
		server_refresh(server);
	conn = r == 0 ? calloc(1, sizeof(*conn)) : NULL;
	if (r == 0 && conn == NULL)
		r = -ENOMEM;
	if (r == 0) {
		list_init(&conn->node);
		conn->io = IO_FD_NONE;
		conn->server = server;
		*dialing = conn;
		r = server_dial(server, conn, deadline, ret_os_error);
		*dialing = NULL;
	}
	if (r < 0) {
		counters_here->upstream_connect_errors++;
		free(conn);
		upstream_server_unref(server, false);
		return r;
	}
	counters_here->upstream_connects++;
	*ret_conn = conn;
	return 0;
}
