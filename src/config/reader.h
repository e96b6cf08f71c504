/*
 * reader.h - from nodes to the fields of a snapshot, along the tables
 *
 * Layer      config
 * Invariant  a mistake is noted and reading goes on: all are found in one run
 */
#pragma once

#include "config/address.h"
#include "config/node.h"
#include "config/shape.h"
#include "config/snapshot.h"

/* What a file may expand to through its aliases. */
#define READER_VALUES_MAX (1 << 20)

struct reader {
	struct config_errors *errors;
	struct arena *arena;
	struct snapshot *snapshot;
	struct bytes folder; /* of the file: relative paths begin here */
	const char *key; /* being read, for messages */
	const struct node *root;
	unsigned values;
	/* Patterns to be freed with the snapshot. */
	void (*regex_keep)(
	    struct reader *reader, const struct config_regex *regex);
	void *owner;
	bool out_of_memory;
};

/* ---- messages ---- */

void reader_error(struct reader *reader, const struct node *node,
    const char *remedy, const char *format, ...) PRINTF(4, 5);
void reader_warn(struct reader *reader, const struct node *node,
    const char *remedy, const char *format, ...) PRINTF(4, 5);
/* "`every` must be @wanted, not `abc`" */
void reader_mismatch(struct reader *reader, const struct node *node,
    const char *wanted, const char *remedy);
/* The remedy "did you mean `x`?" written into @into, or NULL. */
struct nearest;
const char *reader_nearest_remedy(
    const struct nearest *nearest, char *into, size_t capacity);
struct config_where
reader_where(const struct reader *reader, const struct node *node);

/* ---- values ---- */

/* One value of that shape into the field at @into, @width bytes wide. */
void reader_value(struct reader *reader, const struct shape *shape,
    const struct node *node, void *into, size_t width);
/* The keys of a mapping into the struct at @base; see reader_defaults(). */
void reader_map(struct reader *reader, const struct table *table,
    const struct node *node, void *base);
/* Every default of the table and of the mappings in it. */
void
reader_defaults(struct reader *reader, const struct table *table, void *base);

/* A scalar's text copied; at == NULL: it was a mistake, which is noted. */
struct bytes
reader_text(struct reader *reader, const struct node *node, const char *wanted);

/*
 * An array of @bytes for each item of a list; a single value that is not a
 * list counts as a list of one. NULL: no items, or no memory.
 */
void *reader_items(struct reader *reader, const struct node *node, size_t bytes,
    unsigned *ret_count);
/* The i-th item of such a list. */
const struct node *reader_item(const struct node *node, unsigned i);

/* Whether another value may be read: aliases can multiply. */
bool reader_budget(struct reader *reader, const struct node *node);

void *reader_alloc(struct reader *reader, size_t bytes);
struct bytes reader_copy(struct reader *reader, struct bytes text);
void reader_lower(struct bytes text);

/* ---- kinds of text that more than one table uses ---- */

extern const struct shape shape_path; /* of a file or folder */
extern const struct shape shape_header_value; /* of a field */
extern const struct shape shape_header_edit; /* the same, or null */

bool text_is_token(struct bytes text);
bool text_is_field_value(struct bytes text);
bool text_is_printable(struct bytes text);

/* A list of config_pair; null values only when @removals. */
void reader_pairs(struct reader *reader, const struct node *node, bool removals,
    struct config_pair **ret, unsigned *ret_count);

const struct config_regex *
reader_regex(struct reader *reader, const struct node *node);
