/*
 * url.c - splitting and normalising URLs
 */
#include "wire/url.h"

#include <arpa/inet.h>
#include <errno.h>

#include "base/error.h"
#include "wire/chars.h"

/* ---- paths ---- */

/* One escape at @from, decoded into what may stand in its place. Returns the
 * bytes written at @to (1 or 3), or E_URL_*. */
static int
path_escape(const char *from, size_t left, char *to)
{
	int high, low, value;

	if (left < 3)
		return E_URL_BAD_ESCAPE;
	high = chars_hex(from[1]);
	low = chars_hex(from[2]);
	if (high < 0 || low < 0)
		return E_URL_BAD_ESCAPE;
	value = high << 4 | low;
	if (value == 0)
		return E_URL_NUL;
	if (value == '/' || value == '\\')
		return E_URL_ESCAPED_SLASH;
	if (value < 0x20 || value == 0x7f)
		return E_URL_BAD_CHAR;
	if (chars_is((char)value, CHAR_UNRESERVED)) {
		to[0] = (char)value;
		return 1;
	}
	to[0] = '%';
	to[1] = "0123456789ABCDEF"[high];
	to[2] = "0123456789ABCDEF"[low];
	return 3;
}

static ssize_t
path_unescape(char *path, size_t length)
{
	size_t to = 0, from = 0;

	while (from < length) {
		if (path[from] == '%') {
			int n =
			    path_escape(path + from, length - from, path + to);

			if (n < 0)
				return n;
			to += (size_t)n;
			from += 3;
			continue;
		}
		if (!chars_is(path[from], CHAR_PATH))
			return path[from] == '\\' ? E_URL_ESCAPED_SLASH
						  : E_URL_BAD_CHAR;
		path[to++] = path[from++];
	}
	return (ssize_t)to;
}

/* RFC 3986 §5.2.4, with repeated slashes merged; ".." at the root is refused
 * instead of forgotten. */
static ssize_t
path_resolve(char *path, size_t length)
{
	size_t to = 0, from = 0;

	while (from < length) {
		size_t end = from + 1;
		bool last, dots;

		while (end < length && path[end] != '/')
			end++;
		last = end == length;
		dots = (end - from == 2 && path[from + 1] == '.') ||
		    end - from == 1;
		if (end - from == 3 && path[from + 1] == '.' &&
		    path[from + 2] == '.') {
			if (to == 0)
				return E_URL_ABOVE_ROOT;
			do
				to--;
			while (path[to] != '/');
			dots = true;
		}
		if (dots) {
			/* A directory's own name ends with its slash. */
			if (last)
				path[to++] = '/';
		} else {
			memmove(path + to, path + from, end - from);
			to += end - from;
		}
		from = end;
	}
	return (ssize_t)to;
}

static bool
path_is_normal(const char *path, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (!chars_is(path[i], CHAR_PATH) || path[i] == '%')
			return false;
		if (path[i] == '/' && i + 1 < length &&
		    (path[i + 1] == '/' || path[i + 1] == '.'))
			return false;
	}
	return true;
}

ssize_t
url_path_normalise(char *path, size_t length)
{
	ssize_t n;

	if (length == 0 || path[0] != '/')
		return E_URL_BAD_FORM;
	if (likely(path_is_normal(path, length)))
		return (ssize_t)length;
	n = path_unescape(path, length);
	return n < 0 ? n : path_resolve(path, (size_t)n);
}

int
url_unescape(struct bytes path, struct appender *into)
{
	for (size_t i = 0; i < path.length; i++) {
		int high, low;

		if (path.at[i] != '%') {
			append_char(into, path.at[i]);
			continue;
		}
		if (path.length - i < 3)
			return E_URL_BAD_ESCAPE;
		high = chars_hex(path.at[i + 1]);
		low = chars_hex(path.at[i + 2]);
		if (high < 0 || low < 0)
			return E_URL_BAD_ESCAPE;
		if ((high | low) == 0)
			return E_URL_NUL;
		append_char(into, (char)(high << 4 | low));
		i += 2;
	}
	return into->overflowed ? -ENAMETOOLONG : 0;
}

void
url_escape_path(struct bytes text, struct appender *into)
{
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.at[i];

		if (c == '/' || chars_is((char)c, CHAR_UNRESERVED)) {
			append_char(into, (char)c);
			continue;
		}
		append_char(into, '%');
		append_char(into, "0123456789ABCDEF"[c >> 4]);
		append_char(into, "0123456789ABCDEF"[c & 15]);
	}
}

/* ---- authorities ---- */

static int
authority_port(struct bytes text, uint16_t *ret)
{
	uint64_t value = 0;

	/* "host:" has an empty port, which is none (RFC 3986 §3.2.3). */
	if (text.length == 0)
		return 0;
	if (text.at[0] != ':')
		return E_URL_BAD_AUTHORITY;
	if (text.length > 1 &&
	    bytes_to_u64(bytes_skip(text, 1), 65535, &value) < 0)
		return E_URL_BAD_AUTHORITY;
	*ret = (uint16_t)value;
	return 0;
}

static bool
authority_ipv6(struct bytes host)
{
	char copy[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (host.length >= sizeof(copy))
		return false;
	memcpy(copy, host.at, host.length);
	copy[host.length] = '\0';
	return inet_pton(AF_INET6, copy, &address) == 1;
}

static bool
authority_name(struct bytes host)
{
	bool dot = true; /* an empty label is none of a name */

	for (size_t i = 0; i < host.length; i++) {
		if (host.at[i] == '.' && dot)
			return false;
		dot = host.at[i] == '.';
		if (!chars_is(host.at[i], CHAR_HOST))
			return false;
	}
	return host.length != 0;
}

int
url_parse_authority(struct bytes text, struct bytes *ret_host, bool *ret_ipv6,
    uint16_t *ret_port)
{
	struct bytes host, rest;
	uint16_t port = 0;
	bool ipv6 = text.length != 0 && text.at[0] == '[';
	int r;

	if (ipv6) {
		size_t end = bytes_find(text, ']');

		if (end == text.length)
			return E_URL_BAD_AUTHORITY;
		host = bytes_of(text.at + 1, end - 1);
		rest = bytes_skip(text, end + 1);
	} else {
		host = bytes_of(text.at, bytes_find(text, ':'));
		rest = bytes_skip(text, host.length);
	}
	if (ipv6 ? !authority_ipv6(host) : !authority_name(host))
		return E_URL_BAD_AUTHORITY;
	r = authority_port(rest, &port);
	if (r < 0)
		return r;
	*ret_host = host;
	*ret_ipv6 = ipv6;
	*ret_port = port;
	return 0;
}

/* ---- whole URLs ---- */

static bool
url_chars(struct bytes text, unsigned class)
{
	for (size_t i = 0; i < text.length; i++) {
		if (text.at[i] == '%') {
			if (text.length - i < 3 ||
			    chars_hex(text.at[i + 1]) < 0 ||
			    chars_hex(text.at[i + 2]) < 0)
				return false;
		} else if (!chars_is(text.at[i], class)) {
			return false;
		}
	}
	return true;
}

/* Take the part behind the first @mark off the end of @*text. */
static struct bytes
url_cut(struct bytes *text, char mark)
{
	size_t at = bytes_find(*text, mark);
	struct bytes part = bytes_of(NULL, 0);

	if (at < text->length) {
		part = bytes_skip(*text, at + 1);
		text->length = at;
	}
	return part;
}

static bool
url_scheme(struct bytes text, size_t *ret_colon)
{
	size_t colon = bytes_find(text, ':');

	if (colon == text.length || colon == 0 ||
	    !chars_is(text.at[0], CHAR_ALPHA))
		return false;
	for (size_t i = 0; i < colon; i++) {
		if (!chars_is(text.at[i], CHAR_SCHEME))
			return false;
	}
	*ret_colon = colon;
	return true;
}

int
url_parse(struct bytes text, struct url *ret_url)
{
	struct url url = {0};
	struct bytes authority;
	size_t colon, at;

	url.fragment = url_cut(&text, '#');
	url.query = url_cut(&text, '?');
	if (url_scheme(text, &colon)) {
		url.scheme = bytes_of(text.at, colon);
		text = bytes_skip(text, colon + 1);
	}
	if (bytes_starts_with(text, BYTES("//"))) {
		text = bytes_skip(text, 2);
		authority = bytes_of(text.at, bytes_find(text, '/'));
		text = bytes_skip(text, authority.length);
		at = bytes_find(authority, '@');
		if (at < authority.length) {
			url.userinfo = bytes_of(authority.at, at);
			authority = bytes_skip(authority, at + 1);
		}
		if (url_parse_authority(
			authority, &url.host, &url.host_is_ipv6, &url.port) < 0)
			return E_URL_BAD_AUTHORITY;
	}
	url.path = text;
	if (!url_chars(url.path, CHAR_PATH) ||
	    !url_chars(url.userinfo, CHAR_PATH) ||
	    !url_chars(url.query, CHAR_QUERY) ||
	    !url_chars(url.fragment, CHAR_QUERY))
		return E_URL_BAD_CHAR;
	*ret_url = url;
	return 0;
}
