/*
 * condition.h - preconditions of a request, against one file
 *
 * Layer      edge/files; pure: no I/O, no clock
 * Sources    RFC 9110 §13.1 (the fields), §13.2.2 (their order),
 *            §8.8.3.2 (comparison of entity tags)
 */
#pragma once

#include "wire/http.h"

/* What the file has to compare with. */
struct validators {
	struct bytes etag; /* strong, with its quotes */
	int64_t modified_s; /* since 1970 */
};

enum condition {
	CONDITION_HOLDS, /* answer as if there were none */
	CONDITION_NOT_MODIFIED, /* 304 */
	CONDITION_FAILED, /* 412 */
};

/* For GET and HEAD. A date that does not parse, or that comes in more than
 * one line, counts as absent. */
enum condition
condition_check(const struct http_head *request, const struct validators *file);

/*
 * Whether If-Range lets Range count (RFC 9110 §13.1.5): absent, or the same
 * strong tag, or the same date.
 *
 * @now_s  a modification within the last second may not be the last one with
 *         that date, so the date is no strong validator then (§8.8.2.2)
 */
bool condition_range_holds(const struct http_head *request,
    const struct validators *file, int64_t now_s);

/* The only line with @id; at == NULL when there is none or several. */
struct bytes
condition_single(const struct http_head *request, enum http_field_id id);
