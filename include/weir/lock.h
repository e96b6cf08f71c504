/*
 * weir/lock.h - mutex, reentrant mutex, read-write lock
 *
 * Locks for tasks, of any workers. First come, first served: who unlocks gives
 * the lock to the task that waits longest. They are in the caller's memory,
 * set up by WEIR_..._INIT() or weir_..._init(), and stay in place. @name is
 * text that stays, for reports; NULL: the lock is called by where it was set
 * up.
 *
 * Calls that wait suspend, and return 0; -ETIMEDOUT; why the task was stopped,
 * also when the lock is free; -EDEADLK (see weir/deadlock.h); -EPERM outside a
 * task; -EINVAL for a lock that was never set up. A task that is given the
 * lock at the moment when it is stopped has it: the next call tells. A task
 * that ends and holds a lock ends the process, with a text that says which.
 */
#ifndef WEIR_LOCK_H
#define WEIR_LOCK_H

#include <weir/api.h>
#include <weir/time.h>

WEIR_BEGIN

struct weir_mutex {
	const char *name;
	const char *file;
	int line;
	int kind;
	uint64_t opaque[12];
};
#define WEIR_MUTEX_INIT(name)                                                  \
	{                                                                      \
		(name), __FILE__, __LINE__, 1,                                 \
		{                                                              \
			0                                                      \
		}                                                              \
	}
/* May be locked again by the task that holds it; free after as many unlocks. */
#define WEIR_REENTRANT_INIT(name)                                              \
	{                                                                      \
		(name), __FILE__, __LINE__, 2,                                 \
		{                                                              \
			0                                                      \
		}                                                              \
	}

#define weir_mutex_init(m, name)                                               \
	weir_mutex_init_at((m), (name), 0, __FILE__, __LINE__)
#define weir_mutex_init_reentrant(m, name)                                     \
	weir_mutex_init_at((m), (name), 1, __FILE__, __LINE__)
WEIR_API void weir_mutex_init_at(struct weir_mutex *m, const char *name,
    bool reentrant, const char *file, int line);

/* Locking a plain mutex that the caller holds: -EDEADLK. */
#define weir_mutex_lock(m, deadline)                                           \
	weir_mutex_lock_at((m), (deadline), __FILE__, __LINE__)
WEIR_API WEIR_MUST_CHECK int weir_mutex_lock_at(
    struct weir_mutex *m, weir_time deadline, const char *file, int line);

/* Does not suspend. -EBUSY: it is held. Works in a task that was stopped. */
#define weir_mutex_try(m) weir_mutex_try_at((m), __FILE__, __LINE__)
WEIR_API WEIR_MUST_CHECK int
weir_mutex_try_at(struct weir_mutex *m, const char *file, int line);

/* Does not suspend. Returns 0; -EPERM, reported: the caller does not hold it.
 */
WEIR_API int weir_mutex_unlock(struct weir_mutex *m);

/* Before its memory goes. Returns 0; -EBUSY, reported: it is held. */
WEIR_API int weir_mutex_fini(struct weir_mutex *m);

/*
 * Readers together, or one writer. A reader waits behind a writer that came
 * before it, so neither starves; readers next to each other in the line enter
 * together. A reader that reads again behind a waiting writer would wait for
 * itself: -EDEADLK.
 */
struct weir_rwlock {
	const char *name;
	const char *file;
	int line;
	int kind;
	uint64_t opaque[28];
};
#define WEIR_RWLOCK_INIT(name)                                                 \
	{                                                                      \
		(name), __FILE__, __LINE__, 3,                                 \
		{                                                              \
			0                                                      \
		}                                                              \
	}
#define weir_rwlock_init(l, name)                                              \
	weir_rwlock_init_at((l), (name), __FILE__, __LINE__)
WEIR_API void weir_rwlock_init_at(
    struct weir_rwlock *l, const char *name, const char *file, int line);

#define weir_rwlock_read(l, deadline)                                          \
	weir_rwlock_read_at((l), (deadline), __FILE__, __LINE__)
WEIR_API WEIR_MUST_CHECK int weir_rwlock_read_at(
    struct weir_rwlock *l, weir_time deadline, const char *file, int line);
#define weir_rwlock_write(l, deadline)                                         \
	weir_rwlock_write_at((l), (deadline), __FILE__, __LINE__)
WEIR_API WEIR_MUST_CHECK int weir_rwlock_write_at(
    struct weir_rwlock *l, weir_time deadline, const char *file, int line);

/* These do not suspend. -EBUSY: it is held, or somebody waits. */
#define weir_rwlock_try_read(l) weir_rwlock_try_read_at((l), __FILE__, __LINE__)
WEIR_API WEIR_MUST_CHECK int
weir_rwlock_try_read_at(struct weir_rwlock *l, const char *file, int line);
#define weir_rwlock_try_write(l)                                               \
	weir_rwlock_try_write_at((l), __FILE__, __LINE__)
WEIR_API WEIR_MUST_CHECK int
weir_rwlock_try_write_at(struct weir_rwlock *l, const char *file, int line);

/* Of either kind. Does not suspend. -EPERM, reported: the caller does not hold
 * it. The first four readers are known one by one, of others only how many
 * there are. */
WEIR_API int weir_rwlock_unlock(struct weir_rwlock *l);
/* Before its memory goes. Returns 0; -EBUSY, reported: it is held. */
WEIR_API int weir_rwlock_fini(struct weir_rwlock *l);

WEIR_END

#endif
