#include "edge/files/condition.h"

struct bytes
condition_single(const struct http_head *request, enum http_field_id id)
{
	struct bytes found = bytes_of(NULL, 0);

	if (!http_head_has(request, id))
		return found;
	for (unsigned i = 0; i < request->field_count; i++) {
		const struct http_field *field = &request->fields[i];

		if (field->id != id || field->name_length == 0)
			continue;
		if (found.at != NULL)
			return bytes_of(NULL, 0);
		found = bytes_of(field->value, field->value_length);
	}
	return found;
}

static bool
condition_date(
    const struct http_head *request, enum http_field_id id, int64_t *ret_unix_s)
{
	struct bytes text = condition_single(request, id);

	return text.at != NULL && http_date_parse(text, ret_unix_s) == 0;
}

/*
 * One entity tag off the head of *@rest, its quotes kept. An opaque tag has
 * no escapes (RFC 9110 §8.8.3), so the next quote ends it.
 * Returns false at the end, or where the text is no tag.
 */
static bool
condition_tag(struct bytes *rest, struct bytes *ret_tag, bool *ret_weak)
{
	struct bytes text = *rest;
	size_t end;

	while (text.length != 0 &&
	    (text.at[0] == ',' || text.at[0] == ' ' || text.at[0] == '\t'))
		text = bytes_skip(text, 1);
	*ret_weak = bytes_starts_with(text, BYTES("W/"));
	if (*ret_weak)
		text = bytes_skip(text, 2);
	if (text.length == 0 || text.at[0] != '"')
		return false;
	end = bytes_find(bytes_skip(text, 1), '"');
	if (end + 1 == text.length)
		return false;
	*ret_tag = bytes_of(text.at, end + 2);
	*rest = bytes_skip(text, end + 2);
	return true;
}

/* Whether a field that lists tags names @etag; @strong: weak ones never do. */
static bool
condition_lists(const struct http_head *request, enum http_field_id id,
    struct bytes etag, bool strong)
{
	for (unsigned i = 0; i < request->field_count; i++) {
		const struct http_field *field = &request->fields[i];
		struct bytes rest, tag;
		bool weak;

		if (field->id != id || field->name_length == 0)
			continue;
		rest = bytes_trim(bytes_of(field->value, field->value_length));
		if (bytes_equal(rest, BYTES("*")))
			return true;
		while (condition_tag(&rest, &tag, &weak)) {
			if (bytes_equal(tag, etag) && !(strong && weak))
				return true;
		}
	}
	return false;
}

enum condition
condition_check(const struct http_head *request, const struct validators *file)
{
	int64_t date;

	if (http_head_has(request, FIELD_IF_MATCH)) {
		if (!condition_lists(request, FIELD_IF_MATCH, file->etag, true))
			return CONDITION_FAILED;
	} else if (condition_date(request, FIELD_IF_UNMODIFIED_SINCE, &date) &&
	    file->modified_s > date) {
		return CONDITION_FAILED;
	}
	if (http_head_has(request, FIELD_IF_NONE_MATCH)) {
		if (condition_lists(
			request, FIELD_IF_NONE_MATCH, file->etag, false))
			return CONDITION_NOT_MODIFIED;
	} else if (condition_date(request, FIELD_IF_MODIFIED_SINCE, &date) &&
	    file->modified_s <= date) {
		return CONDITION_NOT_MODIFIED;
	}
	return CONDITION_HOLDS;
}

bool
condition_range_holds(const struct http_head *request,
    const struct validators *file, int64_t now_s)
{
	struct bytes text, tag;
	int64_t date;
	bool weak;

	if (!http_head_has(request, FIELD_IF_RANGE))
		return true;
	text = bytes_trim(condition_single(request, FIELD_IF_RANGE));
	if (text.length == 0)
		return false;
	if (condition_tag(&text, &tag, &weak))
		return text.length == 0 && !weak &&
		    bytes_equal(tag, file->etag);
	return http_date_parse(text, &date) == 0 && date == file->modified_s &&
	    now_s - date > 1;
}
