/*
 * weir/process.h - child processes: start, talk to, wait for; never a zombie
 *
 * A process belongs to the worker that started it, and only tasks of that
 * worker may use its handle. It is reaped as its end is seen, whether or not
 * anybody waits. Nothing here catches SIGCHLD or waits for "any child", so it
 * lives beside other code that does with children of its own; that code must
 * not wait for any child either, or ignore SIGCHLD: it would take the status of
 * ours (-ECHILD).
 *
 * This is also what to do instead of fork() in a task. A forked child would
 * have one thread of several and all descriptors of the program's; what is
 * started here has the descriptors it was given and nothing else. A function,
 * rather than a program, runs in another process by weir/process_pool.h.
 */
#ifndef WEIR_PROCESS_H
#define WEIR_PROCESS_H

#include <weir/api.h>
#include <weir/io.h>
#include <weir/time.h>

WEIR_BEGIN

enum {
	WEIR_STDIO_INHERIT,
	WEIR_STDIO_NULL, /* /dev/null */
	WEIR_STDIO_PIPE, /* to weir_process_stdin() ... */
	WEIR_STDIO_FD, /* that descriptor, which stays the caller's */
	WEIR_STDIO_STDOUT, /* of stderr: where stdout goes */
};

struct weir_stdio {
	int kind; /* WEIR_STDIO_* */
	int fd; /* of WEIR_STDIO_FD */
};

/* The child's descriptor @to is our @from. */
struct weir_process_fd {
	int from;
	int to;
};

struct weir_process_limit {
	int resource; /* RLIMIT_* */
	uint64_t soft, hard;
};

/* All zero but for argv is a good choice. */
struct weir_process_options {
	const char *path; /* NULL: argv[0]; without a slash: from $PATH */
	char *const *argv;
	char *const *environment; /* NULL: ours */
	/* Over it: NAME=VALUE replaces or adds, NAME alone removes. */
	char *const *environment_changes;
	const char *directory; /* NULL: ours */
	struct weir_stdio in, out, err;
	/* More descriptors; nothing else is open in the child. */
	const struct weir_process_fd *fds;
	const struct weir_process_limit *limits;
	unsigned fd_count; /* 61 at most */
	unsigned limit_count; /* 16 at most */
	bool daemon; /* killed when the worker that started it ends */
	bool session; /* a session of its own: no terminal */
	bool group; /* a process group of its own */
	bool become; /* another user, without supplementary groups */
	uint32_t uid, gid; /* of @become; needs root */
	/* > 0: that descriptor of the child is one end of a SOCK_SEQPACKET
	 * pair, blocking; the other one is weir_process_channel(). Messages
	 * arrive whole, and descriptors can travel with them. */
	int channel_fd;
	/* Signals that are blocked or ignored here are so in the child, until
	 * it says otherwise. Otherwise none is. */
	bool keep_signals;
	uint64_t reserved[3]; /* zero */
};

struct weir_exit {
	int code; /* 0 .. 255; -1: it was killed by @signal */
	int signal; /* 0: it ended by itself */
	bool core; /* and left a core file */
};

struct weir_process;

/*
 * Start a program. Does not suspend, but the worker stands still for about
 * 0.1 ms, until the program is executed. Its signals are all unblocked and as
 * they are by default, unless options.keep_signals.
 *
 * @ret_step  may be NULL; on error, text that stays: what could not be done
 *
 * Returns 0; -ENOMEM, -EINVAL; -EOWNERDEAD in a child of fork(); or -errno of
 * the step: -ENOENT, -EACCES, ...
 */
WEIR_API WEIR_MUST_CHECK int
weir_process_start(const struct weir_process_options *options,
    struct weir_process **ret_process, const char **ret_step);

/* Forget the handle: the process goes on. NULL: nothing. Nobody may be
 * waiting. Handles that are left when the runtime ends are freed by it. */
WEIR_API void weir_process_drop(struct weir_process *process);

WEIR_API int weir_process_pid(const struct weir_process *process);
WEIR_API bool weir_process_ended(const struct weir_process *process);

/* Our ends of the streams that are WEIR_STDIO_PIPE; they may be closed. */
WEIR_API struct weir_io *weir_process_stdin(struct weir_process *process);
WEIR_API struct weir_io *weir_process_stdout(struct weir_process *process);
WEIR_API struct weir_io *weir_process_stderr(struct weir_process *process);
/* The same of options.channel_fd. */
WEIR_API struct weir_io *weir_process_channel(struct weir_process *process);

/* Suspends until it has ended; any number of tasks, any number of times. How it
 * ended is *@ret_exit, which may be NULL. Returns 0; -ETIMEDOUT or why the
 * caller was stopped: it goes on; -ECHILD: somebody else in this program took
 * its status. */
WEIR_API WEIR_MUST_CHECK int weir_process_wait(struct weir_process *process,
    struct weir_exit *ret_exit, weir_time deadline);

/* Returns 0; -ESRCH once it has ended; -EPERM. Never hits another process. */
WEIR_API int weir_process_signal(struct weir_process *process, int signal);
/* All of the group of options.group, while the process lives. */
WEIR_API int
weir_process_signal_group(struct weir_process *process, int signal);

/* SIGTERM, and SIGKILL after @grace_ns. Suspends; it has ended when this
 * returns. @ret_exit may be NULL. 0 or -ECHILD. */
WEIR_API int weir_process_stop(
    struct weir_process *process, int64_t grace_ns, struct weir_exit *ret_exit);

/* "was killed by SIGKILL", "exited with code 1", cut to @bytes. Returns
 * @into. */
WEIR_API char *
weir_exit_text(const struct weir_exit *exit, char *into, size_t bytes);

struct weir_process_result {
	struct weir_exit exit;
	char *out, *err; /* with a NUL behind; NULL: not collected */
	size_t out_length, err_length;
};

/*
 * Start a program, feed its stdin, collect its stdout and stderr, wait.
 * Suspends.
 *
 * @input       for its stdin; @input_length 0: stdin is what options->in says
 * @output_max  bytes, of each stream that is WEIR_STDIO_PIPE
 * @ret_result  on success only: weir_process_result_free() it
 *
 * Returns 0, whatever it exited with; what weir_process_start() returns;
 * -EMSGSIZE: more output than that; -ENOMEM, -ETIMEDOUT, -ECHILD, or why the
 * caller was stopped. After an error the program is dead, and its children
 * that stayed in its process group.
 */
WEIR_API WEIR_MUST_CHECK int
weir_process_run(const struct weir_process_options *options, const void *input,
    size_t input_length, size_t output_max,
    struct weir_process_result *ret_result, const char **ret_step,
    weir_time deadline);
WEIR_API void weir_process_result_free(struct weir_process_result *result);

/*
 * From here on, whoever is orphaned below this process becomes its child and
 * is reaped, within a second; until the calling worker ends. For supervisors:
 * it takes the status of every child that was not started here.
 * Returns 0, -ENOSYS (a kernel without CONFIG_PROC_CHILDREN), -errno.
 */
WEIR_API WEIR_MUST_CHECK int weir_process_adopt_orphans(void);

WEIR_END

#endif
