/*
 * access_log.c - the buffer of a thread, and what happens when the log fails
 *
 * A buffer is   '\n' line '\n' line '\n' ...   so that every line has a
 * newline before it, which is written too when a full disk has cut the line
 * before (by whichever thread): then only that line is lost, not the next.
 */
#include "http/access_log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/counters.h"
#include "base/error.h"
#include "http/access_line.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/logfile.h"
#include "runtime/runtime.h"
#include "runtime/timer.h"

static struct {
	_Atomic int fd; /* -1: never opened; then it keeps its number */
	_Atomic bool enabled;
	_Atomic int kind; /* enum logfile_kind */
	_Atomic int format; /* enum config_log_format */
	_Atomic bool line_cut; /* the file ends inside a line */
} access_log = {.fd = -1};

static __thread struct access_buffer {
	struct timer timer;
	char *lines; /* the byte before it is a newline */
	size_t length;
	bool stuck; /* the last write failed: the timer tries again */
	uint64_t dropped; /* since it got stuck */
} access_buffer;

static void
access_buffer_told(struct access_buffer *b, int error)
{
	if (error == 0 && b->stuck) {
		log_info("access log",
		    "written again after %llu lines were dropped",
		    (unsigned long long)b->dropped);
		b->dropped = 0;
	} else if (error != 0 && !b->stuck) {
		log_error("access log",
		    "cannot be written: %s; lines are kept up to %d KiB per "
		    "thread, then dropped: %s",
		    error_text(error), ACCESS_LOG_BUFFER_BYTES >> 10,
		    error == -EAGAIN ? "its reader does not keep up"
				     : "look at the disk or choose another "
				       "log.access.to");
	}
	b->stuck = error != 0;
}

/* Whole lines from @at, as many as one write may take. */
static struct bytes
access_buffer_piece(const struct access_buffer *b, size_t at, int kind)
{
	struct bytes rest = bytes_of(b->lines + at, b->length - at);
	const char *last;

	if (kind == LOGFILE_REGULAR || rest.length <= ACCESS_LINE_BYTES)
		return rest;
	last = memrchr(rest.at, '\n', ACCESS_LINE_BYTES);
	must(last != NULL);
	return bytes_of(rest.at, (size_t)(last - rest.at) + 1);
}

/* Write one piece. Returns 0, or -errno; *ret_done: bytes of whole lines. */
static int
access_piece_write(int fd, int kind, struct bytes piece, size_t *ret_done)
{
	bool mend = atomic_exchange(&access_log.line_cut, false);
	const char *last;
	ssize_t n;

	*ret_done = 0;
	n = logfile_write(fd, (enum logfile_kind)kind,
	    bytes_of(piece.at - mend, piece.length + mend));
	if (n <= 0) {
		if (mend)
			atomic_store(&access_log.line_cut, true);
		return n < 0 ? (int)n : -ENOSPC;
	}
	n -= mend;
	last = memrchr(piece.at, '\n', (size_t)n);
	if (last != NULL)
		*ret_done = (size_t)(last - piece.at) + 1;
	if ((size_t)n == piece.length)
		return 0;
	atomic_store(&access_log.line_cut, *ret_done != (size_t)n);
	return -ENOSPC;
}

static void
access_buffer_flush(struct access_buffer *b)
{
	int fd = atomic_load(&access_log.fd);
	int kind = atomic_load(&access_log.kind);
	size_t written = 0, done;
	int r = 0;

	if (b->length == 0)
		return;
	while (r == 0 && written < b->length) {
		r = access_piece_write(
		    fd, kind, access_buffer_piece(b, written, kind), &done);
		written += done;
	}
	b->length -= written;
	memmove(b->lines, b->lines + written, b->length);
	access_buffer_told(b, r);
}

static void
access_timer_arm(struct access_buffer *b)
{
	timer_start(&b->timer,
	    instant_after(runtime_now(), duration_ms(ACCESS_LOG_DELAY_MS)));
}

static void
access_timer_fire(struct timer *timer)
{
	struct access_buffer *b =
	    container_of(timer, struct access_buffer, timer);

	access_buffer_flush(b);
	if (b->length != 0)
		access_timer_arm(b);
}

static bool
access_buffer_begin(struct access_buffer *b)
{
	char *memory;

	if (b->lines != NULL)
		return true;
	memory = malloc(1 + ACCESS_LOG_BUFFER_BYTES);
	if (memory == NULL)
		return false;
	memory[0] = '\n';
	b->lines = memory + 1;
	timer_init(&b->timer, access_timer_fire);
	return true;
}

static void
access_line_drop(struct access_buffer *b)
{
	b->dropped++;
	counters_here->log_lines_dropped++;
}

void
access_log_write(const struct exchange *ex)
{
	struct access_buffer *b = &access_buffer;
	struct appender a;

	if (!atomic_load_explicit(&access_log.enabled, memory_order_relaxed) ||
	    (ex->route != NULL && !ex->route->log))
		return;
	if (!access_buffer_begin(b)) {
		access_line_drop(b);
		return;
	}
	if (ACCESS_LOG_BUFFER_BYTES - b->length < ACCESS_LINE_BYTES &&
	    !b->stuck)
		access_buffer_flush(b);
	if (ACCESS_LOG_BUFFER_BYTES - b->length < ACCESS_LINE_BYTES) {
		access_line_drop(b);
		return;
	}
	a = appender_over(b->lines + b->length, ACCESS_LINE_BYTES);
	access_line_append(&a, ex,
	    (enum config_log_format)atomic_load_explicit(
		&access_log.format, memory_order_relaxed),
	    clock_wall_ns());
	if (never(a.overflowed)) {
		access_line_drop(b);
		return;
	}
	if (b->length == 0)
		access_timer_arm(b);
	b->length += a.length;
}

void
access_log_flush(void)
{
	if (access_buffer.lines != NULL)
		access_buffer_flush(&access_buffer);
}

void
access_log_thread_end(void)
{
	struct access_buffer *b = &access_buffer;

	if (b->lines == NULL)
		return;
	access_buffer_flush(b);
	for (size_t i = 0; i < b->length; i++) {
		if (b->lines[i] == '\n')
			access_line_drop(b);
	}
	timer_stop(&b->timer);
	free(b->lines - 1);
	*b = (struct access_buffer){0};
}

int
access_log_reopen(int fd_take)
{
	enum logfile_kind kind;
	int fd = atomic_load(&access_log.fd);
	int r = logfile_prepare(fd_take, &kind);

	if (r < 0) {
		logfile_close(fd_take);
		return r;
	}
	atomic_store(&access_log.kind, kind);
	if (fd < 0) {
		atomic_store(&access_log.fd, r);
		return 0;
	}
	return logfile_replace(fd, r);
}

int
access_log_open(int fd_take, enum config_log_format format)
{
	int r = access_log_reopen(fd_take);

	if (r < 0)
		return r;
	atomic_store(&access_log.format, format);
	atomic_store(&access_log.enabled, true);
	return 0;
}

void
access_log_close(void)
{
	atomic_store(&access_log.enabled, false);
}
