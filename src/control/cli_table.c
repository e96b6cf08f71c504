#include "control/cli_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const cli_colours[] = {
    [CLI_PLAIN] = "",
    [CLI_GREEN] = "\033[32m",
    [CLI_YELLOW] = "\033[33m",
    [CLI_RED] = "\033[31m",
    [CLI_BOLD] = "\033[1m",
};

const char *
cli_colour_begin(enum cli_colour colour, bool wanted)
{
	return wanted ? cli_colours[colour] : "";
}

const char *
cli_colour_end(enum cli_colour colour, bool wanted)
{
	return wanted && colour != CLI_PLAIN ? "\033[0m" : "";
}

void
cli_table_init(struct cli_table *table, unsigned columns, unsigned right)
{
	must(columns <= CLI_TABLE_COLUMNS);
	*table = (struct cli_table){.columns = columns, .right = right};
}

static void
cli_table_add(struct cli_table *table, struct cli_cell cell)
{
	if (table->cell_count == table->cell_capacity) {
		unsigned capacity = max_of(table->cell_capacity * 2, 64u);

		table->cells =
		    reallocarray(table->cells, capacity, sizeof(*table->cells));
		must(table->cells != NULL);
		table->cell_capacity = capacity;
	}
	table->cells[table->cell_count++] = cell;
}

void
cli_table_cell(
    struct cli_table *table, enum cli_colour colour, const char *format, ...)
{
	struct cli_cell cell = {.colour = colour};
	va_list args;

	va_start(args, format);
	must(vasprintf(&cell.text, format, args) >= 0);
	va_end(args);
	cli_table_add(table, cell);
}

void
cli_table_line(
    struct cli_table *table, enum cli_colour colour, const char *format, ...)
{
	struct cli_cell cell = {.colour = colour, .wide = true};
	va_list args;

	va_start(args, format);
	must(vasprintf(&cell.text, format, args) >= 0);
	va_end(args);
	cli_table_add(table, cell);
}

static void
cli_table_widths(const struct cli_table *table, size_t *widths)
{
	unsigned column = 0;

	for (unsigned i = 0; i < table->cell_count; i++) {
		const struct cli_cell *cell = &table->cells[i];

		if (cell->wide)
			continue;
		widths[column] = max_of(widths[column], strlen(cell->text));
		column = (column + 1) % table->columns;
	}
}

/* @blanks  owed from the cells before, printed only before text, so that no
 *          line ends in blanks */
static void
cli_table_cell_print(const struct cli_table *table, const struct cli_cell *cell,
    unsigned column, size_t width, bool colour, size_t *blanks)
{
	bool right = (table->right >> column & 1) != 0;
	size_t pad = width - strlen(cell->text);

	if (right)
		*blanks += pad;
	if (cell->text[0] != '\0') {
		printf("%*s%s%s%s", (int)*blanks, "",
		    cli_colour_begin(cell->colour, colour), cell->text,
		    cli_colour_end(cell->colour, colour));
		*blanks = 0;
	}
	*blanks += 2 + (right ? 0 : pad);
	if (column + 1 == table->columns) {
		printf("\n");
		*blanks = 0;
	}
}

void
cli_table_print(struct cli_table *table, bool colour)
{
	size_t widths[CLI_TABLE_COLUMNS] = {0};
	size_t blanks = 0;
	unsigned column = 0;

	cli_table_widths(table, widths);
	for (unsigned i = 0; i < table->cell_count; i++) {
		struct cli_cell *cell = &table->cells[i];

		if (cell->wide) {
			printf("  %s%s%s\n",
			    cli_colour_begin(cell->colour, colour), cell->text,
			    cli_colour_end(cell->colour, colour));
		} else {
			cli_table_cell_print(table, cell, column,
			    widths[column], colour, &blanks);
			column = (column + 1) % table->columns;
		}
		free(cell->text);
	}
	free(table->cells);
	*table = (struct cli_table){0};
}
