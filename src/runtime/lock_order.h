/*
 * lock_order.h - which locks are taken while which are held
 *
 * Layer      runtime, inside only
 * Threads    any worker
 * Memory     60 KB of tables of the process, touched as they fill
 * Cost       off: one load for a lock that is taken; on: 2 to 8 ns and a look
 *            at a bit for each lock that the task holds already; a pair that is
 *            seen for the first time, some microseconds
 * Limits     LOCK_CLASSES_MAX classes and LOCK_PAIRS_MAX pairs with their
 *            places; what comes later is not watched
 * Sources    the kernel's Documentation/locking/lockdep-design.rst
 *
 * A class is all locks of one name and kind; without a name, all that were set
 * up at one place. Two locks of one class may be taken in any order. When a
 * pair of classes closes a circle with pairs that were seen before, the tasks
 * that did so could deadlock, and it is reported, once. What is taken by a try
 * waits for nobody: it only counts as held.
 */
#pragma once

#include <stdatomic.h>

#include "base/cc.h"
#include "runtime/lock.h"

#define LOCK_CLASSES_MAX 256
#define LOCK_PAIRS_MAX   1024

extern _Atomic bool lock_order_on;

/* The task took @hold, which is first among what it holds. */
void lock_order_look(struct lock_hold *hold);

static inline void
lock_order_taken(struct lock_hold *hold)
{
	if (unlikely(
		atomic_load_explicit(&lock_order_on, memory_order_relaxed)))
		lock_order_look(hold);
}

/* At the start of a runtime: WEIR_LOCK_ORDER=1 or =0 in the environment. */
void lock_order_configure(void);
