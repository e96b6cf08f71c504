/*
 * upstream_pool.h - a pool, and one worker's share of it
 *
 * Layer      net, inside only
 * Threads    struct upstream_pool is read by all; a share belongs to its
 *            worker, but for what is atomic
 */
#pragma once

#include <stdatomic.h>

#include "net/upstream.h"
#include "policy/retry.h"
#include "runtime/runtime.h"
#include "runtime/timer.h"

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

/* ---- upstream_choose.c ---- */

/* See whether a weight differs from what the balancer was made with, and make
 * it anew then; @changed: in any case. */
void pool_weights_look(struct pool_worker *pw, bool changed);
/* Look at every verdict for @attempt: sets the counts of @pw. */
void
pool_refresh(struct pool_worker *pw, const struct upstream_attempt *attempt);
/*
 * A server with the request counted at it, or -1. *@ret_on_trial is set when
 * one was passed over because another request has its trial.
 */
int pool_take(struct pool_worker *pw, struct upstream_attempt *attempt,
    bool *ret_on_trial);
bool pool_server_full(const struct upstream_pool *pool, unsigned i);
/* @attempt shall not be offered server @i again. */
void attempt_mark(struct upstream_attempt *attempt, unsigned i);

/* ---- upstream_queue.c ---- */

void pool_queue_init(struct pool_worker *pw);
/* A place became free. */
void pool_wake_one(struct upstream_pool *pool);
/* Index of a server with the request counted at it, after waiting for one if
 * need be; or an error of upstream_acquire(). */
SUSPENDS
MUST_CHECK
int pool_choose(
    struct pool_worker *pw, struct upstream_attempt *attempt, instant deadline);
