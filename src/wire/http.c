/*
 * http.c - heads: fields added, found and removed
 */
#include "wire/http.h"

#include <errno.h>

#include "base/error.h"
#include "wire/chars_find.h"

#define FIELD_NAME_BYTES_MAX  255
#define FIELD_VALUE_BYTES_MAX 65535

#define H                     1
#define T                     0
/* Bit i: field id i is hop-by-hop. */
static const uint64_t hop_fields = 0
#define FIELD(id, name, flags) | (uint64_t)(flags) << FIELD_##id
#include "wire/fields.tbl"
#undef FIELD
    ;
#undef H
#undef T

void
http_head_init(struct http_head *head)
{
	memset(head, 0, offsetof(struct http_head, fields));
}

static struct bytes
field_value(const struct http_field *field)
{
	return bytes_of(field->value, field->value_length);
}

static bool
field_is_named(const struct http_field *field, struct bytes name)
{
	return field->name_length == name.length && name.length != 0 &&
	    bytes_equal_nocase(bytes_of(field->name, field->name_length), name);
}

struct bytes
http_head_get(const struct http_head *head, enum http_field_id id)
{
	if (!http_head_has(head, id))
		return bytes_of(NULL, 0);
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];

		if (field->id == id && field->name_length != 0)
			return field_value(field);
	}
	return bytes_of(NULL, 0);
}

struct bytes
http_head_find(const struct http_head *head, struct bytes name)
{
	enum http_field_id id = http_field_lookup(name.at, name.length);

	if (id != FIELD_OTHER)
		return http_head_get(head, id);
	for (size_t i = 0; i < head->field_count; i++) {
		if (field_is_named(&head->fields[i], name))
			return field_value(&head->fields[i]);
	}
	return bytes_of(NULL, 0);
}

/* Close the gaps that removed fields left. */
static void
head_compact(struct http_head *head)
{
	uint16_t kept = 0;

	for (size_t i = 0; i < head->field_count; i++) {
		if (head->fields[i].name_length != 0)
			head->fields[kept++] = head->fields[i];
	}
	head->field_count = kept;
}

static int
head_append(struct http_head *head, enum http_field_id id, struct bytes name,
    struct bytes value)
{
	if (value.length > FIELD_VALUE_BYTES_MAX || !http_is_field_value(value))
		return -EINVAL;
	if (head->field_count == HTTP_FIELDS_MAX)
		head_compact(head);
	if (head->field_count == HTTP_FIELDS_MAX)
		return -E2BIG;
	head->fields[head->field_count++] = (struct http_field){
	    .name = name.at,
	    .value = value.at,
	    .value_length = (uint16_t)value.length,
	    .name_length = (uint8_t)name.length,
	    .id = (uint8_t)id,
	};
	head->present |= UINT64_C(1) << id;
	return 0;
}

int
http_head_add(struct http_head *head, enum http_field_id id, struct bytes value)
{
	must(id > FIELD_OTHER && id < FIELD_COUNT);
	return head_append(head, id, http_field_name(id), value);
}

int
http_head_add_named(
    struct http_head *head, struct bytes name, struct bytes value)
{
	if (name.length > FIELD_NAME_BYTES_MAX || !http_is_token(name))
		return -EINVAL;
	return head_append(
	    head, http_field_lookup(name.at, name.length), name, value);
}

void
http_head_remove(struct http_head *head, enum http_field_id id)
{
	if (!http_head_has(head, id))
		return;
	for (size_t i = 0; i < head->field_count; i++) {
		if (head->fields[i].id == id)
			head->fields[i].name_length = 0;
	}
	head->present &= ~(UINT64_C(1) << id);
}

void
http_head_remove_named(struct http_head *head, struct bytes name)
{
	enum http_field_id id = http_field_lookup(name.at, name.length);

	if (id != FIELD_OTHER) {
		http_head_remove(head, id);
		return;
	}
	for (size_t i = 0; i < head->field_count; i++) {
		if (field_is_named(&head->fields[i], name))
			head->fields[i].name_length = 0;
	}
}

/*
 * Remove what one Connection field names. A known field that is not
 * hop-by-hop is meant for the recipient behind us: who names it wants a
 * check there to find it missing.
 */
static int
strip_options(struct http_head *head, struct bytes options)
{
	struct bytes name;

	while (http_list_next(&options, &name)) {
		enum http_field_id id = http_field_lookup(name.at, name.length);

		if (id == FIELD_TRAILER || (hop_fields >> id & 1) != 0)
			continue;
		if (id != FIELD_OTHER)
			return E_H1_BAD_CONNECTION;
		http_head_remove_named(head, name);
	}
	return 0;
}

static void
strip_te(struct http_head *head)
{
	if (!http_head_has(head, FIELD_TE))
		return;
	http_head_remove(head, FIELD_TE);
	/* Never fails: the slot of the removed field is free. */
	if (head->te_trailers)
		must(http_head_add(head, FIELD_TE, BYTES("trailers")) == 0);
}

int
http_head_strip_hop(struct http_head *head)
{
	uint64_t hops;

	for (size_t i = 0; i < head->field_count; i++) {
		int r;

		if (head->fields[i].id != FIELD_CONNECTION ||
		    head->fields[i].name_length == 0)
			continue;
		r = strip_options(head, field_value(&head->fields[i]));
		if (r < 0)
			return r;
	}
	strip_te(head);
	hops = head->present & hop_fields & ~(UINT64_C(1) << FIELD_TE);
	for (; hops != 0; hops &= hops - 1)
		http_head_remove(
		    head, (enum http_field_id)__builtin_ctzll(hops));
	return 0;
}

bool
http_is_token(struct bytes text)
{
	for (size_t i = 0; i < text.length; i++) {
		if (!char_is(text.at[i], CHAR_TOKEN))
			return false;
	}
	return text.length != 0;
}

bool
http_is_field_value(struct bytes text)
{
	return text.length == 0 ||
	    chars_find_control(text.at, text.at + text.length) ==
	    text.at + text.length;
}
