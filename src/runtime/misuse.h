/*
 * misuse.h - what a programmer who uses the runtime wrongly reads
 *
 * Layer      runtime, inside only
 * Cost       a comparison where it is checked; nothing for a child of fork()
 *            until there is one
 *
 * One line that says what was done and what to do instead, the task, where it
 * was started and its calls; then abort().
 */
#pragma once

#include "base/cc.h"

struct worker;
struct task;

COLD NORETURN void misuse(const char *format, ...) PRINTF(1, 2);

/* must() for what the caller of a public function is to keep: the text names
 * that function, not the one it is checked in. */
#define misuse_unless(x, ...) (likely(x) ? (void)0 : misuse(__VA_ARGS__))

/* @function was called by no task: says whether by another thread, by a hook
 * of the loop, or in a child of fork(). */
COLD NORETURN void misuse_outside_task(const char *function);

/* @function, which tasks and hooks may call, was called on another thread. */
COLD NORETURN void misuse_outside_worker(const char *function);

/* A task switch where none may be: NOSUSPEND, or a child of fork(). */
COLD NORETURN void misuse_suspended(const struct worker *worker);
