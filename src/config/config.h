/*
 * config.h - the configuration file as its user sees it
 *
 * Layer      config
 */
#pragma once

#include <stdio.h>

#include "base/bytes.h"

struct config_error {
	struct config_error *next;
	int line, column; /* from 1; 0: about the whole file */
	int width; /* columns the caret underlines */
	bool warning;
	char *message; /* without position */
	char *remedy; /* or NULL: "did you mean `backend`?" */
};

/* Every mistake of one run, in the order of the file; at most
 * CONFIG_ERRORS_MAX, then one that says how many more there were. */
#define CONFIG_ERRORS_MAX 50
struct config_errors {
	const char *path;
	struct bytes text;
	struct config_error *first;
	unsigned count; /* errors */
	unsigned warning_count;
};
void config_errors_init(
    struct config_errors *errors, const char *path, struct bytes text);
void config_errors_fini(struct config_errors *errors);
/* As text: file:line:column: message, the line, a caret, the remedy. */
void
config_errors_print(const struct config_errors *errors, FILE *to, bool colour);

/* Read a whole file; *ret_text is malloc'd. Returns 0 or -errno; -EFBIG over
 * CONFIG_FILE_BYTES_MAX. */
#define CONFIG_FILE_BYTES_MAX (16 << 20)
MUST_CHECK
int config_read_file(const char *path, char **ret_text, size_t *ret_length);

/* Of one pool, and of all pools together. */
#define CONFIG_POOL_SERVERS_MAX 1024
#define CONFIG_SERVERS_MAX      4096

/* The JSON Schema (2020-12) and the reference (Markdown), both generated from
 * the tables that the reader uses. */
void config_schema_print(FILE *to);
void config_reference_print(FILE *to);
