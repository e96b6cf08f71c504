/*
 * http1.h - HTTP/1.x messages: bytes in, heads and body slices out
 *
 * Layer      wire
 * Threads    any; no state but what the caller passes
 * Memory     heads point into the buffer that was parsed, which the parser
 *            changes in place (paths normalised, hosts lower-cased)
 * Cost       one vectorised pass for the end of the head, one for the fields;
 *            a scalar twin of each vector routine is held equal by tests
 * Sources    RFC 9112, RFC 9110; features.md §5 (smuggling) for what is refused
 *            beyond the letter
 */
#pragma once

#include <sys/types.h>

#include "base/bytes.h"
#include "wire/http.h"

struct http1_limits {
	uint32_t line_bytes; /* request line */
	uint32_t head_bytes; /* whole head with its empty line */
	uint16_t field_count; /* at most HTTP_FIELDS_MAX */
};

/* Where the search for the end of the head goes on; zero for a new message. */
struct http1_scan {
	uint32_t scanned;
	uint32_t line_start;
	uint16_t field_count;
	bool first_line_seen;
};

/*
 * http1_parse_request - parse a request head
 *
 * @buffer  every byte received so far of this message, from its first
 * @scan    zeroed before the first call, kept between calls
 * @head    written on success; unchanged by -EAGAIN; emptied by an error
 *
 * An error is returned as soon as the bytes that make it are there, and it is
 * the same however they were cut into calls. What needs the whole head (the
 * target's form and path, Host, the framing) is judged at its end. One empty
 * line before the request line is skipped (RFC 9112 §2.2). Returns the length
 * of the head, -EAGAIN (more bytes needed), or E_*.
 */
MUST_CHECK
ssize_t http1_parse_request(struct http1_scan *scan, char *buffer,
    size_t length, const struct http1_limits *limits, struct http_head *head);

/*
 * http1_parse_response - parse a response head
 *
 * @request_method  of the request it answers: HEAD and CONNECT change where
 *                  the body ends (RFC 9112 §6.3)
 * Obsolete folding is refused; a reason phrase may be empty or absent.
 */
MUST_CHECK
ssize_t http1_parse_response(struct http1_scan *scan, char *buffer,
    size_t length, const struct http1_limits *limits,
    enum http_method request_method, struct http_head *head);

/*
 * Chunked bodies (RFC 9112 §7.1), decoded without copying.
 */
struct http1_chunks {
	uint64_t left; /* data bytes of the current chunk still to come */
	uint8_t state;
	uint16_t line_bytes; /* of the size line so far */
};
void http1_chunks_init(struct http1_chunks *chunks);

/*
 * http1_chunks_next - take framing off the front of @*input
 *
 * Consumes from *@input; when it meets data, *@ret_data is the run of it that
 * is there (it points into @input's bytes) and the call returns 1.
 * Returns 1 (data), 0 (the body has ended before any trailer field: call
 * http1_parse_trailers from here), -EAGAIN (input used up), E_H1_BAD_CHUNK,
 * E_H1_CHUNK_TOO_LONG (size line over 4,096 bytes).
 */
MUST_CHECK
int http1_chunks_next(
    struct http1_chunks *chunks, struct bytes *input, struct bytes *ret_data);

/* Data bytes that surely belong to the body and need no look: may be spliced.
 */
static inline uint64_t
http1_chunks_left(const struct http1_chunks *chunks)
{
	return chunks->left;
}
/* @count of them were moved elsewhere. */
void http1_chunks_skip(struct http1_chunks *chunks, uint64_t count);

/*
 * http1_parse_trailers - the fields after the last chunk, with the empty line
 *
 * Forbidden fields (fields.tbl T) are refused. @trailers: fields only.
 * Returns the length, -EAGAIN, or E_*.
 */
MUST_CHECK
ssize_t
http1_parse_trailers(struct http1_scan *scan, char *buffer, size_t length,
    const struct http1_limits *limits, struct http_head *trailers);

/*
 * Writing. The framing fields (Content-Length, Transfer-Encoding, Connection)
 * are written from the head's framing and keep_alive, never copied: such
 * fields in head->fields are skipped. Removed fields are skipped.
 */
void http1_write_request(struct appender *into, const struct http_head *head);
/* The target is path[?query], authority in Host (written first). */

void http1_write_response(struct appender *into, const struct http_head *head);
/* Always as HTTP/1.1. Connection: close is written when !keep_alive,
 * Connection: keep-alive when keep_alive and head->version is 10.
 * upgrade: Connection: upgrade. */

void http1_write_chunk_start(struct appender *into, uint64_t length);
/* CRLF after the data: */
void http1_write_chunk_end(struct appender *into);
/* "0\r\n", the trailer fields (may be NULL), "\r\n". */
void
http1_write_last_chunk(struct appender *into, const struct http_head *trailers);
