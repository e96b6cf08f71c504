/*
 * url.c - splitting URLs and authorities
 */
#include "wire/url.h"

#include "base/error.h"
#include "wire/chars.h"

#define URL_HOST_BYTES_MAX 255

static bool
url_is_ipv4(struct bytes text)
{
	struct bytes octet;
	unsigned count = 0;
	uint64_t value;

	while (bytes_split(&text, '.', &octet)) {
		if (++count > 4 || octet.length > 3 ||
		    (octet.length > 1 && octet.at[0] == '0') ||
		    bytes_to_u64(octet, 255, &value) < 0)
			return false;
	}
	return count == 4;
}

/* RFC 3986 §3.2.2, IPv6address; no zone. */
static bool
url_is_ipv6(struct bytes text)
{
	unsigned groups = 0;
	bool gap = false;

	if (bytes_starts_with(text, BYTES("::"))) {
		gap = true;
		text = bytes_skip(text, 2);
		if (text.length == 0)
			return true;
	}
	for (;;) {
		size_t digits = 0;

		while (
		    digits < text.length && char_is(text.at[digits], CHAR_HEX))
			digits++;
		if (digits < text.length && text.at[digits] == '.') {
			if (!url_is_ipv4(text))
				return false;
			groups += 2;
			break;
		}
		if (digits == 0 || digits > 4)
			return false;
		groups++;
		text = bytes_skip(text, digits);
		if (text.length == 0)
			break;
		if (text.at[0] != ':' || text.length == 1)
			return false;
		text = bytes_skip(text, 1);
		if (text.at[0] != ':')
			continue;
		if (gap)
			return false;
		gap = true;
		text = bytes_skip(text, 1);
		if (text.length == 0)
			break;
	}
	return gap ? groups < 8 : groups == 8;
}

/*
 * A name or an IPv4 address. RFC 3986 would also let sub-delims and escapes
 * in; no host is called so, and they make two spellings of one name.
 */
static bool
url_is_name(struct bytes text)
{
	unsigned classes = CHAR_UNRESERVED;
	bool empty_label = false;
	char before = '.';

	if (text.length == 0 || text.length > URL_HOST_BYTES_MAX)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		char c = text.at[i];

		classes &= wire_chars[(unsigned char)c];
		empty_label |= c == '.' && before == '.';
		before = c;
	}
	return classes != 0 && !empty_label;
}

static int
url_parse_port(struct bytes text, uint16_t *ret_port)
{
	uint64_t value;

	if (text.length > 5 || bytes_to_u64(text, 65535, &value) < 0 ||
	    value == 0)
		return E_URL_BAD_AUTHORITY;
	*ret_port = (uint16_t)value;
	return 0;
}

int
url_parse_authority(struct bytes text, struct bytes *ret_host, bool *ret_ipv6,
    uint16_t *ret_port)
{
	bool ipv6 = text.length > 0 && text.at[0] == '[';
	size_t end = bytes_find(text, ipv6 ? ']' : ':');
	struct bytes host = bytes_of(text.at, end);
	uint16_t port = 0;

	if (ipv6) {
		if (end == text.length)
			return E_URL_BAD_AUTHORITY;
		host = bytes_skip(host, 1);
		end++;
	}
	if (ipv6 ? !url_is_ipv6(host) : !url_is_name(host))
		return E_URL_BAD_AUTHORITY;
	if (end < text.length) {
		if (text.at[end] != ':' ||
		    url_parse_port(bytes_skip(text, end + 1), &port) < 0)
			return E_URL_BAD_AUTHORITY;
	}
	*ret_host = host;
	*ret_ipv6 = ipv6;
	*ret_port = port;
	return 0;
}

/* Every byte of @classes, or a whole escape. */
static int
url_check_part(struct bytes text, unsigned classes)
{
	for (size_t i = 0; i < text.length; i++) {
		if (text.at[i] == '%') {
			if (text.length - i < 3 ||
			    !char_is(text.at[i + 1], CHAR_HEX) ||
			    !char_is(text.at[i + 2], CHAR_HEX))
				return E_URL_BAD_ESCAPE;
			i += 2;
		} else if (!char_is(text.at[i], classes))
			return E_URL_BAD_CHAR;
	}
	return 0;
}

/* Take the run before the first byte of @stops off @rest. */
static struct bytes
url_take_until(struct bytes *rest, const char *stops)
{
	size_t length = 0;
	struct bytes taken;

	/* strchr() would find the NUL that ends @stops. */
	while (length < rest->length &&
	    (rest->at[length] == '\0' ||
		strchr(stops, rest->at[length]) == NULL))
		length++;
	taken = bytes_of(rest->at, length);
	*rest = bytes_skip(*rest, length);
	return taken;
}

static void
url_take_scheme(struct bytes *rest, struct bytes *ret_scheme)
{
	size_t end = 0;

	if (rest->length == 0 || char_is(rest->at[0], CHAR_DIGIT))
		return;
	while (end < rest->length &&
	    (rest->at[end] == '+' ||
		(char_is(rest->at[end], CHAR_UNRESERVED) &&
		    rest->at[end] != '_' && rest->at[end] != '~')))
		end++;
	if (end == 0 || end == rest->length || rest->at[end] != ':' ||
	    strchr("+-.", rest->at[0]) != NULL)
		return;
	*ret_scheme = bytes_of(rest->at, end);
	*rest = bytes_skip(*rest, end + 1);
}

static int
url_take_authority(struct bytes *rest, struct url *url)
{
	struct bytes authority;
	size_t at;
	int r;

	if (!bytes_starts_with(*rest, BYTES("//")))
		return 0;
	*rest = bytes_skip(*rest, 2);
	authority = url_take_until(rest, "/?#");
	at = bytes_find(authority, '@');
	if (at < authority.length) {
		url->userinfo = bytes_of(authority.at, at);
		authority = bytes_skip(authority, at + 1);
		r = url_check_part(url->userinfo, CHAR_PATH);
		if (r < 0)
			return r;
	}
	return url_parse_authority(
	    authority, &url->host, &url->host_is_ipv6, &url->port);
}

int
url_parse(struct bytes text, struct url *ret_url)
{
	struct bytes rest = text;
	struct url url = {0};
	int r;

	url_take_scheme(&rest, &url.scheme);
	r = url_take_authority(&rest, &url);
	if (r < 0)
		return r;
	url.path = url_take_until(&rest, "?#");
	r = url_check_part(url.path, CHAR_PATH);
	/* RFC 3986 §4.2: "a:b" without a scheme would read as one. */
	if (r == 0 && url.scheme.at == NULL && url.host.at == NULL &&
	    bytes_find(url.path, ':') < bytes_find(url.path, '/'))
		r = E_URL_BAD_FORM;
	if (r == 0 && rest.length > 0 && rest.at[0] == '?') {
		rest = bytes_skip(rest, 1);
		url.query = url_take_until(&rest, "#");
		r = url_check_part(url.query, CHAR_TARGET);
	}
	if (r == 0 && rest.length > 0) {
		url.fragment = bytes_skip(rest, 1);
		r = url_check_part(url.fragment, CHAR_TARGET);
	}
	if (r == 0)
		*ret_url = url;
	return r;
}
