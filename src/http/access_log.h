/*
 * access_log.h - one line per exchange, gathered per worker thread
 *
 * Layer      http
 * Threads    each worker has a buffer of its own; open, reopen and close from
 *            any one thread at a time, at any time
 * Memory     ACCESS_LOG_BUFFER_BYTES per worker thread, from its first line
 * Cost       about 500 ns a line, one write(2) per 64 KiB of lines
 * Limits     a line waits at most ACCESS_LOG_DELAY_MS. When the log cannot be
 *            written (disk full, reader of a pipe asleep) lines are kept
 *            until the buffer is full; after that they are dropped, counted
 *            (log_lines_dropped) and told in the error log. Traffic goes on.
 */
#pragma once

#include "http/exchange.h"

#define ACCESS_LOG_BUFFER_BYTES (64 << 10)
/* Ten writes a second and thread at most, and `tail -f` feels immediate. */
#define ACCESS_LOG_DELAY_MS 100

/* Log to @fd_take (opened with O_APPEND) from now on; instead of the file
 * before, if there was one. Without this call nothing is logged.
 * Returns 0 or -errno. */
MUST_CHECK
int access_log_open(int fd_take, enum config_log_format format);

/* Rotation: the same log in a new file. Returns 0 or -errno. */
MUST_CHECK
int access_log_reopen(int fd_take);

/* Log nothing more. The file stays open until another takes its place: other
 * threads may be writing to it. */
void access_log_close(void);

/* The exchange has ended: worker threads only. Lines of routes with
 * `log: false` are not written. */
void access_log_write(const struct exchange *ex);

/* Write what this thread has gathered, as far as the log takes it. */
void access_log_flush(void);

/* The same, and free the thread's buffer; before its worker ends. */
void access_log_thread_end(void);
