/*
 * cli_show.h - from the JSON of the admin API to words for a person
 *
 * Layer      control
 */
#pragma once

#include <json-c/json.h>

#include "base/cc.h"

/* The text, number or truth of a key; "", 0, false when it is not there. */
const char *show_text(struct json_object *o, const char *key);
int64_t show_number(struct json_object *o, const char *key);
double show_fraction(struct json_object *o, const char *key);
bool show_true(struct json_object *o, const char *key);
struct json_object *show_member(struct json_object *o, const char *key);

/* "12 s", "3 min", "5 h", "12 days": one unit, rounded down. */
#define SHOW_TIME_BYTES 32
const char *show_time(char into[SHOW_TIME_BYTES], double seconds);
/* 12345 as "12.3k"; up to 9999 as it is. */
#define SHOW_COUNT_BYTES 24
const char *show_count(char into[SHOW_COUNT_BYTES], int64_t count);

/* Standard output is a terminal with colours. */
bool show_colour(void);

/*
 * show_repeated - run @show on a fresh answer of @path; with --watch again
 * every second, on a clean screen
 * --json prints the answer as it is. Returns the exit status.
 */
struct cli_options;
int show_repeated(const struct cli_options *options, const char *path,
    void (*show)(struct json_object *answer));
