/*
 * http1_request.c - request heads (RFC 9112 §3)
 */
#include <errno.h>

#include "base/error.h"
#include "wire/chars.h"
#include "wire/http1_head.h"
#include "wire/url.h"

/* ---- the request line ---- */

static int
request_version(struct bytes text, uint8_t *ret)
{
	if (bytes_equal(text, BYTES("HTTP/1.1")))
		*ret = 11;
	else if (bytes_equal(text, BYTES("HTTP/1.0")))
		*ret = 10;
	else if (text.length == 8 && bytes_starts_with(text, BYTES("HTTP/")) &&
	    text.at[6] == '.' && (unsigned)(text.at[5] - '0') < 10 &&
	    (unsigned)(text.at[7] - '0') < 10)
		return E_H1_BAD_VERSION;
	else
		return E_H1_BAD_LINE;
	return 0;
}

/* method SP target SP version, with single spaces. */
static int
request_line(struct bytes line, struct http_head *head)
{
	struct bytes method, target;

	if (!bytes_split(&line, ' ', &method) || !http_is_token(method))
		return E_H1_BAD_METHOD;
	if (!bytes_split(&line, ' ', &target) || target.length == 0 ||
	    line.at == NULL)
		return E_H1_BAD_LINE;
	head->method_name = method;
	head->method = (uint8_t)http_method_lookup(method);
	head->target = target;
	return request_version(line, &head->version);
}

/* ---- the target ---- */

static bool
target_query_valid(struct bytes query)
{
	for (size_t i = 0; i < query.length; i++) {
		if (query.at[i] == '%') {
			if (query.length - i < 3 ||
			    chars_hex(query.at[i + 1]) < 0 ||
			    chars_hex(query.at[i + 2]) < 0)
				return false;
			i += 2;
		} else if (!chars_is(query.at[i], CHAR_QUERY)) {
			return false;
		}
	}
	return true;
}

/* origin-form: absolute-path [ "?" query ]; changed in place. */
static int
target_origin(struct bytes text, struct http_head *head)
{
	struct bytes path = text;
	size_t mark = bytes_find(text, '?');
	ssize_t n;

	if (mark < text.length) {
		head->query = bytes_skip(text, mark + 1);
		if (!target_query_valid(head->query))
			return E_URL_BAD_CHAR;
		path.length = mark;
	}
	n = url_path_normalise((char *)(uintptr_t)path.at, path.length);
	if (n < 0)
		return (int)n;
	head->path = bytes_of(path.at, (size_t)n);
	return 0;
}

/* absolute-form: for a proxy, and of use to nobody else, but every server
 * must take it (§3.2.2). The authority of the target is the host. */
static int
target_absolute(struct bytes text, struct http_head *head)
{
	struct bytes rest = bytes_skip(text, bytes_find(text, ':') + 3);
	size_t end = 0;

	while (end < rest.length && rest.at[end] != '/' && rest.at[end] != '?')
		end++;
	head->authority = bytes_of(rest.at, end);
	if (end == 0)
		return E_URL_BAD_AUTHORITY;
	rest = bytes_skip(rest, end);
	if (rest.length == 0 || rest.at[0] == '?') {
		head->path = BYTES("/");
		if (rest.length == 0)
			return 0;
		head->query = bytes_skip(rest, 1);
		return target_query_valid(head->query) ? 0 : E_URL_BAD_CHAR;
	}
	return target_origin(rest, head);
}

static int
target_parse(struct http_head *head)
{
	struct bytes text = head->target;

	if (head->method == HTTP_CONNECT) {
		head->authority = text;
		head->path = BYTES("");
		return 0;
	}
	if (likely(text.at[0] == '/'))
		return target_origin(text, head);
	if (bytes_equal(text, BYTES("*")) && head->method == HTTP_OPTIONS) {
		head->path = text;
		return 0;
	}
	if (text.length > 7 &&
	    bytes_equal_nocase(bytes_of(text.at, 7), BYTES("http://")))
		return target_absolute(text, head);
	if (text.length > 8 &&
	    bytes_equal_nocase(bytes_of(text.at, 8), BYTES("https://")))
		return target_absolute(text, head);
	return E_URL_BAD_FORM;
}

/* ---- the host ---- */

static int
request_host(struct http_head *head)
{
	struct bytes host = http_head_get(head, FIELD_HOST);
	bool ipv6;
	char *name;

	if (host.at == NULL && head->version >= 11)
		return E_H1_BAD_HOST;
	if (head->authority.at != NULL) {
		/* §3.2.2 lets the target win; two opinions are refused. */
		if (host.at != NULL &&
		    !bytes_equal_nocase(host, head->authority))
			return E_H1_HOST_MISMATCH;
	} else {
		head->authority = host;
	}
	if (head->authority.length == 0) {
		/* An empty Host is a target without authority (§3.2). */
		return head->method == HTTP_CONNECT ? E_URL_BAD_AUTHORITY : 0;
	}
	if (url_parse_authority(
		head->authority, &head->host, &ipv6, &head->port) < 0)
		return E_H1_BAD_HOST;
	if (head->method == HTTP_CONNECT && head->port == 0)
		return E_URL_BAD_AUTHORITY;
	name = (char *)(uintptr_t)head->host.at;
	for (size_t i = 0; i < head->host.length; i++)
		name[i] = chars_lower(name[i]);
	if (head->host.length > 1 && name[head->host.length - 1] == '.')
		head->host.length--;
	return 0;
}

static int
request_expect(struct http_head *head)
{
	struct bytes value = http_head_get(head, FIELD_EXPECT);

	/* A 1.0 client cannot be answered 100 (RFC 9110 §10.1.1). */
	if (value.at == NULL || head->version < 11)
		return 0;
	if (!bytes_equal_nocase(value, BYTES("100-continue")))
		return E_H1_BAD_EXPECT;
	head->expect_continue = head->framing == HTTP_BODY_CHUNKED ||
	    (head->framing == HTTP_BODY_LENGTH && head->content_length != 0);
	return 0;
}

/* ---- the head ---- */

/* Whatever is no HTTP at all (a TLS hello, another protocol) is refused by
 * its first bytes, before a line of it has ended. */
static int
request_begins_well(const char *at, const char *end)
{
	while (at < end && chars_is(*at, CHAR_TOKEN))
		at++;
	return at == end || *at == ' ' ? 0
	    : *at == '\n'              ? E_H1_BARE_LF
				       : E_H1_BAD_METHOD;
}

ssize_t
http1_parse_request(struct http1_scan *scan, char *buffer, size_t length,
    const struct http1_limits *limits, struct http_head *head)
{
	uint32_t skip = 0;
	const char *line_end;
	ssize_t end;
	int r;

	if (length != 0 && buffer[0] == '\r') {
		if (length == 1)
			return -EAGAIN;
		if (buffer[1] != '\n')
			return E_H1_BARE_CR;
		skip = 2;
	}
	if (!scan->first_line_seen) {
		r = request_begins_well(buffer + skip, buffer + length);
		if (r < 0)
			return r;
	}
	end = h1_head_end(scan, buffer, length, limits, skip, true);
	if (end < 0)
		return end;
	http_head_init(head);
	line_end = memchr(buffer + skip, '\r', (size_t)end - skip);
	r = request_line(
	    bytes_of(buffer + skip, (size_t)(line_end - (buffer + skip))),
	    head);
	if (r == 0)
		r = h1_parse_fields(line_end + 2, buffer + end, limits, head);
	if (r == 0)
		r = h1_parse_framing(head, HTTP_BODY_NONE);
	if (r == 0)
		r = target_parse(head);
	if (r == 0)
		r = request_host(head);
	if (r == 0)
		r = request_expect(head);
	return r < 0 ? r : end;
}
