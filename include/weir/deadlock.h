/*
 * weir/deadlock.h - why nothing goes on
 *
 * Found and reported, on stderr or to a hook, are:
 *
 * - a circle of up to 64 tasks, of any workers, of which each waits for a lock
 *   that the next one holds. The call that closes it returns -EDEADLK. Time
 *   limits of the calls do not count.
 * - two locks that were taken in both orders, if only once and without harm;
 *   while that is watched.
 * - a runtime in which nothing can wake anybody: every worker sleeps, every
 *   task waits for another one (in a lock, a channel, an event, a future, a
 *   join, a generator, a scope), no timer runs, no descriptor is watched or
 *   waited for, and no job of a pool is out. The call in which the root task
 *   waits returns -EDEADLK.
 * - mistakes in the use of locks.
 *
 * Reports say which tasks, which locks, and where each was taken and is waited
 * for.
 */
#ifndef WEIR_DEADLOCK_H
#define WEIR_DEADLOCK_H

#include <weir/api.h>

WEIR_BEGIN

enum weir_deadlock_kind {
	WEIR_DEADLOCK_CIRCLE,
	WEIR_DEADLOCK_ORDER,
	WEIR_DEADLOCK_ASLEEP,
	WEIR_DEADLOCK_MISUSE
};

/*
 * @hook gets each report instead of stderr; NULL: stderr again. @text is some
 * lines, for the time of the call. It is called on any worker, in a task or
 * outside: it must not suspend nor take locks of weir/lock.h.
 */
WEIR_API void weir_deadlock_set_hook(
    void (*hook)(enum weir_deadlock_kind kind, const char *text));

/*
 * Watch the order in which locks are taken, or not; it costs 2 to 8 ns for a
 * lock that is taken, and a look for each that the task holds already. Locks
 * are told apart by name and kind, or by where they were set up; up to 256.
 * WEIR_LOCK_ORDER=1 in the environment does the same.
 */
WEIR_API void weir_deadlock_watch_order(bool on);

/*
 * Between these a thread that is no worker may give semaphores and end wait
 * groups, so that tasks that wait for each other are not deadlocked. Pairs
 * nest; from any thread. Events, futures and shared channels need none: while
 * the process has a thread that is not the library's, or a handler of a signal,
 * who waits for one of these is not taken for deadlocked.
 */
WEIR_API void weir_outside_begin(void);
WEIR_API void weir_outside_end(void);

WEIR_END

#endif
