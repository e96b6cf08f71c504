/*
 * health.h - active checks: the work of the health process
 *
 * Layer      edge
 * Threads    one: tasks of worker 0
 */
#pragma once

#include "config/snapshot.h"

/*
 * Check what @snapshot (borrowed until the next health_apply() or
 * health_stop() has returned) names, and nothing else from here on; servers
 * that were checked before keep their state.
 * Returns 0 or -errno.
 */
int health_apply(const struct snapshot *snapshot);

void health_stop(void);
