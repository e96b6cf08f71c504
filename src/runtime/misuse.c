#include "runtime/misuse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "runtime/worker.h"

void
misuse(const char *format, ...)
{
	char memory[512];
	struct appender text = appender_over(memory, sizeof(memory) - 1);
	va_list args;
	int length;

	append_literal(&text, "weir: misuse: ");
	va_start(args, format);
	length = vsnprintf(
	    memory + text.length, sizeof(memory) - text.length, format, args);
	va_end(args);
	if (length > 0)
		text.length =
		    min_of(text.length + (size_t)length, sizeof(memory) - 1);
	memory[text.length] = '\n';
	/* There is nobody left to tell. */
	if (write(STDERR_FILENO, memory, text.length + 1) < 0)
		abort();
	if (must_failed_hook != NULL)
		must_failed_hook(STDERR_FILENO);
	abort();
}

void
misuse_outside_task(const char *function)
{
	if (worker_here == NULL)
		misuse("%s() called outside a task; only what weir_run() or "
		       "weir_task_start() has started may call it",
		    function);
	misuse("%s() called on the loop of a worker, by a timer or a hook, "
	       "which must not wait; start a task there",
	    function);
}

void
misuse_outside_worker(const char *function)
{
	misuse("%s() called on a thread that is no worker; only tasks and "
	       "hooks inside weir_run() may call it",
	    function);
}

void
misuse_suspended(const struct worker *worker)
{
	if (runtime_here.forked)
		misuse("a task waits or ends in a child of fork(), where no "
		       "worker runs; call exec or _exit there, or start "
		       "programs by the runtime");
	misuse(
	    "a task would wait inside NOSUSPEND or while it holds a pthread "
	    "lock (%u deep); leave that before, or use a lock of the runtime",
	    worker->leave_checks & WORKER_NOSUSPEND);
}
