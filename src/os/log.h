/*
 * log.h - the error log: every line says what, where, and what to do
 *
 * Layer      os
 * Threads    any; one write(2) per line, so lines never mix
 * Limits     a line is cut at LOG_LINE_BYTES; repeats of one call site beyond
 *            LOG_BURST a second are counted and told in one line afterwards
 *
 * Form       2026-11-24T12:00:00.123Z level role[pid] area: what; remedy
 *            Control characters are written as \xNN: what a client sent can
 *            not forge a line.
 */
#pragma once

#include "base/bytes.h"

#define LOG_LINE_BYTES 4096
#define LOG_BURST      10

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* The name in the configuration and in the lines: "error", "warn", ... */
const char *log_level_name(enum log_level level);
/* Returns the level, or -EINVAL. */
int log_level_find(struct bytes name);

struct log_site {
	int64_t window_s;
	unsigned in_window;
	unsigned dropped;
};

/* @fd  borrowed, opened with O_APPEND; @role  static text */
void log_open(int fd, enum log_level level, const char *role);
/* Switch to another descriptor (log rotation). */
void log_fd_set(int fd);
void log_level_set(enum log_level level);

void log_line(struct log_site *site, enum log_level level, const char *area,
    const char *format, ...) PRINTF(4, 5);

/* A text of several lines, such as the mistakes of a configuration: a line of
 * the log for each, none held back. */
void log_text(enum log_level level, const char *area, struct bytes text);

#define log_at(level, area, ...)                                               \
	do {                                                                   \
		static struct log_site log_site_;                              \
		log_line(&log_site_, (level), (area), __VA_ARGS__);            \
	} while (0)
#define log_error(area, ...) log_at(LOG_LEVEL_ERROR, area, __VA_ARGS__)
#define log_warn(area, ...)  log_at(LOG_LEVEL_WARN, area, __VA_ARGS__)
#define log_info(area, ...)  log_at(LOG_LEVEL_INFO, area, __VA_ARGS__)
#define log_debug(area, ...) log_at(LOG_LEVEL_DEBUG, area, __VA_ARGS__)
