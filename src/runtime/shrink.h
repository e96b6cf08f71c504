/*
 * shrink.h - idle tasks that give the memory of their stacks back
 *
 * Layer      runtime, inside only
 * Threads    the worker's; shrink_fault() on any thread
 * Memory     of a task that asked for it: its struct task lies apart from its
 *            stack, and while it is shrunk a copy of its live frames on the
 *            heap is all there is beside; of all others: nothing
 * Cost       a look at each such task that is not shrunk, once a second; 5 to
 *            7 us to shrink and as much to restore. A task that runs or waits
 *            in the ordinary way pays nothing: a shrunk one has a state of its
 *            own, and what may wake it restores it first
 * Limits     SHRINK_BYTES of live frames; with more, with an open scope or
 *            generator, or in another wait than for I/O, a time or
 *            an item of a channel that is not shared it stays as it is. Nothing
 * shrinks without MADV_GUARD_INSTALL (Linux 6.13), with memory locked, under
 * sanitizers, valgrind or WEIR_STACK_REPORT Invariant  the pages of a shrunk
 * stack are guards: whoever follows a pointer there faults, and a fault on the
 * worker's own thread restores it. No other thread and no call of the kernel
 * may be given memory on the stack of such a task while it is idle: the one
 * ends the process with a message, the other fails with -EFAULT
 */
#pragma once

#include <stdatomic.h>

#include "base/cc.h"
#include "runtime/timer.h"

#define SHRINK_BYTES 2048
/* Of a tick: 0.5 ms of work each, then the others come first. */
#define SHRINK_BATCH    128
#define SHRINK_LOOKS    8192
#define SHRINK_PAUSE_MS 10

struct task;
struct worker;
struct io_fd;

struct shrink {
	struct task *tasks; /* by slot; NULL: nobody ever asked */
	uint64_t *warm; /* a bit a slot: such a task, not shrunk */
	uint32_t live; /* such tasks */
	uint32_t at; /* the slot at which the sweep goes on */
	bool off; /* the kernel refused */
	struct timer sweep;
	_Atomic uint32_t count; /* shrunk now */
};

void shrink_init(struct shrink *shrink);
void shrink_fini(struct shrink *shrink, uint32_t slot_count_max);

/* Reasons of parks, beside those for I/O, in which a task may shrink: only time
 * ends it; this worker's tasks alone look at its place in the queue. */
extern const char shrink_sleep[];
extern const char shrink_recv[];

/* The task that begins now and lies in its slot is to shrink: returns where it
 * is from now on; @in_slot when nothing can shrink. */
struct task *
shrink_task(struct worker *worker, struct task *in_slot, int64_t shrink_ns);
/* Returns its slot. */
char *shrink_task_ended(struct worker *worker, struct task *task);

/* @task, which has its stack again if it was shrunk. */
struct task *shrink_restored(struct task *task);
/* Those that wait on @io have theirs. */
void shrink_restore_io(struct io_fd *io);

/* True: @address is on a stack of this worker that was shrunk, and is there
 * again. In a handler of SIGSEGV. */
bool shrink_fault(const void *address);
/* The task whose shrunk stack @address is on, of whatever worker, or NULL. */
const struct task *shrink_find(const void *address);
