/*
 * upstream.c - pools of servers, and one request's way through one
 *
 * Model: struct upstream_pool is common to the workers and immutable but for
 * its wake-ups; struct pool_worker is one worker's share of it. Which server
 * takes a request is in upstream_choose.c, who waits for one in
 * upstream_queue.c, the connections kept to it in upstream_server.c.
 */
#include "net/upstream.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/error.h"
#include "base/hash.h"
#include "net/shared.h"
#include "net/upstream_pool.h"
#include "net/upstream_server.h"
#include "os/random.h"
#include "runtime/runtime.h"

/* A quiet pool may still retry this often. */
#define POOL_RETRIES_PER_SECOND 10
#define POOL_RETRY_WINDOW       duration_s(10)

/* ---- making and ending ---- */

int
upstream_pool_new(const struct upstream_pool_options *options,
    struct upstream_pool **ret_pool)
{
	struct upstream_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return -ENOMEM;
	pool->options = *options;
	pool->slots = calloc(options->server_count, sizeof(*pool->slots));
	if (pool->slots == NULL) {
		free(pool);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < options->server_count; i++) {
		pool->slots[i] =
		    verdict_find(options->name, options->servers[i].name);
		if (pool->slots[i] < 0) {
			upstream_pool_free(pool);
			return -ENOENT;
		}
	}
	*ret_pool = pool;
	return 0;
}

/* What belongs to the worker; the struct itself stays for other workers that
 * may just be posting to it, until the pool is freed. */
static void
pool_worker_fini(struct pool_worker *pw)
{
	if (pw->servers == NULL)
		return;
	timer_stop(&pw->look);
	for (unsigned i = 0; i < pw->pool->options.server_count; i++) {
		if (pw->servers[i] != NULL)
			upstream_server_unref(pw->servers[i], true);
	}
	balancer_fini(&pw->balancer);
	free(pw->weights);
	free(pw->servers);
	pw->servers = NULL;
}

void
upstream_pool_leave(struct upstream_pool *pool)
{
	struct pool_worker *pw = pool->workers[worker_self()];

	if (pw == NULL)
		return;
	must(list_empty(&pw->queue));
	pool_worker_fini(pw);
}

void
upstream_pool_free(struct upstream_pool *pool)
{
	for (unsigned i = 0; i < RUNTIME_WORKERS_MAX; i++) {
		struct pool_worker *pw = pool->workers[i];

		must(pw == NULL || pw->servers == NULL);
		must(pw == NULL || atomic_load(&pw->wakes) == 0);
		free(pw);
	}
	free(pool->slots);
	free(pool);
}

static struct pool_worker *
pool_worker_new(struct upstream_pool *pool)
{
	const struct upstream_pool_options *o = &pool->options;
	struct pool_worker *pw = calloc(1, sizeof(*pw));

	if (pw == NULL)
		return NULL;
	pw->pool = pool;
	pool_queue_init(pw);
	retry_budget_init(&pw->budget, o->retry_percent,
	    POOL_RETRIES_PER_SECOND, POOL_RETRY_WINDOW, runtime_now());
	pw->servers = calloc(o->server_count, sizeof(*pw->servers));
	pw->weights = calloc(o->server_count, sizeof(*pw->weights));
	if (pw->servers == NULL || pw->weights == NULL ||
	    balancer_init(&pw->balancer, o->policy, o->server_count) < 0) {
		free(pw->weights);
		free(pw->servers);
		free(pw);
		return NULL;
	}
	pw->balancer.position = random_u64();
	for (unsigned i = 0; i < o->server_count; i++) {
		struct bytes name = o->servers[i].name;

		pw->servers[i] =
		    upstream_server_ref(&o->servers[i], o, pool->slots[i]);
		if (pw->servers[i] == NULL) {
			pool_worker_fini(pw);
			free(pw);
			return NULL;
		}
		pw->balancer.servers[i].key = hash_bytes(name, 0);
	}
	pool_weights_look(pw, true);
	pool->workers[worker_self()] = pw;
	return pw;
}

void
upstream_pool_enter(struct upstream_pool *pool)
{
	const struct upstream_pool_options *o = &pool->options;

	for (unsigned i = 0; i < o->server_count; i++) {
		if (!upstream_server_known(&o->servers[i], pool->slots[i]))
			continue;
		/* Without memory it is tried again by the first request. */
		(void)pool_worker_new(pool);
		return;
	}
}

static struct pool_worker *
pool_worker_here(struct upstream_pool *pool)
{
	struct pool_worker *pw = pool->workers[worker_self()];

	if (unlikely(pw == NULL))
		return pool_worker_new(pool);
	must(pw->servers != NULL);
	return pw;
}

/* ---- connections ---- */

static void
attempt_unclaim(struct upstream_attempt *attempt)
{
	atomic_fetch_sub(&shared->verdicts[attempt->slot].in_flight, 1);
	pool_wake_one(attempt->pool);
}

static struct server_counters *
attempt_counters(const struct upstream_attempt *attempt)
{
	return &shared->servers[worker_self()][attempt->slot];
}

static int
attempt_connect(
    struct pool_worker *pw, struct upstream_attempt *attempt, instant deadline)
{
	struct upstream_server *server = pw->servers[attempt->server];
	instant end;
	int r;

	attempt->reused = false;
	attempt->conn = attempt->fresh
	    ? NULL
	    : upstream_server_take_idle(server, attempt->careful);
	if (attempt->conn != NULL) {
		attempt->reused = true;
		counters_here->upstream_reuses++;
		return 0;
	}
	end = instant_earlier(deadline,
	    instant_after(runtime_now(), pw->pool->options.connect_timeout));
	r = upstream_server_connect(
	    server, end, &attempt->dialing, &attempt->conn, &attempt->os_error);
	if (r == 0 && attempt->abandoned) {
		/* While the name was looked up. */
		upstream_conn_close(attempt->conn);
		attempt->conn = NULL;
		upstream_server_unref(server, false);
	}
	if (attempt->abandoned)
		r = E_CLIENT_GONE;
	if (r == -ETIMEDOUT)
		r = E_CONNECT_TIMEOUT;
	if (r < 0)
		return r;
	attempt_counters(attempt)->connects++;
	attempt->connected = runtime_now();
	return 0;
}

int
upstream_acquire(struct upstream_pool *pool, struct upstream_attempt *attempt,
    instant deadline)
{
	struct pool_worker *pw = pool_worker_here(pool);
	int r;

	must(attempt->conn == NULL);
	if (pw == NULL)
		return -ENOMEM;
	attempt->pool = pool;
	r = pool_choose(pw, attempt, deadline);
	if (r < 0)
		return r;
	attempt->server = r;
	attempt->slot = pool->slots[r];
	attempt->chosen = runtime_now();
	attempt_counters(attempt)->requests++;
	r = attempt_connect(pw, attempt, deadline);
	if (r < 0) {
		if (r == E_CONNECT_FAILED || r == E_CONNECT_TIMEOUT ||
		    r == E_NO_ADDRESS)
			upstream_failed(attempt);
		attempt_unclaim(attempt);
	}
	return r;
}

void
upstream_release(struct upstream_attempt *attempt, bool keep)
{
	struct upstream_conn *conn = attempt->conn;
	struct upstream_server *server = conn->server;

	attempt->conn = NULL;
	conn->request_count++;
	/* Abandoned after its answer had come: closed already. */
	if (keep && !attempt->abandoned && (conn->io.ready & IO_HUP) == 0)
		upstream_server_put_idle(conn);
	else
		upstream_conn_close(conn);
	upstream_server_unref(server, false);
	attempt_unclaim(attempt);
}

void
upstream_abandon(struct upstream_attempt *attempt)
{
	attempt->abandoned = true;
	if (attempt->waiter != NULL)
		task_wake(attempt->waiter);
	else if (attempt->dialing != NULL)
		io_close(&attempt->dialing->io);
	else if (attempt->conn != NULL)
		io_close(&attempt->conn->io);
}

/* ---- evidence and budget ---- */

void
upstream_succeeded(struct upstream_attempt *attempt)
{
	verdict_success(attempt->slot);
}

void
upstream_failed(struct upstream_attempt *attempt)
{
	struct upstream_pool *pool = attempt->pool;

	attempt_mark(attempt, (unsigned)attempt->server);
	attempt_counters(attempt)->failures++;
	(void)verdict_failure(
	    attempt->slot, &pool->options.ejection, runtime_now());
}

void
upstream_budget_request(struct upstream_pool *pool)
{
	struct pool_worker *pw = pool_worker_here(pool);

	if (pw != NULL)
		retry_budget_request(&pw->budget, runtime_now());
}

bool
upstream_budget_take(struct upstream_pool *pool)
{
	struct pool_worker *pw = pool_worker_here(pool);

	return pw != NULL && retry_budget_take(&pw->budget, runtime_now());
}

const struct upstream_server_options *
upstream_server_options(const struct upstream_attempt *attempt)
{
	return &attempt->pool->options.servers[attempt->server];
}
