/*
 * upstream_server.h - one server as one worker knows it: its addresses and
 * its connections; outlives the pools that use it, so a reload keeps warm
 * connections
 *
 * Layer      net, inside only
 * Threads    the worker that made it
 */
#pragma once

#include "net/upstream.h"
#include "runtime/timer.h"

/* More addresses behind one name are left out. */
#define UPSTREAM_ADDRESSES_MAX 8

struct upstream_server {
	struct list node; /* in the worker's registry */
	unsigned refs; /* pools of this worker, and connections in use */
	unsigned pools; /* of those, pools: none left means close, not keep */
	int slot;
	char *address; /* text; with the slot the identity */
	char *host; /* to be resolved, or NULL */
	uint16_t port;

	struct sockaddr_storage addresses[UPSTREAM_ADDRESSES_MAX];
	socklen_t address_lengths[UPSTREAM_ADDRESSES_MAX];
	unsigned address_count, address_next;
	instant resolved; /* when it was last tried */
	int resolve_error; /* what that came to */
	bool resolving;
	duration resolve_every;

	struct list idle; /* the front was used last */
	unsigned idle_count;
	uint32_t keepalive;
	duration idle_timeout;
	struct timer sweep; /* closes what idled too long */
};

/* The worker's object for that server, made if it is new; -ENOMEM: NULL. */
struct upstream_server *
upstream_server_ref(const struct upstream_server_options *options,
    const struct upstream_pool_options *pool, int slot);
/* Whether this worker has an object for it already. */
bool
upstream_server_known(const struct upstream_server_options *options, int slot);
void upstream_server_unref(struct upstream_server *server, bool pool);

/* A kept connection, or NULL. @careful: one that shows no sign of closing. */
struct upstream_conn *
upstream_server_take_idle(struct upstream_server *server, bool careful);
/* Keep it for later; closes it when that is not wanted. */
void upstream_server_put_idle(struct upstream_conn *conn);

/* A new connection; *@dialing is it while it is being made, else NULL.
 * Returns 0, E_CONNECT_*, E_NO_ADDRESS, -ENOMEM, or the cancel error;
 * *@ret_os_error is errno behind E_CONNECT_FAILED. */
SUSPENDS
MUST_CHECK
int upstream_server_connect(struct upstream_server *server, instant deadline,
    struct upstream_conn **dialing, struct upstream_conn **ret_conn,
    int *ret_os_error);
void upstream_conn_close(struct upstream_conn *conn);
