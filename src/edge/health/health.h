/*
 * health.h - active checks: the work of the health process
 *
 * Layer      edge
 * Threads    one: tasks of worker 0
 * Memory     per checked server one small block and one parked task; while an
 *            HTTP check runs, 84 KiB more
 * Limits     SHARED_SERVERS_MAX servers
 *
 * One task per server that has an active check: it checks, publishes the
 * verdict, and sleeps. A server nobody has looked at yet is checked at once,
 * HEALTH_START_GAP after the one before it; all others begin at a random point
 * of their interval, so that checks of many servers never fall together.
 * Each change of state is one line of the log.
 */
#pragma once

#include "config/snapshot.h"

#define HEALTH_START_GAP duration_ms(2)

/*
 * health_apply - check what @snapshot names, and nothing else from here on
 *
 * @snapshot  borrowed for the call; its servers have their verdict slots
 *
 * Checks that did not change go on undisturbed. One that did starts afresh
 * from the verdict that stands, so that it does not flap. A server that has no
 * check any more goes back to "unknown".
 *
 * Returns 0 or -errno; then some checks may not run: call it again.
 */
MUST_CHECK
int health_apply(const struct snapshot *snapshot);

/* Check nothing any more. Does not wait: a check under way ends within its
 * timeout and publishes nothing. */
void health_stop(void);

/* Tasks that check, also those that are about to end. */
unsigned health_checker_count(void);
