/*
 * url_path.c - the normal form of a path
 *
 * Segments are written to the front of the same memory: what is written is
 * never longer than what was read, so the writer cannot overtake the reader.
 */
#include <errno.h>

#include "base/error.h"
#include "wire/chars.h"
#include "wire/url.h"

/* The value of the escape at the front of @text, or E_URL_BAD_ESCAPE. */
static int
url_escape_value(struct bytes text)
{
	if (text.length < 3 || !char_is(text.at[1], CHAR_HEX) ||
	    !char_is(text.at[2], CHAR_HEX))
		return E_URL_BAD_ESCAPE;
	return (
	    int)(char_hex_value(text.at[1]) << 4 | char_hex_value(text.at[2]));
}

/* What no path may hold, however it is written. */
static int
url_check_unescaped(int value)
{
	if (value == 0)
		return E_URL_NUL;
	if (value == '/' || value == '\\')
		return E_URL_ESCAPED_SLASH;
	if (value < 0x20 || value == 0x7f)
		return E_URL_BAD_CHAR;
	return 0;
}

/* Most paths are in normal form; this says so in one pass. */
static bool
url_path_is_plain(const char *path, size_t length)
{
	bool after_slash = false;

	for (size_t i = 0; i < length; i++) {
		char c = path[i];

		if (!char_is(c, CHAR_PATH) ||
		    (after_slash && (c == '/' || c == '.')))
			return false;
		after_slash = c == '/';
	}
	return true;
}

/*
 * Copy one segment from the front of @rest to @into, its escapes in normal
 * form. Returns the length written, or E_URL_*.
 */
static ssize_t
url_segment_copy(struct bytes *rest, char *into)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t length = 0;

	while (rest->length > 0 && rest->at[0] != '/') {
		int value, r;

		if (rest->at[0] != '%') {
			if (rest->at[0] == '\\')
				return E_URL_ESCAPED_SLASH;
			if (!char_is(rest->at[0], CHAR_PATH))
				return E_URL_BAD_CHAR;
			into[length++] = rest->at[0];
			*rest = bytes_skip(*rest, 1);
			continue;
		}
		value = url_escape_value(*rest);
		r = value < 0 ? value : url_check_unescaped(value);
		if (r < 0)
			return r;
		if (char_is((char)value, CHAR_UNRESERVED)) {
			into[length++] = (char)value;
		} else {
			into[length++] = '%';
			into[length++] = digits[value >> 4];
			into[length++] = digits[value & 15];
		}
		*rest = bytes_skip(*rest, 3);
	}
	return (ssize_t)length;
}

/*
 * Dots that a segment counts as: 0, 1 or 2. "..;x" is a name to us and ".."
 * to servlet containers, which cut parameters off first: refused.
 */
static int
url_segment_dots(struct bytes segment)
{
	size_t dots = 0;

	while (dots < segment.length && dots < 3 && segment.at[dots] == '.')
		dots++;
	if (dots == 0 || dots == 3)
		return 0;
	if (dots == segment.length)
		return (int)dots;
	return segment.at[dots] == ';' ? E_URL_DOT_PARAMETERS : 0;
}

ssize_t
url_path_normalise(char *path, size_t length)
{
	struct bytes rest = bytes_of(path, length);
	size_t written = 1; /* always ends behind a '/' inside the loop */

	if (length == 0 || path[0] != '/')
		return E_URL_BAD_FORM;
	if (likely(url_path_is_plain(path, length)))
		return (ssize_t)length;
	rest = bytes_skip(rest, 1);
	while (rest.length > 0) {
		ssize_t segment;
		int dots;

		segment = url_segment_copy(&rest, path + written);
		if (segment < 0)
			return segment;
		dots =
		    url_segment_dots(bytes_of(path + written, (size_t)segment));
		if (dots < 0)
			return dots;
		if (dots == 2) {
			if (written == 1)
				return E_URL_ABOVE_ROOT;
			do
				written--;
			while (path[written - 1] != '/');
		} else if (dots == 0) {
			written += (size_t)segment;
		}
		if (rest.length == 0)
			break;
		rest = bytes_skip(rest, 1);
		if (path[written - 1] != '/')
			path[written++] = '/';
	}
	return (ssize_t)written;
}

int
url_unescape(struct bytes path, struct appender *into)
{
	while (path.length > 0) {
		size_t plain = bytes_find(path, '%');
		int value, r;

		append(into, path.at, plain);
		path = bytes_skip(path, plain);
		if (path.length == 0)
			break;
		value = url_escape_value(path);
		r = value < 0 ? value : url_check_unescaped(value);
		if (r < 0)
			return r;
		append_char(into, (char)value);
		path = bytes_skip(path, 3);
	}
	return into->overflowed ? -ENAMETOOLONG : 0;
}

void
url_escape_path(struct bytes text, struct appender *into)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.at[i];

		if (char_is((char)c, CHAR_UNRESERVED) || c == '/')
			append_char(into, (char)c);
		else
			append(into,
			    (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
	}
}
