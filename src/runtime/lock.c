/*
 * lock.c - mutexes and read-write locks, handed over under the lock's own lock
 */
#include "runtime/lock.h"

#include <errno.h>

#include "runtime/lock_order.h"
#include "runtime/sync_core.h"

static void
lock_hold_set(struct lock_hold *hold, struct sync *sync, struct task *task,
    const char *file, int line)
{
	hold->task = task;
	hold->sync = sync;
	hold->file = file;
	hold->line = line;
	hold->depth = 0;
}

static void
lock_hold_give(struct lock_hold *hold, struct sync_waiter *waiter)
{
	lock_hold_set(
	    hold, waiter->sync, waiter->task, waiter->file, waiter->line);
	waiter->hold = hold;
}

static bool
mutex_is(const struct mutex *m)
{
	return m->sync.kind == SYNC_MUTEX || m->sync.kind == SYNC_REENTRANT ||
	    m->sync.kind == SYNC_ONCE;
}

static void
mutex_serve(struct sync *sync, struct sync_wakes *wakes)
{
	struct mutex *m = container_of(sync, struct mutex, sync);
	struct sync_waiter *waiter = sync->first;

	if (m->hold.task != NULL || waiter == NULL)
		return;
	lock_hold_give(&m->hold, waiter);
	sync_grant(waiter, wakes);
}

/* 0: it was free, or is held again; -EBUSY. Inside. */
static int
mutex_take(struct mutex *m, struct task *self, const char *file, int line)
{
	if (m->hold.task == NULL) {
		lock_hold_set(&m->hold, &m->sync, self, file, line);
		lock_hold_enter(&m->hold);
		return 0;
	}
	if (m->hold.task != self || m->sync.kind != SYNC_REENTRANT)
		return -EBUSY;
	m->hold.depth++;
	return 0;
}

int
mutex_try_at(struct mutex *m, const char *file, int line)
{
	int error;

	error = sync_check(&m->sync, mutex_is(m), "weir_mutex_try");
	if (error == -EINVAL || error == -EPERM)
		return error;
	sync_enter(&m->sync);
	error = mutex_take(m, worker_here->current, file, line);
	sync_leave(&m->sync);
	return error;
}

int
mutex_lock_at(struct mutex *m, instant deadline, const char *file, int line)
{
	struct sync_waiter waiter;
	int error;

	error = sync_check(&m->sync, mutex_is(m),
	    m->sync.kind == SYNC_ONCE ? "weir_once_run" : "weir_mutex_lock");
	if (unlikely(error < 0))
		return error;
	sync_enter(&m->sync);
	if (likely(mutex_take(m, worker_here->current, file, line) == 0)) {
		sync_leave(&m->sync);
		lock_order_taken(&m->hold);
		return 0;
	}
	waiter.sync = &m->sync;
	waiter.file = file;
	waiter.line = line;
	error = sync_wait(&waiter, mutex_serve, "mutex", deadline);
	if (error < 0)
		return error;
	lock_hold_enter(&m->hold);
	lock_order_taken(&m->hold);
	return 0;
}

/* After a wait for a condition, @depth times again. */
void
mutex_lock_surely(struct mutex *m, unsigned depth, const char *file, int line)
{
	struct sync_waiter waiter = {
	    .sync = &m->sync, .file = file, .line = line};

	sync_enter(&m->sync);
	if (mutex_take(m, worker_here->current, file, line) == 0) {
		sync_leave(&m->sync);
	} else {
		sync_wait_surely(&waiter, "mutex");
		lock_hold_enter(&m->hold);
	}
	lock_order_taken(&m->hold);
	m->hold.depth = depth;
}

/* Inside. */
static void
mutex_free(struct mutex *m, struct sync_wakes *wakes)
{
	lock_hold_leave(&m->hold);
	m->hold.task = NULL;
	mutex_serve(&m->sync, wakes);
}

bool
mutex_held(struct mutex *m)
{
	struct task *self = task_self();
	bool held;

	sync_enter(&m->sync);
	held = self != NULL && m->hold.task == self;
	sync_leave(&m->sync);
	return held;
}

void
mutex_release(struct mutex *m)
{
	struct sync_wakes wakes = {NULL, NULL};

	sync_enter(&m->sync);
	mutex_free(m, &wakes);
	sync_leave(&m->sync);
	sync_wake(&wakes);
}

int
mutex_unlock(struct mutex *m)
{
	struct sync_wakes wakes = {NULL, NULL};
	struct task *self = task_self();
	bool held;

	sync_enter(&m->sync);
	held = self != NULL && m->hold.task == self;
	if (likely(held && m->hold.depth == 0))
		mutex_free(m, &wakes);
	else if (held)
		m->hold.depth--;
	sync_leave(&m->sync);
	if (unlikely(!held))
		return sync_misuse(&m->sync, -EPERM, "weir_mutex_unlock",
		    "the caller does not hold it");
	sync_wake(&wakes);
	return 0;
}

int
mutex_fini(struct mutex *m)
{
	bool busy;

	sync_enter(&m->sync);
	busy = m->hold.task != NULL || m->sync.first != NULL;
	sync_leave(&m->sync);
	return busy
	    ? sync_misuse(&m->sync, -EBUSY, "weir_mutex_fini", "it is held")
	    : 0;
}
