/*
 * weir/runtime.h - workers: how they start, talk and end
 */
#ifndef WEIR_RUNTIME_H
#define WEIR_RUNTIME_H

#include <weir/api.h>
#include <weir/task.h>
#include <weir/time.h>

WEIR_BEGIN

struct weir_sim_options;

/* All zero is a good choice. */
struct weir_options {
	unsigned worker_count; /* threads; 0: one per usable CPU; 64 at most */
	uint32_t task_count_max; /* per worker; 0: 1,000,000 */
	/* NULL or "epoll"; "uring" or "io_uring", which is epoll where it is
	 * denied; "auto": io_uring from Linux 6.12 on, unless it is denied,
	 * else epoll; "poll" or "select": for few descriptors, a turn costs as
	 * much as there are that wait, 0.15 us each; "sim": a simulation
	 * (weir/sim.h), on one worker */
	const char *backend;
	bool pin; /* each worker to a CPU of its own */
	/* A task that holds its worker longer is named once, with its calls;
	 * a thread looks after that, and uses SIGURG unless you do. 0: 50 ms;
	 * -1: never. */
	int64_t stall_ns;
	/* Gets that text, lines that end with newlines, on that thread; NULL:
	 * it goes to stderr. */
	void (*stall_told)(const char *text);
	const struct weir_sim_options *sim; /* of backend "sim"; may be NULL */
	/* While events come one soon after another, a worker that waits for the
	 * next sleeps on for so long, to handle several at once: less CPU time,
	 * and each is delayed by about that. Where they are rare, or come one
	 * by one, none is. With io_uring from Linux 6.12 on. 0: never; 1 ms at
	 * most; 30 us is a good choice for a busy server. */
	int64_t gather_ns;
	uint64_t reserved[2]; /* zero */
};

/*
 * Run @root(@arg) as the first task of worker 0, which is the calling thread.
 * When it has returned, every other task is stopped and waited for. SIGPIPE is
 * ignored from then on. One runtime at a time. @options  NULL: all zero
 *
 * Returns what root returned, or -errno when it could not start (-EBUSY: one
 * is running; -EINVAL: an option).
 */
WEIR_API int
weir_run(const struct weir_options *options, weir_task_fn root, void *arg);

/* 0 outside weir_run(). */
WEIR_API unsigned weir_worker_count(void);
/* The index of the calling worker; 0 on another thread. */
WEIR_API unsigned weir_worker_self(void);

/* Start a detached task on worker @worker, the caller's or another; from any
 * thread, while the runtime runs. 0 or -ENOMEM. */
#define weir_worker_start(worker, name, fn, arg)                               \
	weir_worker_start_at((worker), (name), (fn), (arg), __FILE__, __LINE__)
WEIR_API WEIR_MUST_CHECK int weir_worker_start_at(unsigned worker,
    const char *name, weir_task_fn fn, void *arg, const char *file, int line);

/* The same with a handle to join it by (weir/task.h); a start that fails over
 * there is its result. */
#define weir_worker_start_joinable(worker, handle, name, fn, arg)              \
	weir_worker_start_joinable_at(                                         \
	    (worker), (handle), (name), (fn), (arg), __FILE__, __LINE__)
WEIR_API WEIR_MUST_CHECK int
weir_worker_start_joinable_at(unsigned worker, struct weir_task *handle,
    const char *name, weir_task_fn fn, void *arg, const char *file, int line);

/*
 * Run @fn(@arg) on a thread of the pool for calls that block. Suspends.
 * Returns fn's result; or -EAGAIN (queue full), -ENOMEM, -ETIMEDOUT or why the
 * task was stopped, and then @arg is given up: @release(@arg), which may be
 * NULL and must not suspend, has been called or will be on this worker, exactly
 * once, also when @fn never ran. To tell whose error it is, let @fn return 0
 * and leave its own in @arg.
 */
WEIR_API WEIR_MUST_CHECK int weir_offload(int (*fn)(void *arg), void *arg,
    void (*release)(void *arg), weir_time deadline);

/* Block the signals of @signals (0-terminated) and return a descriptor to
 * attach that struct signalfd_siginfo are read from, or -errno. Before
 * weir_run(). */
WEIR_API WEIR_MUST_CHECK int weir_signals_open(const int *signals);

/* Every task of every worker, with what it waits for, as text. Suspends.
 * 0 or -errno; does nothing outside a worker. */
WEIR_API int weir_dump(int fd);

struct weir_info {
	unsigned worker_count;
	uint32_t task_count;
	uint32_t task_count_peak;
	uint64_t switch_count;
	uint64_t poll_count;
	uint64_t stack_bytes_mapped;
	const char *backend;
	uint64_t stall_count; /* see struct weir_options */
	uint64_t shrunk_count; /* tasks; see struct weir_task_options */
	uint64_t reserved[3];
};
WEIR_API void weir_info_get(struct weir_info *ret_info);

WEIR_END

#endif
