/*
 * shrink.c - the sweep that shrinks, and the way back
 *
 * A stack is given back by laying guards over it, which frees its pages. That
 * costs 3 us more than MADV_DONTNEED, in all; but a pointer into it that nobody
 * thought of would read zeros there, and here it is noticed.
 */
#include "runtime/shrink.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "os/memory.h"
#include "runtime/io_backend.h"
#include "runtime/stack_report.h"
#include "runtime/worker.h"

#ifndef MADV_GUARD_INSTALL
#	define MADV_GUARD_INSTALL 102
#endif
#ifndef MADV_GUARD_REMOVE
#	define MADV_GUARD_REMOVE 103
#endif
#define SHRINK_EVERY duration_s(1)

#if defined(SANITIZE_ADDRESS) || defined(SANITIZE_THREAD)
#	define SHRINK_WORKS false
#else
#	define SHRINK_WORKS true
#endif

const char shrink_sleep[] = "sleep";
const char shrink_recv[] = "channel recv";

static size_t
shrink_words(uint32_t slot_count)
{
	return (slot_count + 63) / 64;
}

static size_t
shrink_bytes(uint32_t slot_count_max)
{
	return slot_count_max * sizeof(struct task) +
	    shrink_words(slot_count_max) * sizeof(uint64_t);
}

static bool
shrink_open(struct worker *worker)
{
	struct shrink *shrink = &worker->shrink;
	uint32_t slot_count_max = worker->stacks.slot_count_max;
	void *memory;

	if (shrink->tasks != NULL || shrink->off)
		return !shrink->off;
	if (!SHRINK_WORKS || sanitize_on_valgrind() || stack_report_on ||
	    !worker->stacks.guard_install ||
	    memory_map(-1, shrink_bytes(slot_count_max), &memory) < 0) {
		shrink->off = true;
		return false;
	}
	shrink->tasks = memory;
	shrink->warm = (uint64_t *)(void *)(shrink->tasks + slot_count_max);
	return true;
}

static inline void
shrink_warm(struct shrink *shrink, uint32_t index)
{
	shrink->warm[index / 64] |= UINT64_C(1) << index % 64;
}

static inline void
shrink_cold(struct shrink *shrink, uint32_t index)
{
	shrink->warm[index / 64] &= ~(UINT64_C(1) << index % 64);
}

struct task *
shrink_task(struct worker *worker, struct task *in_slot, int64_t shrink_ns)
{
	struct shrink *shrink = &worker->shrink;
	struct task *task;
	uint32_t index;

	if (!shrink_open(worker))
		return in_slot;
	index = stack_index(&worker->stacks, task_slot(in_slot));
	task = &shrink->tasks[index];
	task->context = in_slot->context;
	task->apart = true;
	task->slot = task_slot(in_slot);
	task->shrink_ns = shrink_ns;
	shrink_warm(shrink, index);
	if (shrink->live++ == 0)
		timer_start(
		    &shrink->sweep, instant_after(worker->now, SHRINK_EVERY));
	return task;
}

char *
shrink_task_ended(struct worker *worker, struct task *task)
{
	struct shrink *shrink = &worker->shrink;
	char *slot = task->slot;

	shrink_cold(shrink, (uint32_t)(task - shrink->tasks));
	/* Left by shrink_fault(). */
	free(task->frames);
	task->frames = NULL;
	shrink->live--;
	return slot;
}

/* ---- shrinking ---- */

static bool
shrink_idle(const struct worker *worker, const struct task *task)
{
	if (task->state != TASK_PARKED || task->uncancellable ||
	    task->scopes_open != 0 ||
	    instant_since(worker->now, task->since).ns < task->shrink_ns)
		return false;
	if (task->op == NULL)
		return task->reason == shrink_sleep ||
		    task->reason == shrink_recv;
	return worker->backend->holds == NULL ||
	    !worker->backend->holds(task->op);
}

static int
shrink_guard(struct task *task, int advice)
{
	return madvise(task->slot + STACK_GUARD_BYTES,
	    STACK_SLOT_BYTES - STACK_GUARD_BYTES, advice);
}

/* The pages come back as they are touched: the system promised them when the
 * stack was reserved, as it did for the first time. */
static void
shrink_undo(struct task *task)
{
	char *sp = task->context.sp;

	must(shrink_guard(task, MADV_GUARD_REMOVE) == 0);
	memcpy(sp, task->frames, (size_t)(task_top(task) - sp));
	task->state = TASK_PARKED;
}

/* False: nothing was done. */
static bool
shrink_one(struct worker *worker, struct task *task)
{
	struct shrink *shrink = &worker->shrink;
	char *sp = task->context.sp;
	size_t bytes = (size_t)(task_top(task) - sp);
	char *frames;

	if (bytes > SHRINK_BYTES)
		return false;
	frames = memory_denied() ? NULL : realloc(task->frames, bytes);
	if (frames == NULL)
		return false;
	task->frames = frames;
	memcpy(frames, sp, bytes);
	if (task->op != NULL)
		task->op->io->flags |= IO_FD_SHRUNK;
	if (shrink_guard(task, MADV_GUARD_INSTALL) < 0) {
		/* Of locked memory; or it got half way. */
		shrink_undo(task);
		shrink->off = true;
		return false;
	}
	task->state = TASK_SHRUNK;
	shrink_cold(shrink, (uint32_t)(task - shrink->tasks));
	atomic_fetch_add_explicit(&shrink->count, 1, memory_order_relaxed);
	return true;
}

/* One word of the bits; returns how many were shrunk. */
static unsigned
shrink_word(struct worker *worker, size_t word, unsigned *ret_looks)
{
	uint64_t bits = worker->shrink.warm[word];
	unsigned count = 0;

	for (; bits != 0 && !worker->shrink.off; bits &= bits - 1) {
		struct task *task =
		    &worker->shrink
			 .tasks[word * 64 + (size_t)__builtin_ctzll(bits)];

		++*ret_looks;
		if (shrink_idle(worker, task))
			count += shrink_one(worker, task);
	}
	return count;
}

static void
shrink_sweep(struct timer *timer)
{
	struct worker *worker =
	    container_of(timer, struct worker, shrink.sweep);
	struct shrink *shrink = &worker->shrink;
	size_t words = shrink_words(worker->stacks.slot_count);
	unsigned count = 0, looks = 0;
	duration pause = duration_ms(SHRINK_PAUSE_MS);

	while (
	    shrink->at < words && count < SHRINK_BATCH && looks < SHRINK_LOOKS)
		count += shrink_word(worker, shrink->at++, &looks);
	if (shrink->at >= words) {
		shrink->at = 0;
		pause = SHRINK_EVERY;
	}
	if (shrink->live > 0 && !shrink->off)
		timer_start(timer, instant_after(worker->now, pause));
}

/* ---- the way back ---- */

static void
shrink_restore(struct worker *worker, struct task *task)
{
	shrink_undo(task);
	shrink_warm(&worker->shrink, (uint32_t)(task - worker->shrink.tasks));
	atomic_fetch_sub_explicit(
	    &worker->shrink.count, 1, memory_order_relaxed);
}

struct task *
shrink_restored(struct task *task)
{
	if (task->state == TASK_SHRUNK) {
		shrink_restore(worker_here, task);
		free(task->frames);
		task->frames = NULL;
	}
	return task;
}

/* The task of @worker whose shrunk stack @address is on. */
static struct task *
shrink_task_at(const struct worker *worker, const void *address)
{
	size_t offset;
	char *slot = stack_find(&worker->stacks, address, &offset);
	struct task *task;

	if (slot == NULL || worker->shrink.tasks == NULL ||
	    offset < STACK_GUARD_BYTES)
		return NULL;
	task = &worker->shrink.tasks[stack_index(&worker->stacks, slot)];
	return task->state == TASK_SHRUNK ? task : NULL;
}

void
shrink_restore_io(struct io_fd *io)
{
	struct worker *worker = worker_here;
	struct io_op *ops[] = {io->reader, io->writer};

	io->flags &= (uint8_t)~IO_FD_SHRUNK;
	for (unsigned i = 0; i < array_count(ops); i++) {
		struct task *task = shrink_task_at(worker, ops[i]);

		if (task != NULL)
			(void)shrink_restored(task);
	}
}

/* The heap may be in use where it happened: the copy is freed later. */
bool
shrink_fault(const void *address)
{
	struct worker *worker = worker_here;
	struct task *task = NULL;

	if (worker != NULL)
		task = shrink_task_at(worker, address);
	if (task == NULL)
		return false;
	shrink_restore(worker, task);
	return true;
}

const struct task *
shrink_find(const void *address)
{
	for (unsigned i = 0; i < runtime_here.worker_count; i++) {
		const struct worker *worker = runtime_here.workers[i];
		const struct task *task =
		    worker != NULL ? shrink_task_at(worker, address) : NULL;

		if (task != NULL)
			return task;
	}
	return NULL;
}

void
shrink_init(struct shrink *shrink)
{
	timer_init(&shrink->sweep, shrink_sweep);
}

void
shrink_fini(struct shrink *shrink, uint32_t slot_count_max)
{
	if (shrink->tasks != NULL)
		memory_unmap(shrink->tasks, shrink_bytes(slot_count_max));
	shrink->tasks = NULL;
}
