/*
 * tables.c - walks over the tables, and values as text
 */
#include "config/quantity.h"
#include "config/shape.h"

const struct key *
table_key(const struct table *table, unsigned i, size_t *ret_base)
{
	size_t base = 0;

	while (table != NULL && i >= table->count) {
		i -= table->count;
		base += table->also_offset;
		table = table->also;
	}
	*ret_base = base;
	return table != NULL ? &table->keys[i] : NULL;
}

const struct key *
table_key_find(const struct table *table, struct bytes name, size_t *ret_base)
{
	const struct key *key;

	for (unsigned i = 0; (key = table_key(table, i, ret_base)) != NULL;
	     i++) {
		if (bytes_equal(name, bytes_from(key->name)))
			return key;
	}
	return NULL;
}

struct tables {
	const struct table **all;
	unsigned count;
};

static void
tables_of_shape(struct tables *tables, const struct shape *shape)
{
	const struct key *key;
	size_t base;

	if (shape == NULL)
		return;
	tables_of_shape(tables, shape->item);
	for (unsigned i = 0; shape->forms != NULL && shape->forms[i] != NULL;
	     i++)
		tables_of_shape(tables, shape->forms[i]);
	if (shape->table == NULL)
		return;
	for (unsigned i = 0; i < tables->count; i++) {
		if (tables->all[i] == shape->table)
			return;
	}
	must(tables->count < TABLES_MAX);
	tables->all[tables->count++] = shape->table;
	for (unsigned i = 0; (key = table_key(shape->table, i, &base)) != NULL;
	     i++)
		tables_of_shape(tables, key->shape);
}

unsigned
tables_collect(const struct table *into[TABLES_MAX])
{
	struct tables tables = {.all = into};
	const struct shape top = {.kind = SHAPE_MAP, .table = &table_top};

	tables_of_shape(&tables, &top);
	return tables.count;
}

/* ---- values as text ---- */

void
shape_number_write(
    const struct shape *shape, uint64_t value, struct appender *into)
{
	switch (shape->kind) {
	case SHAPE_DURATION:
		quantity_duration_write((int64_t)value, into);
		break;
	case SHAPE_SIZE:
		quantity_size_write(value, into);
		break;
	default:
		append_u64(into, value);
		if (shape->kind == SHAPE_PERCENT)
			append_char(into, '%');
	}
}

static uint64_t
shape_number_load(const void *place, size_t width)
{
	switch (width) {
	case 1:
		return *(const uint8_t *)place;
	case 2:
		return *(const uint16_t *)place;
	case 4:
		return *(const uint32_t *)place;
	default:
		must(width == 8);
		return *(const uint64_t *)place;
	}
}

bool
shape_place_write(const struct shape *shape, const void *place, size_t width,
    struct appender *into)
{
	const struct bytes *text = place;

	switch (shape->kind) {
	case SHAPE_BOOL:
		append_text(into, *(const bool *)place ? "true" : "false");
		return true;
	case SHAPE_COUNT:
	case SHAPE_SIZE:
	case SHAPE_DURATION:
	case SHAPE_PERCENT:
		if (width == 0)
			return false;
		shape_number_write(
		    shape, shape_number_load(place, width), into);
		return true;
	case SHAPE_TEXT:
	case SHAPE_ENUM:
		if (width == sizeof(*text)) {
			append_bytes(
			    into, text->at != NULL ? *text : BYTES("nothing"));
			return true;
		}
		if (shape->kind == SHAPE_TEXT || width == 0)
			return false;
		append_text(
		    into, shape->names[shape_number_load(place, width)]);
		return true;
	case SHAPE_LIST:
	case SHAPE_MAP:
	case SHAPE_DICT:
	case SHAPE_ONE_OF:
		return false;
	}
	return false;
}
