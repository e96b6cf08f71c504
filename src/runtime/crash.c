/*
 * crash.c - the last words of a process name the task
 *
 * A fault on a guard page is a stack overflow; which task's follows from the
 * address. The handler runs on a stack of its own, since the task's is used
 * up, and then lets the previous handler (of a sanitizer, or the system's)
 * see the same fault again.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "runtime/backtrace.h"
#include "runtime/worker.h"

#ifndef AT_MINSIGSTKSZ
#	define AT_MINSIGSTKSZ 51
#endif
#define CRASH_STACK_BYTES (64 << 10)

static struct sigaction crash_before_segv, crash_before_bus, crash_before_pipe;
static void (*crash_before_hook)(int fd);

static void
crash_write(int fd, const struct appender *text)
{
	ssize_t written = write(fd, text->at, text->length);

	/* There is nobody left to tell. */
	(void)written;
}

static void
crash_append_task(struct appender *text, const struct task *task)
{
	append_literal(text, "task ");
	append_text(text, task->name);
	append_literal(text, " spawned at ");
	append_text(text, task->file);
	append_char(text, ':');
	append_u64(text, (uint64_t)task->line);
	append_literal(text, " (worker ");
	append_u64(text, worker_self());
	append_literal(text, ")\n");
}

static void
crash_name_task(int fd)
{
	char memory[512];
	struct appender text = appender_over(memory, sizeof(memory));
	const struct task *task = task_self();

	if (worker_here == NULL)
		return;
	append_literal(&text, "weir: in ");
	if (task != NULL) {
		crash_append_task(&text, task);
	} else {
		append_literal(&text, "the loop of worker ");
		append_u64(&text, worker_here->index);
		append_char(&text, '\n');
	}
	crash_write(fd, &text);
}

/* Of must() and misuse(): the process still works, so calls have names. */
static void
crash_tell(int fd)
{
	char memory[4096];
	struct appender text = appender_over(memory, sizeof(memory));
	struct backtrace trace;
	struct symbols symbols;

	crash_name_task(fd);
	if (task_self() == NULL)
		return;
	backtrace_here(&trace, task_self());
	symbols_init(&symbols);
	backtrace_append(&text, &trace, &symbols);
	crash_write(fd, &text);
}

static void
crash_name_fault(int signal, const void *address)
{
	char memory[512];
	struct appender text = appender_over(memory, sizeof(memory));
	size_t offset = STACK_SLOT_BYTES;
	char *slot = NULL;
	const struct task *shrunk;

	if (worker_here != NULL)
		slot = stack_find(&worker_here->stacks, address, &offset);
	if (slot != NULL && offset < STACK_GUARD_BYTES) {
		append_literal(&text, "weir: stack overflow, ");
		crash_append_task(&text,
		    worker_task(
			worker_here, stack_index(&worker_here->stacks, slot)));
		crash_write(STDERR_FILENO, &text);
		return;
	}
	shrunk = shrink_find(address);
	if (shrunk != NULL) {
		append_literal(&text,
		    "weir: another thread follows a pointer to the stack, "
		    "shrunk while it is idle, of ");
		crash_append_task(&text, shrunk);
	}
	append_literal(&text, "weir: signal ");
	append_u64(&text, (uint64_t)signal);
	append_literal(&text, ", address 0x");
	append_hex(&text, (uint64_t)(uintptr_t)address);
	append_char(&text, '\n');
	crash_write(STDERR_FILENO, &text);
	crash_name_task(STDERR_FILENO);
}

static void
crash_handle(int signal, siginfo_t *info, void *context)
{
	struct sigaction before =
	    signal == SIGSEGV ? crash_before_segv : crash_before_bus;

	(void)context;
	if (info->si_code > 0 && shrink_fault(info->si_addr))
		return;
	if (info->si_code > 0)
		crash_name_fault(signal, info->si_addr);
	/* Back to the instruction that faults, under the old rule. A signal
	 * somebody sent has no such instruction. */
	if (before.sa_handler == SIG_IGN)
		before.sa_handler = SIG_DFL;
	sigaction(signal, &before, NULL);
	if (info->si_code <= 0)
		raise(signal);
}

void
crash_install(void)
{
	struct sigaction action = {
	    .sa_sigaction = crash_handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigemptyset(&action.sa_mask);
	sigaction(SIGSEGV, &action, &crash_before_segv);
	sigaction(SIGBUS, &action, &crash_before_bus);
	/* Stays so afterwards: the program has writers of its own. */
	sigaction(SIGPIPE, NULL, &crash_before_pipe);
	if (crash_before_pipe.sa_handler == SIG_DFL)
		sigaction(SIGPIPE, &ignore, NULL);
	crash_before_hook = must_failed_hook;
	must_failed_hook = crash_tell;
}

void
crash_uninstall(void)
{
	sigaction(SIGSEGV, &crash_before_segv, NULL);
	sigaction(SIGBUS, &crash_before_bus, NULL);
	must_failed_hook = crash_before_hook;
}

void
crash_thread_start(struct worker *worker)
{
	size_t bytes = getauxval(AT_MINSIGSTKSZ) + CRASH_STACK_BYTES;
	stack_t stack = {.ss_size = bytes};
	void *memory;

	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* Without it an overflow ends the process unnamed. */
	if (memory == MAP_FAILED)
		return;
	stack.ss_sp = memory;
	sigaltstack(&stack, NULL);
	worker->signal_stack = memory;
	worker->signal_stack_bytes = bytes;
}

void
crash_thread_end(struct worker *worker)
{
	stack_t stack = {.ss_flags = SS_DISABLE};

	if (worker->signal_stack == NULL)
		return;
	sigaltstack(&stack, NULL);
	munmap(worker->signal_stack, worker->signal_stack_bytes);
	worker->signal_stack = NULL;
}
