/*
 * http1_head.c - lines and fields (RFC 9112 §2.2, §5), and how the end of the
 * body is known (§6)
 */
#include "wire/http1_head.h"

#include <errno.h>

#include "base/error.h"
#include "wire/chars.h"
#include "wire/http1_scan.h"

/* ---- lines ---- */

/* The control character at @at: the end of a line, or a fault.
 * Returns 1 (CR LF), -EAGAIN (a CR is the last byte), or E_H1_*. */
static int
head_line_end(const char *at, const char *end)
{
	if (*at == '\n')
		return E_H1_BARE_LF;
	if (*at != '\r')
		return E_H1_BAD_VALUE;
	if (at + 1 == end)
		return -EAGAIN;
	return at[1] == '\n' ? 1 : E_H1_BARE_CR;
}

static int
head_limits(const struct http1_scan *scan, size_t length,
    const struct http1_limits *limits, bool lines)
{
	if (lines && !scan->first_line_seen &&
	    length - scan->line_start > limits->line_bytes)
		return E_H1_LINE_TOO_LONG;
	if (length > limits->head_bytes)
		return E_H1_HEAD_TOO_LARGE;
	return -EAGAIN;
}

ssize_t
h1_head_end(struct http1_scan *scan, const char *buffer, size_t length,
    const struct http1_limits *limits, uint32_t skip, bool lines)
{
	const char *end = buffer + length;
	const char *at;

	if (scan->scanned < skip) {
		scan->scanned = skip;
		scan->line_start = skip;
	}
	for (;;) {
		int r;

		at = http1_scan_control(buffer + scan->scanned, end);
		scan->scanned = (uint32_t)(at - buffer);
		if (at == end)
			return head_limits(scan, length, limits, lines);
		r = head_line_end(at, end);
		if (r == -EAGAIN)
			return head_limits(scan, length, limits, lines);
		if (r < 0)
			return r;
		if (lines && !scan->first_line_seen &&
		    scan->scanned - scan->line_start > limits->line_bytes)
			return E_H1_LINE_TOO_LONG;
		if (scan->scanned == scan->line_start &&
		    (scan->first_line_seen || !lines)) {
			scan->scanned += 2;
			return scan->scanned > limits->head_bytes
			    ? E_H1_HEAD_TOO_LARGE
			    : (ssize_t)scan->scanned;
		}
		scan->first_line_seen = true;
		scan->scanned += 2;
		scan->line_start = scan->scanned;
	}
}

/* ---- fields ---- */

/* Some servers read '_' as '-' (CGI's environment does): a name that would
 * then be one we decide by may not get past us. */
static bool
field_aliases_known(struct bytes name)
{
	char copy[32];

	if (memchr(name.at, '_', name.length) == NULL ||
	    name.length > sizeof(copy))
		return false;
	for (size_t i = 0; i < name.length; i++)
		copy[i] = name.at[i] == '_' ? '-' : name.at[i];
	return http_field_lookup(copy, name.length) != FIELD_OTHER;
}

static int
field_name(const char *at, const char *end, struct bytes *ret_name)
{
	const char *colon = at;

	while (colon < end && chars_is(*colon, CHAR_TOKEN))
		colon++;
	/* Also white space before the colon (§5.1). */
	if (colon == end || *colon != ':' || colon == at ||
	    colon - at > UINT8_MAX)
		return E_H1_BAD_NAME;
	*ret_name = bytes_of(at, (size_t)(colon - at));
	return 0;
}

static int
field_once(const struct http_head *head, enum http_field_id id)
{
	if (!http_head_has(head, id))
		return 0;
	switch (id) {
	case FIELD_CONTENT_LENGTH:
		return E_H1_BAD_LENGTH;
	case FIELD_HOST:
		return E_H1_BAD_HOST;
	case FIELD_TRANSFER_ENCODING:
		return E_H1_BAD_CODING;
	default:
		return 0;
	}
}

static int
field_parse(const char *at, const char *end, struct http_head *head)
{
	struct bytes name, value;
	enum http_field_id id;
	int r = field_name(at, end, &name);

	if (r < 0)
		return r;
	value = bytes_trim(bytes_of(name.at + name.length + 1,
	    (size_t)(end - (name.at + name.length + 1))));
	if (value.length > UINT16_MAX)
		return E_H1_HEAD_TOO_LARGE;
	id = http_field_lookup(name.at, name.length);
	if (unlikely(id == FIELD_OTHER && field_aliases_known(name)))
		return E_H1_BAD_NAME;
	r = field_once(head, id);
	if (r < 0)
		return r;
	head->fields[head->field_count++] = (struct http_field){
	    .name = name.at,
	    .value = value.at,
	    .value_length = (uint16_t)value.length,
	    .name_length = (uint8_t)name.length,
	    .id = (uint8_t)id,
	};
	head->present |= (uint64_t)1 << id;
	return 0;
}

int
h1_parse_fields(const char *at, const char *end,
    const struct http1_limits *limits, struct http_head *head)
{
	for (;;) {
		const char *line_end = http1_scan_control(at, end);
		int r;

		must(line_end < end && *line_end == '\r');
		if (line_end == at)
			return 0;
		if (*at == ' ' || *at == '\t')
			return E_H1_FOLDED;
		if (head->field_count >= limits->field_count ||
		    head->field_count == HTTP_FIELDS_MAX)
			return E_H1_TOO_MANY_FIELDS;
		r = field_parse(at, line_end, head);
		if (r < 0)
			return r;
		at = line_end + 2;
	}
}

/* ---- framing ---- */

static void
head_connection(struct http_head *head, struct bytes list)
{
	struct bytes token;

	while (http_list_next(&list, &token)) {
		if (bytes_equal_nocase(token, BYTES("close")))
			head->keep_alive = false;
		else if (head->version == 10 &&
		    bytes_equal_nocase(token, BYTES("keep-alive")))
			head->keep_alive = true;
		else if (bytes_equal_nocase(token, BYTES("upgrade")))
			head->upgrade = true;
	}
}

static bool
head_connection_closes(struct bytes list)
{
	return http_list_has(list, BYTES("close"));
}

static void
head_connections(struct http_head *head)
{
	bool closes = false;

	head->keep_alive = head->version >= 11;
	if (!http_head_has(head, FIELD_CONNECTION))
		return;
	for (unsigned i = 0; i < head->field_count; i++) {
		const struct http_field *f = &head->fields[i];
		struct bytes value = bytes_of(f->value, f->value_length);

		if (f->id != FIELD_CONNECTION)
			continue;
		head_connection(head, value);
		closes = closes || head_connection_closes(value);
	}
	/* close wins, wherever it stands (§9.3). */
	if (closes)
		head->keep_alive = false;
	/* Upgrade needs both, and is ignored in 1.0 (RFC 9110 §7.8). */
	if (!http_head_has(head, FIELD_UPGRADE) || head->version < 11)
		head->upgrade = false;
}

int
h1_parse_framing(struct http_head *head, enum http_framing otherwise)
{
	bool chunked = http_head_has(head, FIELD_TRANSFER_ENCODING);
	bool length = http_head_has(head, FIELD_CONTENT_LENGTH);

	head_connections(head);
	head->te_trailers = http_head_has(head, FIELD_TE) &&
	    http_list_has(http_head_get(head, FIELD_TE), BYTES("trailers"));
	head->framing = (uint8_t)otherwise;
	if (chunked) {
		if (head->version < 11)
			return E_H1_CODING_IN_10;
		if (length)
			return E_H1_LENGTH_AND_CHUNKED;
		if (!bytes_equal_nocase(
			http_head_get(head, FIELD_TRANSFER_ENCODING),
			BYTES("chunked")))
			return E_H1_BAD_CODING;
		head->framing = HTTP_BODY_CHUNKED;
	} else if (length) {
		if (bytes_to_u64(http_head_get(head, FIELD_CONTENT_LENGTH),
			INT64_MAX, &head->content_length) < 0)
			return E_H1_BAD_LENGTH;
		head->framing = HTTP_BODY_LENGTH;
	}
	return 0;
}
