/*
 * reference.c - the tables as a page of Markdown
 */
#include <inttypes.h>
#include <stdio.h>

#include "config/config.h"
#include "config/shape.h"

static const char reference_head[] =
    "# The configuration file\n"
    "\n"
    "<!-- Written by `weir reference` from the tables that the reader uses. "
    "-->\n"
    "\n"
    "YAML, as UTF-8; anchors, aliases and merge keys (`<<`) work. `weir check "
    "FILE` tells every\n"
    "mistake with its line and column; `weir schema` prints a JSON Schema for "
    "editors.\n"
    "\n"
    "- A **duration** is numbers with units, the largest first: `250ms`, "
    "`10s`, `1m30s`, `2h`, `1d`. `0` needs no unit.\n"
    "- A **size** is a number of bytes, with a unit or without: `8192`, "
    "`8KiB` (1024), `10MB` (1000 * 1000).\n"
    "- A **percentage** has its sign: `20%`. `0` needs none.\n"
    "- A **path** may be relative to the folder of the file.\n"
    "- Where a list is wanted, one value alone is a list of one, but for "
    "`sites` and `routes`.\n"
    "- In names, `[]` stands for each item of a list, and a word in capitals "
    "for a name of yours.\n";

/* ---- types ---- */

static void
reference_quantity(const struct shape *shape, uint64_t value, FILE *to)
{
	char text[48];
	struct appender into = appender_over(text, sizeof(text));

	shape_number_write(shape, value, &into);
	fprintf(to, "%.*s", (int)into.length, into.at);
}

static void
reference_number(const struct shape *shape, FILE *to)
{
	static const char *const words[] = {
	    [SHAPE_COUNT] = "number",
	    [SHAPE_SIZE] = "size",
	    [SHAPE_DURATION] = "duration",
	    [SHAPE_PERCENT] = "percentage",
	};

	fputs(shape->word != NULL ? shape->word : words[shape->kind], to);
	/* A word with digits states its values itself. */
	if (shape->word != NULL && strpbrk(shape->word, "0123456789") != NULL)
		return;
	if (shape->max >= UINT32_MAX && shape->kind != SHAPE_DURATION) {
		if (shape->min == 0)
			return;
		fputs(", at least ", to);
		reference_quantity(shape, shape->min, to);
		return;
	}
	fputs(", ", to);
	reference_quantity(shape, shape->min, to);
	fputs(" to ", to);
	reference_quantity(shape, shape->max, to);
}

static void
reference_enum(const struct shape *shape, FILE *to)
{
	if (shape->names[0] == NULL)
		fputs(shape->word, to);
	for (unsigned i = 0; shape->names[i] != NULL; i++) {
		if (i > 0)
			fputs(shape->names[i + 1] != NULL ? ", " : " or ", to);
		fprintf(to, "`%s`", shape->names[i]);
	}
}

/* As the anchors of headings are made: lower-case letters and digits. */
static void
reference_anchor(const char *title, FILE *to)
{
	for (; *title != '\0'; title++) {
		char c = *title;

		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '_')
			fputc(c, to);
		else if (c == ' ')
			fputc('-', to);
	}
}

static void reference_shape(const struct shape *shape, FILE *to);

static void
reference_item(const struct shape *item, FILE *to)
{
	fputs(item->kind == SHAPE_ONE_OF ? "(" : "", to);
	reference_shape(item, to);
	fputs(item->kind == SHAPE_ONE_OF ? ")" : "", to);
}

static void
reference_shape(const struct shape *shape, FILE *to)
{
	switch (shape->kind) {
	case SHAPE_BOOL:
		fputs("`true` or `false`", to);
		break;
	case SHAPE_COUNT:
	case SHAPE_SIZE:
	case SHAPE_DURATION:
	case SHAPE_PERCENT:
		reference_number(shape, to);
		break;
	case SHAPE_TEXT:
		fputs(shape->word != NULL ? shape->word : "text", to);
		break;
	case SHAPE_ENUM:
		reference_enum(shape, to);
		break;
	case SHAPE_LIST:
		fputs("list of ", to);
		reference_item(shape->item, to);
		break;
	case SHAPE_MAP:
		fputs("[mapping](#", to);
		reference_anchor(shape->table->title, to);
		fputc(')', to);
		break;
	case SHAPE_DICT:
		fprintf(to, "%s: ", shape->word);
		reference_item(shape->item, to);
		break;
	case SHAPE_ONE_OF:
		for (unsigned i = 0; shape->forms[i] != NULL; i++) {
			if (i > 0)
				fputs("; or ", to);
			reference_shape(shape->forms[i], to);
		}
		break;
	}
}

/* ---- tables ---- */

/* A bar would end the cell. */
static void
reference_cell(const char *text, FILE *to)
{
	for (; *text != '\0'; text++) {
		if (*text == '|')
			fputc('\\', to);
		fputc(*text, to);
	}
}

static void
reference_key(const struct key *key, FILE *to)
{
	const char *meaning = key->meaning;

	if (meaning == NULL && key->shape->table != NULL)
		meaning = key->shape->table->intro;
	fprintf(to, "| `%s` | ", key->name);
	reference_shape(key->shape, to);
	fputs(" | ", to);
	if (key->standard != NULL)
		fprintf(to, "`%s`", key->standard);
	else if (key->absent != NULL)
		reference_cell(key->absent, to);
	else
		fputs("see its keys", to);
	fputs(" | ", to);
	reference_cell(meaning != NULL ? meaning : "", to);
	fputs(" |\n", to);
}

static void
reference_values(const struct key *key, FILE *to)
{
	const struct shape *shape = key->shape;

	if (shape->meanings == NULL)
		return;
	fprintf(to, "\n| `%s` | |\n|---|---|\n", key->name);
	for (unsigned i = 0; shape->names[i] != NULL; i++) {
		fprintf(to, "| `%s` | ", shape->names[i]);
		reference_cell(shape->meanings[i], to);
		fputs(". |\n", to);
	}
}

static void
reference_table(const struct table *table, FILE *to)
{
	const struct key *key;
	size_t base;
	bool words = strchr(table->title, ' ') != NULL;

	fprintf(to, words ? "\n## %s\n" : "\n## `%s`\n", table->title);
	if (table->intro != NULL)
		fprintf(to, "\n%s\n", table->intro);
	fputs("\n| key | type | default | meaning |\n|---|---|---|---|\n", to);
	for (unsigned i = 0; (key = table_key(table, i, &base)) != NULL; i++)
		reference_key(key, to);
	for (unsigned i = 0; (key = table_key(table, i, &base)) != NULL; i++)
		reference_values(key, to);
}

void
config_reference_print(FILE *to)
{
	const struct table *tables[TABLES_MAX];
	unsigned count = tables_collect(tables);

	fputs(reference_head, to);
	for (unsigned i = 0; i < count; i++)
		reference_table(tables[i], to);
}
