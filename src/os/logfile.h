/*
 * logfile.h - appending lines to a file, pipe or socket that may be slow
 *
 * Layer      os
 * Threads    any; a write is one system call of whole lines, so lines of
 *            several threads and processes never mix
 * Invariant  never blocks on a reader that does not read: -EAGAIN instead
 *
 * A pipe or a terminal is opened afresh where the kernel allows it, so that
 * O_NONBLOCK does not leak into whoever shares our standard output.
 */
#pragma once

#include <sys/types.h>

#include "base/bytes.h"

/* A write of this many bytes is all or nothing, also on a pipe (PIPE_BUF). */
#define LOGFILE_PIECE_BYTES 4096

enum logfile_kind {
	LOGFILE_REGULAR,
	LOGFILE_STREAM, /* opened non-blocking: a pipe, a terminal */
	LOGFILE_SHARED, /* as above, but shared with others: asked first */
	LOGFILE_SOCKET,
};

/* Make @fd_take ready for logfile_write().
 * Returns the descriptor to use (perhaps another one), or -errno. */
MUST_CHECK
int logfile_prepare(int fd_take, enum logfile_kind *ret_kind);

/* Put @fd_take, as returned by logfile_prepare(), in the place of @fd: a
 * write under way in another thread ends in the old file, the next goes to
 * the new one. Returns 0 or -errno. */
MUST_CHECK
int logfile_replace(int fd, int fd_take);

/* Append whole lines. Except to a regular file, at most LOGFILE_PIECE_BYTES.
 * Returns the bytes written (fewer on a full disk), or -errno. */
MUST_CHECK
ssize_t logfile_write(int fd, enum logfile_kind kind, struct bytes lines);

void logfile_close(int fd);
