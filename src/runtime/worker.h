/*
 * worker.h - what a worker is made of
 *
 * Layer      runtime, inside only
 * Threads    everything above `inbox` belongs to the worker's thread; the
 *            statistics are read by others, one word each
 *
 * A worker runs its ready tasks in the order in which they became ready. A
 * task that stops switches to the next one directly; the loop, on the thread's
 * own stack, gets control when none is left, or when those that were ready at
 * the start of its turn have run and WORKER_TURN_WORK is done. Then it polls,
 * reads the clock, fires timers and empties the inbox.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "runtime/join.h"
#include "runtime/misuse.h"
#include "runtime/runtime.h"
#include "runtime/sanitize.h"
#include "runtime/shrink.h"
#include "runtime/stack.h"
#include "runtime/task.h"
#include "runtime/wheel.h"

/* I/O operations of a task before it yields: with 32, a neighbour of a flood
 * waits 0.5 ms at the median, without a limit 85 ms. */
#define TASK_SLICE_OPS 32
/* Switches and I/O operations of a turn, at least, while tasks are ready. An
 * operation costs 1 to 5 us, so a turn is 0.3 ms at most unless more than that
 * many tasks were ready at its start. A poll costs 0.3 us, as much as 60
 * switches without an operation: a turn that was shorter than WORKER_TURN_NS
 * goes on, up to WORKER_TURN_ROUNDS times as long (a simulated clock may
 * stand still). */
#define WORKER_TURN_WORK   64
#define WORKER_TURN_NS     20000
#define WORKER_TURN_ROUNDS 64
#define WORKER_POLL_BATCH  256
#define WORKER_INBOX_BATCH 256
/* Of the stack of a task that waits in an I/O call. */
#define WORKER_PREFETCH_LINES 5

enum task_state {
	TASK_FREE, /* the slot is in the pool; zero, as fresh memory is */
	TASK_READY, /* or it runs: worker->current */
	TASK_PARKED,
	TASK_SHRUNK, /* parked, and its stack's memory given back: shrink.h */
};

/* At the top of its slot, where the first frames of the task share its page,
 * unless it is one that shrinks. The first cache line is all that a wait
 * without a deadline touches. */
struct task {
	struct context context;
	struct task *next_ready;
	struct scope *scope;
	int cancelled; /* this task alone; 0, or what its calls return */
	uint8_t state;
	bool uncancellable; /* the park that it is in */
	bool stopped; /* made ready by a deadline or a cancel, not a wake */
	bool wake_pending;
	uint16_t shield_depth;
	uint16_t scopes_open;
	bool daemon;
	bool apart; /* not in its slot, it shrinks */
	bool broken; /* its park ends with -EDEADLK */
	instant deadline; /* of the call that parked it */
	instant since; /* when it parked, as the worker knew it */
	const char *reason; /* what it is parked for */
	struct timer timer; /* armed lazily: may fire before it is needed */
	instant shield_until;
	struct list of_scope;
	task_fn fn;
	void *arg;
	const char *name;
	const char *file;
	int line;
	struct task_handle *handle; /* NULL: nobody can join it */
	struct task_handle *joining; /* what it is parked in a join of */
	struct task_own *own; /* see local.h; NULL until it is used */
	struct lock_hold *holds; /* locks; its own business */
	struct sync_waiter *waits; /* in the queue of a lock, the same */
	struct sync_waiter *blocked; /* by an owner; see deadlock.c */
	/* Of one that is apart; see shrink.c. */
	struct io_op *op; /* that it is parked for, or NULL */
	char *slot;
	char *frames; /* a copy of its stack */
	int64_t shrink_ns; /* it shrinks when parked for so long */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct task) <= 320,
    "a parked task is one page: control block and the frames of a call");
_Static_assert(sizeof(struct context) > sizeof(void *) ||
	offsetof(struct task, timer) <= 64,
    "stack pointer, queue, state, deadline, since, scope and reason");

/* See stop.c. */
struct stop_state {
	struct inbox_item ask;
	struct inbox_item reply;
	uint64_t mark; /* activity at the last reply */
	bool asked;
	bool quiet; /* none between the last two replies */
};

struct io_backend;
struct io_pipe;
struct io_block;

/* Why a task may not simply leave; NOSUSPEND blocks in the bits below. */
#define WORKER_NOSUSPEND UINT32_C(0x0fffffff)
#define WORKER_CANARIES  UINT32_C(0x40000000) /* stacks without a guard */
#define WORKER_PICKS     UINT32_C(0x80000000) /* the backend chooses who runs */

struct worker {
	/* What a switch looks at: a cache line. */
	struct task *current; /* NULL on the loop */
	struct task *ready_first;
	struct task **ready_last;
	uint32_t ready_count;
	int ops_left; /* of the current task's slice */
	uint32_t leave_checks; /* 0, or what is to be looked at: see below */
	uint32_t turn_rounds;
	_Atomic uint64_t switch_count; /* ends of slices */
	uint64_t turn_all; /* those ready at its start had their slice */
	instant now;

	uint64_t turn_end; /* so many slices: the round has done its work */
	struct task *ended; /* its stack is still to be released */
	struct context loop;
	uint64_t fp_control; /* of its thread, with slow_checks */
	struct stacks stacks;
	struct shrink shrink;
	struct wheel wheel;
	struct scope root;
	struct timer housekeeping;
	unsigned index;
	bool stopping;

	const struct io_backend *backend;
	void *backend_state;
	struct list watches; /* io_watch() calls to look at */
	struct io_pipe *pipes; /* idle ones, for io_splice() */
	unsigned pipe_count;
	struct worker_end *ends; /* worker_at_end() */
	struct io_block *blocks; /* idle ones, for io_recv_lend() */
	unsigned block_count;
	uint32_t offload_count; /* jobs that will report back */
	uint32_t inner_parks; /* tasks inside task_park_inner() */
	_Atomic uint32_t open_parks; /* of them, inside task_park_open() */
	uint64_t watch_count; /* descriptors with a hook, at least those */

	/* Statistics and what the end of the runtime looks at. */
	_Atomic uint32_t task_count;
	_Atomic uint32_t task_count_peak;
	_Atomic uint64_t poll_count;
	_Atomic uint64_t stack_slots;
	_Atomic uint32_t stall_count; /* written by stall.c */
	_Atomic bool waits; /* it is in a poll */
	uint64_t item_count; /* inbox items run */
	struct inbox_item *inbox_rest; /* taken from `inbox`, in order */
	struct stop_state stop;
	pthread_t thread;
	void *signal_stack;
	size_t signal_stack_bytes;

	_Alignas(64) _Atomic(struct inbox_item *) inbox;
	_Atomic bool sleeping;
};

/* This thread's worker, NULL outside. Threads never exchange tasks, so it may
 * be kept across a suspension. */
extern __thread struct worker *worker_here
    __attribute__((tls_model("initial-exec")));

/* All workers of the running runtime. */
struct runtime {
	struct worker *workers[RUNTIME_WORKERS_MAX];
	unsigned worker_count;
	const struct io_backend *backend;
	int backend_error; /* why it is not io_uring; 0: not wanted */
	uint32_t task_count_max;
	int64_t gather_ns;
	void (*stall_told)(const char *text);
	bool forked; /* this process is a child of the one that runs it */
	bool pin;
	task_fn root;
	void *root_arg;
	int root_result;
	_Atomic bool ended; /* leave the loops */
	unsigned stop_replies; /* of worker 0 */
	bool stop_quiet;
	struct task *root_task; /* of worker 0; NULL once it has returned */
	_Atomic uint64_t asleep; /* see asleep.c */
	uint64_t asleep_said; /* switches when it was reported */
	struct inbox_item asleep_item;
};
extern struct runtime runtime_here;

/* The calling task; the end of the process when there is none. */
static inline struct task *
task_required(const char *function)
{
	struct worker *worker = worker_here;

	if (unlikely(worker == NULL || worker->current == NULL))
		misuse_outside_task(function);
	return worker->current;
}

/* The calling worker; the end of the process on another thread. */
static inline struct worker *
worker_required(const char *function)
{
	struct worker *worker = worker_here;

	if (unlikely(worker == NULL))
		misuse_outside_worker(function);
	return worker;
}

/* worker.c */
MUST_CHECK int worker_init(struct worker *worker, unsigned index);
void worker_fini(struct worker *worker);
void worker_run(struct worker *worker);
static inline void
worker_ready(struct worker *worker, struct task *task)
{
	task->state = TASK_READY;
	task->next_ready = NULL;
	*worker->ready_last = task;
	worker->ready_last = &task->next_ready;
	worker->ready_count++;
}
void worker_wake(struct worker *worker);
/*
 * Before something that takes a while: what the next ready task needs first
 * comes into the cache meanwhile, its stack and the control block of the one
 * after it. With some hundred tasks at work none of it is there any more.
 */
static inline void
worker_prefetch_next(const struct worker *worker)
{
	const struct task *next = worker->ready_first;
	const char *sp;

	if (next == NULL)
		return;
	if (next->next_ready != NULL)
		__builtin_prefetch(next->next_ready, 1);
	sp = next->context.sp;
	for (int i = 0; i < WORKER_PREFETCH_LINES; i++)
		__builtin_prefetch(sp + i * 64, 1);
}
/* An operation of the current task. False: its slice is over. */
static inline bool
worker_op(struct worker *worker)
{
	worker->turn_end--;
	return likely(--worker->ops_left >= 0);
}

/* task.c */
int task_stop_error_shielded(const struct task *task, instant now);
/* 0, or what the calls of @task return: it was stopped. */
static inline int
task_stop_error(const struct task *task, instant now)
{
	const struct scope *scope = task->scope;

	if (likely((scope->cancelled | task->cancelled) == 0 &&
		instant_before(now, scope->deadline)))
		return 0;
	return task_stop_error_shielded(task, now);
}
void task_stop(struct task *task); /* its scope was cancelled */
void task_cancel_one(struct task *task, int error);
/*
 * As task_park() and task_park_uncancellable(), for a wait that only another
 * task can end (or a thread that deadlock.h knows of): when all tasks of all
 * workers are in such waits, that is a deadlock. -EDEADLK: this task was told.
 */
SUSPENDS MUST_CHECK int task_park_inner(const char *reason, instant deadline);
SUSPENDS void task_park_inner_uncancellable(const char *reason);
/* The same for a wait that a thread of the program can end too: while there is
 * one, nothing is said. */
SUSPENDS MUST_CHECK int task_park_open(const char *reason, instant deadline);
/* The task of a slot that has one in it. */
static inline struct task *
task_of_slot(char *slot)
{
	uintptr_t colour = (uintptr_t)slot / 4096 % STACK_COLOURS;

	return (struct task *)(slot + STACK_SLOT_BYTES -
		   colour * STACK_COLOUR_BYTES) -
	    1;
}
static inline char *
task_slot(struct task *task)
{
	if (unlikely(task->apart))
		return task->slot;
	/* Whatever its colour, it lies in the last page. */
	return (char *)((uintptr_t)task & ~(uintptr_t)4095) + 4096 -
	    STACK_SLOT_BYTES;
}
/* Where its first frame begins. */
static inline char *
task_top(struct task *task)
{
	return (char *)(task->apart ? task_of_slot(task->slot) : task);
}
/* The task of slot @index, TASK_FREE when there is none. */
static inline struct task *
worker_task(const struct worker *worker, uint32_t index)
{
	struct task *apart = worker->shrink.tasks;

	if (apart != NULL && apart[index].state != TASK_FREE)
		return &apart[index];
	return task_of_slot(
	    worker->stacks.arena + (size_t)index * STACK_SLOT_BYTES);
}
static inline bool
task_parked(const struct task *task)
{
	return task->state >= TASK_PARKED;
}

/* local.c */
void local_end(struct task *self);

/* join.c */
void task_handle_begin(struct task_handle *handle, unsigned worker);
void task_handle_end(struct task_handle *handle, int result);

/* scope.c */
void scope_init_root(struct scope *scope);

/* inbox.c: runs up to WORKER_INBOX_BATCH items; true if some are left. */
bool inbox_run(struct worker *worker);
bool inbox_empty(const struct worker *worker);
/* From now on who posts wakes the worker, until inbox_awake(). False: there is
 * something in the inbox already. */
bool inbox_sleep(struct worker *worker);
void inbox_awake(struct worker *worker);

/* runtime.c: a thread that gets no signals but those of its own mistakes. */
MUST_CHECK int
runtime_thread_new(pthread_t *ret_thread, void *(*fn)(void *), void *arg);
/* Those, and the one that runs worker 0. */
unsigned runtime_thread_count(void);

/* dump.c: the tasks of the calling worker, before the process dies. */
void worker_dump(struct worker *worker, int fd);

/* stop.c */
void stop_start(void);
void stop_step(struct worker *worker);

/* asleep.c: the worker is going to sleep; true: asleep_leave() comes after. */
bool asleep_enter(struct worker *worker);
void asleep_runtime(bool runs); /* there are workers, or no more */
void asleep_leave(void);

/* crash.c */
void crash_install(void);
void crash_uninstall(void);
void crash_thread_start(struct worker *worker);
void crash_thread_end(struct worker *worker);

/* fork.c: more than NOSUSPEND ever nests. */
#define FORK_NOSUSPEND 0x10000u
void fork_watch(void);

/* offload.c */
void offload_end(void);

/* io/io.c */
void io_watches_run(struct worker *worker);
/* io/splice.c */
void io_pipes_free(struct worker *worker);
