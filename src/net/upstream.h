/*
 * upstream.h - pools of servers: choosing one, connections to it, the queue
 * before it
 *
 * Layer      net
 * Threads    a pool is made by one thread and used by every worker; each
 *            worker has its own balancer, queue, budget and connections. What
 *            is common to all (verdicts, requests in flight) is atomic and
 *            lies in net/shared.h.
 * Memory     a kept connection holds no buffer and no task
 * Limits     queue_max waiting requests per worker, then E_QUEUE_FULL;
 *            keepalive idle connections per worker and server, the oldest is
 *            closed beyond it
 * Invariant  a connection is kept only when both messages on it ended
 *            exactly; a kept one on which anything arrives is closed
 */
#pragma once

#include <sys/socket.h>

#include "base/bytes.h"
#include "base/list.h"
#include "base/time.h"
#include "policy/balance.h"
#include "policy/health_state.h"
#include "runtime/io.h"

struct upstream_server_options {
	struct bytes name; /* unique in the pool */
	struct bytes address; /* as text, for messages and Host */
	struct bytes host; /* to be resolved; at == NULL: use socket */
	uint16_t port;
	const struct sockaddr *socket;
	socklen_t socket_length;
	uint32_t weight;
	uint32_t requests_max; /* in flight, all workers; 0: no limit */
	bool backup;
};

/* Borrowed until the pool is freed. */
struct upstream_pool_options {
	struct bytes name;
	const struct balance_policy *policy;
	uint32_t hash_bound_percent;
	bool checked; /* has active checks: unknown is used before nothing */
	const struct upstream_server_options *servers;
	unsigned server_count;
	uint32_t queue_max;
	duration queue_timeout;
	struct ejection ejection;
	duration slow_start;
	duration connect_timeout;
	duration idle_timeout;
	uint32_t keepalive;
	duration resolve_every;
	uint32_t retry_percent;
	uint32_t panic_percent;
};

struct upstream_pool;
struct upstream_server;

/* Returns 0; -ENOMEM; -ENOENT when a server has no verdict slot. */
MUST_CHECK
int upstream_pool_new(const struct upstream_pool_options *options,
    struct upstream_pool **ret_pool);
/* The calling worker will use the pool, and has not done so yet: connections
 * that it keeps to servers of this pool stay when an older pool is left. */
void upstream_pool_enter(struct upstream_pool *pool);
/* The calling worker has no more use for the pool. */
void upstream_pool_leave(struct upstream_pool *pool);
/* Every worker has left it, and has since looked through its inbox (another
 * worker may have posted a wake-up just before). */
void upstream_pool_free(struct upstream_pool *pool);

struct upstream_conn {
	struct io_fd io;
	struct upstream_server *server;
	struct list node; /* in the idle list of its server */
	instant idle_since;
	uint32_t request_count; /* sent on it before this one */
};

/*
 * One exchange's way through a pool: zero it, set the inputs, acquire; after
 * a failure that may be tried again, acquire again with the same struct.
 */
struct upstream_attempt {
	/* in */
	uint64_t hash; /* of what the policy hashes; else 0 */
	bool fresh; /* only a new connection will do */
	bool careful; /* look at a kept connection before using it */
	/* out */
	struct upstream_conn *conn;
	int server; /* index in the pool */
	int slot; /* of its verdict */
	int os_error; /* errno behind E_CONNECT_FAILED */
	bool reused;
	instant queued, chosen, connected; /* ns == 0: did not happen */
	/* inside */
	struct upstream_pool *pool;
	struct task *waiter; /* in the queue */
	struct upstream_conn *dialing;
	bool abandoned;
	uint64_t tried[BALANCE_SERVERS_MAX / 64];
};

/*
 * upstream_acquire - choose a server and a connection to it
 *
 * Waits in the queue when every server that is up is at its limit; connects
 * within connect_timeout. A failed connection counts as evidence against the
 * server and marks it tried.
 *
 * Returns 0 and attempt->conn; E_POOL_DOWN, E_QUEUE_FULL, E_QUEUE_TIMEOUT,
 * E_CONNECT_FAILED, E_CONNECT_TIMEOUT, E_NO_ADDRESS, E_CLIENT_GONE
 * (abandoned), -ENOMEM, -ETIMEDOUT (@deadline), or the cancel error.
 */
SUSPENDS
MUST_CHECK
int upstream_acquire(struct upstream_pool *pool,
    struct upstream_attempt *attempt, instant deadline);

/* Give the connection back; @keep: both messages ended exactly. */
SUSPENDS
void upstream_release(struct upstream_attempt *attempt, bool keep);

/*
 * The client has gone: whatever the attempt's task waits for (a place in the
 * queue, a connection, bytes of the server) ends now. Acquire then returns
 * E_CLIENT_GONE; calls on conn->io return -EBADF. On the loop or a task.
 */
void upstream_abandon(struct upstream_attempt *attempt);

/* Evidence: a usable answer came; or none did. */
void upstream_succeeded(struct upstream_attempt *attempt);
void upstream_failed(struct upstream_attempt *attempt);

/* The retry budget of the pool on this worker. */
void upstream_budget_request(struct upstream_pool *pool);
bool upstream_budget_take(struct upstream_pool *pool);

const struct upstream_server_options *
upstream_server_options(const struct upstream_attempt *attempt);

/* Close this worker's idle connections to every server (draining). */
void upstream_idle_close_all(void);
