/*
 * log.c - lines are built in a buffer of the thread, escaped, written once
 *
 * The call sites' windows are plain words that any thread may change: two
 * threads that meet in one may let a line more through, never lose a count
 * for good.
 */
#include "os/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"

static int log_fd = STDERR_FILENO;
static int log_level = LOG_LEVEL_INFO;
static const char *log_role = "weir";

/* Tasks have small stacks; nothing suspends while these are in use. */
static __thread char log_message[LOG_LINE_BYTES];
static __thread char log_buffer[LOG_LINE_BYTES];

static const char *const log_level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

const char *
log_level_name(enum log_level level)
{
	must((size_t)level < array_count(log_level_names));
	return log_level_names[level];
}

int
log_level_find(struct bytes name)
{
	for (size_t i = 0; i < array_count(log_level_names); i++) {
		if (bytes_equal(name, bytes_from(log_level_names[i])))
			return (int)i;
	}
	return -EINVAL;
}

void
log_fd_set(int fd)
{
	__atomic_store_n(&log_fd, fd, __ATOMIC_RELAXED);
}

void
log_level_set(enum log_level level)
{
	__atomic_store_n(&log_level, (int)level, __ATOMIC_RELAXED);
}

void
log_open(int fd, enum log_level level, const char *role)
{
	log_role = role;
	log_fd_set(fd);
	log_level_set(level);
}

/* Keeps room for the newline, so that a cut line is still a line. */
static void
log_append_escaped(struct appender *line, struct bytes text)
{
	size_t room = line->capacity - 1;

	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.at[i];

		if (c >= ' ' && c != 0x7f) {
			if (line->length + 1 > room)
				return;
			append_char(line, (char)c);
		} else {
			if (line->length + 4 > room)
				return;
			append_literal(line, "\\x");
			append_char(line, "0123456789abcdef"[c >> 4]);
			append_char(line, "0123456789abcdef"[c & 15]);
		}
	}
}

static void
log_append_time(struct appender *line)
{
	int64_t now = clock_wall_ns();
	time_t seconds = (time_t)(now / 1000000000);
	struct tm t;

	gmtime_r(&seconds, &t);
	append_format(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
	    t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min,
	    t.tm_sec, (int)(now / 1000000 % 1000));
}

static void
log_write(enum log_level level, const char *area, struct bytes message)
{
	struct appender line = appender_over(log_buffer, sizeof(log_buffer));
	ssize_t written;

	log_append_time(&line);
	append_format(&line, " %s %s[%d] %s: ", log_level_name(level), log_role,
	    (int)getpid(), area);
	log_append_escaped(&line, message);
	append_char(&line, '\n');
	/* There is nowhere to tell of a log that cannot be written. */
	do
		written = write(__atomic_load_n(&log_fd, __ATOMIC_RELAXED),
		    line.at, line.length);
	while (written < 0 && errno == EINTR);
}

/* Whether a line of @site may be written now; *ret_dropped lines of an
 * earlier second were held back and have to be told of. */
static bool
log_site_admits(struct log_site *site, unsigned *ret_dropped)
{
	int64_t now_s = clock_now().ns / 1000000000;

	*ret_dropped = 0;
	if (__atomic_load_n(&site->window_s, __ATOMIC_RELAXED) != now_s) {
		__atomic_store_n(&site->window_s, now_s, __ATOMIC_RELAXED);
		__atomic_store_n(&site->in_window, 0, __ATOMIC_RELAXED);
		*ret_dropped =
		    __atomic_exchange_n(&site->dropped, 0, __ATOMIC_RELAXED);
	}
	if (__atomic_fetch_add(&site->in_window, 1, __ATOMIC_RELAXED) <
	    LOG_BURST)
		return true;
	__atomic_fetch_add(&site->dropped, 1, __ATOMIC_RELAXED);
	return false;
}

static void
log_write_dropped(enum log_level level, const char *area, unsigned dropped)
{
	char text[64];
	int length;

	length = snprintf(text, sizeof(text),
	    "%u more lines like the next one were held back", dropped);
	log_write(level, area, bytes_of(text, (size_t)length));
}

void
log_line(struct log_site *site, enum log_level level, const char *area,
    const char *format, ...)
{
	int saved_errno = errno;
	unsigned dropped;
	va_list args;
	int length;

	if ((int)level > __atomic_load_n(&log_level, __ATOMIC_RELAXED))
		return;
	if (!log_site_admits(site, &dropped))
		return;
	if (dropped != 0)
		log_write_dropped(level, area, dropped);
	va_start(args, format);
	length = vsnprintf(log_message, sizeof(log_message), format, args);
	va_end(args);
	if (length >= 0)
		log_write(level, area,
		    bytes_of(log_message,
			min_of((size_t)length, sizeof(log_message) - 1)));
	errno = saved_errno;
}

void
log_text(enum log_level level, const char *area, struct bytes text)
{
	struct bytes line;

	if ((int)level > __atomic_load_n(&log_level, __ATOMIC_RELAXED))
		return;
	while (bytes_split(&text, '\n', &line)) {
		if (line.length != 0)
			log_write(level, area, line);
	}
}
