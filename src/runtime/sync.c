/*
 * sync.c - semaphore, condition, once, barrier, wait group
 */
#include "runtime/sync.h"

#include <errno.h>

#include "runtime/sync_core.h"

/* Nobody is let go when somebody leaves the queue. */
static void
sync_serve_nobody(struct sync *sync, struct sync_wakes *wakes)
{
	(void)sync;
	(void)wakes;
}

static int
sync_fini_idle(struct sync *sync, const char *call)
{
	bool busy;

	sync_enter(sync);
	busy = sync->first != NULL;
	sync_leave(sync);
	return busy ? sync_misuse(sync, -EBUSY, call, "somebody waits") : 0;
}

static void
semaphore_serve(struct sync *sync, struct sync_wakes *wakes)
{
	struct semaphore *s = container_of(sync, struct semaphore, sync);
	struct sync_waiter *waiter;

	while ((waiter = sync->first) != NULL && waiter->want <= s->count) {
		s->count -= waiter->want;
		sync_grant(waiter, wakes);
	}
}

/* Inside. */
static bool
semaphore_take_now(struct semaphore *s, uint64_t n)
{
	if (s->sync.first != NULL || s->count < n)
		return false;
	s->count -= n;
	return true;
}

int
semaphore_take_at(struct semaphore *s, uint64_t n, instant deadline,
    const char *file, int line)
{
	struct sync_waiter waiter;
	int error;

	error = sync_check(
	    &s->sync, s->sync.kind == SYNC_SEMAPHORE, "weir_semaphore_take");
	if (error < 0)
		return error;
	sync_enter(&s->sync);
	if (semaphore_take_now(s, n)) {
		sync_leave(&s->sync);
		return 0;
	}
	waiter.sync = &s->sync;
	waiter.file = file;
	waiter.line = line;
	waiter.want = n;
	return sync_wait(&waiter, semaphore_serve, "semaphore", deadline);
}

int
semaphore_try(struct semaphore *s, uint64_t n)
{
	bool taken;

	sync_enter(&s->sync);
	taken = semaphore_take_now(s, n);
	sync_leave(&s->sync);
	return taken ? 0 : -EBUSY;
}

int
semaphore_give(struct semaphore *s, uint64_t n)
{
	struct sync_wakes wakes = {NULL, NULL};
	bool overflow;

	sync_enter(&s->sync);
	overflow = __builtin_add_overflow(s->count, n, &n);
	if (!overflow) {
		s->count = n;
		semaphore_serve(&s->sync, &wakes);
	}
	sync_leave(&s->sync);
	sync_wake(&wakes);
	return overflow ? -EOVERFLOW : 0;
}

int
semaphore_fini(struct semaphore *s)
{
	return sync_fini_idle(&s->sync, "weir_semaphore_fini");
}

int
condition_wait_at(struct condition *c, struct mutex *m, instant deadline,
    const char *file, int line)
{
	struct sync_waiter waiter = {
	    .sync = &c->sync, .file = file, .line = line};
	unsigned depth;
	int error;

	error = sync_check(
	    &c->sync, c->sync.kind == SYNC_CONDITION, "weir_condition_wait");
	if (error < 0)
		return error;
	if (!mutex_held(m))
		return sync_misuse(&m->sync, -EPERM, "weir_condition_wait",
		    "the caller does not hold it");
	if (!instant_before(worker_here->now, deadline))
		return -ETIMEDOUT;
	depth = m->hold.depth;
	/* In the queue before the mutex is free: whoever has it next and
	 * signals finds this waiter. */
	sync_enter(&c->sync);
	sync_enqueue(&waiter);
	mutex_release(m);
	error =
	    sync_wait_queued(&waiter, sync_serve_nobody, "condition", deadline);
	mutex_lock_surely(m, depth, file, line);
	return error;
}

static void
condition_wake(struct condition *c, unsigned count_max)
{
	struct sync_wakes wakes = {NULL, NULL};

	sync_enter(&c->sync);
	for (unsigned i = 0; i < count_max && c->sync.first != NULL; i++)
		sync_grant(c->sync.first, &wakes);
	sync_leave(&c->sync);
	sync_wake(&wakes);
}

void
condition_signal(struct condition *c)
{
	condition_wake(c, 1);
}

void
condition_broadcast(struct condition *c)
{
	condition_wake(c, UINT32_MAX);
}

int
condition_fini(struct condition *c)
{
	return sync_fini_idle(&c->sync, "weir_condition_fini");
}

int
once_run_at(struct once *o, int (*fn)(void *arg), void *arg, instant deadline,
    const char *file, int line)
{
	int result;

	if (atomic_load_explicit(&o->done, memory_order_acquire))
		return 0;
	result = mutex_lock_at(&o->mutex, deadline, file, line);
	if (result < 0)
		return result;
	if (!atomic_load_explicit(&o->done, memory_order_relaxed)) {
		result = fn(arg);
		if (result >= 0)
			atomic_store_explicit(
			    &o->done, true, memory_order_release);
	}
	(void)mutex_unlock(&o->mutex);
	return min_of(result, 0);
}

static void
barrier_serve(struct sync *sync, struct sync_wakes *wakes)
{
	(void)wakes;
	container_of(sync, struct barrier, sync)->waiting--;
}

int
barrier_wait_at(struct barrier *b, instant deadline, const char *file, int line)
{
	struct sync_waiter waiter = {
	    .sync = &b->sync, .file = file, .line = line};
	struct sync_wakes wakes = {NULL, NULL};
	int error;

	error = sync_check(
	    &b->sync, b->sync.kind == SYNC_BARRIER, "weir_barrier_wait");
	if (error < 0)
		return error;
	sync_enter(&b->sync);
	if (b->waiting + 1 < b->parties) {
		if (instant_before(worker_here->now, deadline))
			b->waiting++;
		return sync_wait(&waiter, barrier_serve, "barrier", deadline);
	}
	b->waiting = 0;
	while (b->sync.first != NULL)
		sync_grant(b->sync.first, &wakes);
	sync_leave(&b->sync);
	sync_wake(&wakes);
	return 1;
}

int
barrier_fini(struct barrier *b)
{
	return sync_fini_idle(&b->sync, "weir_barrier_fini");
}

int
wait_group_add(struct wait_group *g, uint64_t n)
{
	bool overflow;

	sync_enter(&g->sync);
	overflow = __builtin_add_overflow(g->count, n, &n);
	if (!overflow)
		g->count = n;
	sync_leave(&g->sync);
	return overflow ? -EOVERFLOW : 0;
}

int
wait_group_done(struct wait_group *g)
{
	struct sync_wakes wakes = {NULL, NULL};
	bool idle;

	sync_enter(&g->sync);
	idle = g->count == 0;
	if (!idle && --g->count == 0) {
		while (g->sync.first != NULL)
			sync_grant(g->sync.first, &wakes);
	}
	sync_leave(&g->sync);
	sync_wake(&wakes);
	return idle ? sync_misuse(&g->sync, -EINVAL, "weir_wait_group_done",
			  "more done than added")
		    : 0;
}

int
wait_group_wait_at(
    struct wait_group *g, instant deadline, const char *file, int line)
{
	struct sync_waiter waiter = {
	    .sync = &g->sync, .file = file, .line = line};
	int error;

	error = sync_check(
	    &g->sync, g->sync.kind == SYNC_WAIT_GROUP, "weir_wait_group_wait");
	if (error < 0)
		return error;
	sync_enter(&g->sync);
	if (g->count == 0) {
		sync_leave(&g->sync);
		return 0;
	}
	return sync_wait(&waiter, sync_serve_nobody, "wait group", deadline);
}

int
wait_group_fini(struct wait_group *g)
{
	return sync_fini_idle(&g->sync, "weir_wait_group_fini");
}
