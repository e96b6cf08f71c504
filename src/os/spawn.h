/*
 * spawn.h - start a program, by pidfd
 *
 * Layer      os
 * Threads    any; the child is reaped by who holds its struct spawned, nobody
 *            waits for "any child"
 * Memory     SPAWN_STACK_BYTES of stack while the call runs
 * Cost       vfork and exec, independent of the caller's size: about 70 us
 *            where fork takes 540 us, and 113 ms for a process of 1 GiB
 * Sources    clone(2), pidfd_open(2), waitid(2); glibc's posix_spawn
 *
 * The child shares the caller's memory until it executes the program, and the
 * calling thread stands still that long. So nothing between the two may
 * allocate, lock or handle a signal: all signals are blocked around it, the
 * child makes bare system calls only, and leaves what failed in a struct that
 * both see. (An emulator that makes a plain fork of it, as qemu-user does,
 * cannot tell: what fails there looks like a program that exits with 127.)
 */
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include "base/bytes.h"

#define SPAWN_FDS_MAX     65
#define SPAWN_LIMITS_MAX  16
#define SPAWN_STACK_BYTES (64 * 1024)

struct spawned {
	pid_t pid; /* 0: none */
	int pidfd; /* readable in poll(2) once the child has ended; -1: none */
};
#define SPAWNED_NONE ((struct spawned){.pidfd = -1})

/* The child's @to is the caller's @from. */
struct spawn_fd {
	int from;
	int to;
};

struct spawn_limit {
	int resource; /* RLIMIT_* */
	uint64_t soft, hard; /* RLIM_INFINITY: none */
};

struct spawn_options {
	const char *path; /* without a slash: looked for in $PATH */
	char *const *argv;
	char *const *environment; /* NULL: the caller's */
	/* Each `from` may be anything, also the `to` of another row. Whatever
	 * is not a `to` is closed in the child, but for what keep_stdio keeps.
	 */
	const struct spawn_fd *fds;
	unsigned fd_count;
	bool keep_stdio; /* 0, 1 and 2, where they are no `to` */
	const char *directory; /* NULL: the caller's */
	const struct spawn_limit *limits;
	unsigned limit_count;
	bool become; /* uid and gid, and no supplementary groups: needs root */
	uid_t uid;
	gid_t gid;
	bool session; /* a session of its own (setsid) */
	bool group; /* a process group of its own */
	int parent_death_signal; /* 0: it outlives the calling *thread* */
	/* The caller's signal mask and ignored signals. Otherwise none is
	 * blocked or ignored. */
	bool keep_signals;
};

/*
 * spawn - start a program
 *
 * @ret_step  may be NULL; on error, static text that says what could not be
 *            done: "execute the program", "change to its directory", ...
 *
 * Returns    0; -EINVAL (more than SPAWN_FDS_MAX or SPAWN_LIMITS_MAX rows),
 *            or -errno, also of what failed in the child: it is gone then
 */
MUST_CHECK
int spawn(const struct spawn_options *options, struct spawned *ret_spawned,
    const char **ret_step);

/*
 * spawn_reap - take the wait status of a child that has ended
 * *@spawned is emptied then, and its pidfd closed unless @keep_fd.
 * Returns 0, -EAGAIN while it runs, or -ECHILD: somebody else took it
 * (waitpid(-1), SIGCHLD ignored); it is over as well.
 */
MUST_CHECK
int spawn_reap(struct spawned *spawned, bool keep_fd, int *ret_status);

/* Wait until it has ended, however long that takes. */
void spawn_reap_surely(struct spawned *spawned);

/* Returns 0, -ESRCH (it has ended), -errno. Cannot hit another process. */
int spawn_signal(const struct spawned *spawned, int signal);

/* The same for the process group that it leads, while nobody has reaped it. */
int spawn_signal_group(const struct spawned *spawned, int signal);

/* "was killed by SIGKILL", "exited with code 1": the end of a sentence. */
void spawn_status_append(struct appender *text, int status);
