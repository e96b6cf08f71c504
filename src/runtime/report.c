/*
 * report.c - the texts about locks, and where they go
 */
#include "runtime/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/sync_core.h"

/* Room that is kept for the end of a text that does not fit. */
#define REPORT_CUT "  ...\n"

static _Atomic(deadlock_hook) report_hook;

void
deadlock_set_hook(deadlock_hook hook)
{
	atomic_store(&report_hook, hook);
}

void
report_init(struct report *report, enum deadlock_kind kind)
{
	report->kind = kind;
	report->text = appender_over(
	    report->memory, sizeof(report->memory) - sizeof(REPORT_CUT));
}

void
report_add(struct report *report, const char *format, ...)
{
	char piece[512];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(piece, sizeof(piece), format, args);
	va_end(args);
	if (length > 0)
		append(&report->text, piece,
		    min_of((size_t)length, sizeof(piece) - 1));
}

/* Builds give paths from the build folder. */
static const char *
report_path(const char *file)
{
	while (strncmp(file, "../", 3) == 0)
		file += 3;
	return file;
}

void
report_site(struct report *report, const char *file, int line)
{
	report_add(
	    report, "%.160s:%d", file != NULL ? report_path(file) : "?", line);
}

const char *
sync_kind_name(int kind)
{
	switch ((enum sync_kind)kind) {
	case SYNC_MUTEX:
		return "mutex";
	case SYNC_REENTRANT:
		return "reentrant mutex";
	case SYNC_RWLOCK:
		return "rwlock";
	case SYNC_ONCE:
		return "once";
	case SYNC_CONDITION:
		return "condition";
	case SYNC_BARRIER:
		return "barrier";
	case SYNC_SEMAPHORE:
		return "semaphore";
	case SYNC_WAIT_GROUP:
		return "wait group";
	case SYNC_NONE:
		break;
	}
	return "lock";
}

void
report_sync(struct report *report, const struct sync *sync)
{
	bool is_kind = sync->kind > SYNC_NONE && sync->kind <= SYNC_WAIT_GROUP;

	report_add(report, "%s ", sync_kind_name(sync->kind));
	if (!is_kind) {
		report_add(report, "at %p", (const void *)sync);
	} else if (sync->name != NULL) {
		report_add(report, "'%.64s'", sync->name);
	} else {
		report_add(report, "of ");
		report_site(report, sync->file, sync->line);
		report_add(report, " (%p)", (const void *)sync);
	}
}

void
report_task(struct report *report, const struct task *task)
{
	if (task == NULL) {
		report_add(report, "a thread outside the tasks");
		return;
	}
	report_add(report, "task '%.64s' (spawned at ", task->name);
	report_site(report, task->file, task->line);
	report_add(report, ")");
}

void
report_locks(struct report *report, const struct task *task)
{
	const struct sync_waiter *waiter = task->waits;

	if (waiter != NULL) {
		report_add(report, "    waits for ");
		report_sync(report, waiter->sync);
		report_add(report, " at ");
		report_site(report, waiter->file, waiter->line);
		report_add(report, "\n");
	}
	for (const struct lock_hold *hold = task->holds; hold != NULL;
	     hold = hold->next) {
		report_add(report, "    holds ");
		report_sync(report, hold->sync);
		report_add(report, ", taken at ");
		report_site(report, hold->file, hold->line);
		report_add(report, "\n");
	}
}

static void
report_write(const char *text, size_t length)
{
	while (length > 0) {
		ssize_t written = write(STDERR_FILENO, text, length);

		if (written < 0 && errno != EINTR)
			return;
		if (written > 0) {
			text += written;
			length -= (size_t)written;
		}
	}
}

void
report_send(struct report *report)
{
	deadlock_hook hook = atomic_load(&report_hook);
	char *end = report->memory + report->text.length;

	if (report->text.overflowed)
		end = stpcpy(end, REPORT_CUT);
	*end = '\0';
	if (hook != NULL)
		hook(report->kind, report->memory);
	else
		report_write(report->memory, (size_t)(end - report->memory));
}

int
sync_misuse(
    const struct sync *sync, int error, const char *call, const char *why)
{
	struct report report;

	report_init(&report, DEADLOCK_MISUSE);
	report_add(&report, "weir: %s(): ", call);
	report_sync(&report, sync);
	report_add(&report, ": %s\n  called by ", why);
	report_task(&report, task_self());
	report_add(&report, "\n");
	report_send(&report);
	return error;
}
