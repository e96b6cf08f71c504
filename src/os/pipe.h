/*
 * pipe.h - pipes, with and without a name
 *
 * Layer      os
 */
#pragma once

#include <sys/types.h>

#include "base/cc.h"

/* [0] is read, [1] written; both close-on-exec and blocking.
 * Returns 0 or -errno. */
MUST_CHECK
int pipe_open(int ret_ends[2]);
/* Two ends of a socket that keeps messages apart (SOCK_SEQPACKET), both
 * close-on-exec and blocking. Returns 0 or -errno. */
MUST_CHECK
int seqpacket_pair_open(int ret_ends[2]);
/* Returns 0 or -errno. */
MUST_CHECK
int fd_nonblock(int fd);
/* /dev/null, to read and write. Returns the descriptor or -errno. */
MUST_CHECK
int null_open(void);
void fd_close(int fd);

/* A FIFO of that name with exactly @mode, whatever the umask.
 * Returns 0, -EEXIST, -errno. */
MUST_CHECK
int fifo_create(const char *path, mode_t mode);

/*
 * fifo_open - open one end, without blocking and non-blocking
 *
 * Returns    the descriptor; -ENXIO: opened to write, and nobody has it open
 *            to read; -EINVAL: it is no FIFO; -errno
 */
MUST_CHECK
int fifo_open(const char *path, bool to_write);
