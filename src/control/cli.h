/*
 * cli.h - what the verbs of the command line have in common
 *
 * Layer      control
 */
#pragma once

#include "base/cc.h"

/*
 * Says on stderr what is wrong with the arguments of @verb, and where help
 * is. Returns 2, the exit status of wrong usage.
 */
COLD int
cli_usage_error(const char *verb, const char *format, ...) PRINTF(2, 3);
