#include "net/upstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/counters.h"
#include "base/error.h"
#include "net/shared.h"
#include "os/memory.h"
#include "runtime/runtime.h"

#define SERVERS_MAX 4

/* A pool of listeners that accept nobody: the kernel finishes handshakes. */
struct world {
	int listeners[SERVERS_MAX];
	struct sockaddr_in addresses[SERVERS_MAX];
	char names[SERVERS_MAX][8];
	struct upstream_server_options servers[SERVERS_MAX];
	struct upstream_pool_options options;
	struct upstream_pool *pool;
	int slots[SERVERS_MAX];
};

static instant
in_ms(int64_t ms)
{
	return instant_after(runtime_now(), duration_ms(ms));
}

static void
world_listen(struct world *w, unsigned i)
{
	struct sockaddr_in *address = &w->addresses[i];
	socklen_t length = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	must(fd >= 0);
	must(bind(fd, (struct sockaddr *)address, length) == 0);
	must(listen(fd, 1024) == 0);
	must(getsockname(fd, (struct sockaddr *)address, &length) == 0);
	w->listeners[i] = fd;
}

static void
world_init(struct world *w, unsigned count, const char *policy)
{
	*w = (struct world){
	    .options =
		{
		    .name = BYTES("p"),
		    .policy = balance_policy_find(bytes_from(policy)),
		    .servers = w->servers,
		    .server_count = count,
		    .queue_max = 2,
		    .queue_timeout = duration_s(10),
		    .connect_timeout = duration_s(5),
		    .idle_timeout = duration_s(10),
		    .keepalive = 2,
		    .retry_percent = 20,
		},
	};
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(w->names[i], sizeof(w->names[i]), "s%u", i);
		world_listen(w, i);
		w->servers[i] = (struct upstream_server_options){
		    .name = bytes_from(w->names[i]),
		    .address = bytes_from(w->names[i]),
		    .socket = (struct sockaddr *)&w->addresses[i],
		    .socket_length = sizeof(w->addresses[i]),
		    .weight = 1,
		};
		w->slots[i] =
		    verdict_claim(w->options.name, w->servers[i].name);
		assert_true(w->slots[i] >= 0);
	}
}

static void
world_open(struct world *w)
{
	assert_int_equal(upstream_pool_new(&w->options, &w->pool), 0);
}

/* Nothing of a pool may be left in what all pools share. */
static void
world_fini(struct world *w)
{
	upstream_pool_leave(w->pool);
	for (unsigned i = 0; i < w->options.server_count; i++) {
		assert_int_equal(
		    atomic_load(&shared->verdicts[w->slots[i]].in_flight), 0);
		close(w->listeners[i]);
	}
	assert_int_equal(counters_here->queue_length, 0);
	assert_int_equal(counters_here->upstream_idle, 0);
	upstream_pool_free(w->pool);
}

/* ---- choosing ---- */

/* One request through the pool: the server that had it, or an error. */
static int
ask(struct world *w, bool keep)
{
	struct upstream_attempt attempt = {0};
	int r = upstream_acquire(w->pool, &attempt, in_ms(5000));

	if (r < 0)
		return r;
	upstream_release(&attempt, keep);
	return attempt.server;
}

static int
follows_the_operator(void *arg)
{
	struct world w;
	struct verdict *zero, *one;
	int first;

	world_init(&w, 2, "round_robin");
	world_open(&w);
	zero = &shared->verdicts[w.slots[0]];
	one = &shared->verdicts[w.slots[1]];
	first = ask(&w, true);
	assert_int_equal(ask(&w, true), !first);
	assert_int_equal(ask(&w, true), first);

	atomic_store(&zero->weight, 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(ask(&w, true), 1);
	atomic_store(&zero->weight, 3);
	for (unsigned i = 0, zeros = 0; i < 8; i++) {
		zeros += ask(&w, true) == 0;
		assert_true(i < 7 || zeros == 6);
	}
	atomic_store(&zero->admin, ADMIN_DRAINED);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(ask(&w, true), 1);
	atomic_store(&one->admin, ADMIN_DOWN);
	assert_int_equal(ask(&w, true), E_POOL_DOWN);
	atomic_store(&zero->admin, ADMIN_READY);
	assert_int_equal(ask(&w, true), 0);
	world_fini(&w);
	return 0;
}

static int
prefers_another_server_after_a_failure(void *arg)
{
	struct upstream_attempt attempt = {0};
	struct world w;
	int r;

	world_init(&w, 2, "round_robin");
	close(w.listeners[0]); /* refuses */
	world_open(&w);
	for (unsigned i = 0; i < 4; i++) {
		attempt = (struct upstream_attempt){0};
		r = upstream_acquire(w.pool, &attempt, in_ms(5000));
		if (r < 0) {
			assert_int_equal(r, E_CONNECT_FAILED);
			assert_int_equal(attempt.os_error, ECONNREFUSED);
			r = upstream_acquire(w.pool, &attempt, in_ms(5000));
		}
		assert_int_equal(r, 0);
		assert_int_equal(attempt.server, 1);
		upstream_release(&attempt, false);
	}
	w.listeners[0] = -1;
	world_fini(&w);
	return 0;
}

/* ---- kept connections ---- */

static int
keeps_connections(void *arg)
{
	struct upstream_attempt attempt = {0};
	struct world w;
	int accepted;

	world_init(&w, 1, "round_robin");
	world_open(&w);
	assert_int_equal(ask(&w, true), 0);
	assert_int_equal(counters_here->upstream_idle, 1);
	assert_int_equal(upstream_acquire(w.pool, &attempt, in_ms(5000)), 0);
	assert_true(attempt.reused);
	assert_int_equal(counters_here->upstream_idle, 0);
	upstream_release(&attempt, true);

	/* The server closes it while nobody looks. */
	accepted = accept(w.listeners[0], NULL, NULL);
	close(accepted);
	assert_int_equal(task_sleep(duration_ms(20)), 0);
	assert_int_equal(counters_here->upstream_idle, 0);

	/* It speaks out of turn. */
	assert_int_equal(ask(&w, true), 0);
	accepted = accept(w.listeners[0], NULL, NULL);
	assert_int_equal(write(accepted, "HTTP/1.1 200", 12), 12);
	assert_int_equal(task_sleep(duration_ms(20)), 0);
	assert_int_equal(counters_here->upstream_idle, 0);
	close(accepted);
	world_fini(&w);
	return 0;
}

static int
keeps_no_more_than_it_may(void *arg)
{
	struct upstream_attempt attempts[5];
	struct world w;

	world_init(&w, 1, "round_robin");
	world_open(&w);
	memset(attempts, 0, sizeof(attempts));
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(
		    upstream_acquire(w.pool, &attempts[i], in_ms(5000)), 0);
	for (unsigned i = 0; i < 5; i++)
		upstream_release(&attempts[i], true);
	assert_int_equal(counters_here->upstream_idle, 2);
	upstream_idle_close_all();
	assert_int_equal(counters_here->upstream_idle, 0);
	world_fini(&w);
	return 0;
}

/* The answer had come when the client went: the descriptor is closed. */
static int
keeps_nothing_that_was_abandoned(void *arg)
{
	struct upstream_attempt attempt = {0};
	struct world w;

	world_init(&w, 1, "round_robin");
	world_open(&w);
	assert_int_equal(upstream_acquire(w.pool, &attempt, in_ms(5000)), 0);
	upstream_abandon(&attempt);
	assert_int_equal(attempt.conn->io.fd, -1);
	upstream_release(&attempt, true);
	assert_int_equal(counters_here->upstream_idle, 0);
	assert_int_equal(ask(&w, true), 0);
	world_fini(&w);
	return 0;
}

/* ---- the queue ---- */

struct waiter {
	struct world *world;
	struct upstream_attempt attempt;
	instant deadline;
	int result;
	unsigned order; /* in which it was served */
	unsigned *served;
	bool done;
};

static int
waiter_run(void *arg)
{
	struct waiter *me = arg;

	me->result =
	    upstream_acquire(me->world->pool, &me->attempt, me->deadline);
	me->order = ++*me->served;
	me->done = true;
	return 0;
}

static void
waiter_start(struct scope *scope, struct waiter *me, struct world *w,
    unsigned *served, int64_t ms)
{
	*me = (struct waiter){
	    .world = w, .deadline = in_ms(ms), .served = served};
	assert_int_equal(task_start(scope, "waiter", waiter_run, me), 0);
	assert_int_equal(task_yield(), 0);
}

static int
serves_the_line_in_order(void *arg)
{
	struct upstream_attempt holder = {0};
	struct waiter waiters[3];
	struct scope scope;
	struct world w;
	unsigned served = 0;

	world_init(&w, 1, "round_robin");
	w.servers[0].requests_max = 1;
	world_open(&w);
	scope_init(&scope, instant_never());
	assert_int_equal(upstream_acquire(w.pool, &holder, in_ms(5000)), 0);
	for (unsigned i = 0; i < 3; i++)
		waiter_start(&scope, &waiters[i], &w, &served, 5000);
	assert_int_equal(waiters[2].result, E_QUEUE_FULL);
	assert_int_equal(counters_here->queue_length, 2);
	assert_false(waiters[0].done || waiters[1].done);

	upstream_release(&holder, true);
	/* Whoever comes now does not overtake. */
	waiter_start(&scope, &waiters[2], &w, &served, 5000);
	while (!waiters[0].done)
		assert_int_equal(task_yield(), 0);
	assert_false(waiters[1].done);
	for (unsigned i = 0; i < 3; i++) {
		while (!waiters[i].done)
			assert_int_equal(task_yield(), 0);
		assert_int_equal(waiters[i].result, 0);
		upstream_release(&waiters[i].attempt, true);
	}
	assert_true(waiters[0].order < waiters[1].order);
	assert_true(waiters[1].order < waiters[2].order);
	assert_int_equal(scope_fini(&scope), 0);
	world_fini(&w);
	return 0;
}

static int
leaves_the_line(void *arg)
{
	struct upstream_attempt holder = {0};
	struct waiter gone, late, stays;
	struct scope scope;
	struct world w;
	unsigned served = 0;

	world_init(&w, 1, "round_robin");
	w.servers[0].requests_max = 1;
	w.options.queue_max = 3;
	world_open(&w);
	scope_init(&scope, instant_never());
	assert_int_equal(upstream_acquire(w.pool, &holder, in_ms(5000)), 0);
	waiter_start(&scope, &gone, &w, &served, 5000);
	waiter_start(&scope, &late, &w, &served, 10);
	waiter_start(&scope, &stays, &w, &served, 5000);

	upstream_abandon(&gone.attempt);
	while (!gone.done || !late.done)
		assert_int_equal(task_sleep(duration_ms(1)), 0);
	assert_int_equal(gone.result, E_CLIENT_GONE);
	assert_int_equal(late.result, -ETIMEDOUT);
	assert_int_equal(counters_here->queue_length, 1);
	assert_false(stays.done);

	/* Woken for a place, the first of the line goes: the next has it. */
	waiter_start(&scope, &gone, &w, &served, 5000);
	upstream_release(&holder, false);
	upstream_abandon(&stays.attempt);
	while (!stays.done || !gone.done)
		assert_int_equal(task_yield(), 0);
	assert_int_equal(stays.result, E_CLIENT_GONE);
	assert_int_equal(gone.result, 0);
	upstream_release(&gone.attempt, false);
	assert_int_equal(scope_fini(&scope), 0);
	world_fini(&w);
	return 0;
}

static int
ends_the_wait(void *arg)
{
	struct upstream_attempt holder = {0};
	struct waiter waiter;
	struct scope scope;
	struct world w;
	unsigned served = 0;

	world_init(&w, 1, "round_robin");
	w.servers[0].requests_max = 1;
	w.options.queue_timeout = duration_ms(20);
	world_open(&w);
	scope_init(&scope, instant_never());
	assert_int_equal(upstream_acquire(w.pool, &holder, in_ms(5000)), 0);
	waiter_start(&scope, &waiter, &w, &served, 5000);
	while (!waiter.done)
		assert_int_equal(task_sleep(duration_ms(1)), 0);
	assert_int_equal(waiter.result, E_QUEUE_TIMEOUT);

	/* Stopped while it waits. */
	waiter_start(&scope, &waiter, &w, &served, 5000);
	scope_cancel(&scope, 0);
	assert_int_equal(scope_fini(&scope), 0);
	assert_int_equal(waiter.result, -ECANCELED);
	upstream_release(&holder, true);
	world_fini(&w);
	return 0;
}

/* Room that no release announces. */
static int
finds_a_server_that_comes_back(void *arg)
{
	struct upstream_attempt holder = {0};
	struct waiter waiter;
	struct scope scope;
	struct world w;
	unsigned served = 0;

	world_init(&w, 2, "round_robin");
	w.servers[0].requests_max = 1;
	world_open(&w);
	atomic_store(&shared->verdicts[w.slots[1]].admin, ADMIN_DRAINED);
	scope_init(&scope, instant_never());
	assert_int_equal(upstream_acquire(w.pool, &holder, in_ms(5000)), 0);
	waiter_start(&scope, &waiter, &w, &served, 5000);
	assert_false(waiter.done);
	atomic_store(&shared->verdicts[w.slots[1]].admin, ADMIN_READY);
	while (!waiter.done)
		assert_int_equal(task_sleep(duration_ms(1)), 0);
	assert_int_equal(waiter.result, 0);
	assert_int_equal(waiter.attempt.server, 1);
	upstream_release(&waiter.attempt, true);
	upstream_release(&holder, true);
	assert_int_equal(scope_fini(&scope), 0);
	world_fini(&w);
	return 0;
}

/* ---- two workers ---- */

#define CROSS_TASKS    8 /* on each worker */
#define CROSS_REQUESTS 50 /* of each task */
#define CROSS_PLACES   2

struct cross {
	struct world world;
	struct event done;
	_Atomic unsigned inside, most, failed;
	unsigned finished[2];
};

static int
cross_task(void *arg)
{
	struct cross *x = arg;

	for (unsigned i = 0; i < CROSS_REQUESTS; i++) {
		struct upstream_attempt attempt = {0};
		unsigned inside;

		if (upstream_acquire(x->world.pool, &attempt, in_ms(20000)) <
		    0) {
			atomic_fetch_add(&x->failed, 1);
			continue;
		}
		inside = atomic_fetch_add(&x->inside, 1) + 1;
		if (inside > atomic_load(&x->most))
			atomic_store(&x->most, inside);
		if (task_yield() < 0)
			atomic_fetch_add(&x->failed, 1);
		atomic_fetch_sub(&x->inside, 1);
		upstream_release(&attempt, true);
	}
	x->finished[worker_self()]++;
	return 0;
}

static void
cross_work(struct cross *x)
{
	struct scope scope;

	scope_init(&scope, instant_never());
	for (unsigned i = 0; i < CROSS_TASKS; i++)
		must(task_start(&scope, "cross", cross_task, x) == 0);
	must(scope_wait(&scope) == 0);
	must(scope_fini(&scope) == 0);
}

static int
cross_other(void *arg)
{
	struct cross *x = arg;

	cross_work(x);
	/* A message for this line may be under way from the other worker. */
	must(task_sleep(duration_ms(20)) == 0);
	upstream_pool_leave(x->world.pool);
	event_set(&x->done);
	return 0;
}

static int
shares_places_between_workers(void *arg)
{
	static struct cross x;

	memset(&x, 0, sizeof(x));
	world_init(&x.world, 1, "round_robin");
	x.world.servers[0].requests_max = CROSS_PLACES;
	x.world.options.queue_max = CROSS_TASKS;
	x.world.options.queue_timeout = duration_s(20);
	world_open(&x.world);
	event_init(&x.done);
	assert_int_equal(worker_start_on(1, "other", cross_other, &x), 0);
	cross_work(&x);
	assert_int_equal(event_wait(&x.done, in_ms(20000)), 0);
	assert_int_equal(atomic_load(&x.failed), 0);
	assert_int_equal(x.finished[0], CROSS_TASKS);
	assert_int_equal(x.finished[1], CROSS_TASKS);
	assert_in_range(atomic_load(&x.most), 1, CROSS_PLACES);
	world_fini(&x.world);
	return 0;
}

/* A worker that always has somebody in its own line gives places to others. */
struct greedy {
	struct world world;
	struct event done;
	int result;
	_Atomic bool served;
};

static int
greedy_other(void *arg)
{
	struct greedy *g = arg;
	struct upstream_attempt attempt = {0};

	g->result = upstream_acquire(g->world.pool, &attempt, in_ms(5000));
	atomic_store(&g->served, true);
	if (g->result == 0)
		upstream_release(&attempt, false);
	must(task_sleep(duration_ms(20)) == 0);
	upstream_pool_leave(g->world.pool);
	event_set(&g->done);
	return 0;
}

static int
greedy_task(void *arg)
{
	struct greedy *g = arg;
	instant end = in_ms(5000);

	while (!atomic_load(&g->served) && instant_before(runtime_now(), end)) {
		struct upstream_attempt attempt = {0};

		if (upstream_acquire(g->world.pool, &attempt, end) < 0)
			return 0;
		(void)task_sleep(duration_ms(1));
		upstream_release(&attempt, true);
	}
	return 0;
}

static int
starves_no_worker(void *arg)
{
	static struct greedy g;
	instant began;
	struct scope scope;

	memset(&g, 0, sizeof(g));
	world_init(&g.world, 1, "round_robin");
	g.world.servers[0].requests_max = 1;
	g.world.options.queue_max = 8;
	world_open(&g.world);
	event_init(&g.done);
	scope_init(&scope, instant_never());
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(
		    task_start(&scope, "greedy", greedy_task, &g), 0);
	assert_int_equal(task_sleep(duration_ms(10)), 0);
	began = runtime_now();
	assert_int_equal(worker_start_on(1, "other", greedy_other, &g), 0);
	assert_int_equal(event_wait(&g.done, in_ms(10000)), 0);
	assert_int_equal(g.result, 0);
	assert_true(instant_since(runtime_now(), began).ns < duration_s(2).ns);
	assert_int_equal(scope_wait(&scope), 0);
	assert_int_equal(scope_fini(&scope), 0);
	world_fini(&g.world);
	return 0;
}

/* ---- running ---- */

static int
setup(void **state)
{
	return shared_map_private();
}

static int
teardown(void **state)
{
	memory_unmap(shared, sizeof(*shared));
	shared = NULL;
	return 0;
}

static void
on_one(void **state)
{
	static const struct runtime_options options = {.worker_count = 1};

	assert_int_equal(runtime_run(&options, (task_fn)*state, NULL), 0);
}

static void
on_two(void **state)
{
	static const struct runtime_options options = {.worker_count = 2};

	assert_int_equal(runtime_run(&options, (task_fn)*state, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define ONE(fn) {#fn, on_one, setup, teardown, (void *)(fn)}
#define TWO(fn)                                                                \
	{                                                                      \
#		fn, on_two, setup, teardown, (void *)(fn)                     \
	}
	    ONE(follows_the_operator),
	    ONE(prefers_another_server_after_a_failure),
	    ONE(keeps_connections),
	    ONE(keeps_no_more_than_it_may),
	    ONE(keeps_nothing_that_was_abandoned),
	    ONE(serves_the_line_in_order),
	    ONE(leaves_the_line),
	    ONE(ends_the_wait),
	    ONE(finds_a_server_that_comes_back),
	    TWO(shares_places_between_workers),
	    TWO(starves_no_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
