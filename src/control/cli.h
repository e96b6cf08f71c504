/*
 * cli.h - what the verbs of the command line have in common, and those that
 * ask the running program
 *
 * Layer      control
 *
 * A verb returns the exit status: 0, 1 (failed; stderr says what and what to
 * do), 2 (wrong usage). Their help is in main/verbs.tbl.
 */
#pragma once

#include "base/cc.h"

/*
 * Says on stderr what is wrong with the arguments of @verb, and where help
 * is. Returns 2, the exit status of wrong usage.
 */
COLD int
cli_usage_error(const char *verb, const char *format, ...) PRINTF(2, 3);

int verb_status(int argc, char **argv);
int verb_servers(int argc, char **argv);
int verb_drain(int argc, char **argv);
int verb_ready(int argc, char **argv);
int verb_down(int argc, char **argv);
int verb_weight(int argc, char **argv);
int verb_reload(int argc, char **argv);
int verb_stop(int argc, char **argv);
int verb_dump(int argc, char **argv);
int verb_metrics(int argc, char **argv);
