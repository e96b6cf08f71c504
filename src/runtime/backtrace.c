#include "runtime/backtrace.h"

#include "runtime/switch.h"
#include "runtime/worker.h"

/* @by: from where the frames were to where they can be read. */
static void
backtrace_walk_moved(struct backtrace *ret_trace, uintptr_t pc, uintptr_t fp,
    uintptr_t low, uintptr_t high, uintptr_t by)
{
	ret_trace->depth = 0;
	while (pc != 0) {
		const uintptr_t *frame;

		ret_trace->pcs[ret_trace->depth++] = pc;
		if (ret_trace->depth == BACKTRACE_DEPTH_MAX || fp < low ||
		    fp % sizeof(*frame) != 0 ||
		    high - low < 2 * sizeof(*frame) ||
		    fp > high - 2 * sizeof(*frame))
			return;
		frame = (const uintptr_t *)(fp + by);
		/* Callers lie above. */
		low = fp + sizeof(*frame);
		fp = frame[0];
		pc = frame[1];
	}
}

void
backtrace_walk(struct backtrace *ret_trace, uintptr_t pc, uintptr_t fp,
    uintptr_t low, uintptr_t high)
{
	backtrace_walk_moved(ret_trace, pc, fp, low, high, 0);
}

static uintptr_t
backtrace_low(struct task *task)
{
	return (uintptr_t)task_slot(task) + STACK_GUARD_BYTES;
}

void
backtrace_task(struct backtrace *ret_trace, struct task *task)
{
	const char *sp = task->context.sp;
	uintptr_t by = 0, low = backtrace_low(task);

	/* Where it was there is nothing now. */
	if (task->state == TASK_SHRUNK) {
		low = (uintptr_t)sp;
		by = (uintptr_t)task->frames - low;
		sp = task->frames;
	}
	backtrace_walk_moved(ret_trace, switch_frame_pc(sp),
	    switch_frame_fp(sp), low, (uintptr_t)task_top(task), by);
}

NOINLINE void
backtrace_here(struct backtrace *ret_trace, struct task *task)
{
	uintptr_t pc = (uintptr_t)__builtin_return_address(0);
	/* Of the caller: what this function's frame points to. */
	uintptr_t fp = *(const uintptr_t *)__builtin_frame_address(0);

	if (task != NULL)
		backtrace_walk(ret_trace, pc, fp, backtrace_low(task),
		    (uintptr_t)task_top(task));
	else
		backtrace_walk(ret_trace, pc, 0, 1, 0);
}

static const char *
backtrace_file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

void
backtrace_append(struct appender *text, const struct backtrace *trace,
    struct symbols *symbols)
{
	for (unsigned i = 0, shown = 0; i < trace->depth; i++) {
		/* The call lies before the address that it returns to. */
		struct symbol symbol = symbols_find(symbols, trace->pcs[i] - 1);
		const char *name = symbol.function;

		if (name != NULL && shown == 0 &&
		    (strcmp(name, "worker_leave") == 0 ||
			strcmp(name, "worker_switch") == 0 ||
			strcmp(name, "worker_yield") == 0))
			continue;
		append_format(text, "    #%u ", shown++);
		if (symbol.module == NULL)
			append_format(text, "0x%llx\n",
			    (unsigned long long)trace->pcs[i]);
		else
			append_format(text, "%.96s+0x%llx (%.64s)\n",
			    name != NULL ? name : "?",
			    (unsigned long long)symbol.offset + 1,
			    backtrace_file_name(symbol.module));
	}
}
