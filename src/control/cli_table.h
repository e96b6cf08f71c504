/*
 * cli_table.h - columns for a person
 *
 * Layer      control
 * Memory     every cell is copied; cli_table_print() frees the table
 * Limits     CLI_TABLE_COLUMNS
 */
#pragma once

#include "base/cc.h"

#define CLI_TABLE_COLUMNS 8

enum cli_colour { CLI_PLAIN, CLI_GREEN, CLI_YELLOW, CLI_RED, CLI_BOLD };

struct cli_cell {
	char *text;
	enum cli_colour colour;
	bool wide; /* a line of its own, takes no part in the widths */
};

struct cli_table {
	unsigned columns;
	unsigned right; /* bit c: column c is set to the right */
	struct cli_cell *cells;
	unsigned cell_count, cell_capacity;
};

void cli_table_init(struct cli_table *table, unsigned columns, unsigned right);
/* The next cell; rows follow one another. Ends the process when out of
 * memory, as everything in the command line does. */
void cli_table_cell(struct cli_table *table, enum cli_colour colour,
    const char *format, ...) PRINTF(3, 4);
/* A line below the row that was just finished. */
void cli_table_line(struct cli_table *table, enum cli_colour colour,
    const char *format, ...) PRINTF(3, 4);
/* To standard output. */
void cli_table_print(struct cli_table *table, bool colour);

/* @text in @colour; "" or the escape, for lines outside of tables. */
const char *cli_colour_begin(enum cli_colour colour, bool wanted);
const char *cli_colour_end(enum cli_colour colour, bool wanted);
