/*
 * local.h - Unix sockets: who is at the other end, and a blocking client
 *
 * Layer      os
 */
#pragma once

#include <sys/types.h>

#include "base/bytes.h"
#include "base/time.h"

/* The process that connected, as the kernel knew it then (SO_PEERCRED).
 * Returns 0 or -errno. */
MUST_CHECK
int local_peer(int fd, uid_t *ret_uid, pid_t *ret_pid);

/* A blocking connection; every later call on it fails with -ETIMEDOUT when
 * nothing happens for @timeout. Returns the descriptor (close-on-exec) or
 * -errno (-ENAMETOOLONG: paths of sockets have 107 bytes at most). */
MUST_CHECK
int local_connect(const char *path, duration timeout);
/* All of it. Returns 0 or -errno. */
MUST_CHECK
int local_send(int fd, struct bytes data);
/* Some bytes, 0 at the end, or -errno. */
MUST_CHECK
ssize_t local_recv(int fd, void *into, size_t length);
void local_close(int fd);

/* A file without a name, in memory, to be written and then read.
 * Returns the descriptor (close-on-exec) or -errno. */
MUST_CHECK
int scratch_open(const char *name);
/* What was written so far, or -errno. */
MUST_CHECK
off_t scratch_length(int fd);
