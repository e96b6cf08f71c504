/*
 * sync.h - semaphore, condition, once, barrier, wait group
 *
 * Layer      runtime
 * Threads    tasks of any worker; semaphore_give() and wait_group_done() also
 *            from threads that are no workers (see deadlock.h about those)
 * Memory     in the caller's, nothing behind it; a waiter is on its stack
 * Cost       to take a permit that is there and give it back, 8 ns; to wake a
 *            task of another worker, one item of its inbox
 * Invariant  first come, first served. A call that was given what it waits for
 *            succeeds, also when it was stopped at the same moment: the next
 *            call tells. All others leave no trace.
 *
 * Every call that waits takes an absolute deadline and returns -ETIMEDOUT, or
 * the cancel error of the task, -EPERM outside a task, or -EINVAL when the
 * object was never initialised.
 */
#pragma once

#include "base/cc.h"
#include "base/time.h"
#include "runtime/lock.h"

/* Permits that are taken and given, not owned. */
struct semaphore {
	struct sync sync;
	uint64_t count;
};
#define SEMAPHORE_INIT(name, count)                                            \
	{                                                                      \
		{name, __FILE__, __LINE__, SYNC_KIND_SEMAPHORE}, count         \
	}
#define semaphore_init(s, name, count)                                         \
	(*(s) = (struct semaphore)SEMAPHORE_INIT(name, count))
#define semaphore_take(s, n, deadline)                                         \
	semaphore_take_at((s), (n), (deadline), __FILE__, __LINE__)
/* Take @n permits at once: none before. */
SUSPENDS MUST_CHECK int semaphore_take_at(struct semaphore *s, uint64_t n,
    instant deadline, const char *file, int line);
/* -EBUSY: not enough are there, or others wait. */
MUST_CHECK int semaphore_try(struct semaphore *s, uint64_t n);
/* Any thread. Returns 0, or -EOVERFLOW and gives none. */
int semaphore_give(struct semaphore *s, uint64_t n);
/* -EBUSY: somebody waits. */
int semaphore_fini(struct semaphore *s);

/* A task waits until others have changed what a mutex protects. */
struct condition {
	struct sync sync;
};
#define CONDITION_INIT(name)                                                   \
	{                                                                      \
		{                                                              \
			name, __FILE__, __LINE__, SYNC_KIND_CONDITION          \
		}                                                              \
	}
#define condition_init(c, name) (*(c) = (struct condition)CONDITION_INIT(name))
#define condition_wait(c, m, deadline)                                         \
	condition_wait_at((c), (m), (deadline), __FILE__, __LINE__)
/* Gives @m back, waits for a signal, takes @m again, whatever it returns; for
 * that it cannot be stopped. -EPERM: the caller does not hold @m. */
SUSPENDS MUST_CHECK int condition_wait_at(struct condition *c, struct mutex *m,
    instant deadline, const char *file, int line);
/* Wake the one that waits longest, or all. */
void condition_signal(struct condition *c);
void condition_broadcast(struct condition *c);
int condition_fini(struct condition *c); /* -EBUSY: somebody waits */

/* A function that is run by the first who comes; the others wait for it. When
 * it fails, the next one runs it again. */
struct once {
	struct mutex mutex;
	_Atomic bool done;
};
#define ONCE_INIT(name)                                                        \
	{                                                                      \
		{                                                              \
			{                                                      \
				name, __FILE__, __LINE__, SYNC_KIND_ONCE       \
			}                                                      \
		}                                                              \
	}
#define once_run(o, fn, arg, deadline)                                         \
	once_run_at((o), (fn), (arg), (deadline), __FILE__, __LINE__)
/* Returns 0 when @fn succeeded, now or before; its error; -EDEADLK from
 * inside @fn. */
SUSPENDS MUST_CHECK int once_run_at(struct once *o, int (*fn)(void *arg),
    void *arg, instant deadline, const char *file, int line);

/* @parties tasks wait for each other, as often as they like. */
struct barrier {
	struct sync sync;
	unsigned parties;
	unsigned waiting;
};
#define BARRIER_INIT(name, parties)                                            \
	{                                                                      \
		{name, __FILE__, __LINE__, SYNC_KIND_BARRIER}, parties         \
	}
#define barrier_init(b, name, parties)                                         \
	(*(b) = (struct barrier)BARRIER_INIT(name, parties))
#define barrier_wait(b, deadline)                                              \
	barrier_wait_at((b), (deadline), __FILE__, __LINE__)
/* Returns 1 to the one that came last, 0 to the others. Who is stopped no
 * longer counts as having come. */
SUSPENDS MUST_CHECK int barrier_wait_at(
    struct barrier *b, instant deadline, const char *file, int line);
int barrier_fini(struct barrier *b); /* -EBUSY: somebody waits */

/* Counts what is under way; tasks wait until nothing is. */
struct wait_group {
	struct sync sync;
	uint64_t count;
};
#define WAIT_GROUP_INIT(name)                                                  \
	{                                                                      \
		{                                                              \
			name, __FILE__, __LINE__, SYNC_KIND_WAIT_GROUP         \
		}                                                              \
	}
#define wait_group_init(g, name)                                               \
	(*(g) = (struct wait_group)WAIT_GROUP_INIT(name))
/* Any thread. -EOVERFLOW. */
int wait_group_add(struct wait_group *g, uint64_t n);
/* Any thread. -EINVAL: nothing is under way. The last one may find @g gone
 * when it returns. */
int wait_group_done(struct wait_group *g);
#define wait_group_wait(g, deadline)                                           \
	wait_group_wait_at((g), (deadline), __FILE__, __LINE__)
SUSPENDS MUST_CHECK int wait_group_wait_at(
    struct wait_group *g, instant deadline, const char *file, int line);
int wait_group_fini(struct wait_group *g); /* -EBUSY: somebody waits */
