/*
 * regex.h - regular expressions of the configuration
 *
 * Layer      config
 * Threads    any thread may match; each has its own match data and JIT stack,
 *            made at its first match and freed when it ends
 * Memory     a pattern belongs to its snapshot; on the stack of the caller a
 *            match takes about 1 KB
 * Limits     REGEX_MATCH_LIMIT steps, then the subject does not match; that
 *            bounds what a client can spend with a pathological subject
 */
#pragma once

#include "base/arena.h"

#define REGEX_PATTERN_MAX 4096
#define REGEX_MATCH_LIMIT 100000

struct config_regex;

struct config_regex_error {
	char text[160]; /* what PCRE2 says */
	size_t offset; /* in the pattern, bytes */
};

/*
 * config_regex_compile - PCRE2 syntax; bytes, not UTF
 *
 * @arena  holds the struct; the compiled pattern is freed by
 *         config_regex_free()
 * Returns 0, -EINVAL (*ret_error says why), -ENOMEM
 */
MUST_CHECK
int config_regex_compile(struct arena *arena, struct bytes pattern,
    const struct config_regex **ret, struct config_regex_error *ret_error);
/* The compiled pattern, not the arena's memory. */
void config_regex_free(const struct config_regex *regex);

/*
 * config_regex_match - whether the pattern is found in @subject
 *
 * @captures  or NULL; [0] the whole match, [1..9] groups, at == NULL: unset
 */
bool config_regex_match(const struct config_regex *regex, struct bytes subject,
    struct bytes captures[10]);

/* The groups of the pattern. */
unsigned config_regex_groups(const struct config_regex *regex);
struct bytes config_regex_pattern(const struct config_regex *regex);
