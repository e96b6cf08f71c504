/*
 * shape.h - what may stand at a key: one description for the reader, the JSON
 *           Schema and the reference
 *
 * Layer      config
 * Memory     all of it is constant
 *
 * A table holds the keys of one mapping. A key has a shape, a default as text
 * (which the reader reads like text of the file), a sentence that says what it
 * means, and the place in the snapshot that it fills.
 */
#pragma once

#include "base/bytes.h"
#include "base/time.h"

struct reader;
struct node;
struct table;

enum shape_kind {
	SHAPE_BOOL, /* bool */
	SHAPE_COUNT, /* an unsigned integer of the place's width */
	SHAPE_SIZE, /* the same, in bytes */
	SHAPE_DURATION, /* duration */
	SHAPE_PERCENT, /* an unsigned integer of the place's width */
	SHAPE_TEXT, /* struct bytes */
	SHAPE_ENUM, /* the index of the name; struct bytes: the name */
	SHAPE_LIST, /* by `read` */
	SHAPE_MAP, /* what the table's keys fill, from the same place on */
	SHAPE_DICT, /* a mapping of free names, by `read` */
	SHAPE_ONE_OF, /* one of several forms, by `read` */
};

struct shape {
	enum shape_kind kind;
	const char *word; /* in the reference; NULL: as its kind is called */
	const char *article_word; /* "a path", in messages; NULL: by kind */
	/* ECMA 262, for the schema: of a text, of a dict's names; or NULL */
	const char *pattern;
	uint64_t min, max; /* numbers; bytes; durations in nanoseconds */
	bool scalar; /* a text that may be written as a number or bool */
	bool secret; /* its value is not told */
	bool filled; /* a list that may not be empty */
	bool list_only; /* one item cannot stand for a list of one */
	const struct shape *item; /* of a list or dict */
	const struct table *table; /* of a mapping */
	const char *const *names; /* of an enum, NULL-terminated */
	const char *const *meanings; /* of each name, or NULL */
	const struct shape *const *forms; /* NULL-terminated */
	/* Instead of what the kind does; @into is the place of the key. */
	void (*read)(
	    struct reader *reader, const struct node *node, void *into);
};

struct key {
	const char *name;
	const struct shape *shape;
	const char *standard; /* the default, as text; or NULL */
	const char *absent; /* then: what its absence means, in words */
	const char *meaning; /* whole sentences */
	size_t offset; /* from the place of the mapping */
	size_t width; /* of the field */
	bool required;
};
_Static_assert(sizeof(duration) == sizeof(uint64_t), "stored as a number");

struct table {
	const char *name; /* in the schema: "pool" */
	const char *title; /* in the reference: "pools.NAME" */
	const char *intro; /* a sentence under the title, or NULL */
	const struct key *keys; /* in the order they are read */
	unsigned count;
	const struct table *also; /* whose keys are here too, or NULL */
	size_t also_offset;
	/* NULL-terminated, or NULL; their readers check it. */
	const char *const *one_of; /* exactly one of these keys is there */
	const char *const *one_at_most;
};

/* A field of a struct that takes a default. */
#define KEY(type, field, key_name, key_shape, key_standard, key_meaning)       \
	{                                                                      \
		.name = (key_name), .shape = (key_shape),                      \
		.standard = (key_standard), .meaning = (key_meaning),          \
		.offset = offsetof(type, field),                               \
		.width = sizeof(((type *)0)->field),                           \
	}
/* A field without a default: @key_absent says what then is. */
#define KEY_OPTIONAL(                                                          \
    type, field, key_name, key_shape, key_absent, key_meaning)                 \
	{                                                                      \
		.name = (key_name), .shape = (key_shape),                      \
		.absent = (key_absent), .meaning = (key_meaning),              \
		.offset = offsetof(type, field),                               \
		.width = sizeof(((type *)0)->field),                           \
	}
/* The shape's `read` gets the place of the mapping itself. */
#define KEY_WHOLE(key_name, key_shape, key_absent, key_meaning)                \
	{                                                                      \
		.name = (key_name), .shape = (key_shape),                      \
		.absent = (key_absent), .meaning = (key_meaning),              \
	}
#define KEY_REQUIRED(key_name, key_shape, key_meaning)                         \
	{                                                                      \
		.name = (key_name), .shape = (key_shape),                      \
		.absent = "required", .meaning = (key_meaning),                \
		.required = true,                                              \
	}

#define TABLE(key_array) .keys = (key_array), .count = array_count(key_array)

#define SHAPE_COUNT_OF(least, most)                                            \
	(&(const struct shape){                                                \
	    .kind = SHAPE_COUNT, .min = (least), .max = (most)})
#define SHAPE_SIZE_OF(least, most)                                             \
	(&(const struct shape){                                                \
	    .kind = SHAPE_SIZE, .min = (least), .max = (most)})
#define SHAPE_PERCENT_OF(least, most)                                          \
	(&(const struct shape){                                                \
	    .kind = SHAPE_PERCENT, .min = (least), .max = (most)})
/* In milliseconds. */
#define SHAPE_DURATION_OF(least, most)                                         \
	(&(const struct shape){.kind = SHAPE_DURATION,                         \
	    .min = (uint64_t)(least)*1000000,                                  \
	    .max = (uint64_t)(most)*1000000})
#define SHAPE_MAP_OF(of_table)                                                 \
	(&(const struct shape){.kind = SHAPE_MAP, .table = (of_table)})

#define SHAPE_SECOND 1000
#define SHAPE_HOUR   (3600 * SHAPE_SECOND)
#define SHAPE_DAY    (24 * SHAPE_HOUR)

extern const struct shape shape_bool;
extern const struct shape shape_text;

/* The whole file. */
extern const struct table table_top;
extern const struct table table_limits;
extern const struct table table_site;
extern const struct table table_route;
extern const struct table table_pool;
extern const struct table table_server;
extern const struct table table_health;

/* Every table that the whole file may reach, the file's own first, each before
 * those beneath it. Returns how many. */
#define TABLES_MAX 48
unsigned tables_collect(const struct table *into[TABLES_MAX]);

/* A number, in the units of the shape. */
struct appender;
void shape_number_write(
    const struct shape *shape, uint64_t value, struct appender *into);
/* The field at @place as the file would have it; false: a kind without one
 * text (lists, mappings). */
bool shape_place_write(const struct shape *shape, const void *place,
    size_t width, struct appender *into);

/* The i-th key, those of `also` after its own; NULL past the end. */
const struct key *
table_key(const struct table *table, unsigned i, size_t *ret_base);
const struct key *
table_key_find(const struct table *table, struct bytes name, size_t *ret_base);
