/*
 * nearest.h - what somebody may have meant
 *
 * Layer      main
 */
#pragma once

#include "base/cc.h"

/*
 * The one of @count @names with the fewest edits (insert, delete, replace,
 * swap of neighbours) to @word, or NULL when none is close: more than two
 * edits, or half the length of the word.
 */
const char *
nearest_name(const char *word, const char *const *names, size_t count);
