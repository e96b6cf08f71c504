/*
 * schema.c - the tables as a JSON Schema (draft 2020-12)
 *
 * The schema describes form. What needs the whole file (names of pools, hosts
 * given twice) is for the reader alone.
 */
#include <inttypes.h>

#include "config/config.h"
#include "config/shape.h"

#define SCHEMA_DURATION "^(0|([0-9]+(d|h|m|s|ms|us))+)$"
#define SCHEMA_SIZE     "^[0-9]+(B|[kK]B|KiB|MB|MiB|GB|GiB|TB|TiB)?$"
#define SCHEMA_PERCENT  "^(0|[0-9]+%)$"

struct schema {
	FILE *to;
	unsigned depth;
	bool begun; /* something stands in the open object or array */
};

/* ---- JSON ---- */

static void
schema_string(struct schema *s, const char *text)
{
	fputc('"', s->to);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', s->to);
		fputc(*text, s->to);
	}
	fputc('"', s->to);
}

static void
schema_item(struct schema *s, const char *name)
{
	fprintf(s->to, "%s\n%*s", s->begun ? "," : "", 2 * (int)s->depth, "");
	s->begun = true;
	if (name != NULL) {
		schema_string(s, name);
		fputs(": ", s->to);
	}
}

static void
schema_open(struct schema *s, const char *name, char bracket)
{
	schema_item(s, name);
	fputc(bracket, s->to);
	s->depth++;
	s->begun = false;
}

static void
schema_close(struct schema *s, char bracket)
{
	s->depth--;
	if (s->begun)
		fprintf(s->to, "\n%*s", 2 * (int)s->depth, "");
	fputc(bracket, s->to);
	s->begun = true;
}

static void
schema_text(struct schema *s, const char *name, const char *text)
{
	schema_item(s, name);
	schema_string(s, text);
}

static void
schema_raw(struct schema *s, const char *name, const char *json)
{
	schema_item(s, name);
	fputs(json, s->to);
}

static void
schema_number(struct schema *s, const char *name, uint64_t value)
{
	schema_item(s, name);
	fprintf(s->to, "%" PRIu64, value);
}

/* ---- shapes ---- */

static void schema_shape(struct schema *s, const struct shape *shape);

static void
schema_enum(struct schema *s, const struct shape *shape)
{
	if (shape->names[0] == NULL) {
		schema_text(s, "type", "null");
		return;
	}
	schema_open(s, "enum", '[');
	for (unsigned i = 0; shape->names[i] != NULL; i++)
		schema_text(s, NULL, shape->names[i]);
	schema_close(s, ']');
}

static void
schema_list(struct schema *s, const struct shape *shape)
{
	if (!shape->list_only) {
		schema_open(s, "anyOf", '[');
		schema_open(s, NULL, '{');
		schema_shape(s, shape->item);
		schema_close(s, '}');
		schema_open(s, NULL, '{');
	}
	schema_text(s, "type", "array");
	if (shape->filled)
		schema_number(s, "minItems", 1);
	schema_open(s, "items", '{');
	schema_shape(s, shape->item);
	schema_close(s, '}');
	if (!shape->list_only) {
		schema_close(s, '}');
		schema_close(s, ']');
	}
}

static void
schema_dict(struct schema *s, const struct shape *shape)
{
	schema_text(s, "type", "object");
	if (shape->pattern != NULL) {
		schema_open(s, "propertyNames", '{');
		schema_text(s, "pattern", shape->pattern);
		schema_close(s, '}');
	}
	schema_open(s, "additionalProperties", '{');
	schema_shape(s, shape->item);
	schema_close(s, '}');
}

static void
schema_forms(struct schema *s, const struct shape *shape)
{
	schema_open(s, "anyOf", '[');
	for (unsigned i = 0; shape->forms[i] != NULL; i++) {
		schema_open(s, NULL, '{');
		schema_shape(s, shape->forms[i]);
		schema_close(s, '}');
	}
	schema_close(s, ']');
}

/* The members that describe the shape, into the open object. */
static void
schema_shape(struct schema *s, const struct shape *shape)
{
	char reference[64];

	switch (shape->kind) {
	case SHAPE_BOOL:
		schema_text(s, "type", "boolean");
		break;
	case SHAPE_COUNT:
		schema_text(s, "type", "integer");
		schema_number(s, "minimum", shape->min);
		schema_number(s, "maximum", shape->max);
		break;
	case SHAPE_SIZE:
		schema_raw(s, "type", "[\"string\", \"integer\"]");
		schema_number(s, "minimum", shape->min);
		schema_text(s, "pattern", SCHEMA_SIZE);
		break;
	case SHAPE_DURATION:
		schema_raw(s, "type", "[\"string\", \"integer\"]");
		schema_number(s, "maximum", 0); /* 0 needs no unit */
		schema_text(s, "pattern", SCHEMA_DURATION);
		break;
	case SHAPE_PERCENT:
		schema_raw(s, "type", "[\"string\", \"integer\"]");
		schema_number(s, "maximum", 0);
		schema_text(s, "pattern", SCHEMA_PERCENT);
		break;
	case SHAPE_TEXT:
		schema_raw(s, "type",
		    shape->scalar ? "[\"string\", \"number\", \"boolean\"]"
				  : "\"string\"");
		if (shape->pattern != NULL)
			schema_text(s, "pattern", shape->pattern);
		break;
	case SHAPE_ENUM:
		schema_enum(s, shape);
		break;
	case SHAPE_LIST:
		schema_list(s, shape);
		break;
	case SHAPE_MAP:
		snprintf(reference, sizeof(reference), "#/$defs/%s",
		    shape->table->name);
		schema_text(s, "$ref", reference);
		break;
	case SHAPE_DICT:
		schema_dict(s, shape);
		break;
	case SHAPE_ONE_OF:
		schema_forms(s, shape);
		break;
	}
}

/* ---- tables ---- */

static void
schema_key(struct schema *s, const struct key *key)
{
	const char *meaning = key->meaning;

	if (meaning == NULL && key->shape->table != NULL)
		meaning = key->shape->table->intro;
	schema_open(s, key->name, '{');
	if (meaning != NULL)
		schema_text(s, "description", meaning);
	schema_shape(s, key->shape);
	if (key->standard != NULL &&
	    (key->shape->kind == SHAPE_BOOL || key->shape->kind == SHAPE_COUNT))
		schema_raw(s, "default", key->standard);
	else if (key->standard != NULL)
		schema_text(s, "default", key->standard);
	schema_close(s, '}');
}

static void
schema_required(struct schema *s, const struct table *table)
{
	const struct key *key;
	bool any = false;
	size_t base;

	for (unsigned i = 0; (key = table_key(table, i, &base)) != NULL; i++) {
		if (!key->required)
			continue;
		if (!any)
			schema_open(s, "required", '[');
		any = true;
		schema_text(s, NULL, key->name);
	}
	if (any)
		schema_close(s, ']');
}

static void
schema_choice(struct schema *s, const char *one, const char *other)
{
	schema_open(s, NULL, '{');
	schema_open(s, "required", '[');
	schema_text(s, NULL, one);
	if (other != NULL)
		schema_text(s, NULL, other);
	schema_close(s, ']');
	schema_close(s, '}');
}

static void
schema_choices(struct schema *s, const struct table *table)
{
	const char *const *most = table->one_at_most;

	if (table->one_of != NULL) {
		schema_open(s, "oneOf", '[');
		for (unsigned i = 0; table->one_of[i] != NULL; i++)
			schema_choice(s, table->one_of[i], NULL);
		schema_close(s, ']');
	}
	if (most == NULL)
		return;
	schema_open(s, "not", '{');
	schema_open(s, "anyOf", '[');
	for (unsigned i = 0; most[i] != NULL; i++) {
		for (unsigned j = i + 1; most[j] != NULL; j++)
			schema_choice(s, most[i], most[j]);
	}
	schema_close(s, ']');
	schema_close(s, '}');
}

static void
schema_table(struct schema *s, const struct table *table)
{
	const struct key *key;
	size_t base;

	schema_text(s, "type", "object");
	schema_raw(s, "additionalProperties", "false");
	schema_required(s, table);
	schema_choices(s, table);
	schema_open(s, "properties", '{');
	for (unsigned i = 0; (key = table_key(table, i, &base)) != NULL; i++)
		schema_key(s, key);
	schema_close(s, '}');
}

void
config_schema_print(FILE *to)
{
	struct schema s = {.to = to, .depth = 1};
	const struct table *tables[TABLES_MAX];
	unsigned count = tables_collect(tables);

	fputc('{', to);
	schema_text(
	    &s, "$schema", "https://json-schema.org/draft/2020-12/schema");
	schema_text(&s, "title", "weir");
	schema_text(&s, "description", "The configuration file of weir.");
	schema_table(&s, tables[0]);
	schema_open(&s, "$defs", '{');
	for (unsigned i = 1; i < count; i++) {
		schema_open(&s, tables[i]->name, '{');
		schema_table(&s, tables[i]);
		schema_close(&s, '}');
	}
	schema_close(&s, '}');
	fputs("\n}\n", to);
}
