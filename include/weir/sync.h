/*
 * weir/sync.h - semaphore, condition, once, barrier, wait group
 *
 * For tasks of any workers, as weir/lock.h has it: in the caller's memory, set
 * up by WEIR_..._INIT() or weir_..._init(), first come, first served.
 *
 * Calls that wait suspend, and return 0; -ETIMEDOUT; why the task was stopped;
 * -EDEADLK to the root task when nothing can wake it (weir/deadlock.h); -EPERM
 * outside a task; -EINVAL for what was never set up. A task that is given what
 * it waits for at the moment when it is stopped has it: the next call tells.
 *
 * weir_..._fini() comes before the memory goes: 0, or -EBUSY, reported, when
 * somebody waits.
 */
#ifndef WEIR_SYNC_H
#define WEIR_SYNC_H

#include <weir/api.h>
#include <weir/lock.h>
#include <weir/time.h>

WEIR_BEGIN

/* A number of permits, which anybody takes and anybody gives. */
struct weir_semaphore {
	const char *name;
	const char *file;
	int line;
	int kind;
	uint64_t opaque[3];
	uint64_t count;
	uint64_t more[4];
};
#define WEIR_SEMAPHORE_INIT(name, count)                                       \
	{                                                                      \
		(name), __FILE__, __LINE__, 7, {0}, (count),                   \
		{                                                              \
			0                                                      \
		}                                                              \
	}
#define weir_semaphore_init(s, name, count)                                    \
	weir_semaphore_init_at((s), (name), (count), __FILE__, __LINE__)
WEIR_API void weir_semaphore_init_at(struct weir_semaphore *s, const char *name,
    uint64_t count, const char *file, int line);
/* @n permits together, or none. */
#define weir_semaphore_take(s, n, deadline)                                    \
	weir_semaphore_take_at((s), (n), (deadline), __FILE__, __LINE__)
WEIR_API WEIR_MUST_CHECK int weir_semaphore_take_at(struct weir_semaphore *s,
    uint64_t n, weir_time deadline, const char *file, int line);
/* Does not suspend. -EBUSY: there are not as many, or somebody waits. */
WEIR_API WEIR_MUST_CHECK int
weir_semaphore_try(struct weir_semaphore *s, uint64_t n);
/* Does not suspend; from any thread (one that is no worker: see
 * weir_outside_begin()). Returns 0, -EOVERFLOW. */
WEIR_API int weir_semaphore_give(struct weir_semaphore *s, uint64_t n);
WEIR_API int weir_semaphore_fini(struct weir_semaphore *s);

/* Tasks wait until others have changed what a mutex protects. */
struct weir_condition {
	const char *name;
	const char *file;
	int line;
	int kind;
	uint64_t opaque[8];
};
#define WEIR_CONDITION_INIT(name)                                              \
	{                                                                      \
		(name), __FILE__, __LINE__, 5,                                 \
		{                                                              \
			0                                                      \
		}                                                              \
	}
#define weir_condition_init(c, name)                                           \
	weir_condition_init_at((c), (name), __FILE__, __LINE__)
WEIR_API void weir_condition_init_at(
    struct weir_condition *c, const char *name, const char *file, int line);
/*
 * Unlocks @m, waits for a signal, locks @m again; the last also when the wait
 * fails, and nothing stops it in that. Look at the reason to wait again
 * afterwards: it may have come and gone. -EPERM: the caller does not hold @m.
 */
#define weir_condition_wait(c, m, deadline)                                    \
	weir_condition_wait_at((c), (m), (deadline), __FILE__, __LINE__)
WEIR_API WEIR_MUST_CHECK int weir_condition_wait_at(struct weir_condition *c,
    struct weir_mutex *m, weir_time deadline, const char *file, int line);
/* Wake the task that waits longest, or all. On a worker; do not suspend. */
WEIR_API void weir_condition_signal(struct weir_condition *c);
WEIR_API void weir_condition_broadcast(struct weir_condition *c);
WEIR_API int weir_condition_fini(struct weir_condition *c);

/* The first task that comes runs a function; the others wait for it. */
struct weir_once {
	const char *name;
	const char *file;
	int line;
	int kind;
	uint64_t opaque[12];
};
#define WEIR_ONCE_INIT(name)                                                   \
	{                                                                      \
		(name), __FILE__, __LINE__, 4,                                 \
		{                                                              \
			0                                                      \
		}                                                              \
	}
/*
 * Returns 0 when @fn(@arg) succeeded (0 or more), now or before. When it fails,
 * its error, and the next task runs it again. From inside @fn: -EDEADLK.
 */
#define weir_once_run(o, fn, arg, deadline)                                    \
	weir_once_run_at((o), (fn), (arg), (deadline), __FILE__, __LINE__)
WEIR_API WEIR_MUST_CHECK int
weir_once_run_at(struct weir_once *o, int (*fn)(void *arg), void *arg,
    weir_time deadline, const char *file, int line);

/* A number of tasks wait for each other, as often as they like. */
struct weir_barrier {
	const char *name;
	const char *file;
	int line;
	int kind;
	uint64_t opaque[3];
	unsigned parties;
	unsigned waiting;
	uint64_t more[4];
};
#define WEIR_BARRIER_INIT(name, parties)                                       \
	{                                                                      \
		(name), __FILE__, __LINE__, 6, {0}, (parties), 0,              \
		{                                                              \
			0                                                      \
		}                                                              \
	}
#define weir_barrier_init(b, name, parties)                                    \
	weir_barrier_init_at((b), (name), (parties), __FILE__, __LINE__)
WEIR_API void weir_barrier_init_at(struct weir_barrier *b, const char *name,
    unsigned parties, const char *file, int line);
/* Returns 1 to the task that came last, 0 to the others. Who stops waiting does
 * not count as having come. */
#define weir_barrier_wait(b, deadline)                                         \
	weir_barrier_wait_at((b), (deadline), __FILE__, __LINE__)
WEIR_API WEIR_MUST_CHECK int weir_barrier_wait_at(
    struct weir_barrier *b, weir_time deadline, const char *file, int line);
WEIR_API int weir_barrier_fini(struct weir_barrier *b);

/* Counts what is under way; tasks wait until nothing is. */
struct weir_wait_group {
	const char *name;
	const char *file;
	int line;
	int kind;
	uint64_t opaque[8];
};
#define WEIR_WAIT_GROUP_INIT(name)                                             \
	{                                                                      \
		(name), __FILE__, __LINE__, 8,                                 \
		{                                                              \
			0                                                      \
		}                                                              \
	}
#define weir_wait_group_init(g, name)                                          \
	weir_wait_group_init_at((g), (name), __FILE__, __LINE__)
WEIR_API void weir_wait_group_init_at(
    struct weir_wait_group *g, const char *name, const char *file, int line);
/* From any thread, as weir_semaphore_give(). 0, -EOVERFLOW. */
WEIR_API int weir_wait_group_add(struct weir_wait_group *g, uint64_t n);
/* From any thread. -EINVAL, reported: nothing is under way. Who waits may free
 * @g as soon as the last one is done. */
WEIR_API int weir_wait_group_done(struct weir_wait_group *g);
#define weir_wait_group_wait(g, deadline)                                      \
	weir_wait_group_wait_at((g), (deadline), __FILE__, __LINE__)
WEIR_API WEIR_MUST_CHECK int weir_wait_group_wait_at(
    struct weir_wait_group *g, weir_time deadline, const char *file, int line);
WEIR_API int weir_wait_group_fini(struct weir_wait_group *g);

WEIR_END

#endif
