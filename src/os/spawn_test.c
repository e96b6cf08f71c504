#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/spawn.h"

static char *const NO_ENVIRONMENT[] = {NULL};

static int
status_of(struct spawned *child)
{
	struct pollfd wait = {.fd = child->pidfd, .events = POLLIN};
	int status;

	assert_int_equal(poll(&wait, 1, 20000), 1);
	assert_int_equal(spawn_reap(child, false, &status), 0);
	assert_int_equal(child->pidfd, -1);
	return status;
}

/* What `sh -c script` writes to its stdout, and its status. */
static int
output_of(
    struct spawn_options *options, const char *script, char *into, size_t bytes)
{
	char *argv[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
	struct spawn_fd fds[SPAWN_FDS_MAX];
	struct spawned child;
	int ends[2];
	size_t length = 0;
	ssize_t got;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	for (unsigned i = 0; i < options->fd_count; i++)
		fds[i + 1] = options->fds[i];
	fds[0] = (struct spawn_fd){ends[1], 1};
	options->fds = fds;
	options->fd_count++;
	options->path = options->path != NULL ? options->path : "/bin/sh";
	options->argv = argv;
	assert_int_equal(spawn(options, &child, NULL), 0);
	close(ends[1]);
	while ((got = read(ends[0], into + length, bytes - 1 - length)) > 0)
		length += (size_t)got;
	into[length] = '\0';
	close(ends[0]);
	return status_of(&child);
}

static void
expect_text(int status, const char *text)
{
	char memory[80];
	struct appender a = appender_over(memory, sizeof(memory));

	spawn_status_append(&a, status);
	append_bytes(&a, bytes_of("", 1));
	assert_string_equal(memory, text);
}

static void
test_status(void **state)
{
	struct spawn_options options = {0};
	char text[64];

	expect_text(output_of(&options, "exit 3", text, sizeof(text)),
	    "exited with code 3");
	options = (struct spawn_options){0};
	expect_text(output_of(&options, "kill -9 $$", text, sizeof(text)),
	    "was killed by SIGKILL");
	expect_text(SIGSEGV | WCOREFLAG, "was killed by SIGSEGV (core dumped)");
}

static void
test_signal(void **state)
{
	char *argv[] = {"sleep", "100", NULL};
	struct spawn_options options = {.path = "sleep", .argv = argv};
	struct spawned child;
	int status;

	assert_int_equal(spawn(&options, &child, NULL), 0);
	assert_int_equal(spawn_reap(&child, false, &status), -EAGAIN);
	assert_int_equal(spawn_signal(&child, SIGTERM), 0);
	expect_text(status_of(&child), "was killed by SIGTERM");
	assert_int_equal(spawn_signal(&child, SIGTERM), -ESRCH);
	assert_int_equal(spawn(&options, &child, NULL), 0);
	kill(child.pid, SIGKILL);
	/* Somebody who waits for any child takes it away. */
	assert_int_equal(waitpid(-1, NULL, 0), child.pid);
	assert_int_equal(spawn_reap(&child, false, &status), -ECHILD);
	assert_int_equal(child.pidfd, -1);
}

/* Two that change places, one handed over as what it is, nothing else. */
static void
test_fds(void **state)
{
	struct spawn_fd fds[3];
	struct spawn_options options = {.fds = fds, .fd_count = 3};
	int a[2], b[2], kept;
	char script[128], text[128];

	assert_int_equal(pipe2(a, O_CLOEXEC), 0);
	assert_int_equal(pipe2(b, O_CLOEXEC), 0);
	kept = open("/dev/null", O_RDONLY);
	fds[0] = (struct spawn_fd){a[0], b[0]};
	fds[1] = (struct spawn_fd){b[0], a[0]};
	fds[2] = (struct spawn_fd){a[0], 0};
	assert_int_equal(write(a[1], "a\n", 2), 2);
	assert_int_equal(write(b[1], "b\n", 2), 2);
	close(a[1]);
	close(b[1]);
	(void)snprintf(script, sizeof(script),
	    "cat <&%d; ls /proc/self/fd | wc -l; cat <&%d", a[0], b[0]);
	assert_int_equal(output_of(&options, script, text, sizeof(text)), 0);
	/* 0, 1, two pipes, and the folder that ls reads. */
	assert_string_equal(text, "b\n5\na\n");
	close(a[0]);
	close(b[0]);
	close(kept);
}

static void
test_environment(void **state)
{
	char *environment[] = {"GREETING=hello", NULL};
	const struct spawn_limit limit = {RLIMIT_NOFILE, 50, 50};
	struct spawn_options options = {.environment = environment,
	    .directory = "/usr/bin",
	    .limits = &limit,
	    .limit_count = 1};
	char text[128];

	assert_int_equal(
	    output_of(&options, "echo $GREETING $HOME; pwd; ulimit -n", text,
		sizeof(text)),
	    0);
	assert_string_equal(text, "hello\n/usr/bin\n50\n");
}

static void
test_signals_reset(void **state)
{
	static const char script[] =
	    "grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -c 9-";
	struct spawn_options options = {0};
	char text[128], *end;
	sigset_t blocked, before;

	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	assert_int_equal(output_of(&options, script, text, sizeof(text)), 0);
	assert_string_equal(text, "0000000000000000\n0000000000000000\n");
	/* The test may have been started with other signals ignored. */
	options = (struct spawn_options){.keep_signals = true};
	assert_int_equal(output_of(&options, script, text, sizeof(text)), 0);
	assert_true((strtoull(text, &end, 16) & 1 << (SIGUSR2 - 1)) != 0);
	assert_true((strtoull(end, NULL, 16) & 1 << (SIGUSR1 - 1)) != 0);
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGUSR1, SIG_DFL);
}

static void
test_user(void **state)
{
	struct spawn_options options = {
	    .become = true, .uid = 65534, .gid = 65534};
	char text[64];

	if (geteuid() != 0)
		skip();
	assert_int_equal(
	    output_of(&options, "id -u; id -G", text, sizeof(text)), 0);
	assert_string_equal(text, "65534\n65534\n");
	assert_int_equal(geteuid(), 0);
}

static void
test_session(void **state)
{
	struct spawn_options options = {.session = true};
	char text[64];

	assert_int_equal(output_of(&options,
			     "read -r a b c d e sid rest </proc/$$/stat; "
			     "[ $sid = $$ ] && echo own",
			     text, sizeof(text)),
	    0);
	assert_string_equal(text, "own\n");
}

static void
expect_failure(const struct spawn_options *options, int error, const char *step)
{
	struct spawned child;
	const char *said = "";

	assert_int_equal(spawn(options, &child, &said), error);
	assert_string_equal(said, step);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void
test_failures(void **state)
{
	char *argv[] = {"x", NULL};
	const struct spawn_fd fd = {1000, 5};
	const struct spawn_limit limit = {9999, 0, 0};
	struct spawn_options options = {.path = "/nonexistent", .argv = argv};

	expect_failure(&options, -ENOENT, "execute the program");
	options.path = "no-such-program";
	expect_failure(&options, -ENOENT, "execute the program");
	options.path = "/etc/passwd";
	expect_failure(&options, -EACCES, "execute the program");
	options.path = "true";
	options.environment = NO_ENVIRONMENT;
	options.directory = "/nonexistent";
	expect_failure(&options, -ENOENT, "change to its directory");
	options.fds = &fd;
	options.fd_count = 1;
	expect_failure(&options, -EBADF, "hand over a descriptor");
	options.fd_count = 0;
	options.limits = &limit;
	options.limit_count = 1;
	expect_failure(&options, -EINVAL, "set a limit");
	options.limit_count = SPAWN_LIMITS_MAX + 1;
	expect_failure(&options, -EINVAL, "take so many descriptors or limits");
}

/* The parent dies: so does the child, whom nobody told. */
static void
test_parent_death(void **state)
{
	char *argv[] = {"sleep", "1000", NULL};
	struct spawn_options options = {
	    .path = "sleep", .argv = argv, .parent_death_signal = SIGKILL};
	struct pollfd wait = {.events = POLLIN};
	int ends[2];
	pid_t parent;
	char byte;

	assert_int_equal(pipe(ends), 0);
	parent = fork();
	if (parent == 0) {
		const struct spawn_fd fd = {ends[1], 1};
		struct spawned child;

		options.fds = &fd;
		options.fd_count = 1;
		_exit(spawn(&options, &child, NULL) == 0 ? 0 : 1);
	}
	close(ends[1]);
	/* The end of the pipe: all who had it are dead. */
	wait.fd = ends[0];
	assert_int_equal(poll(&wait, 1, 20000), 1);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_status),
	    cmocka_unit_test(test_signal),
	    cmocka_unit_test(test_fds),
	    cmocka_unit_test(test_environment),
	    cmocka_unit_test(test_signals_reset),
	    cmocka_unit_test(test_user),
	    cmocka_unit_test(test_session),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_parent_death),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
