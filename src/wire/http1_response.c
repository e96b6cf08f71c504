/*
 * http1_response.c - response heads (RFC 9112 §4) and trailers (§7.1.2)
 */
#include <errno.h>

#include "base/error.h"
#include "wire/chars.h"
#include "wire/http1_head.h"

#define STATUS_LINE_MIN (sizeof("HTTP/1.1 200") - 1)

/* HTTP-version SP status-code SP [ reason ]; the second space may be left out
 * with the reason, as some servers do. */
static int
response_line(struct bytes line, struct http_head *head)
{
	uint64_t status;

	if (line.length < STATUS_LINE_MIN)
		return E_H1_BAD_STATUS;
	if (bytes_starts_with(line, BYTES("HTTP/1.1 ")))
		head->version = 11;
	else if (bytes_starts_with(line, BYTES("HTTP/1.0 ")))
		head->version = 10;
	else
		return E_H1_BAD_STATUS;
	if (bytes_to_u64(bytes_of(line.at + 9, 3), 599, &status) < 0 ||
	    status < 100)
		return E_H1_BAD_STATUS;
	if (line.length > STATUS_LINE_MIN && line.at[STATUS_LINE_MIN] != ' ')
		return E_H1_BAD_STATUS;
	head->status = (uint16_t)status;
	head->reason = bytes_skip(line, STATUS_LINE_MIN + 1);
	return 0;
}

/* As far as it is there, it must be the beginning of a status line. */
static bool
response_begins_well(const char *buffer, size_t length)
{
	static const char begin[] = "HTTP/1.";
	size_t n = min_of(length, sizeof(begin) - 1);

	return memcmp(buffer, begin, n) == 0;
}

/* RFC 9112 §6.3: what the request and the status say about the body comes
 * before what the fields say. */
static void
response_framing(struct http_head *head, enum http_method request_method)
{
	unsigned status = head->status;

	if (request_method == HTTP_HEAD || status < 200 || status == 204 ||
	    status == 304 || (request_method == HTTP_CONNECT && status < 300))
		head->framing = HTTP_BODY_NONE;
}

ssize_t
http1_parse_response(struct http1_scan *scan, char *buffer, size_t length,
    const struct http1_limits *limits, enum http_method request_method,
    struct http_head *head)
{
	const char *line_end;
	ssize_t end;
	int r;

	if (!response_begins_well(buffer, length))
		return E_H1_BAD_STATUS;
	end = h1_head_end(scan, buffer, length, limits, 0, true);
	if (end < 0)
		return end;
	http_head_init(head);
	line_end = memchr(buffer, '\r', (size_t)end);
	r = response_line(bytes_of(buffer, (size_t)(line_end - buffer)), head);
	if (r == 0)
		r = h1_parse_fields(line_end + 2, buffer + end, limits, head);
	if (r == 0)
		r = h1_parse_framing(head, HTTP_BODY_UNTIL_CLOSE);
	if (r < 0)
		return r;
	response_framing(head, request_method);
	if (head->framing == HTTP_BODY_UNTIL_CLOSE)
		head->keep_alive = false;
	return end;
}

ssize_t
http1_parse_trailers(struct http1_scan *scan, char *buffer, size_t length,
    const struct http1_limits *limits, struct http_head *trailers)
{
	ssize_t end = h1_head_end(scan, buffer, length, limits, 0, false);
	int r;

	if (end < 0)
		return end == E_H1_HEAD_TOO_LARGE ? E_H1_CHUNK_TOO_LONG : end;
	http_head_init(trailers);
	r = h1_parse_fields(buffer, buffer + end, limits, trailers);
	for (unsigned i = 0; r == 0 && i < trailers->field_count; i++) {
		if (!http_field_in_trailer(
			(enum http_field_id)trailers->fields[i].id))
			r = E_H1_BAD_TRAILER;
	}
	return r < 0 ? r : end;
}
