/*
 * dump.c - every task with what it waits for and the calls it is in
 *
 * A worker's tasks are described on its own loop, where none of them runs: to
 * others their stacks would change while they are read.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "os/clock.h"
#include "runtime/backtrace.h"
#include "runtime/report.h"
#include "runtime/switch.h"
#include "runtime/worker.h"

#define DUMP_CHUNK_BYTES 32768
/* A task: a line, its locks, and 200 bytes at most for each of its calls. */
#define DUMP_TASK_BYTES (512 + DEADLOCK_TEXT_BYTES + 200 * BACKTRACE_DEPTH_MAX)

struct dump {
	struct inbox_item item;
	struct event done;
	struct symbols symbols;
	int fd;
	int error;
	char memory[DUMP_CHUNK_BYTES];
	struct appender text;
	struct report locks;
};

static void
dump_flush(struct dump *dump)
{
	size_t written = 0;

	while (written < dump->text.length && dump->error == 0) {
		ssize_t result = write(dump->fd, dump->memory + written,
		    dump->text.length - written);

		if (result < 0 && errno != EINTR)
			dump->error = -errno;
		else if (result > 0)
			written += (size_t)result;
	}
	dump->text = appender_over(dump->memory, sizeof(dump->memory));
}

static const char *
dump_state(const struct worker *worker, const struct task *task)
{
	switch ((enum task_state)task->state) {
	case TASK_READY:
		return task == worker->current ? "running" : "ready";
	case TASK_PARKED:
	case TASK_SHRUNK:
		return task->reason;
	case TASK_FREE:
		break;
	}
	return "free";
}

static void
dump_deadline(struct appender *text, const struct task *task, instant now)
{
	instant end = task->scope->deadline;

	if (task_parked(task) && !task->uncancellable)
		end = instant_earlier(end, task->deadline);
	if (instant_is_never(end))
		append_literal(text, "never");
	else
		append_format(text, "%+lld ms",
		    (long long)duration_to_ms(instant_since(end, now)));
}

static void
dump_task(struct dump *dump, const struct worker *worker, struct task *task)
{
	struct appender *text = &dump->text;
	struct backtrace trace;

	if (appender_room(text) < DUMP_TASK_BYTES)
		dump_flush(dump);
	append_format(text, "task %p %.64s spawned at %.128s:%d waits: %.64s",
	    (void *)task, task->name, task->file, task->line,
	    dump_state(worker, task));
	if (task_parked(task))
		append_format(text, " for: %lld ms",
		    (long long)duration_to_ms(
			instant_since(worker->now, task->since)));
	append_literal(text, " deadline: ");
	dump_deadline(text, task, worker->now);
	if (task->scope->cancelled != 0 || task->cancelled != 0)
		append_format(text, " cancelled: %d",
		    task->scope->cancelled != 0 ? task->scope->cancelled
						: task->cancelled);
	append_format(text, " stack: %zu bytes%s\n",
	    (size_t)(task_top(task) - (char *)task->context.sp),
	    task->state == TASK_SHRUNK ? " (shrunk)" : "");
	report_init(&dump->locks, DEADLOCK_ASLEEP);
	report_locks(&dump->locks, task);
	append_bytes(text, appender_bytes(&dump->locks.text));
	backtrace_task(&trace, task);
	backtrace_append(text, &trace, &dump->symbols);
}

static void
dump_worker(struct dump *dump, struct worker *worker)
{
	append_format(&dump->text, "worker %u: %u tasks, %u stacks\n",
	    worker->index, atomic_load(&worker->task_count),
	    worker->stacks.slot_count);
	worker->now = clock_now();
	for (uint32_t i = 0; i < worker->stacks.slot_count; i++) {
		struct task *task = worker_task(worker, i);

		if (task->state != TASK_FREE && dump->error == 0)
			dump_task(dump, worker, task);
	}
	dump_flush(dump);
}

/* On the loop of the worker that is shown. */
static void
dump_worker_run(struct inbox_item *item)
{
	struct dump *dump = container_of(item, struct dump, item);

	dump_worker(dump, worker_here);
	event_set(&dump->done);
}

void
worker_dump(struct worker *worker, int fd)
{
	static struct dump dump;

	dump.fd = fd;
	dump.error = 0;
	dump.text = appender_over(dump.memory, sizeof(dump.memory));
	symbols_init(&dump.symbols);
	dump_worker(&dump, worker);
}

int
runtime_dump(int fd)
{
	struct dump *dump = malloc(sizeof(*dump));
	int error = 0;

	if (dump == NULL)
		return -ENOMEM;
	dump->fd = fd;
	dump->error = 0;
	dump->item.run = dump_worker_run;
	dump->text = appender_over(dump->memory, sizeof(dump->memory));
	symbols_init(&dump->symbols);
	for (unsigned i = 0; i < runtime_worker_count() && error == 0; i++) {
		event_init(&dump->done);
		worker_post(i, &dump->item);
		event_wait_surely(&dump->done);
		error = dump->error;
	}
	symbols_fini(&dump->symbols);
	free(dump);
	return error;
}
