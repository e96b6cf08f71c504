/*
 * http_lists.c - comma-separated lists and cookies
 */
#include "wire/http.h"

/* The length of the element at the front: commas in quotes do not end it. */
static size_t
list_element_length(struct bytes list)
{
	bool quoted = false;

	for (size_t i = 0; i < list.length; i++) {
		char c = list.at[i];

		if (c == '"')
			quoted = !quoted;
		else if (quoted && c == '\\')
			i++;
		else if (!quoted && c == ',')
			return i;
	}
	return list.length;
}

bool
http_list_next(struct bytes *rest, struct bytes *ret_item)
{
	/* RFC 9110 §5.6.1.2: a recipient ignores empty elements. */
	while (rest->length > 0) {
		size_t length = list_element_length(*rest);
		struct bytes item = bytes_trim(bytes_of(rest->at, length));

		*rest = bytes_skip(*rest, length + 1);
		if (item.length != 0) {
			*ret_item = item;
			return true;
		}
	}
	return false;
}

bool
http_list_has(struct bytes list, struct bytes token)
{
	struct bytes item;

	while (http_list_next(&list, &item)) {
		if (bytes_equal_nocase(item, token))
			return true;
	}
	return false;
}

struct bytes
http_cookie_find(struct bytes cookies, struct bytes name)
{
	struct bytes pair;

	while (bytes_split(&cookies, ';', &pair)) {
		size_t equals = bytes_find(pair, '=');

		if (equals < pair.length &&
		    bytes_equal(bytes_trim(bytes_of(pair.at, equals)), name))
			return bytes_trim(bytes_skip(pair, equals + 1));
	}
	return bytes_of(NULL, 0);
}
