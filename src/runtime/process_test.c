#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/clock.h"
#include "runtime/process_private.h"
#include "runtime/runtime.h"

static const struct runtime_options one_worker = {.worker_count = 1};

static void
in_task(task_fn fn)
{
	assert_int_equal(runtime_run(&one_worker, fn, NULL), 0);
}

static instant
soon(void)
{
	return instant_after(clock_now(), duration_s(60));
}

/* Of /proc/PID/stat: the state and the parent. */
static char
state_of(const char *pid, int *ret_parent)
{
	char path[64], line[512], state = 0;
	FILE *file;

	*ret_parent = 0;
	(void)snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	file = fopen(path, "r");
	if (file == NULL)
		return 0;
	if (fgets(line, sizeof(line), file) != NULL)
		(void)sscanf(
		    strrchr(line, ')') + 1, " %c %d", &state, ret_parent);
	fclose(file);
	return state;
}

/* How many children of this process are zombies. */
static unsigned
zombie_count(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	unsigned count = 0;
	int parent;

	assert_non_null(proc);
	while ((entry = readdir(proc)) != NULL) {
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    state_of(entry->d_name, &parent) == 'Z' &&
		    parent == getpid())
			count++;
	}
	closedir(proc);
	return count;
}

static unsigned
fds_open(void)
{
	DIR *self = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(self) != NULL)
		count++;
	closedir(self);
	return count;
}

static bool
children_left(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ||
	    errno != ECHILD;
}

static struct process *
started(const char *script, struct process_options options)
{
	char *argv[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
	struct process *process;

	options.argv = argv;
	assert_int_equal(process_start(&options, &process, NULL), 0);
	return process;
}

/* ---- wait and signals ---- */

static int
wait_task(void *arg)
{
	struct process_exit exit;
	struct process *process;
	char memory[64];
	struct appender text = appender_over(memory, sizeof(memory));

	process = started("exit 7", (struct process_options){0});
	assert_int_equal(process_wait(process, &exit, soon()), 0);
	assert_int_equal(exit.code, 7);
	assert_int_equal(exit.signal, 0);
	/* Again, and when it has long ended. */
	assert_int_equal(process_wait(process, &exit, instant_past()), 0);
	assert_int_equal(exit.code, 7);
	assert_int_equal(process_signal(process, SIGTERM), -ESRCH);
	process_exit_append(&text, &exit);
	assert_memory_equal(memory, "exited with code 7", text.length);
	process_drop(process);

	process = started("exec sleep 100", (struct process_options){0});
	assert_int_equal(
	    process_wait(process, &exit, instant_past()), -ETIMEDOUT);
	assert_int_equal(process_wait(process, &exit,
			     instant_after(clock_now(), duration_ms(10))),
	    -ETIMEDOUT);
	assert_false(process_ended(process));
	assert_int_equal(process_signal(process, SIGKILL), 0);
	assert_int_equal(process_wait(process, &exit, soon()), 0);
	assert_int_equal(exit.code, -1);
	assert_int_equal(exit.signal, SIGKILL);
	process_drop(process);
	process_drop(NULL);
	return 0;
}

static void
test_wait(void **state)
{
	in_task(wait_task);
}

static int
stop_task(void *arg)
{
	struct process_options piped = {.out.kind = PROCESS_PIPE};
	struct process_exit exit;
	struct process *process;
	char byte;

	process = started("exec sleep 100", (struct process_options){0});
	assert_int_equal(process_stop(process, duration_s(60), &exit), 0);
	assert_int_equal(exit.signal, SIGTERM);
	process_drop(process);

	/* One that does not listen. */
	process =
	    started("trap '' TERM; echo; while :; do sleep 1; done", piped);
	assert_int_equal(io_read(process_stdout(process), &byte, 1, soon()), 1);
	assert_int_equal(process_stop(process, duration_ms(20), &exit), 0);
	assert_int_equal(exit.signal, SIGKILL);
	process_drop(process);
	return 0;
}

static void
test_stop(void **state)
{
	in_task(stop_task);
}

/* Whole messages, and what is blocked or ignored stays so. */
static int
channel_task(void *arg)
{
	struct process_options options = {.channel_fd = 9};
	struct process *process;
	struct process_exit exit;
	struct io_fd *channel;
	char text[64];

	process =
	    started("echo one >&9; echo two >&9; "
		    "head -n 1 <&9 >&9; grep SigIgn /proc/self/status >&9",
		options);
	channel = process_channel(process);
	assert_int_equal(io_recv(channel, text, sizeof(text), soon()), 4);
	assert_memory_equal(text, "one\n", 4);
	assert_int_equal(io_recv(channel, text, sizeof(text), soon()), 4);
	assert_memory_equal(text, "two\n", 4);
	assert_int_equal(io_send(channel, "three\n", 6, NULL, soon()), 6);
	assert_int_equal(io_recv(channel, text, sizeof(text), soon()), 6);
	assert_memory_equal(text, "three\n", 6);
	assert_true(io_recv(channel, text, sizeof(text), soon()) > 0);
	assert_memory_equal(text, "SigIgn:\t0000000000000000\n", 25);
	assert_int_equal(io_recv(channel, text, sizeof(text), soon()), 0);
	assert_int_equal(process_wait(process, &exit, soon()), 0);
	process_drop(process);

	/* SIGPIPE, which the runtime ignores, is one of them: 13. */
	options.keep_signals = true;
	process = started("grep SigIgn /proc/self/status >&9", options);
	channel = process_channel(process);
	assert_true(io_recv(channel, text, sizeof(text), soon()) > 0);
	assert_true(strtoull(text + 8, NULL, 16) & (1u << (SIGPIPE - 1)));
	assert_int_equal(process_wait(process, &exit, soon()), 0);
	process_drop(process);
	return 0;
}

static void
test_channel(void **state)
{
	unsigned before = fds_open();

	in_task(channel_task);
	assert_int_equal(fds_open(), before);
}

static int
stolen_task(void *arg)
{
	struct process *process =
	    started("exit 0", (struct process_options){0});
	struct process_exit exit;

	while (waitpid(process_pid(process), NULL, 0) < 0)
		assert_int_equal(errno, EINTR);
	assert_int_equal(process_wait(process, &exit, soon()), -ECHILD);
	process_drop(process);
	return 0;
}

static void
test_stolen(void **state)
{
	in_task(stolen_task);
}

/* ---- streams, environment ---- */

static int
streams_task(void *arg)
{
	struct process_options options = {
	    .in.kind = PROCESS_PIPE,
	    .out.kind = PROCESS_PIPE,
	    .err.kind = PROCESS_STDOUT,
	};
	struct process *process =
	    started("read line; echo got $line >&2", options);
	struct process_exit exit;
	char text[64];

	assert_int_equal(
	    io_write(process_stdin(process), "one\n", 4, soon()), 4);
	assert_int_equal(
	    io_read(process_stdout(process), text, sizeof(text), soon()), 8);
	assert_memory_equal(text, "got one\n", 8);
	assert_int_equal(
	    io_read(process_stdout(process), text, sizeof(text), soon()), 0);
	assert_int_equal(process_stderr(process)->fd, -1);
	assert_int_equal(process_wait(process, &exit, soon()), 0);
	process_drop(process);
	return 0;
}

static void
test_streams(void **state)
{
	unsigned before = fds_open();

	in_task(streams_task);
	assert_int_equal(fds_open(), before);
}

static void
run_expect(struct process_options options, const char *script,
    const char *input, const char *output)
{
	char *argv[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
	struct process_result result;

	options.argv = argv;
	options.out.kind = PROCESS_PIPE;
	assert_int_equal(process_run(&options, bytes_from(input), 4096, soon(),
			     &result, NULL),
	    0);
	assert_int_equal(result.exit.code, 0);
	assert_string_equal(result.out, output);
	assert_null(result.err);
	process_result_free(&result);
}

static int
options_task(void *arg)
{
	char *base[] = {"A=1", "B=2", "AB=3", NULL};
	char *changes[] = {"A=10", "B", "C=x=y", "C=z", NULL};
	struct process_options options = {.environment = base,
	    .environment_changes = changes,
	    .directory = "/usr/bin",
	    .in.kind = PROCESS_NULL};
	struct process *process;

	run_expect(
	    options, "echo $A,$B,$C,$AB; pwd; cat", "", "10,,z,3\n/usr/bin\n");
	setenv("WEIR_TEST", "ours", 1);
	options.environment = NULL;
	run_expect(options, "echo $WEIR_TEST $C", "", "ours z\n");
	options.environment_changes = NULL;
	run_expect(options, "echo $WEIR_TEST; cat", "from us", "ours\nfrom us");

	options =
	    (struct process_options){.out = {PROCESS_FD, -1}, .argv = changes};
	assert_int_equal(process_start(&options, &process, NULL), -EBADF);
	options.out.kind = PROCESS_STDOUT;
	assert_int_equal(process_start(&options, &process, NULL), -EINVAL);
	options.out.kind = 99;
	assert_int_equal(process_start(&options, &process, NULL), -EINVAL);
	return 0;
}

static void
test_options(void **state)
{
	in_task(options_task);
}

static int
failure_task(void *arg)
{
	char *argv[] = {"no-such-program", NULL};
	struct process_options options = {
	    .argv = argv, .in.kind = PROCESS_PIPE, .out.kind = PROCESS_PIPE};
	const char *step = NULL;
	struct process *process;

	assert_int_equal(process_start(&options, &process, &step), -ENOENT);
	assert_string_equal(step, "execute the program");
	options.directory = "/nonexistent";
	options.path = "/bin/true";
	assert_int_equal(process_start(&options, &process, &step), -ENOENT);
	assert_string_equal(step, "change to its directory");
	assert_false(children_left());
	return 0;
}

static void
test_failures(void **state)
{
	unsigned before = fds_open();

	in_task(failure_task);
	assert_int_equal(fds_open(), before);
}

/* ---- run ---- */

static int
run_task(void *arg)
{
	/* More than pipes hold, in both directions at once. */
	const size_t bytes = 1 << 20;
	char *cat[] = {"cat", NULL};
	char *shell[] = {"sh", "-c", NULL, NULL};
	struct process_options options = {
	    .argv = cat, .out.kind = PROCESS_PIPE, .err.kind = PROCESS_PIPE};
	struct process_result result;
	char *big = malloc(bytes);

	memset(big, 'x', bytes);
	assert_int_equal(process_run(&options, bytes_of(big, bytes), bytes,
			     soon(), &result, NULL),
	    0);
	assert_int_equal(result.out_length, bytes);
	assert_int_equal(result.err_length, 0);
	assert_memory_equal(result.out, big, bytes);
	process_result_free(&result);
	/* One byte too many. */
	assert_int_equal(process_run(&options, bytes_of(big, bytes), bytes - 1,
			     soon(), &result, NULL),
	    -EMSGSIZE);
	/* One that does not read. */
	options.argv = shell;
	shell[2] = "echo no >&2; exit 4";
	assert_int_equal(process_run(&options, bytes_of(big, bytes), 100,
			     soon(), &result, NULL),
	    0);
	assert_int_equal(result.exit.code, 4);
	assert_string_equal(result.err, "no\n");
	process_result_free(&result);
	free(big);
	return 0;
}

static void
test_run(void **state)
{
	in_task(run_task);
}

/* The shell is gone, but its child has the pipe: the deadline ends it. */
static int
run_late_task(void *arg)
{
	char *argv[] = {"sh", "-c", "sleep 1000 & echo $!", NULL};
	char *slow[] = {"sleep", "1000", NULL};
	struct process_options options = {
	    .argv = argv, .out.kind = PROCESS_PIPE};
	struct process_result result;
	int ends[2];
	const struct spawn_fd fd = {-1, 9};
	struct spawn_fd fds[1] = {fd};
	char byte;

	assert_int_equal(pipe(ends), 0);
	fds[0].from = ends[1];
	options.fds = fds;
	options.fd_count = 1;
	assert_int_equal(
	    process_run(&options, bytes_of("", 0), 100,
		instant_after(clock_now(), duration_ms(100)), &result, NULL),
	    -ETIMEDOUT);
	close(ends[1]);
	/* All who had it are dead. */
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);

	options = (struct process_options){.argv = slow};
	assert_int_equal(
	    process_run(&options, bytes_of("", 0), 100,
		instant_after(clock_now(), duration_ms(20)), &result, NULL),
	    -ETIMEDOUT);
	assert_false(children_left());
	return 0;
}

static void
test_run_late(void **state)
{
	in_task(run_late_task);
}

/* ---- no zombie ever ---- */

#define CROWD       1002
#define CROWD_TASKS 6

static int
crowd_wait(void *arg)
{
	static const char *const scripts[] = {
	    "exit 0", "exit 1", "kill -SEGV $$", "kill -KILL $$"};
	struct process_options options = {0};

	for (int i = 0; i < CROWD / CROWD_TASKS; i++) {
		struct process *process = started(scripts[i % 4], options);
		struct process_exit exit;

		/* One in three is waited for, one by a waiter that leaves,
		 * one by nobody. */
		if (i % 3 == 0)
			assert_int_equal(
			    process_wait(process, &exit, soon()), 0);
		if (i % 3 == 1)
			assert_true(
			    process_wait(process, &exit, instant_past()) <= 0);
		process_drop(process);
	}
	return 0;
}

static int
crowd_task(void *arg)
{
	struct scope scope;
	instant end = soon();

	scope_init(&scope, instant_never());
	for (int i = 0; i < CROWD_TASKS; i++)
		assert_int_equal(
		    task_start(&scope, "crowd", crowd_wait, NULL), 0);
	assert_int_equal(scope_wait(&scope), 0);
	assert_int_equal(scope_fini(&scope), 0);
	while (children_left() && instant_before(clock_now(), end))
		assert_int_equal(task_sleep(duration_ms(5)), 0);
	assert_false(children_left());
	assert_int_equal(zombie_count(), 0);
	return 0;
}

static void
test_crowd(void **state)
{
	unsigned before = fds_open();

	in_task(crowd_task);
	assert_int_equal(fds_open(), before);
}

static int
cancelled_waiter(void *arg)
{
	struct process_exit exit;
	struct process *process =
	    started("exec sleep 0.05", (struct process_options){0});
	int r = process_wait(process, &exit, instant_never());

	process_drop(process);
	return r;
}

static int
cancelled_task(void *arg)
{
	instant end = soon();
	struct scope scope;

	scope_init(&scope, instant_never());
	for (int i = 0; i < 50; i++)
		assert_int_equal(
		    task_start(&scope, "waiter", cancelled_waiter, NULL), 0);
	assert_int_equal(task_yield(), 0);
	scope_cancel(&scope, 0);
	(void)scope_fini(&scope);
	while (children_left() && instant_before(clock_now(), end))
		assert_int_equal(task_sleep(duration_ms(5)), 0);
	assert_int_equal(zombie_count(), 0);
	return 0;
}

static void
test_cancelled(void **state)
{
	in_task(cancelled_task);
	assert_false(children_left());
}

static int
orphans_task(void *arg)
{
	struct process_options options = {.out.kind = PROCESS_PIPE};
	struct process_exit exit;
	struct process *process;
	instant end = soon();
	char text[32] = {0};
	int parent;

	if (process_adopt_orphans() == -ENOSYS)
		return 0;
	process = started("exec sleep 0.1 >/dev/null & echo $!", options);
	assert_int_equal(process_wait(process, &exit, soon()), 0);
	assert_in_range(
	    io_read(process_stdout(process), text, sizeof(text) - 1, soon()), 2,
	    12);
	text[strcspn(text, "\n")] = '\0';
	process_drop(process);
	assert_int_not_equal(state_of(text, &parent), 0);
	assert_int_equal(parent, getpid());
	while (children_left() && instant_before(clock_now(), end))
		assert_int_equal(task_sleep(duration_ms(20)), 0);
	return 0;
}

/* The look that reaps orphans leaves a child of ours alone, also one that has
 * ended and is not reaped yet. */
static int
orphans_not_ours_task(void *arg)
{
	struct process_exit exit;
	struct process *process, *orphan;
	char number[16];
	instant end = soon();
	int parent;

	if (process_adopt_orphans() == -ENOSYS)
		return 0;
	process = started("exit 7", (struct process_options){0});
	process_hold(process);
	(void)snprintf(number, sizeof(number), "%d", process_pid(process));
	while (state_of(number, &parent) != 'Z' &&
	    instant_before(clock_now(), end))
		assert_int_equal(task_sleep(duration_ms(5)), 0);
	/* An orphan that comes after it is reaped: there was a look. */
	orphan = started("sleep 0.01 & exit 0", (struct process_options){0});
	assert_int_equal(process_wait(orphan, &exit, soon()), 0);
	process_drop(orphan);
	assert_int_equal(task_sleep(duration_ms(50)), 0);
	while (zombie_count() > 1 && instant_before(clock_now(), end))
		assert_int_equal(task_sleep(duration_ms(20)), 0);
	process_release(process);
	assert_int_equal(process_wait(process, &exit, soon()), 0);
	assert_int_equal(exit.signal, 0);
	assert_int_equal(exit.code, 7);
	process_drop(process);
	return 0;
}

static void
test_orphans(void **state)
{
	in_task(orphans_task);
	in_task(orphans_not_ours_task);
	assert_false(children_left());
}

/* ---- the end of the runtime ---- */

static pid_t daemon_pid, other_pid;

static int
leave_task(void *arg)
{
	daemon_pid = process_pid(started(
	    "exec sleep 1000", (struct process_options){.daemon = true}));
	other_pid =
	    process_pid(started("exec sleep 0.2", (struct process_options){0}));
	return 0;
}

static int
later_task(void *arg)
{
	struct process_exit exit;
	instant end = soon();

	/* A start reaps those that were left. */
	while (zombie_count() == 0 && instant_before(clock_now(), end))
		assert_int_equal(task_sleep(duration_ms(5)), 0);
	struct process *process =
	    started("exit 0", (struct process_options){0});
	assert_int_equal(process_wait(process, &exit, soon()), 0);
	process_drop(process);
	assert_int_equal(zombie_count(), 0);
	return 0;
}

static void
test_runtime_end(void **state)
{
	in_task(leave_task);
	assert_int_equal(kill(daemon_pid, 0), -1);
	assert_int_equal(kill(other_pid, 0), 0);
	in_task(later_task);
	assert_false(children_left());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wait),
	    cmocka_unit_test(test_stop),
	    cmocka_unit_test(test_channel),
	    cmocka_unit_test(test_stolen),
	    cmocka_unit_test(test_streams),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_run),
	    cmocka_unit_test(test_run_late),
	    cmocka_unit_test(test_crowd),
	    cmocka_unit_test(test_cancelled),
	    cmocka_unit_test(test_orphans),
	    cmocka_unit_test(test_runtime_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
