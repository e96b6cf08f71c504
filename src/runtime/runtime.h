/*
 * runtime.h - workers, and how they start, talk and end
 *
 * Layer      runtime
 * Threads    one worker per core; worker 0 is the thread that called
 *            runtime_run(). Tasks, descriptors and timers belong to the worker
 *            that made them and never move.
 * Memory     65 GiB of address space per worker for stacks (reserved, not
 *            used), touched a page at a time
 */
#pragma once

#include "base/cc.h"
#include "base/time.h"
#include "runtime/task.h"

#define RUNTIME_WORKERS_MAX 64

struct sim_options;

struct runtime_options {
	unsigned worker_count; /* 0: one per usable CPU */
	/* NULL or "epoll"; "uring" or "io_uring", which is epoll where it is
	 * denied; "auto": io_uring if the kernel's waits gather, else epoll;
	 * "poll" and "select", for few descriptors:
	 * a turn costs as much as there are that wait; "sim", a simulation on
	 * one worker. Else -EINVAL. */
	const char *backend;
	uint32_t task_count_max; /* per worker; 0: 1,000,000 */
	bool pin; /* pin each worker to a CPU of the affinity mask */
	/* A task that holds its worker longer is named once, with its calls
	 * (by a thread, and SIGURG unless that is in use). 0: 50 ms; -1: never
	 */
	int64_t stall_ns;
	/* Gets that text, lines that end with newlines, on a thread of its own;
	 * NULL: it goes to stderr. */
	void (*stall_told)(const char *text);
	/* While events come one soon after another, the wait for them goes on
	 * for this long, so that a sleep is for several: each is delayed by
	 * that at most, and none where they are rare (io/gather.h). With
	 * io_uring, from Linux 6.12 on. 0: never. 1 ms at most. */
	int64_t gather_ns;
	const struct sim_options *sim; /* of the backend "sim"; may be NULL */
};

/*
 * runtime_run - run @root(@arg) as the first task of worker 0
 *
 * Blocks the calling thread until root has returned and every other task of
 * every worker has been cancelled and has ended. Signals stay as the caller
 * set them in this thread, the others get none; SIGPIPE is ignored,
 * SIGSEGV/SIGBUS name a stack overflow. One runtime at a time: -EBUSY.
 *
 * Returns root's result, or -errno when the runtime could not start.
 */
int runtime_run(const struct runtime_options *options, task_fn root, void *arg);

unsigned runtime_worker_count(void);

/* The index of the calling worker; 0 outside the runtime. */
unsigned worker_self(void);

/* The time this worker last looked at the clock: cheap, at most one loop turn
 * old. clock_now() of os/clock.h asks the kernel. */
instant runtime_now(void);

/* The name of the I/O backend in use. */
const char *runtime_backend(void);
/* 0, or -errno: why it is not io_uring, which would have been taken. */
int runtime_backend_error(void);

/*
 * Cross-worker messages. The item is in the caller's memory and must stay
 * valid until @run has been called; @run runs on @worker's loop (not on a
 * task): it may wake and start tasks, it must not suspend.
 * May be called from any thread, also one that is no worker.
 */
struct inbox_item {
	struct inbox_item *next;
	void (*run)(struct inbox_item *item);
};
void worker_post(unsigned worker, struct inbox_item *item);

/*
 * What a module keeps for the calling worker: @run is called once, after the
 * last task of the worker has ended, and frees it. Any thread may call it.
 */
struct worker_end {
	struct worker_end *next;
	void (*run)(struct worker_end *end);
};
void worker_at_end(struct worker_end *end);

/*
 * worker_start_on - run @fn(@arg) as a detached task on another worker
 * Any thread. Returns 0 or -ENOMEM; a start that fails there (-EAGAIN) is
 * counted and logged by nobody: use it at start-up.
 */
#define worker_start_on(worker, name, fn, arg)                                 \
	worker_start_at((worker), NULL, (name), (fn), (arg), __FILE__, __LINE__)
struct task_handle;
MUST_CHECK int worker_start_at(unsigned worker, struct task_handle *handle,
    const char *name, task_fn fn, void *arg, const char *file, int line);

/*
 * Run @fn(@arg) on a thread of the pool for blocking calls, and wait.
 * Who is cancelled does not wait for @fn to end, *and @arg stays in use until
 * it has*. So the rule: when it returns an error that is not fn's, @arg is
 * given up: @release(@arg) (may be NULL) has been called, or will be on this
 * worker's loop, exactly once, also when @fn never ran. It must not suspend. To
 * tell whose error it is, let @fn return 0 and leave its own in @arg.
 *
 * Returns fn's result, the cancel error, -ETIMEDOUT, -EAGAIN (queue full),
 * -ENOMEM.
 */
SUSPENDS MUST_CHECK int offload_run(int (*fn)(void *arg), void *arg,
    void (*release)(void *arg), instant deadline);

/*
 * One event, set once, awaited by one task, set from any worker or thread.
 * In the caller's memory; it must stay valid until the wait has returned 0 or
 * the owner has made sure (under its own lock) that nobody will set it.
 */
struct event {
	struct inbox_item item;
	struct task *waiter;
	unsigned worker;
	bool set; /* written on the owner's worker only */
};
void event_init(struct event *event); /* by the task that will wait */
void event_set(struct event *event);
/* Returns 0, -ETIMEDOUT, or the cancel error. */
SUSPENDS MUST_CHECK int event_wait(struct event *event, instant deadline);
/* Waits for a set that is known to be coming; cannot be cancelled. */
SUSPENDS void event_wait_surely(struct event *event);

/*
 * signals_open - receive signals as reads instead of interruptions
 * Blocks the signals of @signals (0-terminated) in the calling thread (call it
 * before runtime_run() so that every thread inherits that) and returns a
 * signalfd, non-blocking and close-on-exec, for io_attach(); or -errno.
 */
int signals_open(const int *signals);

/* Every task of every worker with what it waits for, as text, into @fd
 * (a file or pipe with room; written from the loops of the workers).
 * Returns 0 or -errno. */
SUSPENDS int runtime_dump(int fd);

struct runtime_info {
	unsigned worker_count;
	uint32_t task_count; /* live, all workers */
	uint32_t task_count_peak;
	uint64_t switch_count;
	uint64_t poll_count; /* calls of the backend's wait */
	uint64_t stall_count; /* see runtime_options */
	uint32_t shrunk_count; /* of the live: see shrink.h */
	uint64_t stack_bytes_mapped; /* slots ever used, times their size */
};
void runtime_info_get(struct runtime_info *ret_info);
