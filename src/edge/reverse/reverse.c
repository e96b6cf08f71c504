/*
 * reverse.c - one exchange through a pool: attempts, and when they may be
 * repeated
 *
 * Model: the exchange's task sends the request and relays the answer. A body
 * that is not wholly in memory is sent by a second task in a scope that ends
 * before the exchange does. Before the answer's head arrives a failure may be
 * answered by another attempt; after it the answer is already the client's.
 *
 * An attempt is repeated only when the server cannot have acted on it (nothing
 * was sent: no connection), or when acting twice is harmless (idempotent
 * methods) and the body, if any, can be sent again. Beyond a kept connection
 * that turned out closed, each repetition is paid from the pool's budget.
 */
#include "edge/reverse/reverse.h"

#include <errno.h>
#include <string.h>

#include "base/counters.h"
#include "base/error.h"
#include "base/hash.h"
#include "edge/reverse/reverse_private.h"
#include "http/deployment.h"
#include "net/buffers.h"
#include "net/shared.h"
#include "runtime/runtime.h"

/* A server that closes every kept connection just as we use it would be
 * tried for ever; after so many, only a new connection will do. */
#define REVERSE_STALE_MAX 2

/* ---- hashing ---- */

static uint64_t
reverse_hash(struct exchange *ex, const struct config_pool *pool)
{
	struct bytes key = bytes_of(NULL, 0);

	switch (pool->hash_on) {
	case HASH_CLIENT:
		key = ex->client;
		break;
	case HASH_PATH:
		key = ex->request.path;
		break;
	case HASH_HEADER:
		key = http_head_find(&ex->request, pool->hash_name);
		break;
	case HASH_COOKIE:
		key = http_cookie_find(
		    http_head_get(&ex->request, FIELD_COOKIE), pool->hash_name);
		break;
	case HASH_URI:
		key = exchange_format(ex, "%.*s?%.*s",
		    (int)ex->request.path.length, ex->request.path.at,
		    (int)ex->request.query.length,
		    ex->request.query.at != NULL ? ex->request.query.at : "");
		break;
	}
	/* Without the header or cookie a client is still one client. */
	if (key.length == 0)
		key = ex->client;
	/* The same on every node and after every restart. A client that
	 * picks its keys can aim at a server, which hash.bound limits. */
	return hash_bytes(key, 0);
}

/* ---- the client goes away ---- */

static void
reverse_client_gone(void *arg)
{
	struct reverse *rv = arg;

	upstream_abandon(&rv->attempt);
}

void
reverse_watch_client(struct reverse *rv, bool on)
{
	struct exchange *ex = rv->ex;

	if (rv->config->abandon)
		ex->ops->watch_client(ex, on ? reverse_client_gone : NULL, rv);
}

/* ---- attempts ---- */

static bool
reverse_nothing_sent(int error)
{
	return error == E_CONNECT_FAILED || error == E_CONNECT_TIMEOUT ||
	    error == E_NO_ADDRESS;
}

static bool
reverse_may_repeat(const struct reverse *rv, int error)
{
	const struct exchange *ex = rv->ex;

	if (ex->client_gone || ex->head_sent)
		return false;
	if (reverse_nothing_sent(error))
		return !rv->body_sent;
	if (error != E_STALE && error != E_UPSTREAM_CLOSED)
		return false;
	return http_method_idempotent(ex->request.method) && rv->body_whole;
}

/* Whether @error tells something about the server: a lack of memory of ours
 * does not, nor a kept connection that it closed, as it may at any time. */
static bool
reverse_is_evidence(int error)
{
	return error == E_UPSTREAM_CLOSED || error == E_UPSTREAM_BROKEN ||
	    error == E_UPSTREAM_TIMEOUT || error == E_UPSTREAM_TRUNCATED;
}

/* One attempt, to the answer's head. The connection is ours afterwards only
 * on success. */
static int
reverse_attempt(struct reverse *rv)
{
	struct exchange *ex = rv->ex;
	struct upstream_attempt *attempt = &rv->attempt;
	int r;

	ex->attempts++;
	r = upstream_acquire(rv->pool, attempt, ex->deadline);
	if (attempt->queued.ns != 0)
		ex->timeline.queued = attempt->queued;
	if (r < 0)
		return r;
	ex->timeline.server_chosen = attempt->chosen;
	ex->timeline.connected = attempt->connected;
	ex->server_name = upstream_server_options(attempt)->name;
	ex->server_reused = attempt->reused;
	rv->answer_deadline = instant_earlier(ex->deadline,
	    instant_after(runtime_now(), rv->config->response_timeout));
	r = reverse_send(rv);
	if (r >= 0)
		r = reverse_recv_head(rv);
	if (r >= 0)
		return 0;
	(void)reverse_upload_end(rv);
	if (reverse_is_evidence(r) && !ex->client_gone)
		upstream_failed(attempt);
	upstream_release(attempt, false);
	return r;
}

static int
reverse_attempts(struct reverse *rv)
{
	uint32_t attempts_left = rv->config->pool->retry_attempts;
	unsigned stale = 0;
	int r;

	upstream_budget_request(rv->pool);
	for (;;) {
		r = reverse_attempt(rv);
		if (r >= 0 || !reverse_may_repeat(rv, r))
			return r;
		if (r == E_STALE && stale < REVERSE_STALE_MAX) {
			counters_here->upstream_stale++;
			rv->attempt.fresh = ++stale == REVERSE_STALE_MAX;
			continue;
		}
		if (attempts_left-- == 0)
			return r;
		if (!upstream_budget_take(rv->pool)) {
			counters_here->upstream_retries_refused++;
			return r;
		}
		counters_here->upstream_retries++;
		shared->servers[worker_self()][rv->attempt.slot].retries++;
	}
}

/* ---- the exchange ---- */

static void
reverse_count(struct reverse *rv, unsigned status)
{
	struct exchange *ex = rv->ex;
	struct server_counters *c =
	    &shared->servers[worker_self()][rv->attempt.slot];
	unsigned class = status / 100;

	c->responses[class < 6 ? class : 0]++;
	c->bytes_in += ex->bytes_out;
	c->bytes_out += ex->bytes_in;
	c->latency_sum_us += (uint64_t)(instant_since(ex->timeline.answer_head,
					    ex->timeline.server_chosen)
					    .ns /
	    1000);
}

static int
reverse_answer(struct reverse *rv)
{
	/* The head's memory is used again for the trailers. */
	unsigned status = rv->ex->response.status;
	bool whole;
	int r, sent;

	upstream_succeeded(&rv->attempt);
	if (status == 101)
		r = reverse_tunnel(rv);
	else
		r = reverse_relay(rv);
	sent = reverse_upload_end(rv);
	reverse_count(rv, status);
	/* Reuse needs both directions whole; the client cares only for r. */
	whole =
	    r >= 0 && sent == 0 && rv->ended && rv->at == rv->end && rv->keep;
	upstream_release(&rv->attempt, whole);
	return r;
}

static void
reverse_begin(struct reverse *rv, struct exchange *ex)
{
	const struct config_reverse *config = ex->route->reverse;
	const struct config_pool *pool = config->pool;

	memset(rv, 0, sizeof(*rv));
	rv->ex = ex;
	rv->config = config;
	rv->pool = ex->deployment->pools[pool->index];
	rv->attempt.careful = !http_method_idempotent(ex->request.method);
	if (bytes_starts_with(pool->balance, BYTES("hash")))
		rv->attempt.hash = reverse_hash(ex, pool);
	ex->pool_name = pool->name;
	if (config->request_timeout.ns != 0)
		ex->deadline = instant_after(
		    ex->timeline.head_received, config->request_timeout);
}

int
reverse_handle(struct exchange *ex)
{
	struct reverse rv;
	int r;

	reverse_begin(&rv, ex);
	rv.buffer = buffer_acquire();
	r = rv.buffer == NULL ? -ENOMEM : 0;
	if (r == 0)
		r = reverse_request_rewrite(&rv);
	if (r == 0)
		r = reverse_body_peek(&rv);
	if (r == 0)
		reverse_watch_client(&rv, true);
	if (r == 0)
		r = reverse_attempts(&rv);
	reverse_watch_client(&rv, false);
	if (r == 0)
		r = reverse_answer(&rv);
	if (ex->client_gone)
		r = E_CLIENT_GONE;
	buffer_release(rv.buffer);
	buffer_release(rv.body_memory);
	return r;
}

const struct feature reverse_feature = {
    .action = ACTION_REVERSE,
    .handle = reverse_handle,
};
