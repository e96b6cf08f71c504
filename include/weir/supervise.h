/*
 * weir/supervise.h - children that are started again when they end
 *
 * A child is a program or a function that runs as a task. A function that
 * supervises itself makes a tree: when it gives up and returns the error, its
 * supervisor sees a child that failed. A program that is more than waited for
 * has a task beside it: @attend.
 */
#ifndef WEIR_SUPERVISE_H
#define WEIR_SUPERVISE_H

#include <weir/api.h>
#include <weir/process.h>
#include <weir/task.h>

WEIR_BEGIN

#define WEIR_SUPERVISE_CHILDREN_MAX 1000
#define WEIR_SUPERVISE_RESTARTS_MAX 64
#define WEIR_SUPERVISE_TEXT_BYTES   192

/* When one ends that is started again: */
enum {
	WEIR_ONE_FOR_ONE, /* nobody else is touched */
	WEIR_ONE_FOR_ALL, /* all are stopped, and started again */
	WEIR_REST_FOR_ONE, /* so are it and those that stand after it */
};

enum {
	WEIR_PERMANENT, /* is started again whenever it ends */
	WEIR_TRANSIENT, /* after a failure: < 0 of a task, not 0 of a program */
	WEIR_TEMPORARY, /* never */
};

struct weir_child {
	const char *name;
	/* One of both: */
	const struct weir_process_options *process;
	weir_task_fn task;
	void *arg; /* of @task, @prepare and @attend */
	int when; /* WEIR_PERMANENT, ... */
	/* A process has this long from SIGTERM to SIGKILL. A task is stopped
	 * and waited for however long that takes. */
	int64_t grace_ns;

	/* The next two are of a process only, on the task that its life is, and
	 * get @arg. They may suspend; either may be NULL. */

	/* Before every start: makes what @process says true, or says it anew.
	 * < 0 counts as a process that could not be started. */
	int (*prepare)(void *arg);
	/*
	 * Lives as long as the process: talks to it, waits for its end
	 * (weir_process_wait()). To stop it is to cancel this: then it may ask
	 * the process to end in a way of its own and wait, behind a
	 * weir_shield(); the next child is stopped after it has returned. A
	 * process that still runs then gets SIGTERM, @grace_ns, and SIGKILL.
	 */
	void (*attend)(struct weir_process *process, void *arg);
	uint64_t reserved[4]; /* zero */
};

/* What dies soon after its start is started again after a pause, which doubles
 * with each such death in a row. */
struct weir_backoff {
	int64_t first_ns; /* the first pause, doubled up to: */
	int64_t max_ns;
	int64_t healthy_ns; /* who lived this long has not died soon */
	unsigned free; /* soon deaths that are answered at once */
	unsigned jitter_percent; /* pauses are shorter by up to this */
	uint64_t reserved[2]; /* zero */
};

enum {
	WEIR_CHILD_STARTED,
	WEIR_CHILD_ENDED,
	WEIR_CHILD_GAVE_UP, /* it was one restart too many */
};

struct weir_child_event {
	int what; /* WEIR_CHILD_* */
	const struct weir_child *child;
	int pid; /* 0: a task, or a process that could not be started */
	bool again; /* it will be started again, */
	int64_t pause_ns; /* after that long */
	const char *why; /* "exited with code 1", "failed: ..."; or NULL */
};

struct weir_supervise_options {
	int strategy; /* WEIR_ONE_FOR_ONE, ... */
	struct weir_backoff backoff;
	/* More restarts than that within @window_ns: it gives up. 0: never. */
	unsigned restart_max;
	int64_t window_ns;
	/* Told of what happens; must not suspend. May be NULL. */
	void (*event)(const struct weir_child_event *event, void *arg);
	void *event_arg;
	uint64_t reserved[4]; /* zero */
};

/*
 * Start @children in their order, and keep them as @options says. Suspends.
 *
 * @options      NULL: all zero
 * @children     in place while the call lasts
 * @ret_failure  may be NULL; when it gives up: which child, how it ended last
 *
 * Returns 0 when every child has ended for good; -ECHILD when it gave up;
 * -EINVAL, -ENOMEM; or why the caller was stopped. Nothing of the children
 * runs any more: they were stopped one after the other, the last one first.
 */
WEIR_API WEIR_MUST_CHECK int
weir_supervise(const struct weir_supervise_options *options,
    const struct weir_child *children, unsigned count,
    char ret_failure[WEIR_SUPERVISE_TEXT_BYTES]);

WEIR_END

#endif
