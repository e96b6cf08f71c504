#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "runtime/worker.h"

#define DUMP_CHUNK_BYTES 16384
#define DUMP_LINE_BYTES  512

struct dump {
	struct inbox_item item;
	struct event done;
	int fd;
	int error;
	char memory[DUMP_CHUNK_BYTES];
	struct appender text;
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
dump_state(const struct task *task)
{
	switch ((enum task_state)task->state) {
	case TASK_READY:
		return "ready";
	case TASK_RUNNING:
		return "running";
	case TASK_PARKED:
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

	if (task->state == TASK_PARKED && !task->uncancellable)
		end = instant_earlier(end, task->deadline);
	if (instant_is_never(end))
		append_literal(text, "never");
	else
		append_format(text, "%+lld ms",
		    (long long)duration_to_ms(instant_since(end, now)));
}

static void
dump_task(
    struct dump *dump, const struct worker *worker, const struct task *task)
{
	struct appender *text = &dump->text;

	if (appender_room(text) < DUMP_LINE_BYTES)
		dump_flush(dump);
	append_format(text, "task %p %.64s spawned at %.128s:%d waits: %.64s",
	    (const void *)task, task->name, task->file, task->line,
	    dump_state(task));
	append_literal(text, " deadline: ");
	dump_deadline(text, task, worker->now);
	if (task->scope->cancelled != 0)
		append_format(text, " cancelled: %d", task->scope->cancelled);
	append_char(text, '\n');
}

/* On the loop of the worker that is shown. */
static void
dump_worker(struct inbox_item *item)
{
	struct dump *dump = container_of(item, struct dump, item);
	struct worker *worker = worker_here;

	append_format(&dump->text, "worker %u: %u tasks, %u stacks\n",
	    worker->index, atomic_load(&worker->task_count),
	    worker->stacks.slot_count);
	for (uint32_t i = 0; i < worker->stacks.slot_count; i++) {
		const struct task *task = task_of_slot(
		    worker->stacks.arena + (size_t)i * STACK_SLOT_BYTES);

		if (task->state != TASK_FREE && dump->error == 0)
			dump_task(dump, worker, task);
	}
	dump_flush(dump);
	event_set(&dump->done);
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
	dump->item.run = dump_worker;
	dump->text = appender_over(dump->memory, sizeof(dump->memory));
	for (unsigned i = 0; i < runtime_worker_count() && error == 0; i++) {
		event_init(&dump->done);
		worker_post(i, &dump->item);
		event_wait_surely(&dump->done);
		error = dump->error;
	}
	free(dump);
	return error;
}
