#include "http/deployment.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"

static __thread struct deployment *deployment_here;

/* ---- pools ---- */

static void
pool_server_options(
    const struct config_server *from, struct upstream_server_options *into)
{
	*into = (struct upstream_server_options){
	    .name = from->name,
	    .address = from->address.text,
	    .host = from->address.name,
	    .port = from->address.port,
	    .socket = (const struct sockaddr *)&from->address.socket,
	    .socket_length = from->address.length,
	    .weight = from->weight,
	    .requests_max = from->max_requests,
	    .backup = from->backup,
	};
}

static int
deployment_pool_new(const struct config_pool *from, struct arena *arena,
    struct upstream_pool **ret)
{
	struct upstream_server_options *servers =
	    arena_zero(arena, from->server_count * sizeof(*servers));

	if (servers == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < from->server_count; i++)
		pool_server_options(&from->servers[i], &servers[i]);
	return upstream_pool_new(
	    &(struct upstream_pool_options){
		.name = from->name,
		.policy = balance_policy_find(from->balance),
		.hash_bound_percent = from->hash_bound_percent,
		.checked = from->health.kind != CHECK_NONE,
		.servers = servers,
		.server_count = from->server_count,
		.queue_max = from->queue_max,
		.queue_timeout = from->queue_timeout,
		.ejection = {.failures_max = from->passive_failures,
		    .hold_ns = from->passive_hold.ns},
		.slow_start = from->slow_start,
		.connect_timeout = from->connect_timeout,
		.idle_timeout = from->idle_timeout,
		.keepalive = from->keepalive,
		.resolve_every = from->resolve_every,
		.retry_percent = from->retry_percent,
		.panic_percent = from->panic_percent,
	    },
	    ret);
}

static int
deployment_pools_new(struct deployment *d)
{
	const struct snapshot *snapshot = d->snapshot;
	int r = 0;

	d->pools = arena_zero(
	    snapshot->arena, (snapshot->pool_count + 1) * sizeof(d->pools[0]));
	if (d->pools == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < snapshot->pool_count && r == 0; i++)
		r = deployment_pool_new(
		    &snapshot->pools[i], snapshot->arena, &d->pools[i]);
	return r;
}

/* ---- life ---- */

static void
deployment_free(struct deployment *d, bool snapshot_too)
{
	for (unsigned i = 0; i < d->snapshot->pool_count; i++) {
		if (d->pools != NULL && d->pools[i] != NULL)
			upstream_pool_free(d->pools[i]);
	}
	router_fini(&d->router);
	if (snapshot_too)
		snapshot_free(d->snapshot);
	free(d);
}

int
deployment_new(struct snapshot *snapshot, void (*released)(struct deployment *),
    struct deployment **ret)
{
	struct deployment *d =
	    aligned_alloc(64, (sizeof(*d) + 63) & ~(size_t)63);
	int r;

	if (d == NULL)
		return -ENOMEM;
	memset(d, 0, sizeof(*d));
	d->snapshot = snapshot;
	d->released = released;
	atomic_store(&d->workers_in, runtime_worker_count());
	for (unsigned i = 0; i < LISTENERS_MAX; i++)
		d->listener_of[i] = -1;
	r = router_init(&d->router, snapshot);
	if (r == 0)
		r = deployment_pools_new(d);
	if (r < 0) {
		deployment_free(d, false);
		return r;
	}
	*ret = d;
	return 0;
}

void
deployment_discard(struct deployment *d)
{
	d->released(d);
	deployment_free(d, true);
}

static void
deployment_barrier_run(struct inbox_item *item)
{
	struct deployment_use *use =
	    container_of(item, struct deployment_use, barrier);
	struct deployment *d = use->deployment;

	if (atomic_fetch_sub(&d->barriers, 1) == 1) {
		d->released(d);
		deployment_free(d, true);
	}
}

/* The calling worker will not look at it again. The last one to leave sends
 * a barrier through every inbox: messages about it that are still under way
 * are read before it is freed. */
static void
deployment_leave(struct deployment *d)
{
	unsigned workers = runtime_worker_count();

	must(!d->uses[worker_self()].left);
	d->uses[worker_self()].left = true;
	for (unsigned i = 0; i < d->snapshot->pool_count; i++)
		upstream_pool_leave(d->pools[i]);
	if (atomic_fetch_sub(&d->workers_in, 1) != 1)
		return;
	atomic_store(&d->barriers, workers);
	for (unsigned w = 0; w < workers; w++) {
		d->uses[w].deployment = d;
		d->uses[w].barrier.run = deployment_barrier_run;
		worker_post(w, &d->uses[w].barrier);
	}
}

struct deployment *
deployment_current(void)
{
	return deployment_here;
}

void
deployment_enter(struct deployment *d)
{
	struct deployment *old = deployment_here;

	for (unsigned i = 0; d != NULL && i < d->snapshot->pool_count; i++)
		upstream_pool_enter(d->pools[i]);
	deployment_here = d;
	if (old != NULL && old->uses[worker_self()].exchanges == 0)
		deployment_leave(old);
}

void
deployment_unuse(struct deployment *d)
{
	struct deployment_use *use = &d->uses[worker_self()];

	must(use->exchanges > 0);
	use->exchanges--;
	if (use->exchanges == 0 && d != deployment_here)
		deployment_leave(d);
}
