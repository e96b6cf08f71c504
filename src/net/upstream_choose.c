/*
 * upstream_choose.c - which server of a pool takes a request
 *
 * A pick shows the balancer what all workers share: verdicts, weights that an
 * operator set, requests in flight. What it picked is claimed by counting the
 * request there; another may have been faster, then the next pick follows.
 */
#include <stdatomic.h>

#include "net/shared.h"
#include "net/upstream_pool.h"
#include "os/random.h"

/* Up to this many servers every pick looks at all verdicts afresh; beyond it
 * they are looked at again after POOL_REFRESH, and the chosen one always. */
#define POOL_FRESH_SERVERS 32
#define POOL_REFRESH       duration_ms(5)
/* Picks of one request that others were faster to. */
#define POOL_ROUNDS_MAX 64

/* ---- weights ---- */

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
void
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

/* ---- verdicts ---- */

static bool
attempt_tried(const struct upstream_attempt *attempt, unsigned i)
{
	return (attempt->tried[i / 64] >> (i % 64) & 1) != 0;
}

bool
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
void
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

void
attempt_mark(struct upstream_attempt *attempt, unsigned i)
{
	attempt->tried[i / 64] |= (uint64_t)1 << (i % 64);
}

/*
 * A server with the request counted at it, or -1. Each round that fails found
 * a server that has just become full, or one on trial after its ejection,
 * which another request has; that one is passed over.
 */
int
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
