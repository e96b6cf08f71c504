/*
 * lock.h - mutex, reentrant mutex, read-write lock
 *
 * Layer      runtime
 * Threads    tasks of any worker
 * Memory     in the caller's, nothing behind it; a waiter is on its stack
 * Cost       lock and unlock of a free mutex 11 ns, of a rwlock 15 ns (a mutex
 *            of pthreads: 7 ns); handed from task to task of a worker, with
 *            the switches, 70 ns; to a task of another worker, one item of
 *            its inbox
 * Invariant  first come, first served: who unlocks gives the lock to the task
 *            that waits longest. A task ends only when it holds none.
 *
 * A lock that is waited for remembers where it was taken, and by whom. A call
 * whose waiting would close a circle of tasks that wait for each other returns
 * -EDEADLK and the circle is reported (deadlock.h).
 *
 * Calls that wait return 0; -ETIMEDOUT; the cancel error of the task, also
 * when the lock is free; -EDEADLK; -EPERM outside a task; -EINVAL when the
 * lock was never initialised. A call that was given the lock at the moment it
 * was stopped returns 0.
 */
#pragma once

#include "base/cc.h"
#include "base/time.h"

struct task;
struct sync_waiter;

/* What every lock begins with; the first fields are in the public headers. */
struct sync {
	const char *name; /* NULL: called by where it was initialised */
	const char *file;
	int line;
	int kind; /* enum sync_kind */
	struct sync_waiter *first;
	struct sync_waiter *last;
	_Atomic uint32_t busy;
	_Atomic uint32_t class; /* of the lock order; 0: not known yet */
};

/* For the initialisers; enum sync_kind has them all. */
#define SYNC_KIND_MUTEX      1
#define SYNC_KIND_REENTRANT  2
#define SYNC_KIND_RWLOCK     3
#define SYNC_KIND_ONCE       4
#define SYNC_KIND_CONDITION  5
#define SYNC_KIND_BARRIER    6
#define SYNC_KIND_SEMAPHORE  7
#define SYNC_KIND_WAIT_GROUP 8

struct lock_hold {
	struct task *task; /* NULL: free */
	struct lock_hold *next; /* that the task holds, too */
	struct sync *sync;
	const char *file; /* where it was taken */
	int line;
	unsigned depth; /* reentrant: how often, less one */
};

struct mutex {
	struct sync sync;
	struct lock_hold hold;
};
#define MUTEX_INIT(name)                                                       \
	{                                                                      \
		{                                                              \
			name, __FILE__, __LINE__, SYNC_KIND_MUTEX              \
		}                                                              \
	}
#define REENTRANT_INIT(name)                                                   \
	{                                                                      \
		{                                                              \
			name, __FILE__, __LINE__, SYNC_KIND_REENTRANT          \
		}                                                              \
	}
#define mutex_init(m, name) (*(m) = (struct mutex)MUTEX_INIT(name))
/* It may be locked again by the task that holds it, and is free after as many
 * unlocks. */
#define mutex_init_reentrant(m, name)                                          \
	(*(m) = (struct mutex)REENTRANT_INIT(name))

#define mutex_lock(m, deadline)                                                \
	mutex_lock_at((m), (deadline), __FILE__, __LINE__)
#define mutex_try(m) mutex_try_at((m), __FILE__, __LINE__)

SUSPENDS MUST_CHECK int
mutex_lock_at(struct mutex *m, instant deadline, const char *file, int line);
/* -EBUSY: it is held. Works in a task that was stopped. */
MUST_CHECK int mutex_try_at(struct mutex *m, const char *file, int line);
/* -EPERM, reported: the caller does not hold it. */
int mutex_unlock(struct mutex *m);
/* -EBUSY, reported: it is held. */
int mutex_fini(struct mutex *m);
bool mutex_held(struct mutex *m); /* by the calling task */

/*
 * Readers together or one writer. First come, first served: a reader waits
 * behind a writer that came before it, so that neither starves; readers that
 * wait next to each other enter together.
 */
#define RWLOCK_READERS_KNOWN 4 /* to the explanation of a deadlock */

struct rwlock {
	struct sync sync;
	uint32_t readers;
	bool writing;
	struct lock_hold holds[RWLOCK_READERS_KNOWN]; /* the writer is 0 */
};
#define RWLOCK_INIT(name)                                                      \
	{                                                                      \
		{                                                              \
			name, __FILE__, __LINE__, SYNC_KIND_RWLOCK             \
		}                                                              \
	}
#define rwlock_init(l, name) (*(l) = (struct rwlock)RWLOCK_INIT(name))

#define rwlock_read(l, deadline)                                               \
	rwlock_read_at((l), (deadline), __FILE__, __LINE__)
#define rwlock_write(l, deadline)                                              \
	rwlock_write_at((l), (deadline), __FILE__, __LINE__)
#define rwlock_try_read(l)  rwlock_try_read_at((l), __FILE__, __LINE__)
#define rwlock_try_write(l) rwlock_try_write_at((l), __FILE__, __LINE__)

SUSPENDS MUST_CHECK int
rwlock_read_at(struct rwlock *l, instant deadline, const char *file, int line);
SUSPENDS MUST_CHECK int
rwlock_write_at(struct rwlock *l, instant deadline, const char *file, int line);
/* -EBUSY */
MUST_CHECK int rwlock_try_read_at(struct rwlock *l, const char *file, int line);
MUST_CHECK int
rwlock_try_write_at(struct rwlock *l, const char *file, int line);
/* Of either kind. -EPERM, reported: the caller does not hold it; of readers
 * beyond RWLOCK_READERS_KNOWN only their number is known. */
int rwlock_unlock(struct rwlock *l);
int rwlock_fini(struct rwlock *l); /* -EBUSY, reported: it is held */
