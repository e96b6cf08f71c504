/*
 * orphans.h - children that we did not start
 *
 * Layer      os
 * Sources    PR_SET_CHILD_SUBREAPER in prctl(2), children in proc(5)
 */
#pragma once

#include <sys/types.h>

#include "base/cc.h"

/* Whoever is orphaned below us becomes our child, not init's.
 * Returns 0, -ENOSYS (the kernel does not list a process's children). */
MUST_CHECK
int orphans_adopt(void);

/* Reap every child that has ended and is not @ours. */
void orphans_reap(bool (*ours)(pid_t pid));
