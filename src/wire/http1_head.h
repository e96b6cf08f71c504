/*
 * http1_head.h - what request and response heads have in common
 *
 * Layer      wire, inside only
 */
#pragma once

#include "wire/http1.h"

/*
 * h1_head_end - where the head ends: behind its empty line
 *
 * Goes on where the last call stopped; a byte that may not be in a head, a
 * bare CR or LF, and each limit are reported as soon as they are seen.
 * @skip   bytes before the first line (an empty line)
 * @lines  false: there is no first line, only fields (trailers)
 * Returns the length, -EAGAIN, or E_H1_*.
 */
MUST_CHECK
ssize_t h1_head_end(struct http1_scan *scan, const char *buffer, size_t length,
    const struct http1_limits *limits, uint32_t skip, bool lines);

/* The field lines in [at, end), which h1_head_end() found to be whole. */
MUST_CHECK
int h1_parse_fields(const char *at, const char *end,
    const struct http1_limits *limits, struct http_head *head);

/* framing, content_length, keep_alive, upgrade, te_trailers. */
MUST_CHECK
int h1_parse_framing(struct http_head *head, enum http_framing otherwise);
