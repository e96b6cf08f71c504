/*
 * sandbox.h - what a running role can never do again
 *
 * Layer      os
 * Threads    before any other thread exists
 * Sources    seccomp(2), prctl(2)
 */
#pragma once

#include "base/cc.h"

/*
 * sandbox_enter - from here on no system call starts another program, looks
 * into another process, or administers the machine (mounts, modules, clocks,
 * namespaces, BPF, keys)
 *
 * execve ends the process; the others fail with EPERM. Needs no_new_privs
 * (privileges_drop()).
 *
 * Returns 0, -ENOSYS (architecture without a filter here), or -errno.
 */
MUST_CHECK
int sandbox_enter(void);

/* This process dies with @parent. -ESRCH: the parent has died already. */
MUST_CHECK
int sandbox_die_with(int parent_pid);

/* Raise the limits of open files and of locked memory, which a ring of io_uring
 * counts as (200 KB a thread), to what the kernel grants. */
void sandbox_raise_limits(void);
