/*
 * rwlock.c - readers together or one writer, in the order in which they came
 */
#include <errno.h>

#include "runtime/lock_order.h"
#include "runtime/sync_core.h"

enum { RWLOCK_TO_READ, RWLOCK_TO_WRITE };

static struct lock_hold *
rwlock_hold_of(struct rwlock *l, const struct task *task)
{
	for (unsigned i = 0; i < RWLOCK_READERS_KNOWN; i++) {
		if (l->holds[i].task == task)
			return &l->holds[i];
	}
	return NULL;
}

/* Of readers how many are in no hold. */
static uint32_t
rwlock_unknown(const struct rwlock *l)
{
	uint32_t known = 0;

	for (unsigned i = 0; i < RWLOCK_READERS_KNOWN; i++)
		known += l->holds[i].task != NULL;
	return l->readers - min_of(known, l->readers);
}

static bool
rwlock_free_for(const struct rwlock *l, uint64_t want)
{
	return !l->writing && (want == RWLOCK_TO_READ || l->readers == 0);
}

/* @task has it from now on; NULL: a reader too many to know. */
static struct lock_hold *
rwlock_enter_task(struct rwlock *l, struct task *task, uint64_t want,
    const char *file, int line)
{
	struct lock_hold *hold = rwlock_hold_of(l, NULL);

	if (want == RWLOCK_TO_WRITE)
		l->writing = true;
	else
		l->readers++;
	if (hold != NULL)
		*hold = (struct lock_hold){
		    .task = task, .sync = &l->sync, .file = file, .line = line};
	return hold;
}

static void
rwlock_serve(struct sync *sync, struct sync_wakes *wakes)
{
	struct rwlock *l = container_of(sync, struct rwlock, sync);
	struct sync_waiter *waiter;

	while ((waiter = sync->first) != NULL &&
	    rwlock_free_for(l, waiter->want)) {
		waiter->hold = rwlock_enter_task(
		    l, waiter->task, waiter->want, waiter->file, waiter->line);
		sync_grant(waiter, wakes);
	}
}

static void
rwlock_taken(struct lock_hold *hold, bool may_wait)
{
	if (hold == NULL)
		return;
	lock_hold_enter(hold);
	if (may_wait)
		lock_order_taken(hold);
}

/* Inside: 0 when it was free and nobody waits; @ret_hold may become NULL. */
static int
rwlock_take(struct rwlock *l, uint64_t want, const char *file, int line,
    struct lock_hold **ret_hold)
{
	if (l->sync.first != NULL || !rwlock_free_for(l, want))
		return -EBUSY;
	*ret_hold =
	    rwlock_enter_task(l, worker_here->current, want, file, line);
	return 0;
}

static int
rwlock_try(struct rwlock *l, uint64_t want, const char *file, int line)
{
	struct lock_hold *hold;
	int error;

	error = sync_check(&l->sync, l->sync.kind == SYNC_RWLOCK,
	    "weir_rwlock_try_read/write");
	if (error == -EINVAL || error == -EPERM)
		return error;
	sync_enter(&l->sync);
	error = rwlock_take(l, want, file, line, &hold);
	sync_leave(&l->sync);
	if (error == 0)
		rwlock_taken(hold, false);
	return error;
}

static int
rwlock_lock(struct rwlock *l, uint64_t want, instant deadline, const char *file,
    int line)
{
	struct sync_waiter waiter;
	int error;

	error = sync_check(
	    &l->sync, l->sync.kind == SYNC_RWLOCK, "weir_rwlock_read/write");
	if (error < 0)
		return error;
	sync_enter(&l->sync);
	if (rwlock_take(l, want, file, line, &waiter.hold) == 0) {
		sync_leave(&l->sync);
	} else {
		waiter.sync = &l->sync;
		waiter.file = file;
		waiter.line = line;
		waiter.want = want;
		error = sync_wait(&waiter, rwlock_serve,
		    want == RWLOCK_TO_WRITE ? "rwlock to write"
					    : "rwlock to read",
		    deadline);
	}
	if (error == 0)
		rwlock_taken(waiter.hold, true);
	return error;
}

int
rwlock_try_read_at(struct rwlock *l, const char *file, int line)
{
	return rwlock_try(l, RWLOCK_TO_READ, file, line);
}

int
rwlock_try_write_at(struct rwlock *l, const char *file, int line)
{
	return rwlock_try(l, RWLOCK_TO_WRITE, file, line);
}

int
rwlock_read_at(struct rwlock *l, instant deadline, const char *file, int line)
{
	return rwlock_lock(l, RWLOCK_TO_READ, deadline, file, line);
}

int
rwlock_write_at(struct rwlock *l, instant deadline, const char *file, int line)
{
	return rwlock_lock(l, RWLOCK_TO_WRITE, deadline, file, line);
}

int
rwlock_unlock(struct rwlock *l)
{
	struct sync_wakes wakes = {NULL, NULL};
	struct task *self = task_self();
	struct lock_hold *hold;
	bool held;

	sync_enter(&l->sync);
	hold = self != NULL ? rwlock_hold_of(l, self) : NULL;
	held = hold != NULL || (!l->writing && rwlock_unknown(l) > 0);
	if (hold != NULL) {
		lock_hold_leave(hold);
		hold->task = NULL;
	}
	if (held && l->writing)
		l->writing = false;
	else if (held)
		l->readers--;
	rwlock_serve(&l->sync, &wakes);
	sync_leave(&l->sync);
	sync_wake(&wakes);
	return held ? 0
		    : sync_misuse(&l->sync, -EPERM, "weir_rwlock_unlock",
			  "the caller does not hold it");
}

int
rwlock_fini(struct rwlock *l)
{
	bool busy;

	sync_enter(&l->sync);
	busy = l->writing || l->readers > 0 || l->sync.first != NULL;
	sync_leave(&l->sync);
	return busy
	    ? sync_misuse(&l->sync, -EBUSY, "weir_rwlock_fini", "it is held")
	    : 0;
}

struct lock_hold *
lock_holder(struct sync *sync, unsigned *index)
{
	struct lock_hold *holds = &container_of(sync, struct mutex, sync)->hold;
	unsigned count = 1;

	if (sync->kind == SYNC_RWLOCK) {
		holds = container_of(sync, struct rwlock, sync)->holds;
		count = RWLOCK_READERS_KNOWN;
	}
	while (*index < count) {
		struct lock_hold *hold = &holds[(*index)++];

		if (hold->task != NULL)
			return hold;
	}
	return NULL;
}
