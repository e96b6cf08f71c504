/*
 * http1_case.h - for the tests of the parser: one message, cut in every way
 *
 * Layer      wire, tests only
 */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "wire/http1.h"

static const struct http1_limits case_limits = {
    .line_bytes = 200, .head_bytes = 1000, .field_count = 10};

enum case_kind { CASE_REQUEST, CASE_RESPONSE, CASE_TRAILERS };

struct case_call {
	enum case_kind kind;
	enum http_method method; /* of the request, for CASE_RESPONSE */
	const struct http1_limits *limits;
};

static ssize_t
case_parse(const struct case_call *call, struct http1_scan *scan, char *buffer,
    size_t length, struct http_head *head)
{
	switch (call->kind) {
	case CASE_REQUEST:
		return http1_parse_request(
		    scan, buffer, length, call->limits, head);
	case CASE_RESPONSE:
		return http1_parse_response(
		    scan, buffer, length, call->limits, call->method, head);
	default:
		return http1_parse_trailers(
		    scan, buffer, length, call->limits, head);
	}
}

static void
case_append_part(struct appender *into, const char *label, struct bytes part)
{
	append_text(into, label);
	if (part.at == NULL)
		append_char(into, '-');
	else
		append_bytes(into, part);
}

/* What a head says, in one line: two heads that read the same are the same. */
static void
case_describe(
    enum case_kind kind, const struct http_head *head, struct appender *into)
{
	static const char *const framings[] = {
	    "none", "length", "chunked", "close"};

	if (kind == CASE_REQUEST) {
		append_bytes(into, head->method_name);
		case_append_part(into, " ", head->path);
		case_append_part(into, " ?", head->query);
		case_append_part(into, " @", head->host);
		append_format(into, ":%u ", head->port);
	} else if (kind == CASE_RESPONSE) {
		append_format(into, "%u ", head->status);
		case_append_part(into, "'", head->reason);
		append_text(into, "' ");
	}
	if (kind != CASE_TRAILERS)
		append_format(into, "%u %s %llu", head->version,
		    framings[head->framing],
		    (unsigned long long)head->content_length);
	append_text(into, head->keep_alive ? " keep" : "");
	append_text(into, head->expect_continue ? " expect" : "");
	append_text(into, head->upgrade ? " upgrade" : "");
	append_text(into, head->te_trailers ? " te" : "");
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *f = &head->fields[i];

		if (f->name_length == 0)
			continue;
		append_text(into, " [");
		append(into, f->name, f->name_length);
		append_text(into, f->id == FIELD_OTHER ? "~" : "=");
		append(into, f->value, f->value_length);
		append_char(into, ']');
	}
}

/*
 * Parse @text from memory of exactly its length, so that a sanitizer sees a
 * read behind it: given @step bytes more with each call, the first time
 * @first. What the head says goes to @said, which has room.
 */
static ssize_t
case_run_cut(const struct case_call *call, struct bytes text, size_t first,
    size_t step, struct appender *said)
{
	struct http1_scan scan = {0};
	struct http_head *head = malloc(sizeof(*head));
	ssize_t taken = -EAGAIN;
	size_t given = 0;

	memset(head, 0x5a, sizeof(*head));
	for (size_t more = first; taken == -EAGAIN; more = step) {
		char *buffer;

		given = min_of(given + more, text.length);
		buffer = malloc(given);
		if (given != 0)
			memcpy(buffer, text.at, given);
		taken = case_parse(call, &scan, buffer, given, head);
		if (taken >= 0)
			case_describe(call->kind, head, said);
		free(buffer);
		if (given == text.length)
			break;
	}
	free(head);
	return taken;
}

/*
 * Parse whole, cut once at every byte, and byte by byte. *@ret_same: all of
 * them gave the same. Returns the result of the whole.
 */
static inline ssize_t
case_run(const struct case_call *call, struct bytes text, struct appender *said,
    bool *ret_same)
{
	size_t capacity = said->capacity;
	char *again = malloc(capacity);
	ssize_t whole =
	    case_run_cut(call, text, text.length, text.length, said);

	*ret_same = true;
	for (size_t cut = 0; cut <= text.length; cut++) {
		struct appender other = appender_over(again, capacity);
		ssize_t taken = cut == 0
		    ? case_run_cut(call, text, 1, 1, &other)
		    : case_run_cut(call, text, cut, text.length, &other);

		if (taken != whole ||
		    !bytes_equal(appender_bytes(&other), appender_bytes(said)))
			*ret_same = false;
	}
	free(again);
	return whole;
}

#define CASE_SAID_BYTES 4096

/* A row: the message, its error (0: accepted), what its head says. */
struct case_row {
	struct bytes text;
	int error;
	const char *said;
};
#define OK(text, said)                                                         \
	{                                                                      \
		BYTES(text), 0, (said)                                         \
	}
#define NO(text, error)                                                        \
	{                                                                      \
		BYTES(text), (error), ""                                       \
	}

static inline int
case_row_check(const struct case_call *call, const struct case_row *row)
{
	char memory[CASE_SAID_BYTES];
	struct appender said = appender_over(memory, sizeof(memory));
	bool same;
	ssize_t taken = case_run(call, row->text, &said, &same);
	bool right = same &&
	    (row->error != 0 ? taken == row->error
			     : taken > 0 &&
			bytes_equal(
			    appender_bytes(&said), bytes_from(row->said)));

	if (right)
		return 0;
	printf("%.*s\n  gave %zd %s, %s\n  said   %.*s\n  wanted %s %s\n",
	    (int)row->text.length, row->text.at, taken,
	    taken < 0 ? error_name((int)taken) : "",
	    same ? "however cut" : "DIFFERENTLY WHEN CUT", (int)said.length,
	    said.at, row->error ? error_name(row->error) : "ok", row->said);
	return 1;
}

static inline int
case_rows_check(
    const struct case_call *call, const struct case_row *rows, size_t count)
{
	int wrong = 0;

	for (size_t i = 0; i < count; i++)
		wrong += case_row_check(call, &rows[i]);
	return wrong;
}
#define CASE_ROWS(call, rows)                                                  \
	assert_int_equal(case_rows_check((call), (rows), array_count(rows)), 0)
