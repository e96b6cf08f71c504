/*
 * deadlock.h - explains why nothing goes on
 *
 * Layer      runtime
 * Threads    any worker
 * Memory     none; the lock order has tables of a fixed size, 60 KB
 * Cost       a call that waits for a lock takes two more locks and a few loads
 *            for each task of the chain that it waits behind (it is in the
 *            70 ns of lock.h); one that does not wait, nothing. A runtime that
 *            falls asleep: nothing, unless all its tasks wait for each other.
 *
 * Found are:
 *
 * - a circle of tasks of which each waits for a lock that the next one holds,
 *   of any workers, at the call that closes it, which returns -EDEADLK.
 *   Looked at are DEADLOCK_HOPS_MAX tasks. Time limits of the calls do not
 *   count.
 * - two locks that were taken in both orders, once, without a deadlock, while
 *   the lock order is watched (lock_order.h).
 * - a runtime in which nothing can wake anybody: every worker sleeps, every
 *   task waits for another one (a lock, a channel, an event, a future, a join,
 *   a generator, a scope), no timer runs, no descriptor is watched or waited
 *   for and no job is out. The call in which the root task waits returns
 *   -EDEADLK.
 * - mistakes in the use of locks.
 *
 * A thread that is no worker can wake tasks by an event, a future or a shared
 * channel. While the process has such a thread, or a handler of a signal, who
 * waits for one of these is not taken for deadlocked. Semaphores and wait
 * groups are meant for tasks; a thread that gives or is done says so first:
 * deadlock_outside_begin().
 */
#pragma once

#include "base/cc.h"

#define DEADLOCK_HOPS_MAX   64
#define DEADLOCK_TEXT_BYTES 4096

struct task;
struct sync_waiter;

enum deadlock_kind {
	DEADLOCK_CIRCLE,
	DEADLOCK_ORDER,
	DEADLOCK_ASLEEP,
	DEADLOCK_MISUSE,
};

/*
 * Called with every report instead of writing it to stderr; NULL: again to
 * stderr. @text is lines, borrowed for the call. On any worker, in a task or
 * on the loop; it must not suspend nor take locks of lock.h.
 */
typedef void (*deadlock_hook)(enum deadlock_kind kind, const char *text);
void deadlock_set_hook(deadlock_hook hook);

/* Between these a thread that is no worker may wake any task. They nest, and
 * any thread may call them. */
void deadlock_outside_begin(void);
void deadlock_outside_end(void);

/* Watch the lock order, or not. It is watched from the start when the library
 * is built with slow_checks, or with WEIR_LOCK_ORDER=1 in the environment. */
void deadlock_watch_order(bool on);

/* For sync_core.c: @waiter is in its queue. -EDEADLK: that closes a circle. */
MUST_CHECK int deadlock_wait_begin(struct sync_waiter *waiter);
void deadlock_wait_end(struct sync_waiter *waiter);

/* For task.c: @task has ended and holds a lock. Ends the process. */
COLD NORETURN void deadlock_task_ended(const struct task *task);
