/*
 * spawn.c - between clone and exec
 */
#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The child runs on a stack that sanitizers know nothing of, in memory of
 * which they would take its exit for the caller's. */
#define SPAWN_CHILD                                                            \
	__attribute__((no_sanitize("address"), no_sanitize("thread"),          \
	    no_sanitize("undefined")))

struct spawn_job {
	const struct spawn_options *options;
	char *const *environment;
	const char *search; /* $PATH, when the path has no slash */
	sigset_t mask; /* the caller's */
	pid_t parent;
	/* What is told to the caller. */
	_Atomic int error;
	const char *step;
	char *stack;
};

/*
 * ---- in the child: system calls and nothing else ----
 *
 * By number, for what sanitizers put before the C library's functions keeps
 * books in memory that is the caller's too.
 */

#define SPAWN_SIGSET_BYTES 8 /* of the kernel's */

SPAWN_CHILD static void
spawn_exit(void)
{
	for (;;)
		syscall(SYS_exit_group, 127);
}

SPAWN_CHILD static bool
spawn_failed(struct spawn_job *job, const char *step, int error)
{
	job->step = step;
	job->error = error;
	return false;
}

/* What the caller catches would be run in its memory once signals are let in;
 * what it ignores would stay ignored across exec. The kernel's struct begins
 * with the handler, and zeros are SIG_DFL. */
SPAWN_CHILD static void
spawn_signals_reset(bool keep_ignored)
{
	for (int signal = 1; signal < NSIG; signal++) {
		uint64_t action[8] = {0};

		if (syscall(SYS_rt_sigaction, signal, NULL, action,
			SPAWN_SIGSET_BYTES) < 0 ||
		    action[0] == (uintptr_t)SIG_DFL ||
		    (keep_ignored && action[0] == (uintptr_t)SIG_IGN))
			continue;
		for (unsigned i = 0; i < array_count(action); i++)
			action[i] = 0;
		(void)syscall(
		    SYS_rt_sigaction, signal, action, NULL, SPAWN_SIGSET_BYTES);
	}
}

/* First all out of the way, then each to its place: so that any numbers will
 * do. dup3 clears close-on-exec. */
SPAWN_CHILD static bool
spawn_fds_place(struct spawn_job *job, int high[SPAWN_FDS_MAX])
{
	const struct spawn_options *options = job->options;
	int above = 3;

	for (unsigned i = 0; i < options->fd_count; i++) {
		if (options->fds[i].to >= above)
			above = options->fds[i].to + 1;
	}
	for (unsigned i = 0; i < options->fd_count; i++) {
		high[i] = (int)syscall(
		    SYS_fcntl, options->fds[i].from, F_DUPFD_CLOEXEC, above);
		if (high[i] < 0)
			return spawn_failed(
			    job, "hand over a descriptor", errno);
	}
	for (unsigned i = 0; i < options->fd_count; i++) {
		if (syscall(SYS_dup3, high[i], options->fds[i].to, 0) < 0)
			return spawn_failed(
			    job, "hand over a descriptor", errno);
	}
	return true;
}

SPAWN_CHILD static bool
spawn_fd_kept(const struct spawn_options *options, unsigned fd)
{
	if (options->keep_stdio && fd <= STDERR_FILENO)
		return true;
	for (unsigned i = 0; i < options->fd_count; i++) {
		if ((unsigned)options->fds[i].to == fd)
			return true;
	}
	return false;
}

/* Where the call is denied (a filter of system calls), one after the other. */
SPAWN_CHILD static void
spawn_range_close(unsigned first, unsigned last)
{
	struct rlimit limit = {.rlim_cur = 1 << 20};

	if (syscall(SYS_close_range, first, last, 0) == 0)
		return;
	(void)syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
	for (unsigned fd = first; fd <= last && fd < limit.rlim_cur; fd++)
		(void)syscall(SYS_close, fd);
}

/* The gaps between what is kept. */
SPAWN_CHILD static void
spawn_fds_close(const struct spawn_options *options)
{
	unsigned above = 3, first = 0;

	for (unsigned i = 0; i < options->fd_count; i++) {
		if ((unsigned)options->fds[i].to >= above)
			above = (unsigned)options->fds[i].to + 1;
	}
	for (unsigned fd = 0; fd < above; fd++) {
		if (!spawn_fd_kept(options, fd))
			continue;
		if (fd > first)
			spawn_range_close(first, fd - 1);
		first = fd + 1;
	}
	spawn_range_close(first, ~0u);
}

SPAWN_CHILD static bool
spawn_limits_set(struct spawn_job *job)
{
	const struct spawn_options *options = job->options;

	for (unsigned i = 0; i < options->limit_count; i++) {
		const struct rlimit limit = {
		    .rlim_cur = options->limits[i].soft,
		    .rlim_max = options->limits[i].hard,
		};

		if (syscall(SYS_prlimit64, 0, options->limits[i].resource,
			&limit, NULL) < 0)
			return spawn_failed(job, "set a limit", errno);
	}
	return true;
}

/* Bare calls: those of the C library would change every thread of the
 * caller. */
SPAWN_CHILD static bool
spawn_become(struct spawn_job *job)
{
	const struct spawn_options *options = job->options;

	if (!options->become)
		return true;
	if (syscall(SYS_setgroups, 0, NULL) < 0 ||
	    syscall(SYS_setresgid, options->gid, options->gid, options->gid) <
		0)
		return spawn_failed(job, "change its group", errno);
	if (syscall(SYS_setresuid, options->uid, options->uid, options->uid) <
	    0)
		return spawn_failed(job, "change its user", errno);
	return true;
}

/* After the change of user, which forgets it. */
SPAWN_CHILD static bool
spawn_parent_death(struct spawn_job *job)
{
	int signal = job->options->parent_death_signal;

	if (signal == 0)
		return true;
	if (syscall(SYS_prctl, PR_SET_PDEATHSIG, signal, 0, 0, 0) < 0)
		return spawn_failed(job, "tie it to its parent", errno);
	/* It may have died before the kernel knew of our wish. */
	if (syscall(SYS_getppid) != job->parent)
		return spawn_failed(job, "tie it to its parent", ESRCH);
	return true;
}

/* A name from $PATH, at @at, whose end is at @end. */
SPAWN_CHILD static bool
spawn_path_join(
    char into[PATH_MAX], const char *at, const char *end, const char *name)
{
	size_t length = 0;

	/* An empty entry is the working directory. */
	if (at == end)
		into[length++] = '.';
	for (; at < end && length < PATH_MAX - 2; at++)
		into[length++] = *at;
	into[length++] = '/';
	for (; *name != '\0' && length < PATH_MAX - 1; name++)
		into[length++] = *name;
	into[length] = '\0';
	return at >= end && *name == '\0';
}

/* Returns the error: what was found but could not be run says more than what
 * was not found elsewhere. */
SPAWN_CHILD static int
spawn_search(struct spawn_job *job)
{
	const char *at = job->search, *end;
	int error = ENOENT;
	char path[PATH_MAX];

	for (;; at = end + 1) {
		for (end = at; *end != '\0' && *end != ':'; end++)
			;
		if (spawn_path_join(path, at, end, job->options->path)) {
			(void)syscall(SYS_execve, path, job->options->argv,
			    job->environment);
			if (errno != ENOENT && errno != ENOTDIR)
				error = errno;
		}
		if (*end == '\0')
			return error;
	}
}

SPAWN_CHILD static bool
spawn_execute(struct spawn_job *job)
{
	const struct spawn_options *options = job->options;
	const uint64_t none = 0;
	int error;

	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK,
	    options->keep_signals ? (const void *)&job->mask : &none, NULL,
	    SPAWN_SIGSET_BYTES);
	if (job->search != NULL) {
		error = spawn_search(job);
	} else {
		(void)syscall(
		    SYS_execve, options->path, options->argv, job->environment);
		error = errno;
	}
	return spawn_failed(job, "execute the program", error);
}

SPAWN_CHILD static bool
spawn_prepare(struct spawn_job *job)
{
	const struct spawn_options *options = job->options;
	int high[SPAWN_FDS_MAX];

	spawn_signals_reset(options->keep_signals);
	if (options->session && syscall(SYS_setsid) < 0)
		return spawn_failed(job, "begin a session", errno);
	if (options->group && syscall(SYS_setpgid, 0, 0) < 0)
		return spawn_failed(job, "begin a process group", errno);
	if (!spawn_fds_place(job, high))
		return false;
	spawn_fds_close(options);
	if (!spawn_limits_set(job) || !spawn_become(job) ||
	    !spawn_parent_death(job))
		return false;
	if (options->directory != NULL &&
	    syscall(SYS_chdir, options->directory) < 0)
		return spawn_failed(job, "change to its directory", errno);
	return true;
}

SPAWN_CHILD static int
spawn_child(void *arg)
{
	struct spawn_job *job = arg;

	/* Returns only on error. */
	if (spawn_prepare(job))
		(void)spawn_execute(job);
	spawn_exit();
	return 0;
}

/* ---- in the caller ---- */

static char *
spawn_stack_top(struct spawn_job *job)
{
#if defined(__hppa__)
#	error "the stack grows upwards here"
#endif
	return job->stack + SPAWN_STACK_BYTES;
}

/* By its other name, before which ThreadSanitizer puts nothing: it would take
 * the child, which shares our memory, for one that has its own. */
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

/*
 * A kernel or an emulator that does not give the pidfd with the child gives it
 * afterwards: nobody but us reaps the pid, so it cannot be another's by then.
 */
static int
spawn_clone(struct spawn_job *job, struct spawned *ret_spawned)
{
	const int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
	int pidfd = -1;
	pid_t pid;

	pid = __clone(spawn_child, spawn_stack_top(job), flags | CLONE_PIDFD,
	    job, &pidfd);
	if (pid < 0 && errno == EINVAL) {
		pid = __clone(spawn_child, spawn_stack_top(job), flags, job);
		if (pid >= 0)
			pidfd = pidfd_open(pid, 0);
	}
	if (pid < 0)
		return -errno;
	*ret_spawned = (struct spawned){.pid = pid, .pidfd = pidfd};
	return pidfd >= 0 ? 0 : -errno;
}

static int
spawn_in(struct spawn_job *job, struct spawned *ret_spawned)
{
	struct spawned child = SPAWNED_NONE;
	sigset_t all;
	int r;

	job->parent = getpid();
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &job->mask);
	r = spawn_clone(job, &child);
	pthread_sigmask(SIG_SETMASK, &job->mask, NULL);
	if (r < 0 && job->step == NULL)
		job->step =
		    child.pid > 0 ? "watch the process" : "start a process";
	if (r == 0 && job->error != 0)
		r = -job->error;
	if (r == 0) {
		*ret_spawned = child;
		return 0;
	}
	if (child.pid > 0) {
		(void)kill(child.pid, SIGKILL);
		spawn_reap_surely(&child);
	}
	return r;
}

int
spawn(const struct spawn_options *options, struct spawned *ret_spawned,
    const char **ret_step)
{
	struct spawn_job job = {
	    .options = options,
	    .environment =
		options->environment != NULL ? options->environment : environ,
	};
	int r = -EINVAL;

	if (options->fd_count > SPAWN_FDS_MAX ||
	    options->limit_count > SPAWN_LIMITS_MAX) {
		job.step = "take so many descriptors or limits";
		goto out;
	}
	if (strchr(options->path, '/') == NULL) {
		job.search = getenv("PATH");
		if (job.search == NULL)
			job.search = "/usr/local/bin:/usr/bin:/bin";
	}
	job.stack = mmap(NULL, SPAWN_STACK_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (job.stack == MAP_FAILED) {
		r = -errno;
		job.step = "start a process";
		goto out;
	}
	r = spawn_in(&job, ret_spawned);
	munmap(job.stack, SPAWN_STACK_BYTES);
out:
	if (r < 0 && ret_step != NULL)
		*ret_step = job.step;
	return r;
}

/* ---- the end of a child ---- */

static int
spawn_status_of(const siginfo_t *info)
{
	switch (info->si_code) {
	case CLD_EXITED:
		return W_EXITCODE(info->si_status, 0);
	case CLD_DUMPED:
		return info->si_status | WCOREFLAG;
	default:
		return info->si_status;
	}
}

int
spawn_reap(struct spawned *spawned, bool keep_fd, int *ret_status)
{
	siginfo_t info = {0};
	int r;

	do
		r = waitid(
		    P_PIDFD, (id_t)spawned->pidfd, &info, WEXITED | WNOHANG);
	while (r < 0 && errno == EINTR);
	if (r == 0 && info.si_pid == 0)
		return -EAGAIN;
	r = r < 0 ? -ECHILD : 0;
	if (r == 0)
		*ret_status = spawn_status_of(&info);
	if (!keep_fd)
		close(spawned->pidfd);
	*spawned = SPAWNED_NONE;
	return r;
}

void
spawn_reap_surely(struct spawned *spawned)
{
	while (waitpid(spawned->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (spawned->pidfd >= 0)
		close(spawned->pidfd);
	*spawned = SPAWNED_NONE;
}

int
spawn_signal(const struct spawned *spawned, int signal)
{
	if (spawned->pidfd < 0)
		return -ESRCH;
	return pidfd_send_signal(spawned->pidfd, signal, NULL, 0) < 0 ? -errno
								      : 0;
}

int
spawn_signal_group(const struct spawned *spawned, int signal)
{
	if (spawned->pid <= 0)
		return -ESRCH;
	return kill(-spawned->pid, signal) < 0 ? -errno : 0;
}

void
spawn_status_append(struct appender *text, int status)
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
