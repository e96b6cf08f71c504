/* Each misuse in a process of its own: it ends with SIGABRT and says why. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/io.h"
#include "runtime/join.h"
#include "runtime/local.h"
#include "runtime/runtime.h"
#include "runtime/timer.h"

static const struct runtime_options one_worker = {.worker_count = 1};

/* What a process that calls @fn writes to stderr; its status in *@ret_status.
 */
static void
run_alone(void (*fn)(void), char *text, size_t capacity, int *ret_status)
{
	size_t length = 0;
	ssize_t r;
	int fds[2];
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		fn();
		_exit(0);
	}
	close(fds[1]);
	while ((r = read(fds[0], text + length, capacity - 1 - length)) > 0)
		length += (size_t)r;
	text[length] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(child, ret_status, 0), child);
}

static void
in_task(task_fn fn)
{
	_exit(runtime_run(&one_worker, fn, NULL) == 0 ? 0 : 1);
}

/* ---- outside a task ---- */

static void
yield_outside(void)
{
	(void)!task_yield();
}

static void
hook_sleeps(struct timer *timer)
{
	(void)timer;
	(void)!task_sleep(duration_ms(1));
}

static int
root_hook(void *arg)
{
	static struct timer timer;

	(void)arg;
	timer_init(&timer, hook_sleeps);
	timer_start(&timer, runtime_now());
	return task_sleep(duration_s(10));
}

static void
hook(void)
{
	in_task(root_hook);
}

/* ---- a switch where none may be ---- */

static NOINLINE int
root_nosuspend(void *arg)
{
	int error = 0;

	(void)arg;
	NOSUSPEND
	{
		error = task_sleep(duration_ms(1));
	}
	return error;
}

static void
nosuspend(void)
{
	in_task(root_nosuspend);
}

/* ---- scopes ---- */

static int
root_scope_order(void *arg)
{
	struct scope outer, inner;

	(void)arg;
	scope_init(&outer, instant_never());
	scope_init(&inner, instant_never());
	/* Both lie in the root scope: any order is right. */
	scope_fini(&outer);
	scope_fini(&inner);
	return 0;
}

static void
scope_order(void)
{
	in_task(root_scope_order);
}

static int
ends_scope(void *arg)
{
	return scope_fini(arg);
}

static int
root_scope_owner(void *arg)
{
	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	(void)!task_start(NULL, "thief", ends_scope, &scope);
	(void)!task_yield();
	return scope_fini(&scope);
}

static void
scope_owner(void)
{
	in_task(root_scope_owner);
}

static int
root_scope_open(void *arg)
{
	static struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	return 0;
}

static void
scope_open(void)
{
	in_task(root_scope_open);
}

/* ---- pairs ---- */

static int
root_unshield(void *arg)
{
	(void)arg;
	task_unshield();
	return 0;
}

static void
unshield(void)
{
	in_task(root_unshield);
}

static int
root_pop(void *arg)
{
	(void)arg;
	task_defer_pop(true);
	return 0;
}

static void
pop(void)
{
	in_task(root_pop);
}

#if defined(WEIR_SLOW_CHECKS) && defined(__x86_64__)
static int
root_rounding(void *arg)
{
	(void)arg;
	__builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x6000);
	return task_yield();
}

static void
rounding(void)
{
	in_task(root_rounding);
}
#endif

/* ---- fork ---- */

/* Runs @fn in a child that the calling task forks; 0 when it ended well. */
static int
forked(void (*fn)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		fn();
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int
nothing(void *arg)
{
	(void)arg;
	return 0;
}

static void
calls_fail(void)
{
	char byte;
	int fds[2];
	struct io_fd io;

	if (task_yield() != -EOWNERDEAD)
		_exit(1);
	if (task_sleep(duration_ms(1)) != -EOWNERDEAD)
		_exit(2);
	if (task_start(NULL, "n", nothing, NULL) != -EOWNERDEAD)
		_exit(3);
	if (offload_run(nothing, NULL, NULL, instant_never()) != -EOWNERDEAD)
		_exit(4);
	if (runtime_run(&one_worker, nothing, NULL) != -EOWNERDEAD)
		_exit(5);
	if (pipe(fds) < 0 || io_attach(&io, fds[0]) < 0)
		_exit(6);
	if (io_read(&io, &byte, 1, instant_never()) != -EOWNERDEAD)
		_exit(7);
}

static void
execs(void)
{
	execl("/bin/true", "true", (char *)NULL);
	_exit(8);
}

static int
root_fork(void *arg)
{
	struct scope scope;
	int r;

	(void)arg;
	scope_init(&scope, instant_never());
	r = forked(calls_fail);
	if (r == 0)
		r = forked(execs);
	/* The parent goes on as before. */
	if (r == 0)
		r = task_start(&scope, "n", nothing, NULL);
	if (r == 0)
		r = task_sleep(duration_ms(1));
	if (r == 0)
		r = scope_wait(&scope);
	scope_fini(&scope);
	return r;
}

static void
test_fork(void **state)
{
	assert_int_equal(runtime_run(&one_worker, root_fork, NULL), 0);
}

static int
root_fork_returns(void *arg)
{
	pid_t child = fork();
	int status;

	(void)arg;
	if (child == 0)
		return 0;
	waitpid(child, &status, 0);
	/* As the child ended. */
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
		abort();
	return 0;
}

static void
fork_returns(void)
{
	in_task(root_fork_returns);
}

static const struct {
	const char *name;
	void (*fn)(void);
	const char *texts[3];
} cases[] = {
    {"yield", yield_outside, {"task_yield() called outside a task", "only"}},
    {"hook", hook, {"task_sleep_until() called on the loop", "start a task"}},
    {"nosuspend", nosuspend,
	{"inside NOSUSPEND", "task root spawned at", "root_nosuspend+0x"}},
    {"owner", scope_owner, {"scope_fini() by another task", "task thief"}},
    {"open", scope_open, {"ends with an open scope"}},
    {"unshield", unshield, {"weir_unshield() without"}},
    {"pop", pop, {"weir_defer_pop() without"}},
#if defined(WEIR_SLOW_CHECKS) && defined(__x86_64__)
    {"rounding", rounding, {"another floating-point mode", "task root"}},
#endif
    {"fork", fork_returns, {"in a child of fork()"}},
};

static void
test_texts(void **state)
{
	static char text[16384];
	int status;

	for (size_t i = 0; i < array_count(cases); i++) {
		run_alone(cases[i].fn, text, sizeof(text), &status);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
			fail_msg("%s: did not abort: %s", cases[i].name, text);
		if (strstr(text, "weir: misuse: ") == NULL)
			fail_msg("%s: says %s", cases[i].name, text);
		for (size_t k = 0; k < array_count(cases[i].texts); k++) {
			const char *want = cases[i].texts[k];

			if (want != NULL && strstr(text, want) == NULL)
				fail_msg("%s: no '%s' in %s", cases[i].name,
				    want, text);
		}
	}
	run_alone(scope_order, text, sizeof(text), &status);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- how deep stacks go ---- */

static NOINLINE int
goes_deep(unsigned bytes)
{
	char block[8000];

	memset(block, (int)bytes, sizeof(block));
	__asm__ volatile("" : : "r"(block) : "memory");
	return 0;
}

static int
deep(void *arg)
{
	size_t before = task_stack_high();

	goes_deep(1);
	return task_stack_high() >= 8000 && before < 8000 ? 0 : -ERANGE;
}

static int
root_deep(void *arg)
{
	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	for (int i = 0; i < 3; i++)
		(void)!task_start(&scope, "deep", deep, NULL);
	(void)scope_wait(&scope);
	return scope_fini(&scope);
}

static void
stack_depths(void)
{
	setenv("WEIR_STACK_REPORT", "1", 1);
	in_task(root_deep);
}

static void
test_stack_report(void **state)
{
	static char text[16384];
	unsigned high;
	int status;
	char *line;

	run_alone(stack_depths, text, sizeof(text), &status);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	line = strstr(text, "weir: stack: ");
	assert_non_null(line);
	assert_int_equal(sscanf(line, "weir: stack: %u of", &high), 1);
	assert_true(high >= 8000);
	assert_non_null(strstr(line, ", 3 tasks deep spawned at "));
	/* The deepest first. */
	assert_true(strstr(line, " deep ") < strstr(line, " root "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_fork),
	    cmocka_unit_test(test_stack_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
