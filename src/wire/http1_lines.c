/*
 * http1_lines.c - request line, status line, field line
 */
#include "wire/http1_lines.h"

#include "base/error.h"
#include "wire/chars_find.h"

int
http1_method_check(struct bytes line, size_t *ret_end)
{
	size_t end = 0;

	while (end < line.length && char_is(line.at[end], CHAR_TOKEN)) {
		if (++end > HTTP1_METHOD_BYTES_MAX)
			return E_H1_BAD_METHOD;
	}
	if (end < line.length && (end == 0 || line.at[end] != ' '))
		return E_H1_BAD_METHOD;
	*ret_end = end;
	return 0;
}

/* "HTTP/1.1" or "HTTP/1.0": 11, 10, or 0. */
static inline uint8_t
version_of(const char *text)
{
	if (memcmp(text, "HTTP/1.", 7) != 0 || (text[7] | 1) != '1')
		return 0;
	return (uint8_t)(10 + (text[7] - '0'));
}

/* What stands where the version should. */
static COLD int
version_error(struct bytes text)
{
	if (text.length == 0 || bytes_find(text, ' ') < text.length)
		return E_H1_BAD_LINE;
	return E_H1_BAD_VERSION;
}

/* RFC 9112 §3: method SP target SP version, single spaces only. */
int
http1_request_line(struct bytes line, struct http_head *head)
{
	struct bytes rest;
	size_t end;
	int r;

	r = http1_method_check(line, &end);
	if (r < 0)
		return r;
	head->method_name = bytes_of(line.at, end);
	rest = bytes_skip(line, end + 1);
	end = 0;
	while (end < rest.length && char_is(rest.at[end], CHAR_TARGET))
		end++;
	if (end < rest.length && rest.at[end] != ' ')
		return E_URL_BAD_CHAR;
	/* Without a version it is HTTP/0.9, or junk. */
	if (end == 0 || end == rest.length)
		return E_H1_BAD_LINE;
	head->target = bytes_of(rest.at, end);
	rest = bytes_skip(rest, end + 1);
	head->version = rest.length == 8 ? version_of(rest.at) : 0;
	if (unlikely(head->version == 0))
		return version_error(rest);
	head->method = (uint8_t)http_method_lookup(head->method_name);
	return 0;
}

int
http1_status_check(struct bytes line)
{
	/* 'v' and 'd' stand for the version's digit and for any digit. */
	static const char form[] = "HTTP/1.v ddd ";

	for (size_t i = 0; i < line.length && i < sizeof(form) - 1; i++) {
		char c = line.at[i];

		if (form[i] == 'v'       ? (c | 1) == '1'
			: form[i] == 'd' ? char_is(c, CHAR_DIGIT)
					 : c == form[i])
			continue;
		return E_H1_BAD_STATUS;
	}
	return 0;
}

/* RFC 9112 §4; the space before an absent reason may be absent too. */
int
http1_status_line(struct bytes line, struct http_head *head)
{
	int r = http1_status_check(line);

	if (r < 0)
		return r;
	if (line.length < 12 || line.at[9] < '1' || line.at[9] > '5')
		return E_H1_BAD_STATUS;
	head->version = version_of(line.at);
	head->status = (uint16_t)((line.at[9] - '0') * 100 +
	    (line.at[10] - '0') * 10 + (line.at[11] - '0'));
	head->reason = bytes_skip(line, 13);
	return 0;
}

static COLD int
name_error(struct bytes line)
{
	char first = line.at[0];

	/* A line that begins with a space continues the one before: RFC 9112
	 * §5.2 lets a server refuse it, and §2.2 the first one too. */
	return first == ' ' || first == '\t' ? E_H1_FOLDED : E_H1_BAD_NAME;
}

int
http1_name_check(struct bytes line, size_t *ret_end)
{
	size_t end = 0;

	while (end < line.length && char_is(line.at[end], CHAR_TOKEN)) {
		if (++end > HTTP1_NAME_BYTES_MAX)
			return E_H1_BAD_NAME;
	}
	if (end < line.length && (end == 0 || line.at[end] != ':'))
		return name_error(line);
	*ret_end = end;
	return 0;
}

static int
unknown_name_check(struct bytes line, size_t *ret_end)
{
	int r = http1_name_check(line, ret_end);

	if (r == 0 &&
	    (*ret_end == line.length ||
		http_field_is_alias(bytes_of(line.at, *ret_end))))
		r = E_H1_BAD_NAME;
	return r;
}

static inline bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline struct bytes
value_trim(const char *at, const char *end)
{
	while (at < end && is_blank(*at))
		at++;
	while (at < end && is_blank(end[-1]))
		end--;
	return bytes_of(at, (size_t)(end - at));
}

int
http1_field_line(
    enum http1_kind kind, struct bytes line, struct http_field *ret_field)
{
	struct bytes value;
	enum http_field_id id;
	size_t end =
	    (size_t)(chars_find(line.at, line.at + line.length, ':') - line.at);

	id = http_field_lookup(line.at, end);
	/* A name that is known is well formed, and has its colon. */
	if (id == FIELD_OTHER || end == line.length) {
		int r = unknown_name_check(line, &end);

		if (r < 0)
			return r;
	}
	if (kind == HTTP1_TRAILERS && !http_field_in_trailer(id))
		return E_H1_BAD_TRAILER;
	value = value_trim(line.at + end + 1, line.at + line.length);
	if (value.length > UINT16_MAX)
		return E_H1_HEAD_TOO_LARGE;
	*ret_field = (struct http_field){
	    .name = line.at,
	    .value = value.at,
	    .value_length = (uint16_t)value.length,
	    .name_length = (uint8_t)end,
	    .id = (uint8_t)id,
	};
	return 0;
}

static int
first_line_control_error(enum http1_kind kind, struct bytes line)
{
	size_t space = bytes_find(line, ' ');

	if (kind == HTTP1_RESPONSE)
		return E_H1_BAD_STATUS;
	if (space == line.length)
		return E_H1_BAD_METHOD;
	line = bytes_skip(line, space + 1);
	return bytes_find(line, ' ') == line.length ? E_URL_BAD_CHAR
						    : E_H1_BAD_LINE;
}

int
http1_control_error(
    enum http1_kind kind, bool first, struct bytes line, char control)
{
	if (control == '\n')
		return E_H1_BARE_LF;
	if (control == '\r')
		return E_H1_BARE_CR;
	if (first)
		return first_line_control_error(kind, line);
	return bytes_find(line, ':') == line.length ? E_H1_BAD_NAME
						    : E_H1_BAD_VALUE;
}
