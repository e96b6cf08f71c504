/*
 * http_names.c - field names, methods and statuses by number
 *
 * A field name is found by a hash over its length and three of its letters,
 * in a table made when the program starts; a collision costs one more probe.
 * The comparison takes words of eight bytes: setting bit 5 where the name has
 * a letter folds the case and can match nothing else.
 */
#include "wire/chars.h"
#include "wire/http.h"

#define H              1
#define T              2
#define NAME_BYTES_MAX 24
#define NAME_SLOTS     256

struct name_row {
	char lower[NAME_BYTES_MAX];
	char fold[NAME_BYTES_MAX]; /* 0x20 where `lower` has a letter */
	const char *text;
	uint8_t length;
	uint8_t flags;
};

static struct name_row name_rows[FIELD_COUNT] = {
#define FIELD(id, name, flag_bits)                                             \
	[FIELD_##id] = {                                                       \
	    .text = (name), .length = sizeof(name) - 1, .flags = (flag_bits)},
#include "wire/fields.tbl"
#undef FIELD
};
#define FIELD(id, name, flag_bits)                                             \
	_Static_assert(sizeof(name) - 1 >= 2, "names hash two letters");       \
	_Static_assert(sizeof(name) - 1 <= NAME_BYTES_MAX, "name too long");
#include "wire/fields.tbl"
#undef FIELD

/* Row numbers; 0 is a free slot. */
static uint8_t name_slots[NAME_SLOTS];

static inline unsigned
name_hash(const char *name, size_t length)
{
	unsigned first = (unsigned char)name[0] | 0x20;
	unsigned middle = (unsigned char)name[length / 2] | 0x20;
	unsigned last = (unsigned char)name[length - 1] | 0x20;

	return (first * 7 + middle * 37 + last * 151 + (unsigned)length * 89) %
	    NAME_SLOTS;
}

__attribute__((constructor)) static void
names_index(void)
{
	for (unsigned id = FIELD_OTHER + 1; id < FIELD_COUNT; id++) {
		struct name_row *row = &name_rows[id];
		unsigned slot = name_hash(row->text, row->length);

		for (size_t i = 0; i < row->length; i++) {
			row->lower[i] = char_lower(row->text[i]);
			row->fold[i] =
			    row->lower[i] >= 'a' && row->lower[i] <= 'z' ? 0x20
									 : 0;
		}
		while (name_slots[slot] != 0)
			slot = (slot + 1) % NAME_SLOTS;
		name_slots[slot] = (uint8_t)id;
	}
}

static inline bool
name_word_equal(const struct name_row *row, const char *name, size_t at)
{
	uint64_t word, lower, fold;

	memcpy(&word, name + at, 8);
	memcpy(&lower, row->lower + at, 8);
	memcpy(&fold, row->fold + at, 8);
	return (word | fold) == lower;
}

/* @name has the length of the row. */
static inline bool
name_equal(const struct name_row *row, const char *name)
{
	size_t at = 0;

	if (row->length < 8) {
		while (at < row->length &&
		    (name[at] | row->fold[at]) == row->lower[at])
			at++;
		return at == row->length;
	}
	for (; at + 8 < row->length; at += 8) {
		if (!name_word_equal(row, name, at))
			return false;
	}
	return name_word_equal(row, name, row->length - 8u);
}

enum http_field_id
http_field_lookup(const char *name, size_t length)
{
	unsigned slot;

	if (length < 2 || length > NAME_BYTES_MAX)
		return FIELD_OTHER;
	slot = name_hash(name, length);
	for (; name_slots[slot] != 0; slot = (slot + 1) % NAME_SLOTS) {
		const struct name_row *row = &name_rows[name_slots[slot]];

		if (row->length == length && name_equal(row, name))
			return (enum http_field_id)name_slots[slot];
	}
	return FIELD_OTHER;
}

bool
http_field_is_alias(struct bytes name)
{
	char hyphens[NAME_BYTES_MAX];

	if (name.length > sizeof(hyphens) ||
	    bytes_find(name, '_') == name.length)
		return false;
	for (size_t i = 0; i < name.length; i++)
		hyphens[i] = name.at[i] == '_' ? '-' : name.at[i];
	return http_field_lookup(hyphens, name.length) != FIELD_OTHER;
}

struct bytes
http_field_name(enum http_field_id id)
{
	must(id > FIELD_OTHER && id < FIELD_COUNT);
	return bytes_of(name_rows[id].text, name_rows[id].length);
}

bool
http_field_in_trailer(enum http_field_id id)
{
	return (name_rows[id].flags & T) == 0;
}

static const struct bytes method_texts[] = {
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
	for (unsigned i = 0; i < HTTP_METHOD_OTHER; i++) {
		if (bytes_equal(name, method_texts[i]))
			return (enum http_method)i;
	}
	return HTTP_METHOD_OTHER;
}

struct bytes
http_method_text(enum http_method method)
{
	must(method <= HTTP_METHOD_OTHER);
	return method_texts[method];
}

/* RFC 9110 §9.2.1 */
bool
http_method_safe(enum http_method method)
{
	return method == HTTP_GET || method == HTTP_HEAD ||
	    method == HTTP_OPTIONS || method == HTTP_TRACE;
}

/* RFC 9110 §9.2.2 */
bool
http_method_idempotent(enum http_method method)
{
	return http_method_safe(method) || method == HTTP_PUT ||
	    method == HTTP_DELETE;
}

static const struct {
	uint16_t status;
	struct bytes reason;
} status_rows[] = {
#define STATUS(status, reason) {(status), BYTES(reason)},
#include "wire/statuses.tbl"
#undef STATUS
};

struct bytes
http_status_reason(unsigned status)
{
	size_t low = 0, high = array_count(status_rows);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (status_rows[middle].status == status)
			return status_rows[middle].reason;
		if (status_rows[middle].status < status)
			low = middle + 1;
		else
			high = middle;
	}
	return BYTES("");
}
