/*
 * http.c - heads, names and lists that every version of HTTP shares
 */
#include "wire/http.h"

#include <errno.h>

#include "base/error.h"
#include "wire/chars.h"

/* ---- field names ---- */

#define H 1
#define T 2

struct field_row {
	struct bytes name;
	uint8_t flags;
};

static const struct field_row field_rows[FIELD_COUNT] = {
#define FIELD(id, name, flags) [FIELD_##id] = {BYTES(name), (flags)},
#include "wire/fields.tbl"
#undef FIELD
};

/* Ids by length and first letter; a chain per bucket, in the order of the
 * table. 8 bits of a multiplied key leave few names in one bucket. */
static uint8_t field_first[256];
static uint8_t field_next[FIELD_COUNT];

static inline unsigned
field_bucket(const char *name, size_t length)
{
	unsigned first = (unsigned char)name[0] | 0x20u;
	unsigned last = (unsigned char)name[length - 1] | 0x20u;

	return ((unsigned)length * 41 + first * 7 + last * 59) & 255;
}

__attribute__((constructor)) static void
field_table_make(void)
{
	for (unsigned id = FIELD_COUNT - 1; id > FIELD_OTHER; id--) {
		struct bytes name = field_rows[id].name;
		unsigned bucket = field_bucket(name.at, name.length);

		field_next[id] = field_first[bucket];
		field_first[bucket] = (uint8_t)id;
	}
}

enum http_field_id
http_field_lookup(const char *name, size_t length)
{
	unsigned id;

	if (length == 0)
		return FIELD_OTHER;
	for (id = field_first[field_bucket(name, length)]; id != FIELD_OTHER;
	     id = field_next[id]) {
		if (bytes_equal_nocase(
			field_rows[id].name, bytes_of(name, length)))
			break;
	}
	return (enum http_field_id)id;
}

struct bytes
http_field_name(enum http_field_id id)
{
	return field_rows[id].name;
}

bool
http_field_in_trailer(enum http_field_id id)
{
	return (field_rows[id].flags & T) == 0;
}

/* ---- heads ---- */

void
http_head_init(struct http_head *head)
{
	/* The fields themselves are valid up to field_count only. */
	memset(head, 0, offsetof(struct http_head, fields));
}

struct bytes
http_head_get(const struct http_head *head, enum http_field_id id)
{
	if (!http_head_has(head, id))
		return bytes_of(NULL, 0);
	for (unsigned i = 0; i < head->field_count; i++) {
		const struct http_field *f = &head->fields[i];

		if (f->id == id && f->name_length != 0)
			return bytes_of(f->value, f->value_length);
	}
	return bytes_of(NULL, 0);
}

static bool
field_is_named(const struct http_field *field, struct bytes name)
{
	return field->name_length != 0 &&
	    bytes_equal_nocase(bytes_of(field->name, field->name_length), name);
}

struct bytes
http_head_find(const struct http_head *head, struct bytes name)
{
	for (unsigned i = 0; i < head->field_count; i++) {
		const struct http_field *f = &head->fields[i];

		if (field_is_named(f, name))
			return bytes_of(f->value, f->value_length);
	}
	return bytes_of(NULL, 0);
}

static int
head_append(struct http_head *head, enum http_field_id id, struct bytes name,
    struct bytes value)
{
	if (value.length > UINT16_MAX || !http_is_field_value(value))
		return -EINVAL;
	if (head->field_count == HTTP_FIELDS_MAX)
		return -E2BIG;
	head->fields[head->field_count++] = (struct http_field){
	    .name = name.at,
	    .value = value.at,
	    .value_length = (uint16_t)value.length,
	    .name_length = (uint8_t)name.length,
	    .id = (uint8_t)id,
	};
	head->present |= (uint64_t)1 << id;
	return 0;
}

int
http_head_add(struct http_head *head, enum http_field_id id, struct bytes value)
{
	return head_append(head, id, field_rows[id].name, value);
}

int
http_head_add_named(
    struct http_head *head, struct bytes name, struct bytes value)
{
	if (name.length > UINT8_MAX || !http_is_token(name))
		return -EINVAL;
	return head_append(
	    head, http_field_lookup(name.at, name.length), name, value);
}

void
http_head_remove(struct http_head *head, enum http_field_id id)
{
	if (!http_head_has(head, id))
		return;
	for (unsigned i = 0; i < head->field_count; i++) {
		if (head->fields[i].id == id)
			head->fields[i].name_length = 0;
	}
	head->present &= ~((uint64_t)1 << id);
}

void
http_head_remove_named(struct http_head *head, struct bytes name)
{
	enum http_field_id id = http_field_lookup(name.at, name.length);

	if (id != FIELD_OTHER) {
		http_head_remove(head, id);
		return;
	}
	for (unsigned i = 0; i < head->field_count; i++) {
		if (field_is_named(&head->fields[i], name))
			head->fields[i].name_length = 0;
	}
}

/* ---- hop by hop ---- */

/* Fields that are the message, not the connection: a Connection that names
 * one of them would have us take the meaning out of it. */
static bool
field_must_stay(enum http_field_id id)
{
	switch (id) {
	case FIELD_HOST:
	case FIELD_CONTENT_LENGTH:
	case FIELD_TRANSFER_ENCODING:
	case FIELD_CONTENT_TYPE:
	case FIELD_CONTENT_ENCODING:
	case FIELD_CONTENT_RANGE:
	case FIELD_AUTHORIZATION:
	case FIELD_COOKIE:
	case FIELD_SET_COOKIE:
	case FIELD_CACHE_CONTROL:
	case FIELD_DATE:
	case FIELD_FORWARDED:
	case FIELD_X_FORWARDED_FOR:
	case FIELD_X_FORWARDED_HOST:
	case FIELD_X_FORWARDED_PORT:
	case FIELD_X_FORWARDED_PROTO:
	case FIELD_X_REAL_IP:
		return true;
	default:
		return false;
	}
}

static int
head_strip_named(struct http_head *head, struct bytes list)
{
	struct bytes name;

	while (http_list_next(&list, &name)) {
		enum http_field_id id = http_field_lookup(name.at, name.length);

		if (field_must_stay(id))
			return E_H1_BAD_CONNECTION;
		/* Its own turn comes when the list has been read. */
		if (id != FIELD_CONNECTION)
			http_head_remove_named(head, name);
	}
	return 0;
}

static uint64_t
field_hop_mask(void)
{
	static const uint64_t mask = 0
#define FIELD(id, name, flags) | ((uint64_t)(((flags)&H) != 0) << FIELD_##id)
#include "wire/fields.tbl"
#undef FIELD
	    ;

	return mask;
}

int
http_head_strip_hop(struct http_head *head)
{
	uint64_t hops;

	if (http_head_has(head, FIELD_CONNECTION)) {
		for (unsigned i = 0; i < head->field_count; i++) {
			const struct http_field *f = &head->fields[i];
			int r;

			if (f->id != FIELD_CONNECTION || f->name_length == 0)
				continue;
			r = head_strip_named(
			    head, bytes_of(f->value, f->value_length));
			if (r < 0)
				return r;
		}
	}
	for (hops = head->present & field_hop_mask(); hops != 0;
	     hops &= hops - 1)
		http_head_remove(
		    head, (enum http_field_id)__builtin_ctzll(hops));
	return 0;
}

/* ---- lists and cookies ---- */

/* The end of the first item: the comma that is in no quoted string. */
static size_t
list_item_end(struct bytes list)
{
	bool quoted = false;

	for (size_t i = 0; i < list.length; i++) {
		char c = list.at[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == ',' && !quoted)
			return i;
	}
	return list.length;
}

bool
http_list_next(struct bytes *rest, struct bytes *ret_item)
{
	while (rest->length != 0) {
		size_t end = list_item_end(*rest);
		struct bytes item = bytes_trim(bytes_of(rest->at, end));

		*rest = bytes_skip(*rest, end + 1);
		/* Empty items are allowed and mean nothing (§5.6.1.2). */
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
		size_t equals;

		pair = bytes_trim(pair);
		equals = bytes_find(pair, '=');
		if (equals < pair.length &&
		    bytes_equal(bytes_of(pair.at, equals), name))
			return bytes_skip(pair, equals + 1);
	}
	return bytes_of(NULL, 0);
}

bool
http_is_token(struct bytes text)
{
	for (size_t i = 0; i < text.length; i++) {
		if (!chars_is(text.at[i], CHAR_TOKEN))
			return false;
	}
	return text.length != 0;
}

bool
http_is_field_value(struct bytes text)
{
	for (size_t i = 0; i < text.length; i++) {
		if (!chars_is(text.at[i], CHAR_VALUE))
			return false;
	}
	return true;
}

/* ---- methods ---- */

static const struct bytes method_names[] = {
    [HTTP_GET] = BYTES("GET"),
    [HTTP_HEAD] = BYTES("HEAD"),
    [HTTP_POST] = BYTES("POST"),
    [HTTP_PUT] = BYTES("PUT"),
    [HTTP_DELETE] = BYTES("DELETE"),
    [HTTP_CONNECT] = BYTES("CONNECT"),
    [HTTP_OPTIONS] = BYTES("OPTIONS"),
    [HTTP_TRACE] = BYTES("TRACE"),
    [HTTP_PATCH] = BYTES("PATCH"),
    [HTTP_METHOD_OTHER] = BYTES(""),
};

enum http_method
http_method_lookup(struct bytes name)
{
	unsigned m;

	for (m = HTTP_GET; m < HTTP_METHOD_OTHER; m++) {
		if (bytes_equal(method_names[m], name))
			break;
	}
	return (enum http_method)m;
}

struct bytes
http_method_text(enum http_method method)
{
	return method_names[method];
}

bool
http_method_safe(enum http_method method)
{
	return method == HTTP_GET || method == HTTP_HEAD ||
	    method == HTTP_OPTIONS || method == HTTP_TRACE;
}

bool
http_method_idempotent(enum http_method method)
{
	return http_method_safe(method) || method == HTTP_PUT ||
	    method == HTTP_DELETE;
}

/* ---- status ---- */

static const struct bytes status_reasons[500] = {
#define STATUS(code, text) [(code)-100] = BYTES(text),
#include "wire/statuses.tbl"
#undef STATUS
};

struct bytes
http_status_reason(unsigned status)
{
	if (status < 100 || status > 599 ||
	    status_reasons[status - 100].at == NULL)
		return BYTES("");
	return status_reasons[status - 100];
}
