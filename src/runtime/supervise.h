/*
 * supervise.h - children that are started again when they end
 *
 * Layer      runtime
 * Threads    the supervisor and its children are tasks of one worker
 * Memory     one block a child, about 300 bytes, while supervise() runs
 * Limits     SUPERVISE_CHILDREN_MAX children; RESTART_INTENSITY_MAX restarts
 *            counted
 * Sources    Erlang/OTP supervisor behaviour
 *
 * A child is a program or a function. A function that calls supervise() itself
 * makes a tree: when it gives up, its supervisor sees a child that failed. A
 * program that is more than waited for has a task beside it: @attend.
 *
 *   one for one   the child that ended is started again
 *   one for all   all are stopped, in reverse order, and started again
 *   rest for one  so are it and those that stand after it
 */
#pragma once

#include "policy/restart.h"
#include "runtime/process.h"
#include "runtime/task.h"

#define SUPERVISE_CHILDREN_MAX 1000
#define SUPERVISE_TEXT_BYTES   192

enum supervise_strategy {
	SUPERVISE_ONE_FOR_ONE,
	SUPERVISE_ONE_FOR_ALL,
	SUPERVISE_REST_FOR_ONE,
};

/* Either @process or @task is set. */
struct supervise_child {
	const char *name;
	const struct process_options *process;
	task_fn task; /* fails when it returns < 0 */
	void *arg; /* of @task, @prepare and @attend */
	enum restart_when when;
	/* A process has this long from SIGTERM to SIGKILL. A task is
	 * cancelled, and waited for however long that takes. */
	duration grace;

	/* The next two are of a process only, on the task that its life is, and
	 * get @arg. They may suspend; either may be NULL. */

	/* Before every start: makes what @process says true, or says it anew:
	 * the child does not start until it returns. An error counts as a
	 * process that could not be started. */
	int (*prepare)(void *arg);
	/*
	 * Lives as long as the process: talks to it, waits for its end
	 * (process_wait()). To stop it is to cancel this: then it may ask the
	 * process to end in a way of its own and wait, behind a task_shield();
	 * the next child is stopped after it has returned. A process that still
	 * runs then gets SIGTERM, @grace, and SIGKILL.
	 */
	void (*attend)(struct process *process, void *arg);
	uint64_t reserved[4]; /* as in <weir/supervise.h> */
};

enum supervise_what {
	SUPERVISE_STARTED, /* pid */
	SUPERVISE_ENDED, /* why; pause, when it is started again */
	SUPERVISE_GAVE_UP, /* why */
};

struct supervise_event {
	enum supervise_what what;
	const struct supervise_child *child;
	pid_t pid; /* 0: a task, or a process that could not be started */
	bool again; /* it will be started again: */
	duration pause; /* after that long */
	const char *why; /* "exited with code 1", "failed: ..."; NULL */
};

struct supervise_options {
	enum supervise_strategy strategy;
	struct restart_backoff backoff;
	/* More restarts than that within @window: it gives up. 0: never. */
	unsigned restart_max;
	duration window;
	/* Told of what happens, on the supervisor's task; NULL: nobody. Must
	 * not suspend. */
	void (*event)(const struct supervise_event *event, void *arg);
	void *event_arg;
};

/*
 * supervise - start @children in order and keep them as @options says
 *
 * @children     stay in place while the call lasts
 * @ret_failure  may be NULL; when it gives up: which child, how it ended last,
 *               and how many restarts in how long were too many
 *
 * Returns    0 when every child has ended for good; -ECHILD when it gave up;
 *            -EINVAL (a child without a name, or with both or neither of
 *            @process and @task, or with a hook that is not of its kind;
 *            beyond the limits above); -ENOMEM;
 *            the cancel error. Nothing of them runs any more: they were
 *            stopped one after the other, the last one first.
 */
SUSPENDS MUST_CHECK int supervise(const struct supervise_options *options,
    const struct supervise_child *children, unsigned count,
    char ret_failure[SUPERVISE_TEXT_BYTES]);
