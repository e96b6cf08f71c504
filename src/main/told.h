/*
 * told.h - what the runtime has to say about itself, into the log
 *
 * Layer      main
 * Threads    any
 */
#pragma once

#include "runtime/deadlock.h"

/* Of struct runtime_options. */
void told_stall(const char *text);
/* A deadlock_hook. */
void told_deadlock(enum deadlock_kind kind, const char *text);
