/*
 * diff.h - what changed from one snapshot to the next, in words
 *
 * Layer      config
 * Threads    any; both snapshots are only read
 */
#pragma once

#include "config/snapshot.h"

/* A line has at most this many bytes, its NUL included. */
#define CONFIG_DIFF_LINE_BYTES 512

/*
 * config_diff - a line for each thing that was added, removed or changed
 *
 * "listener 127.0.0.1:80 added", "limits.idle_timeout 75s -> 30s", "pool shop:
 * server 10.0.0.1:80: weight 1 -> 2", "site a.example.com: the route of line 9
 * is new or was changed". Secrets are not told.
 *
 * Returns    the number of lines
 */
int config_diff(const struct snapshot *old, const struct snapshot *new,
    void (*line)(void *arg, const char *text), void *arg);

/*
 * Whether something changed that a reload cannot change: runtime.threads,
 * runtime.backend, runtime.gather, user, group, pid_file. @why then names the
 * keys: "runtime.threads, user".
 */
bool config_needs_restart(const struct snapshot *old,
    const struct snapshot *new, char *why, size_t capacity);
