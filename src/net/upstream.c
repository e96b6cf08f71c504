/*
 * upstream.c - which server takes a request, and the queue before a full pool
 *
 * Model: struct upstream_pool is common to the workers and immutable but for
 * its wake-ups. struct pool_worker is one worker's share: balancer, budget and
 * the FIFO of tasks that wait because every server is at its limit. A release
 * wakes the first waiter of its own worker, or else of another one that has
 * any; a waiter that finds the place taken waits on, at its place in the line.
 * Places also come with a server that is up again, a greater weight or a
 * higher limit, of which nobody tells: the line looks for itself, at each new
 * arrival and every POOL_LOOK, and who got a place sends the next one when
 * there are more.
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
#include "net/upstream_server.h"
#include "os/random.h"
#include "policy/retry.h"
#include "runtime/runtime.h"
#include "runtime/timer.h"

/* Up to this many servers every pick looks at all verdicts afresh; beyond it
 * they are looked at again after POOL_REFRESH, and the chosen one always. */
#define POOL_FRESH_SERVERS 32
#define POOL_REFRESH       duration_ms(5)
/* How often a line looks whether there are places that nobody told it of. */
#define POOL_LOOK duration_ms(50)
/* Picks of one request that others were faster to. */
#define POOL_ROUNDS_MAX 64
/* A quiet pool may still retry this often. */
#define POOL_RETRIES_PER_SECOND 10
#define POOL_RETRY_WINDOW       duration_s(10)

struct pool_waiter {
	struct list node;
	struct task *task;
	bool woken;
};

struct pool_worker {
	struct upstream_pool *pool;
	struct balancer balancer;
	struct retry_budget budget;
	struct upstream_server **servers;
	uint32_t *weights; /* without slow start, as last seen */
	struct list queue;
	uint32_t queue_length;
	instant refreshed;
	/* As last seen, of the servers that a pick chooses from: those that are
	 * up and have a weight, how many of these are full, and how many the
	 * request has tried. */
	unsigned up_count, full_count, tried_count;
	struct timer look; /* armed while somebody waits */
	struct inbox_item wake;
	_Atomic uint32_t wakes; /* told by others, not yet passed on */
	unsigned turn;
};

struct upstream_pool {
	struct upstream_pool_options options;
	int *slots;
	_Atomic uint32_t waiting[RUNTIME_WORKERS_MAX];
	struct pool_worker *workers[RUNTIME_WORKERS_MAX];
};

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

/* The operator's wish, or the configuration's. */
static uint32_t
pool_weight(const struct upstream_pool *pool, unsigned i)
{
	uint32_t weight = atomic_load_explicit(
	    &shared->verdicts[pool->slots[i]].weight, memory_order_relaxed);

	if (weight == UINT32_MAX)
		weight = pool->options.servers[i].weight;
	return min_of(weight, (uint32_t)BALANCE_WEIGHT_MAX) *
	    BALANCE_WEIGHT_UNIT;
}

/* Some policies lay out a table by weight: it is made anew when one differs
 * from what it was made with. */
static void
pool_weights_look(struct pool_worker *pw, bool changed)
{
	unsigned count = pw->pool->options.server_count;

	for (unsigned i = 0; i < count; i++) {
		uint32_t weight = pool_weight(pw->pool, i);

		changed = changed || weight != pw->weights[i];
		pw->weights[i] = weight;
	}
	if (!changed)
		return;
	for (unsigned i = 0; i < count; i++)
		pw->balancer.servers[i].weight = pw->weights[i];
	balancer_rebuild(&pw->balancer);
}

static uint32_t
pool_started_weight(const struct pool_worker *pw, unsigned i)
{
	int64_t since;

	if (pw->pool->options.slow_start.ns == 0)
		return pw->weights[i];
	since =
	    atomic_load_explicit(&shared->verdicts[pw->pool->slots[i]].since_ns,
		memory_order_relaxed);
	return balance_slow_start_weight(pw->weights[i],
	    runtime_now().ns - since, pw->pool->options.slow_start.ns);
}

static void pool_wake_run(struct inbox_item *item);
static void pool_look(struct timer *timer);

static struct pool_worker *
pool_worker_new(struct upstream_pool *pool)
{
	const struct upstream_pool_options *o = &pool->options;
	struct pool_worker *pw = calloc(1, sizeof(*pw));

	if (pw == NULL)
		return NULL;
	pw->pool = pool;
	pw->wake.run = pool_wake_run;
	timer_init(&pw->look, pool_look);
	list_init(&pw->queue);
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

/* ---- choosing ---- */

static bool
attempt_tried(const struct upstream_attempt *attempt, unsigned i)
{
	return (attempt->tried[i / 64] >> (i % 64) & 1) != 0;
}

static bool
pool_server_full(const struct upstream_pool *pool, unsigned i)
{
	uint32_t max = pool->options.servers[i].requests_max;
	struct verdict *v = &shared->verdicts[pool->slots[i]];

	/* Ordered against pool_queue_join() and attempt_unclaim(): who finds
	 * it full after joining the line is seen by whoever then leaves. */
	return max != 0 && atomic_load(&v->in_flight) >= max;
}

/* Which servers are taken for up. */
enum pool_belief {
	BELIEVE_CHECKS, /* those that passed a check, if there are checks */
	BELIEVE_HOPE, /* those too that nobody has checked yet */
	BELIEVE_RETURN, /* those too that are ejected, one request at a time */
	BELIEVE_NOTHING /* panic: all that the operator left in */
};

static bool
pool_server_up(
    const struct upstream_pool *pool, unsigned i, enum pool_belief belief)
{
	struct verdict *v = &shared->verdicts[pool->slots[i]];

	if (belief == BELIEVE_RETURN)
		return verdict_triable(
		    pool->slots[i], pool->options.checked, runtime_now());
	if (belief == BELIEVE_NOTHING)
		return atomic_load_explicit(&v->admin, memory_order_relaxed) ==
		    ADMIN_READY;
	return verdict_usable(pool->slots[i],
	    pool->options.checked && belief == BELIEVE_CHECKS, runtime_now());
}

/* Look at every verdict; counts what is up and what of that is full, of the
 * primary servers or of the backups. A server without a weight takes nothing:
 * nobody may wait for it. */
static void
pool_refresh_as(struct pool_worker *pw, const struct upstream_attempt *attempt,
    bool backup, enum pool_belief belief)
{
	struct upstream_pool *pool = pw->pool;

	pw->up_count = pw->full_count = pw->tried_count = 0;
	for (unsigned i = 0; i < pool->options.server_count; i++) {
		struct balance_server *bs = &pw->balancer.servers[i];
		struct verdict *v = &shared->verdicts[pool->slots[i]];
		bool full;

		bs->usable = pool->options.servers[i].backup == backup &&
		    pool_server_up(pool, i, belief);
		if (!bs->usable)
			continue;
		bs->weight = pool_started_weight(pw, i);
		if (bs->weight == 0) {
			bs->usable = false;
			continue;
		}
		bs->load =
		    atomic_load_explicit(&v->in_flight, memory_order_relaxed);
		full = pool_server_full(pool, i);
		pw->up_count++;
		pw->full_count += full;
		pw->tried_count += attempt_tried(attempt, i);
		bs->usable = !full && !attempt_tried(attempt, i);
	}
	pw->refreshed = runtime_now();
}

/* Whether so few of the primary servers that the operator left in are up that
 * the checks are not believed. */
static bool
pool_panics(const struct upstream_pool *pool)
{
	uint64_t up = 0, all = 0;

	if (pool->options.panic_percent == 0)
		return false;
	for (unsigned i = 0; i < pool->options.server_count; i++) {
		if (pool->options.servers[i].backup ||
		    !pool_server_up(pool, i, BELIEVE_NOTHING))
			continue;
		all++;
		up += pool_server_up(pool, i, BELIEVE_CHECKS);
	}
	return up * 100 < all * pool->options.panic_percent;
}

/* Look at the servers in this order until some are up that the request has
 * not tried; when it has tried all of them, only those of the first group. */
static void
pool_refresh(struct pool_worker *pw, const struct upstream_attempt *attempt)
{
	const struct {
		bool backup;
		enum pool_belief belief;
	} groups[] = {
	    {false, pool_panics(pw->pool) ? BELIEVE_NOTHING : BELIEVE_CHECKS},
	    /* A pool that has just been configured has no verdicts yet. */
	    {false, BELIEVE_HOPE},
	    {true, BELIEVE_CHECKS},
	    {true, BELIEVE_HOPE},
	    {false, BELIEVE_RETURN},
	    {true, BELIEVE_RETURN},
	};
	int tried = -1;

	pool_weights_look(pw, false);
	for (unsigned g = 0; g < array_count(groups); g++) {
		if (tried >= 0 && groups[g].belief == BELIEVE_RETURN)
			break;
		pool_refresh_as(
		    pw, attempt, groups[g].backup, groups[g].belief);
		if (pw->up_count > pw->tried_count)
			return;
		if (tried < 0 && pw->up_count > 0)
			tried = (int)g;
	}
	if (tried >= 0)
		pool_refresh_as(
		    pw, attempt, groups[tried].backup, groups[tried].belief);
}

static int
pool_pick(struct pool_worker *pw, struct upstream_attempt *attempt)
{
	struct balance_request request = {
	    .hash = attempt->hash,
	    .random = random_u64(),
	    .bound_percent = pw->pool->options.hash_bound_percent,
	};
	unsigned count = pw->pool->options.server_count;
	int i;

	if (count > POOL_FRESH_SERVERS &&
	    instant_before(
		runtime_now(), instant_after(pw->refreshed, POOL_REFRESH))) {
		i = balancer_pick(&pw->balancer, &request);
		if (i >= 0 &&
		    pool_server_up(pw->pool, (unsigned)i, BELIEVE_CHECKS) &&
		    !pool_server_full(pw->pool, (unsigned)i) &&
		    !attempt_tried(attempt, (unsigned)i))
			return i;
	}
	pool_refresh(pw, attempt);
	return balancer_pick(&pw->balancer, &request);
}

/* Count the request at the server; false when others were faster to its
 * limit. */
static bool
pool_claim(struct upstream_pool *pool, unsigned i)
{
	struct verdict *v = &shared->verdicts[pool->slots[i]];
	uint32_t max = pool->options.servers[i].requests_max;
	uint32_t before =
	    atomic_fetch_add_explicit(&v->in_flight, 1, memory_order_relaxed);

	if (max == 0 || before < max)
		return true;
	atomic_fetch_sub_explicit(&v->in_flight, 1, memory_order_relaxed);
	return false;
}

static void
attempt_mark(struct upstream_attempt *attempt, unsigned i)
{
	attempt->tried[i / 64] |= (uint64_t)1 << (i % 64);
}

/*
 * A server with the request counted at it, or -1. Each round that fails found
 * a server that has just become full, or one on trial after its ejection,
 * which another request has; that one is passed over.
 */
static int
pool_take(struct pool_worker *pw, struct upstream_attempt *attempt,
    bool *ret_on_trial)
{
	for (unsigned round = 0; round < POOL_ROUNDS_MAX; round++) {
		int i = pool_pick(pw, attempt);

		if (i < 0)
			return -1;
		if (!pool_claim(pw->pool, (unsigned)i))
			continue;
		if (verdict_try(pw->pool->slots[i], runtime_now()))
			return i;
		atomic_fetch_sub_explicit(
		    &shared->verdicts[pw->pool->slots[i]].in_flight, 1,
		    memory_order_relaxed);
		attempt_mark(attempt, (unsigned)i);
		*ret_on_trial = true;
	}
	return -1;
}

/* ---- the queue ---- */

/* The first of the line that was not woken yet; false: there is none. */
static bool
pool_wake_first(struct pool_worker *pw)
{
	list_each (node, &pw->queue) {
		struct pool_waiter *waiter =
		    container_of(node, struct pool_waiter, node);

		if (waiter->woken)
			continue;
		waiter->woken = true;
		task_wake(waiter->task);
		return true;
	}
	return false;
}

/* Tell another worker that has a line; false: none has. */
static bool
pool_wake_other(struct upstream_pool *pool)
{
	unsigned self = worker_self();
	unsigned workers = runtime_worker_count();

	for (unsigned n = 1; n < workers; n++) {
		unsigned w = (self + n) % workers;

		if (atomic_load(&pool->waiting[w]) == 0)
			continue;
		/* Its waiters keep the worker's share alive: it leaves the
		 * pool only after the last of them has gone. */
		if (atomic_fetch_add(&pool->workers[w]->wakes, 1) == 0)
			worker_post(w, &pool->workers[w]->wake);
		return true;
	}
	return false;
}

/* As many places as were announced; those that nobody here waits for any more
 * go on to the next worker. */
static void
pool_wake_run(struct inbox_item *item)
{
	struct pool_worker *pw = container_of(item, struct pool_worker, wake);
	uint32_t count = atomic_exchange(&pw->wakes, 0);

	while (count-- > 0) {
		if (!pool_wake_first(pw) && !pool_wake_other(pw->pool))
			return;
	}
}

static void
pool_look(struct timer *timer)
{
	struct pool_worker *pw = container_of(timer, struct pool_worker, look);

	if (pw->queue_length == 0)
		return;
	(void)pool_wake_first(pw);
	timer_start(timer, instant_after(runtime_now(), POOL_LOOK));
}

/* A place became free: the first in this worker's line has it, or else one of
 * another worker's; and each second place the other way about, since a line
 * that never empties would keep them all. */
static void
pool_wake_one(struct upstream_pool *pool)
{
	struct pool_worker *here = pool->workers[worker_self()];
	bool others_first = here != NULL && (here->turn++ & 1) != 0;

	if (others_first && pool_wake_other(pool))
		return;
	if (here != NULL && pool_wake_first(here))
		return;
	if (!others_first)
		(void)pool_wake_other(pool);
}

static int
pool_queue_wait(struct pool_worker *pw, struct pool_waiter *waiter,
    struct upstream_attempt *attempt, instant deadline)
{
	instant now = runtime_now();
	instant end;
	int r;

	if (attempt->queued.ns == 0)
		attempt->queued = now;
	end = instant_earlier(deadline,
	    instant_after(attempt->queued, pw->pool->options.queue_timeout));
	waiter->woken = false;
	attempt->waiter = waiter->task;
	r = task_park("queue of a pool", end);
	attempt->waiter = NULL;
	if (attempt->abandoned)
		return E_CLIENT_GONE;
	if (r == -ETIMEDOUT)
		r = instant_before(runtime_now(), deadline) ? E_QUEUE_TIMEOUT
							    : -ETIMEDOUT;
	return r;
}

static void
pool_queue_join(struct pool_worker *pw, struct pool_waiter *waiter)
{
	waiter->task = task_self();
	waiter->woken = false;
	list_push_back(&pw->queue, &waiter->node);
	pw->queue_length++;
	counters_here->queue_length++;
	atomic_fetch_add(&pw->pool->waiting[worker_self()], 1);
	if (!timer_armed(&pw->look))
		timer_start(&pw->look, instant_after(runtime_now(), POOL_LOOK));
}

static void
pool_queue_leave(struct pool_worker *pw, struct pool_waiter *waiter)
{
	list_remove(&waiter->node);
	pw->queue_length--;
	counters_here->queue_length--;
	atomic_fetch_sub(&pw->pool->waiting[worker_self()], 1);
}

/* After server @i was claimed: whether another request would find a place. */
static bool
pool_has_room(const struct pool_worker *pw, unsigned i)
{
	return pw->up_count > pw->full_count + 1 ||
	    (pw->up_count > pw->full_count && !pool_server_full(pw->pool, i));
}

/* Wait in the line until a server can be claimed. */
static int
pool_choose_queued(
    struct pool_worker *pw, struct upstream_attempt *attempt, instant deadline)
{
	struct pool_waiter waiter;
	bool on_trial;
	int r, i = -1;

	if (pw->queue_length >= pw->pool->options.queue_max) {
		counters_here->queue_rejected++;
		return E_QUEUE_FULL;
	}
	pool_queue_join(pw, &waiter);
	/* A place may have become free before the line was joined, or be free
	 * while those in front do not know. */
	if (pw->queue_length == 1 || pw->up_count > pw->full_count)
		(void)pool_wake_first(pw);
	do {
		r = pool_queue_wait(pw, &waiter, attempt, deadline);
		if (r < 0)
			break;
		memset(attempt->tried, 0, sizeof(attempt->tried));
		i = pool_take(pw, attempt, &on_trial);
		if (i < 0 && pw->up_count == 0)
			r = E_POOL_DOWN;
	} while (r == 0 && i < 0);
	pool_queue_leave(pw, &waiter);
	/* A wake that this waiter could not use belongs to the next. */
	if (r < 0 && waiter.woken)
		pool_wake_one(pw->pool);
	else if (r >= 0 && pool_has_room(pw, (unsigned)i))
		(void)pool_wake_first(pw);
	if (r == E_QUEUE_TIMEOUT)
		counters_here->queue_rejected++;
	return r < 0 ? r : i;
}

/* Index of a server with the request counted at it, or an error. */
static int
pool_choose(
    struct pool_worker *pw, struct upstream_attempt *attempt, instant deadline)
{
	bool on_trial = false;
	int i = -1;

	/* Nobody overtakes those who wait. */
	if (pw->queue_length == 0)
		i = pool_take(pw, attempt, &on_trial);
	else
		pool_refresh(pw, attempt);
	if (i >= 0)
		return i;
	if (pw->up_count == 0)
		return E_POOL_DOWN;
	if (pw->queue_length == 0 && pw->full_count == 0 && !on_trial) {
		/* Every server that is up was tried: begin again. */
		memset(attempt->tried, 0, sizeof(attempt->tried));
		i = pool_take(pw, attempt, &on_trial);
	}
	return i >= 0 ? i : pool_choose_queued(pw, attempt, deadline);
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
			upstream_failed(attempt, r);
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
upstream_failed(struct upstream_attempt *attempt, int error)
{
	struct upstream_pool *pool = attempt->pool;

	attempt_mark(attempt, (unsigned)attempt->server);
	attempt_counters(attempt)->failures++;
	(void)verdict_failure(
	    attempt->slot, &pool->options.ejection, runtime_now());
	(void)error;
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
