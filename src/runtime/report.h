/*
 * report.h - the texts about locks
 *
 * Layer      runtime, inside only
 */
#pragma once

#include "base/bytes.h"
#include "runtime/deadlock.h"

struct sync;
struct lock_hold;

/* In the caller's frame; what does not fit is cut off. */
struct report {
	enum deadlock_kind kind;
	struct appender text;
	char memory[DEADLOCK_TEXT_BYTES];
};

void report_init(struct report *report, enum deadlock_kind kind);
void report_add(struct report *report, const char *format, ...) PRINTF(2, 3);
/* mutex 'name'; mutex of x.c:12 (0x7f...) */
void report_sync(struct report *report, const struct sync *sync);
/* task 'name' (spawned at x.c:12) */
void report_task(struct report *report, const struct task *task);
/* " at x.c:12" */
void report_site(struct report *report, const char *file, int line);
/* A line for the lock that @task waits for, one for each that it holds. On its
 * worker, or when all sleep. */
void report_locks(struct report *report, const struct task *task);
/* No more fits. */
static inline bool
report_full(const struct report *report)
{
	return report->text.overflowed;
}
/* To the hook or stderr. */
void report_send(struct report *report);
