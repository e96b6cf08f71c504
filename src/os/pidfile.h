/*
 * pidfile.h - one instance per file, and its pid for others to read
 *
 * Layer      os
 * Invariant  the file is locked (flock) while its instance lives, and whoever
 *            reads it sees a whole pid: it is renamed into place, locked
 */
#pragma once

#include <sys/types.h>

#include "base/cc.h"

/*
 * Returns the descriptor that holds the lock, for pidfile_remove(); -EEXIST:
 * another instance lives (*ret_other is its pid, 0 if unknown); or -errno.
 */
MUST_CHECK
int pidfile_create(const char *path, pid_t *ret_other);

/* Unlinks @path if it is still ours, and unlocks. */
void pidfile_remove(const char *path, int fd);
