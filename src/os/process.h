/*
 * process.h - child processes, by pidfd
 *
 * Layer      os
 * Threads    any; a child is reaped by who holds its struct process, nobody
 *            waits for "any child"
 * Cost       spawn: vfork and exec, independent of the parent's size
 */
#pragma once

#include <sys/types.h>

#include "base/bytes.h"

struct process {
	pid_t pid; /* 0: none */
	int pidfd; /* readable in poll(2) once the child has ended; -1: none */
};

struct process_fd {
	int from;
	int to; /* its number in the child */
};

struct process_options {
	const char *path;
	char *const *argv;
	/* Everything else must be close-on-exec. No `from` may be among the
	 * `to`, but of its own row. */
	const struct process_fd *fds;
	unsigned fd_count;
};

/*
 * process_spawn - start a program, with the signal mask of the caller
 * Returns 0 or -errno (also when exec failed).
 */
MUST_CHECK
int process_spawn(
    const struct process_options *options, struct process *ret_process);

/* Take the status of a child that has ended; *process is emptied.
 * Returns 0, or -EAGAIN while it runs. */
MUST_CHECK
int process_reap(struct process *process, int *ret_status);

/* Nothing happens when it has ended already. */
void process_signal(const struct process *process, int signal);

/* "was killed by SIGKILL", "exited with code 1": the end of a sentence. */
void process_status_append(struct appender *text, int status);
