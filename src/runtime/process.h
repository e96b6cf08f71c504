/*
 * process.h - child processes: start, talk to, wait for, never leave a zombie
 *
 * Layer      runtime
 * Threads    a process belongs to the worker that started it
 * Memory     one block of about 400 bytes; PROCESS_OUTPUT_STEP and more per
 *            stream that process_run() collects
 * Cost       start: vfork and exec, about 0.1 ms, in which the worker stands
 *            still (until the program is executed); the rest as any
 *            descriptor
 * Invariant  a child is reaped on the turn of the loop that sees its end,
 *            whether or not anybody waits for it; nobody catches SIGCHLD and
 *            nobody waits for "any child". Children that are left when the
 *            runtime ends are reaped by the next process_start() of the
 *            process, or by init.
 * Sources    pidfd_open(2), waitid(2); research of zombies in other runtimes:
 *            a SIGCHLD handler belongs to everybody, a pidfd to one
 */
#pragma once

#include "base/list.h"
#include "base/time.h"
#include "os/spawn.h"
#include "runtime/io.h"

enum process_stdio_kind {
	PROCESS_INHERIT,
	PROCESS_NULL, /* /dev/null */
	PROCESS_PIPE, /* to process_stdin() ... process_stderr() */
	PROCESS_FD, /* that descriptor, which stays the caller's */
	PROCESS_STDOUT, /* of stderr: where stdout goes */
};

struct process_stdio {
	int kind; /* enum process_stdio_kind */
	int fd; /* of PROCESS_FD */
};

struct process_options {
	const char *path; /* NULL: argv[0]; without a slash: from $PATH */
	char *const *argv;
	char *const *environment; /* NULL: ours */
	/* Over it: NAME=VALUE replaces or adds, NAME alone removes. NULL: as
	 * it is. */
	char *const *environment_changes;
	const char *directory; /* NULL: ours */
	struct process_stdio in, out, err;
	/* More descriptors; nothing else is open in the child. */
	const struct spawn_fd *fds;
	const struct spawn_limit *limits;
	unsigned fd_count; /* SPAWN_FDS_MAX - 4 at most */
	unsigned limit_count; /* SPAWN_LIMITS_MAX at most */
	/* It is killed when the worker that started it ends, however that
	 * comes about. */
	bool daemon;
	bool session; /* a session of its own: no terminal */
	bool group; /* a process group of its own: process_signal_group() */
	bool become; /* another user, without supplementary groups */
	uint32_t uid, gid; /* of @become */
	/* > 0: that descriptor of the child is one end of a SOCK_SEQPACKET
	 * pair, blocking; the other one is process_channel(). Messages arrive
	 * whole, and descriptors can travel with them. */
	int channel_fd;
	/* Signals that are blocked or ignored here are so in the child, until
	 * it says otherwise: none is missed, or comes too soon. Otherwise none
	 * is. */
	bool keep_signals;
};

struct process_exit {
	int code; /* 0 .. 255; -1: it was killed by @signal */
	int signal; /* 0: it ended by itself */
	bool core; /* and left a core file */
};

struct process;

/*
 * process_start - start a program
 *
 * @ret_step  may be NULL; on error, static text: what could not be done
 *
 * Returns    0, -ENOMEM, -EINVAL, -EOWNERDEAD (in a child of fork()), or
 *            -errno of the step: -ENOENT and -EACCES of the program, ...
 */
MUST_CHECK
int process_start(const struct process_options *options,
    struct process **ret_process, const char **ret_step);

/* Forget the handle. The process goes on, and is reaped when it ends. Nobody
 * may be waiting for it. NULL: nothing. */
void process_drop(struct process *process);

pid_t process_pid(const struct process *process); /* also after its end */
bool process_ended(const struct process *process);

/* Our ends of the streams that are PROCESS_PIPE, else not attached. They may
 * be closed at any time, and are by process_drop(). */
struct io_fd *process_stdin(struct process *process);
struct io_fd *process_stdout(struct process *process);
struct io_fd *process_stderr(struct process *process);
/* The same of options.channel_fd. */
struct io_fd *process_channel(struct process *process);

/*
 * process_wait - wait until it has ended; any number of tasks, any number of
 * times
 *
 * Returns    0; -ETIMEDOUT or the cancel error: it goes on; -ECHILD: somebody
 *            else in this program has taken its status (waitpid(-1), SIGCHLD
 *            ignored)
 */
SUSPENDS MUST_CHECK int process_wait(
    struct process *process, struct process_exit *ret_exit, instant deadline);

/* Returns 0, -ESRCH once it has ended, -EPERM. Never hits another process. */
int process_signal(struct process *process, int signal);
/* The same for the whole group of options.group, while the process lives. */
int process_signal_group(struct process *process, int signal);

/*
 * process_stop - SIGTERM, and SIGKILL after @grace; when it returns the
 * process has ended. Cancellation shortens the grace to nothing.
 * Returns 0 or -ECHILD.
 */
SUSPENDS int process_stop(
    struct process *process, duration grace, struct process_exit *ret_exit);

/* "was killed by SIGKILL", "exited with code 1": the end of a sentence. */
void
process_exit_append(struct appender *text, const struct process_exit *exit);

/* ---- in one call ---- */

struct process_result {
	struct process_exit exit;
	char *out, *err; /* with a NUL behind; NULL: not collected */
	size_t out_length, err_length;
};

/*
 * process_run - start, feed stdin, collect stdout and stderr, wait
 *
 * stdin is @input, or what options->in says when @input is empty; stdout and
 * stderr are collected where they are PROCESS_PIPE. In a process group of its
 * own, which is killed when the call fails.
 *
 * @output_max  bytes of stdout, and of stderr
 * @ret_result  process_result_free() it, after success only
 *
 * Returns    0, also when it exits with an error; what process_start()
 *            returns; -EMSGSIZE: more output than @output_max; -ENOMEM;
 *            -ETIMEDOUT, the cancel error. After an error nothing of the
 *            group is left.
 */
SUSPENDS MUST_CHECK int process_run(const struct process_options *options,
    struct bytes input, size_t output_max, instant deadline,
    struct process_result *ret_result, const char **ret_step);
void process_result_free(struct process_result *result);

/* ---- for those who supervise ---- */

/*
 * process_adopt_orphans - from here on, whoever is orphaned below us becomes
 * our child (PR_SET_CHILD_SUBREAPER) and is reaped
 *
 * Looks once a second while the calling worker lives. It takes the status of
 * every child that process_start() did not start: not for programs that fork
 * by other means and wait for it.
 *
 * Returns 0, -ENOSYS (a kernel without CONFIG_PROC_CHILDREN), -errno.
 */
MUST_CHECK int process_adopt_orphans(void);

/* runtime.c: the worker of this thread ends. */
void process_worker_end(void);
