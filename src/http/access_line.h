/*
 * access_line.h - one line of the access log
 *
 * Layer      http
 * Threads    any; the last formatted second is remembered per thread
 * Cost       about 500 ns for a usual proxied request
 * Limits     every text of a stranger is cut (ACCESS_*_BYTES), so that a line
 *            never exceeds ACCESS_LINE_BYTES and is written in one piece
 *
 * logfmt and JSON have the same fields; what did not happen is left out:
 *   time client peer method host path protocol status in out site route pool
 *   server attempts reused error head_ms queue_ms connect_ms wait_ms total_ms
 *   referer agent
 * combined is the format of that name of Apache and nginx, in UTC.
 */
#pragma once

#include "http/exchange.h"
#include "os/logfile.h"

/* One less than a piece: the newline that mends a broken line goes before. */
#define ACCESS_LINE_BYTES    (LOGFILE_PIECE_BYTES - 1)

#define ACCESS_ADDRESS_BYTES 64
#define ACCESS_METHOD_BYTES  32
#define ACCESS_HOST_BYTES    256
#define ACCESS_PATH_BYTES    1920 /* with the query */
#define ACCESS_NAME_BYTES    128 /* site, pool, server */
#define ACCESS_REFERER_BYTES 448
#define ACCESS_AGENT_BYTES   256

/* Append the line, with its newline. @wall_ns: nanoseconds since 1970. */
void access_line_append(struct appender *into, const struct exchange *ex,
    enum config_log_format format, int64_t wall_ns);
