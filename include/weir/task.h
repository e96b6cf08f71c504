/*
 * weir/task.h - tasks and the scopes that own them
 *
 * A task is straight-line code on a stack of 64 KiB of its own. It stays on
 * the thread that started it, runs until it calls something that suspends, and
 * ends by returning. It is stopped by making its suspending calls fail; so the
 * ordinary path is the clean-up path.
 */
#ifndef WEIR_TASK_H
#define WEIR_TASK_H

#include <weir/api.h>
#include <weir/time.h>

WEIR_BEGIN

typedef int (*weir_task_fn)(void *arg);

/*
 * A scope owns the tasks that are started in it. In the caller's memory, from
 * weir_scope_init() to the end of weir_scope_fini(), both by the same task.
 */
struct weir_scope {
	uint64_t opaque[16];
};

/* The scope lies in the scope of the calling task: it is stopped with it, and
 * its deadline is the earlier of @deadline and the outer one. */
WEIR_API void weir_scope_init(struct weir_scope *scope, weir_time deadline);

/* Suspends until every task of the scope has ended, without stopping any.
 * Returns the first error of a task, or 0; or why the caller was stopped. */
WEIR_API int weir_scope_wait(struct weir_scope *scope);

/* Stops what still runs and suspends until it has ended; always succeeds in
 * that. Returns the first error of a task that was not stopped, or 0. */
WEIR_API int weir_scope_fini(struct weir_scope *scope);

/* From now on every suspending call of the scope's tasks returns @error
 * (-ECANCELED if 0). Does not suspend. */
WEIR_API void weir_scope_cancel(struct weir_scope *scope, int error);

/*
 * Start @fn(@arg) as a task of @scope on this worker. It runs when the caller
 * next suspends.
 *
 * @scope  NULL: detached, stopped at the end of the runtime
 * @name   text that stays, for weir_dump() and crash lines
 *
 * Returns 0, -EAGAIN (too many tasks), -ENOMEM.
 */
#define weir_task_start(scope, name, fn, arg)                                  \
	weir_task_start_at((scope), (name), (fn), (arg), __FILE__, __LINE__)
WEIR_API WEIR_MUST_CHECK int weir_task_start_at(struct weir_scope *scope,
    const char *name, weir_task_fn fn, void *arg, const char *file, int line);

/*
 * A handle of one task, to join it by. In the caller's memory; it stays there
 * until the task has ended and every join has returned, or weir_task_detach().
 * It may be used from any worker.
 */
struct weir_task {
	uint64_t opaque[8];
};

/* All zero is a good choice. */
struct weir_task_options {
	const char *name; /* text that stays */
	struct weir_task *handle; /* NULL: nobody joins it */
	/* Serves the others: it is stopped once its scope is waited for and
	 * only tasks like it are left there. */
	bool daemon;
	/*
	 * When it has waited this long in a call of weir/io.h, weir_sleep() or
	 * weir_channel_recv() of a channel that is not shared, it gives the
	 * memory of its stack back until something wakes it: a page becomes
	 * some hundred bytes, and the next wake-up costs 5 to 7 us more. For
	 * code that blocks while it is idle, on many connections.
	 *
	 * It must have less than 2 KiB of frames then (so it receives by
	 * weir_recv_lend()) and no open scope or generator. Nothing on its
	 * stack may be in use by another thread, or by a call of another task
	 * that the kernel reads or writes it in: the first ends the process,
	 * the second fails with -EFAULT. Whatever else follows a pointer there
	 * brings it back, by way of SIGSEGV. 0: never; as on Linux before
	 * 6.13, with memory that is locked, and under sanitizers and valgrind.
	 */
	int64_t shrink_ns;
	uint64_t reserved[3]; /* zero */
};

/* As weir_task_start(), with more said; @options may go when it returns. */
#define weir_task_start_with(scope, options, fn, arg)                          \
	weir_task_start_with_at(                                               \
	    (scope), (options), (fn), (arg), __FILE__, __LINE__)
WEIR_API WEIR_MUST_CHECK int weir_task_start_with_at(struct weir_scope *scope,
    const struct weir_task_options *options, weir_task_fn fn, void *arg,
    const char *file, int line);

/*
 * Suspends until the task has ended; *@ret_result (may be NULL) is what its
 * function returned. Any number may join, also later and from other workers.
 *
 * Returns 0, -ETIMEDOUT, -EDEADLK (the caller's own handle, or tasks of this
 * worker that would join each other in a circle), or why the caller was
 * stopped.
 */
WEIR_API WEIR_MUST_CHECK int
weir_task_join(struct weir_task *handle, int *ret_result, weir_time deadline);

/* From now on every suspending call of this task returns @error (-ECANCELED
 * if 0). Suspends only for a task of another worker. */
WEIR_API void weir_task_cancel(struct weir_task *handle, int error);

/* Nobody is joining or will: @handle may be freed and the task goes on. On the
 * worker of the task. */
WEIR_API void weir_task_detach(struct weir_task *handle);

/* Let the others run. Suspends. */
WEIR_API int weir_yield(void);

/* Suspends. Returns 0 when the time has come, or why the task was stopped. */
WEIR_API int weir_sleep(int64_t ns);
WEIR_API int weir_sleep_until(weir_time when);

/* 0, or the error that every suspending call would return now. */
WEIR_API int weir_stopped(void);

/* Until weir_unshield(), and for @ns at most, the task is not stopped: bounded
 * clean-up. Pairs nest; the time of the outer one counts. */
WEIR_API void weir_shield(int64_t ns);
WEIR_API void weir_unshield(void);

/*
 * Between these two a call that would let other tasks run ends the process and
 * says so. They nest.
 */
WEIR_API void weir_nosuspend_enter(void);
WEIR_API void weir_nosuspend_leave(void);

/*
 * Does the calling task hold its worker for long (half a millisecond) already?
 * For loops that compute: if so, weir_yield(). Reads the clock, about 25 ns.
 */
WEIR_API bool weir_need_yield(void);

/*
 * Bytes of its stack that the calling task has ever used; 0 unless the
 * environment had WEIR_STACK_REPORT when weir_run() began. With that it says at
 * its end, to stderr, how deep the tasks that each place started went.
 */
WEIR_API size_t weir_stack_high(void);

/*
 * An event is set once, from any thread, and awaited by the task that made it.
 * It must stay in place until the wait has returned 0.
 */
struct weir_event {
	uint64_t opaque[8];
};
WEIR_API void weir_event_init(struct weir_event *event);
WEIR_API void weir_event_set(struct weir_event *event);
/* Suspends. Returns 0, -ETIMEDOUT, or why the task was stopped. */
WEIR_API WEIR_MUST_CHECK int
weir_event_wait(struct weir_event *event, weir_time deadline);

WEIR_END

#endif
