/*
 * backtrace.h - the calls that a task is in
 *
 * Layer      runtime, inside only
 * Threads    backtrace_walk() and backtrace_task() read the stack of a task of
 *            this worker (or of a thread that stands still); async-signal-safe.
 *            backtrace_append() is not.
 * Invariant  a walk follows frame pointers (the library is built with them) and
 *            reads nothing outside the stack, whatever the pointers hold
 */
#pragma once

#include "base/bytes.h"
#include "os/symbol.h"

#define BACKTRACE_DEPTH_MAX 32

struct task;

struct backtrace {
	unsigned depth;
	uintptr_t pcs[BACKTRACE_DEPTH_MAX];
};

/* From @pc with the frame pointer @fp on; frames lie in [@low, @high). */
void backtrace_walk(struct backtrace *ret_trace, uintptr_t pc, uintptr_t fp,
    uintptr_t low, uintptr_t high);

/* Of a task that does not run. */
void backtrace_task(struct backtrace *ret_trace, struct task *task);

/* Of the caller, which is @task (NULL: its own frame only). */
void backtrace_here(struct backtrace *ret_trace, struct task *task);

/* A line per call, "    #2 io_recv+0x40 (libweir.so.0)". Those of the switch
 * itself are left out. */
void backtrace_append(struct appender *text, const struct backtrace *trace,
    struct symbols *symbols);
