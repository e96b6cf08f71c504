/*
 * reader.c - mappings, lists and messages
 */
#include "config/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "config/nearest.h"

#define READER_QUOTE_MAX 60 /* characters of a wrong value in a message */

/* ---- messages ---- */

static void
reader_note(struct reader *reader, const struct node *node, bool warning,
    const char *remedy, const char *format, va_list args)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, args);
	if (warning)
		config_errors_warn(
		    reader->errors, node->spot, remedy, "%s", text);
	else
		config_errors_add(
		    reader->errors, node->spot, remedy, "%s", text);
}

void
reader_error(struct reader *reader, const struct node *node, const char *remedy,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	reader_note(reader, node, false, remedy, format, args);
	va_end(args);
}

void
reader_warn(struct reader *reader, const struct node *node, const char *remedy,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	reader_note(reader, node, true, remedy, format, args);
	va_end(args);
}

void
reader_mismatch(struct reader *reader, const struct node *node,
    const char *wanted, const char *remedy)
{
	static const char *const kinds[] = {
	    [NODE_NULL] = "nothing",
	    [NODE_LIST] = "a list",
	    [NODE_MAP] = "a mapping",
	};

	if (node->kind == NODE_TEXT)
		reader_error(reader, node, remedy,
		    "`%s` must be %s, not `%.*s`", reader->key, wanted,
		    (int)min_of(node->text.length, (size_t)READER_QUOTE_MAX),
		    node->text.at);
	else
		reader_error(reader, node, remedy, "`%s` must be %s, not %s",
		    reader->key, wanted, kinds[node->kind]);
}

const char *
reader_nearest_remedy(
    const struct nearest *nearest, char *into, size_t capacity)
{
	if (nearest->best.at == NULL)
		return NULL;
	snprintf(into, capacity, "did you mean `%.*s`?",
	    (int)nearest->best.length, nearest->best.at);
	return into;
}

struct config_where
reader_where(const struct reader *reader, const struct node *node)
{
	return (struct config_where){
	    reader->snapshot->file.at, node->spot.line, node->spot.column};
}

/* ---- memory ---- */

void *
reader_alloc(struct reader *reader, size_t bytes)
{
	void *memory = arena_zero(reader->arena, bytes);

	if (memory == NULL)
		reader->out_of_memory = true;
	return memory;
}

struct bytes
reader_copy(struct reader *reader, struct bytes text)
{
	struct bytes copy = arena_copy(reader->arena, text);

	if (copy.at == NULL)
		reader->out_of_memory = true;
	return copy;
}

void
reader_lower(struct bytes text)
{
	char *at = (char *)(uintptr_t)text.at;

	for (size_t i = 0; i < text.length; i++) {
		if (at[i] >= 'A' && at[i] <= 'Z')
			at[i] |= 0x20;
	}
}

/* ---- mappings ---- */

bool
reader_budget(struct reader *reader, const struct node *node)
{
	if (reader->values == READER_VALUES_MAX)
		reader_error(reader, node, NULL,
		    "the file is too large once its aliases are expanded");
	if (reader->values > READER_VALUES_MAX)
		return false;
	return reader->values++ < READER_VALUES_MAX;
}

static void
reader_unknown_key(struct reader *reader, const struct table *table,
    const struct node *key_node)
{
	struct nearest nearest;
	const struct key *key;
	char remedy[128];
	size_t base;

	nearest_init(&nearest, key_node->text);
	for (unsigned i = 0; (key = table_key(table, i, &base)) != NULL; i++)
		nearest_offer(&nearest, bytes_from(key->name));
	reader_error(reader, key_node,
	    reader_nearest_remedy(&nearest, remedy, sizeof(remedy)),
	    "unknown key `%.*s`",
	    (int)min_of(key_node->text.length, (size_t)READER_QUOTE_MAX),
	    key_node->text.at);
}

static void
reader_key(struct reader *reader, const struct key *key, const struct node *map,
    void *place)
{
	const struct node_link *link = node_find(map, bytes_from(key->name));
	const char *before = reader->key;

	if (link == NULL) {
		if (key->required)
			reader_error(reader, map, NULL, "`%s` is missing here",
			    key->name);
		return;
	}
	reader->key = key->name;
	reader_value(reader, key->shape, link->value, place, key->width);
	reader->key = before;
}

void
reader_map(struct reader *reader, const struct table *table,
    const struct node *node, void *base)
{
	const struct key *key;
	size_t offset;

	/* `limits:` with every line beneath it commented out. */
	if (node->kind == NODE_NULL)
		return;
	if (node->kind != NODE_MAP) {
		reader_mismatch(reader, node, "a mapping", NULL);
		return;
	}
	for (const struct node_link *link = node->first; link != NULL;
	     link = link->next) {
		if (!reader_budget(reader, link->value))
			return;
		if (table_key_find(table, link->key->text, &offset) == NULL)
			reader_unknown_key(reader, table, link->key);
	}
	for (unsigned i = 0; (key = table_key(table, i, &offset)) != NULL; i++)
		reader_key(
		    reader, key, node, (char *)base + offset + key->offset);
}

/* A default is read as if it stood in the file, so that there is one place
 * that states it. */
void
reader_defaults(struct reader *reader, const struct table *table, void *base)
{
	const struct key *key;
	size_t offset;

	for (unsigned i = 0; (key = table_key(table, i, &offset)) != NULL;
	     i++) {
		char *place = (char *)base + offset + key->offset;
		const struct node node = {
		    .kind = NODE_TEXT,
		    .plain = true,
		    .text = bytes_from(key->standard),
		};

		reader->key = key->name;
		if (key->standard != NULL)
			reader_value(
			    reader, key->shape, &node, place, key->width);
		else if (key->shape->kind == SHAPE_MAP &&
		    key->shape->read == NULL)
			reader_defaults(reader, key->shape->table, place);
	}
}

/* ---- lists ---- */

const struct node *
reader_item(const struct node *node, unsigned i)
{
	return node->kind == NODE_LIST ? node_item(node, i) : node;
}

void *
reader_items(struct reader *reader, const struct node *node, size_t bytes,
    unsigned *ret_count)
{
	unsigned count = node->kind == NODE_LIST ? node->count : 1;
	void *items;

	*ret_count = 0;
	if (count == 0)
		return NULL;
	for (unsigned i = 0; i < count; i++) {
		if (!reader_budget(reader, node))
			return NULL;
	}
	items = reader_alloc(reader, count * bytes);
	if (items != NULL)
		*ret_count = count;
	return items;
}
