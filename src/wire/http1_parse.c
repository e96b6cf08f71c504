/*
 * http1_parse.c - message heads
 *
 * First every line's end is looked for, from where the last call stopped;
 * the search stops at each control character, so it also finds the bare CR,
 * the bare LF and whatever else no line may hold. When the empty line is
 * there, the lines are read one by one, and then the head is judged as a
 * whole. While it is not there, lines that have ended are checked once and
 * thrown away, so that a bad one is refused without waiting for the rest.
 */
#include "wire/http1.h"

#include <errno.h>

#include "base/error.h"
#include "wire/chars_find.h"
#include "wire/http1_lines.h"

#define LINES_MAX (HTTP_FIELDS_MAX + 1)

/* Every argument of one call, and what its search found. */
struct parse {
	enum http1_kind kind;
	const struct http1_limits *limits;
	const char *buffer;
	uint32_t end; /* of what may be looked at */
	bool cut; /* limits.head_bytes set the end, not the input */
	struct http1_scan scan;
	unsigned line_count; /* that ended in this call */
	uint32_t line_ends[LINES_MAX]; /* where their CR stands */
};

static inline struct bytes
parse_run(const struct parse *p, uint32_t from, uint32_t to)
{
	return bytes_of(p->buffer + from, to - from);
}

static int
parse_check_line(struct parse *p, bool first, struct bytes line)
{
	struct http_head scratch;
	struct http_field field;

	if (!first)
		return http1_field_line(p->kind, line, &field);
	return p->kind == HTTP1_REQUEST ? http1_request_line(line, &scratch)
					: http1_status_line(line, &scratch);
}

/* The line that has not ended: scan.line_start to @end. */
static int
parse_check_prefix(struct parse *p, uint32_t end)
{
	struct bytes line = parse_run(p, p->scan.line_start, end);
	size_t ignored;

	if (line.length == 0)
		return 0;
	if (p->scan.first_line_seen) {
		if (p->scan.field_count == p->limits->field_count)
			return E_H1_TOO_MANY_FIELDS;
		return http1_name_check(line, &ignored);
	}
	return p->kind == HTTP1_REQUEST ? http1_method_check(line, &ignored)
					: http1_status_check(line);
}

/*
 * The search ended without an empty line, with @error or -EAGAIN. What comes
 * before counts first: the lines that ended since @before, then the one that
 * has not ended.
 */
static COLD int
parse_settle(struct parse *p, const struct http1_scan *before, int error)
{
	uint32_t start = before->line_start;
	bool first = !before->first_line_seen;
	int r;

	/* The empty line that may come first was counted as no line. */
	if (first && start == 0 && p->scan.line_start >= 2 &&
	    p->kind == HTTP1_REQUEST && p->buffer[0] == '\r')
		start = 2;
	for (unsigned i = 0; i < p->line_count; i++) {
		struct bytes line = parse_run(p, start, p->line_ends[i]);

		r = parse_check_line(p, first, line);
		if (r < 0)
			return r;
		first = false;
		start = p->line_ends[i] + 2;
	}
	r = parse_check_prefix(p, p->scan.scanned);
	return r < 0 ? r : error;
}

/* What the search met at scan.scanned is no line's end. */
static COLD int
parse_control_error(struct parse *p)
{
	uint32_t at = p->scan.scanned;

	if (p->buffer[at] == '\r' && at + 1 == p->end)
		return p->cut ? E_H1_HEAD_TOO_LARGE : -EAGAIN;
	return http1_control_error(p->kind, !p->scan.first_line_seen,
	    parse_run(p, p->scan.line_start, at), p->buffer[at]);
}

/* Move scan.scanned to the CR of the next CRLF. Returns 0, -EAGAIN or E_*. */
static inline int
parse_find_line_end(struct parse *p, uint32_t end)
{
	const char *hit =
	    chars_find_control(p->buffer + p->scan.scanned, p->buffer + end);

	p->scan.scanned = (uint32_t)(hit - p->buffer);
	if (unlikely(p->scan.scanned == end))
		return p->cut ? E_H1_HEAD_TOO_LARGE : -EAGAIN;
	if (unlikely(hit[0] != '\r' || p->scan.scanned + 1 == p->end ||
		hit[1] != '\n'))
		return parse_control_error(p);
	return 0;
}

static inline void
parse_end_line(struct parse *p)
{
	p->line_ends[p->line_count++] = p->scan.scanned;
	p->scan.scanned += 2;
	p->scan.line_start = p->scan.scanned;
}

static int
parse_find_first_line(struct parse *p)
{
	uint32_t start = p->scan.line_start, end = p->end;
	bool long_enough = p->limits->line_bytes < end - start;
	int r;

	if (long_enough)
		end = start + p->limits->line_bytes + 1; /* one for the CR */
	r = parse_find_line_end(p, end);
	if (r < 0)
		return long_enough && p->scan.scanned == end
		    ? E_H1_LINE_TOO_LONG
		    : r;
	if (p->scan.scanned == 0 && p->kind == HTTP1_REQUEST) {
		/* RFC 9112 §2.2: left behind by the body before it. */
		p->scan.scanned = p->scan.line_start = 2;
		return parse_find_first_line(p);
	}
	if (p->scan.scanned == p->scan.line_start)
		return p->kind == HTTP1_REQUEST ? E_H1_BAD_LINE
						: E_H1_BAD_STATUS;
	parse_end_line(p);
	p->scan.first_line_seen = true;
	return 0;
}

/*
 * Pass every field line that ends with CRLF, as far as the limit allows: the
 * hot loop. It looks at 16 bytes at a time, the last 16 for what is left.
 */
static inline void
parse_skip_fields(struct parse *p)
{
	const char *base = p->buffer, *end = base + p->end;
	const char *start = base + p->scan.line_start;
	const char *at = base + p->scan.scanned;
	unsigned first = p->line_count, count = first;
	unsigned most = first + p->limits->field_count - p->scan.field_count;
	bool stopped = p->end < 16;

	while (at < end && !stopped) {
		const char *block = end - at < 16 ? end - 16 : at;
		uint64_t mask = chars_mask_from(
		    chars_control_mask(block), (unsigned)(at - block));

		at = block + 16;
		while (mask != 0) {
			const char *hit = block + chars_mask_first(mask);

			if (end - hit < 2 || hit[0] != '\r' || hit[1] != '\n' ||
			    hit == start || count == most) {
				at = hit;
				stopped = true;
				break;
			}
			p->line_ends[count++] = (uint32_t)(hit - base);
			start = hit + 2;
			mask = chars_mask_from(mask, (unsigned)(start - block));
		}
		if (start > at)
			at = start;
	}
	p->scan.field_count += (uint16_t)(count - first);
	p->scan.line_start = (uint32_t)(start - base);
	p->scan.scanned = (uint32_t)(at - base);
	p->line_count = count;
}

/* Find the empty line. Returns 0 with scan.scanned at it, -EAGAIN or E_*. */
static int
parse_find_end(struct parse *p)
{
	int r;

	if (!p->scan.first_line_seen) {
		r = parse_find_first_line(p);
		if (r < 0)
			return r;
	}
	parse_skip_fields(p);
	for (;;) {
		r = parse_find_line_end(p, p->end);
		if (r < 0)
			return r;
		if (p->scan.scanned == p->scan.line_start)
			return 0;
		if (p->scan.field_count == p->limits->field_count)
			return E_H1_TOO_MANY_FIELDS;
		parse_end_line(p);
		p->scan.field_count++;
	}
}

static inline void
head_take_field(
    struct http_head *head, const struct http_field *field, uint64_t *repeated)
{
	uint64_t bit = UINT64_C(1) << field->id;

	*repeated |= head->present & bit;
	head->present |= bit;
	head->field_count++;
}

/* Read every line into @head. Returns 0 or E_*. */
static int
parse_read_lines(struct parse *p, struct http_head *head, uint64_t *repeated)
{
	unsigned i = 0;
	uint32_t start = 0;
	int r;

	http_head_init(head);
	if (p->kind != HTTP1_TRAILERS) {
		if (p->buffer[0] == '\r')
			start = 2;
		struct bytes line = parse_run(p, start, p->line_ends[0]);

		r = p->kind == HTTP1_REQUEST ? http1_request_line(line, head)
					     : http1_status_line(line, head);
		if (r < 0)
			return r;
		start = p->line_ends[i++] + 2;
	}
	for (; i < p->line_count; i++) {
		struct http_field *field = &head->fields[head->field_count];

		r = http1_field_line(
		    p->kind, parse_run(p, start, p->line_ends[i]), field);
		if (r < 0)
			return r;
		head_take_field(head, field, repeated);
		start = p->line_ends[i] + 2;
	}
	return 0;
}

/*
 * Find the end of the head and read its lines. Returns the length of the
 * head, -EAGAIN, or E_*.
 */
static inline ssize_t
parse_head(struct parse *p, struct http1_scan *scan, struct http_head *head,
    uint64_t *repeated)
{
	bool resumed = scan->scanned != 0;
	int r;

	must(p->limits->field_count <= HTTP_FIELDS_MAX);
	must(scan->scanned <= p->end && scan->line_start <= scan->scanned);
	p->scan = *scan;
	r = parse_find_end(p);
	if (r < 0) {
		r = parse_settle(p, scan, r);
		*scan = p->scan;
		return r;
	}
	*scan = p->scan;
	if (resumed) {
		/* The ends of the earlier lines were not kept. */
		p->scan = (struct http1_scan){
		    .first_line_seen = p->kind == HTTP1_TRAILERS};
		p->line_count = 0;
		must(parse_find_end(p) == 0);
	}
	r = parse_read_lines(p, head, repeated);
	return r < 0 ? r : (ssize_t)p->scan.scanned + 2;
}

static void
parse_init(struct parse *p, enum http1_kind kind,
    const struct http1_limits *limits, const char *buffer, size_t length)
{
	p->kind = kind;
	p->limits = limits;
	p->buffer = buffer;
	p->cut = length >= limits->head_bytes;
	p->end = p->cut ? limits->head_bytes : (uint32_t)length;
	p->line_count = 0;
}

/* An error leaves no half of a head behind. */
static ssize_t
parse_end(struct http_head *head, ssize_t result)
{
	if (unlikely(result < 0 && result != -EAGAIN))
		http_head_init(head);
	return result;
}

ssize_t
http1_parse_request(struct http1_scan *scan, char *buffer, size_t length,
    const struct http1_limits *limits, struct http_head *head)
{
	struct parse p;
	uint64_t repeated = 0;
	ssize_t taken;
	int r = 0;

	parse_init(&p, HTTP1_REQUEST, limits, buffer, length);
	taken = parse_head(&p, scan, head, &repeated);
	if (taken >= 0)
		r = http1_request_judge(head, repeated);
	return parse_end(head, r < 0 ? r : taken);
}

ssize_t
http1_parse_response(struct http1_scan *scan, char *buffer, size_t length,
    const struct http1_limits *limits, enum http_method request_method,
    struct http_head *head)
{
	struct parse p;
	uint64_t repeated = 0;
	ssize_t taken;
	int r = 0;

	parse_init(&p, HTTP1_RESPONSE, limits, buffer, length);
	taken = parse_head(&p, scan, head, &repeated);
	if (taken >= 0)
		r = http1_response_judge(head, repeated, request_method);
	return parse_end(head, r < 0 ? r : taken);
}

ssize_t
http1_parse_trailers(struct http1_scan *scan, char *buffer, size_t length,
    const struct http1_limits *limits, struct http_head *trailers)
{
	struct parse p;
	uint64_t repeated = 0;

	scan->first_line_seen = true;
	parse_init(&p, HTTP1_TRAILERS, limits, buffer, length);
	return parse_end(trailers, parse_head(&p, scan, trailers, &repeated));
}
