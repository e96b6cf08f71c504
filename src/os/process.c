#include "os/process.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int
process_actions_fill(
    posix_spawn_file_actions_t *actions, const struct process_options *options)
{
	int error;

	/* dup2 onto the same number makes glibc clear close-on-exec. */
	for (unsigned i = 0; i < options->fd_count; i++) {
		for (unsigned j = 0; j < i; j++)
			must(options->fds[i].from != options->fds[j].to);
		error = posix_spawn_file_actions_adddup2(
		    actions, options->fds[i].from, options->fds[i].to);
		if (error != 0)
			return -error;
	}
	return 0;
}

int
process_spawn(
    const struct process_options *options, struct process *ret_process)
{
	posix_spawn_file_actions_t actions;
	struct process child;
	int r;

	r = -posix_spawn_file_actions_init(&actions);
	if (r < 0)
		return r;
	r = process_actions_fill(&actions, options);
	if (r == 0)
		r = -posix_spawn(&child.pid, options->path, &actions, NULL,
		    options->argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r < 0)
		return r;

	/* Nobody but us reaps this pid, so it cannot be another's by now. */
	child.pidfd = pidfd_open(child.pid, 0);
	if (child.pidfd < 0) {
		r = -errno;
		kill(child.pid, SIGKILL);
		waitpid(child.pid, NULL, 0);
		return r;
	}
	*ret_process = child;
	return 0;
}

int
process_reap(struct process *process, int *ret_status)
{
	pid_t pid = waitpid(process->pid, ret_status, WNOHANG);

	if (pid == 0 || (pid < 0 && errno == EINTR))
		return -EAGAIN;
	must(pid == process->pid);
	close(process->pidfd);
	*process = (struct process){.pidfd = -1};
	return 0;
}

void
process_signal(const struct process *process, int signal)
{
	if (process->pidfd >= 0)
		(void)pidfd_send_signal(process->pidfd, signal, NULL, 0);
}

void
process_status_append(struct appender *text, int status)
{
	const char *name;

	if (WIFEXITED(status)) {
		append_format(text, "exited with code %d", WEXITSTATUS(status));
		return;
	}
	name = sigabbrev_np(WTERMSIG(status));
	if (name != NULL)
		append_format(text, "was killed by SIG%s", name);
	else
		append_format(
		    text, "was killed by signal %d", WTERMSIG(status));
	if (WCOREDUMP(status))
		append_literal(text, " (core dumped)");
}
