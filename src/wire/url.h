/*
 * url.h - URLs, and the one normal form of a path
 *
 * Layer      wire
 * Sources    RFC 3986; RFC 9112 §3.2 for the forms of a request target
 *
 * A path is normalised once, and that same string is routed, authorised,
 * opened and forwarded: unreserved characters are unescaped, other escapes
 * are kept with upper-case digits, "." and ".." segments are resolved,
 * repeated slashes are merged. Refused: escaped NUL, escaped control
 * characters, escaped slash and backslash, raw backslash, climbing above the
 * root, bytes outside RFC 3986 (non-ASCII must be escaped). "[", "]", "^" and
 * "|" are let through all the same: browsers send them raw (WHATWG URL), and
 * no server gives them a meaning in a path.
 */
#pragma once

#include <sys/types.h>

#include "base/bytes.h"

struct url {
	struct bytes scheme; /* at == NULL: absent, as every part */
	struct bytes userinfo;
	struct bytes host; /* IPv6 without its brackets */
	bool host_is_ipv6;
	uint16_t port; /* 0: absent */
	struct bytes path; /* as written */
	struct bytes query;
	struct bytes fragment;
};

/* Split a URL reference. Returns 0 or E_URL_*. */
MUST_CHECK
int url_parse(struct bytes text, struct url *ret_url);

/* host [":" port], as in Host and CONNECT; IPv6 in brackets. */
MUST_CHECK
int url_parse_authority(struct bytes text, struct bytes *ret_host,
    bool *ret_ipv6, uint16_t *ret_port);

/*
 * Normalise an absolute path in place; it never grows.
 * @path  must start with '/'
 * Returns the new length, or E_URL_*.
 */
MUST_CHECK
ssize_t url_path_normalise(char *path, size_t length);

/*
 * Undo every escape, for opening a file.
 * Returns 0, or E_URL_*; -ENAMETOOLONG when @into overflowed.
 */
MUST_CHECK
int url_unescape(struct bytes path, struct appender *into);

/* Escape what is not unreserved or '/' (for links in listings). */
void url_escape_path(struct bytes text, struct appender *into);

/*
 * url_join - the URL that @reference means when it stands in @base (RFC 3986
 * §5.2), without a fragment; the path is normalised
 *
 * @base  an absolute URL, as url_parse() split it
 * Returns 0, E_URL_*, or -ENAMETOOLONG when @into overflowed.
 */
MUST_CHECK
int url_join(
    const struct url *base, struct bytes reference, struct appender *into);
