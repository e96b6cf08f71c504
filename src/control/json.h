/*
 * json.h - writing JSON, in order, without a tree
 *
 * Layer      control
 * Memory     none beyond the sink's
 * Limits     JSON_DEPTH_MAX levels
 * Invariant  what is written is one valid document: commas are set, objects
 *            have keys, arrays have none, every begin has its end (must)
 * Sources    RFC 8259
 *
 * In an object every value has a key; in an array, and for the outermost
 * value, the key is NULL. Keys are static text that needs no escape.
 */
#pragma once

#include "base/bytes.h"
#include "control/sink.h"

#define JSON_DEPTH_MAX 16

struct json_writer {
	struct sink *sink;
	unsigned depth;
	bool begun; /* the current level has a value */
	uint32_t objects; /* bit d: level d is an object */
	bool complete; /* the outermost value was written */
};

void json_write_init(struct json_writer *json, struct sink *sink);
/* Asserts that the document is whole. */
void json_write_end(const struct json_writer *json);

void json_write_object_begin(struct json_writer *json, const char *key);
void json_write_object_end(struct json_writer *json);
void json_write_array_begin(struct json_writer *json, const char *key);
void json_write_array_end(struct json_writer *json);

/* at == NULL: null */
void
json_write_text(struct json_writer *json, const char *key, struct bytes value);
void json_write_u64(struct json_writer *json, const char *key, uint64_t value);
void json_write_bool(struct json_writer *json, const char *key, bool value);
void json_write_null(struct json_writer *json, const char *key);
/* Thousandths as a decimal fraction: 1500 is 1.500. */
void json_write_milli(
    struct json_writer *json, const char *key, int64_t thousandths);
