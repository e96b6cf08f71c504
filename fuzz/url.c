/*
 * url.c - URLs are split without losing a byte; a path has one normal form
 */
#include <stdlib.h>

#include "wire/chars.h"
#include "wire/url.h"

#define TEXT_BYTES 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
append_part(struct appender *into, const char *before, struct bytes part)
{
	if (part.at == NULL)
		return;
	append_text(into, before);
	append_bytes(into, part);
}

static void
append_authority(struct appender *into, const struct url *url)
{
	append_text(into, "//");
	if (url->userinfo.at != NULL) {
		append_bytes(into, url->userinfo);
		append_char(into, '@');
	}
	append_text(into, url->host_is_ipv6 ? "[" : "");
	append_bytes(into, url->host);
	append_text(into, url->host_is_ipv6 ? "]" : "");
	if (url->port != 0)
		append_format(into, ":%05u", url->port);
}

static bool
urls_equal(const struct url *a, const struct url *b)
{
	return bytes_equal(a->scheme, b->scheme) &&
	    bytes_equal(a->userinfo, b->userinfo) &&
	    bytes_equal(a->host, b->host) && a->port == b->port &&
	    bytes_equal(a->path, b->path) && bytes_equal(a->query, b->query) &&
	    bytes_equal(a->fragment, b->fragment);
}

static void
check_url(struct bytes text)
{
	static char memory[TEXT_BYTES];
	struct appender joined = appender_over(memory, sizeof(memory));
	struct url url, again;

	if (url_parse(text, &url) < 0)
		return;
	if (url.scheme.at != NULL) {
		append_bytes(&joined, url.scheme);
		append_char(&joined, ':');
	}
	if (url.host.at != NULL)
		append_authority(&joined, &url);
	append_bytes(&joined, url.path);
	append_part(&joined, "?", url.query);
	append_part(&joined, "#", url.fragment);
	must(!joined.overflowed);
	must(url_parse(appender_bytes(&joined), &again) == 0);
	must(urls_equal(&url, &again));
	/* Only a port can be written in more than one way. */
	must(url.port != 0 || bytes_equal(appender_bytes(&joined), text));
}

static void
check_segment(struct bytes segment, bool last)
{
	must(last || segment.length != 0);
	must(!bytes_equal(segment, BYTES(".")));
	must(!bytes_equal(segment, BYTES("..")));
	for (size_t i = 0; i < segment.length; i++) {
		unsigned value;

		if (char_is(segment.at[i], CHAR_PATH))
			continue;
		must(segment.at[i] == '%' && segment.length - i >= 3);
		value = char_hex_value(segment.at[i + 1]) << 4 |
		    char_hex_value(segment.at[i + 2]);
		must(value >= 0x20 && value != 0x7f && value != '/' &&
		    value != '\\' && !char_is((char)value, CHAR_UNRESERVED));
		i += 2;
	}
}

static void
check_normal(char *path, size_t length)
{
	static char memory[TEXT_BYTES];
	struct appender raw = appender_over(memory, sizeof(memory));
	struct bytes rest = bytes_of(path + 1, length - 1), segment;

	must(path[0] == '/');
	while (bytes_split(&rest, '/', &segment))
		check_segment(segment, rest.at == NULL);
	must(url_unescape(bytes_of(path, length), &raw) == 0);
	must(bytes_find(appender_bytes(&raw), '\0') == raw.length);
	must(bytes_find(appender_bytes(&raw), '\\') == raw.length);
}

/*
 * "/x/.." before a path changes nothing but that it is no longer plain, so
 * the fast answer for plain paths is held to the slow one.
 */
static void
check_path(struct bytes text)
{
	static const char detour[] = "/x/..";
	char *path = malloc(text.length + 1);
	char *longer = malloc(text.length + 1 + sizeof(detour));
	ssize_t length, other;

	path[0] = '/';
	if (text.length != 0)
		memcpy(path + 1, text.at, text.length);
	memcpy(longer, detour, sizeof(detour) - 1);
	memcpy(longer + sizeof(detour) - 1, path, text.length + 1);
	length = url_path_normalise(path, text.length + 1);
	other =
	    url_path_normalise(longer, text.length + 1 + sizeof(detour) - 1);
	must(length == other);
	if (length >= 0) {
		must((size_t)length <= text.length + 1);
		must(memcmp(path, longer, (size_t)length) == 0);
		check_normal(path, (size_t)length);
		must(url_path_normalise(path, (size_t)length) == length);
		must(memcmp(path, longer, (size_t)length) == 0);
	}
	free(path);
	free(longer);
}

/* What is escaped is a path of one spelling, and unescapes to itself. */
static void
check_escape(struct bytes text)
{
	static char first[TEXT_BYTES], second[TEXT_BYTES];
	struct appender escaped = appender_over(first, sizeof(first));
	struct appender raw = appender_over(second, sizeof(second));

	url_escape_path(text, &escaped);
	must(!escaped.overflowed);
	if (url_unescape(appender_bytes(&escaped), &raw) == 0)
		must(bytes_equal(appender_bytes(&raw), text));
}

/* What is joined is an absolute URL, and joining it again changes nothing. */
static void
check_join(struct bytes text)
{
	static char first[TEXT_BYTES], second[TEXT_BYTES];
	struct appender joined = appender_over(first, sizeof(first));
	struct appender again = appender_over(second, sizeof(second));
	struct url base;

	must(url_parse(BYTES("http://a/b/c/d?q"), &base) == 0);
	if (url_join(&base, text, &joined) < 0)
		return;
	must(url_parse(appender_bytes(&joined), &base) == 0);
	must(base.scheme.at != NULL && base.host.at != NULL);
	must(url_join(&base, appender_bytes(&joined), &again) == 0);
	must(bytes_equal(appender_bytes(&joined), appender_bytes(&again)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact;
	struct bytes text;

	if (size > 2000)
		return 0;
	exact = malloc(size);
	if (size != 0)
		memcpy(exact, data, size);
	text = bytes_of(exact, size);
	check_url(text);
	check_path(text);
	check_escape(text);
	check_join(text);
	free(exact);
	return 0;
}
