/*
 * task.c - start, end, park and wake
 *
 * A park with a deadline arms the task's one timer only if it is not armed for
 * an earlier time already, and a wake leaves it armed: a deadline on every I/O
 * costs a comparison. When the timer fires too early for what the task waits
 * for now, it is armed again for the right time.
 */
#include <errno.h>
#include <string.h>

#include "os/clock.h"
#include "runtime/deadlock.h"
#include "runtime/local.h"
#include "runtime/park.h"
#include "runtime/stack_report.h"
#include "runtime/worker.h"

static bool
task_shielded(const struct task *task, instant now)
{
	return task->shield_depth != 0 &&
	    instant_before(now, task->shield_until);
}

/* Its scope or itself was stopped, but it may have a shield. */
int
task_stop_error_shielded(const struct task *task, instant now)
{
	const struct scope *scope = task->scope;

	if (task_shielded(task, now))
		return 0;
	if (scope->cancelled != 0)
		return scope->cancelled;
	return task->cancelled != 0 ? task->cancelled : -ETIMEDOUT;
}

instant
task_park_end(const struct task *task)
{
	instant end = (task->scope->cancelled | task->cancelled) != 0
	    ? instant_past()
	    : task->scope->deadline;

	if (task->shield_depth != 0 && instant_before(end, task->shield_until))
		end = task->shield_until;
	return instant_earlier(end, task->deadline);
}

/* @task's scope was cancelled, or its timer fired: end its park if it must end
 * by now, else when it must (its shield's end, a later deadline). */
void
task_stop(struct task *task)
{
	instant end;

	if (!task_parked(task) || task->uncancellable)
		return;
	end = task_park_end(task);
	if (instant_before(worker_here->now, end))
		task_timer_need(task, end);
	else
		task_unpark(shrink_restored(task), true);
}

void
task_wake_other(struct task *task)
{
	if (task->state == TASK_SHRUNK)
		task_unpark(shrink_restored(task), false);
	else
		task->wake_pending = true;
}

void
task_cancel_one(struct task *task, int error)
{
	if (task->cancelled == 0)
		task->cancelled = error;
	task_stop(task);
}

static void
task_timer_fire(struct timer *timer)
{
	task_stop(container_of(timer, struct task, timer));
}

static inline void
task_enter_scope(struct task *task, struct scope *scope)
{
	task->scope = scope;
	list_push_back(&scope->tasks, &task->of_scope);
	scope->live++;
	scope->daemons += task->daemon;
}

static inline void
task_leave_scope(struct task *task, int result)
{
	struct scope *scope = task->scope;

	list_remove(&task->of_scope);
	must(scope->live > 0);
	scope->live--;
	scope->daemons -= task->daemon;
	/* What a stopped task returns says nothing new. */
	if (result < 0 && scope->first_error == 0 &&
	    (scope->cancelled | task->cancelled) == 0)
		scope->first_error = result;
	if (scope->live == scope->daemons && scope->waiter != NULL)
		task_wake_here(scope->waiter);
}

static void
task_end(struct worker *worker, struct task *task, int result)
{
	misuse_unless(task->scopes_open == 0,
	    "a task ends with an open scope or generator: its _fini() comes "
	    "first");
	if (unlikely(task->holds != NULL))
		deadlock_task_ended(task);
	if (unlikely(timer_armed(&task->timer)))
		timer_stop(&task->timer);
	if (task->handle != NULL)
		task_handle_end(task->handle, result);
	task_leave_scope(task, result);
	worker->ended = task;
	worker_switch(worker, task);
}

static void
task_main(void)
{
	struct worker *worker = worker_here;
	struct task *task = worker->current;
	int result;

	worker_switched(worker);
	result = task->fn(task->arg);
	if (unlikely(task->own != NULL))
		local_end(task);
	/* It does not return, but the compiler must not know: it would call
	 * instead of jumping, see switch_entry. */
	task_end(worker, task, result);
}

static inline struct task *
task_take_slot(struct worker *worker)
{
	struct task *task;
	bool fresh;
	char *slot;

	slot = stack_acquire(&worker->stacks, &fresh);
	if (slot == NULL)
		return NULL;
	task = task_of_slot(slot);
	must(task->state == TASK_FREE);
	if (unlikely(stack_report_on))
		stack_report_paint(task);
	sanitize_context_init(&task->context, slot + STACK_GUARD_BYTES,
	    STACK_SLOT_BYTES - STACK_GUARD_BYTES);
	task->context.sp = switch_prepare(task, task_main);
	if (fresh)
		atomic_store_explicit(&worker->stack_slots,
		    worker->stacks.slot_count, memory_order_relaxed);
	return task;
}

static inline void
task_count_up(struct worker *worker)
{
	uint32_t count =
	    atomic_load_explicit(&worker->task_count, memory_order_relaxed) + 1;

	atomic_store_explicit(&worker->task_count, count, memory_order_relaxed);
	if (count > atomic_load_explicit(
			&worker->task_count_peak, memory_order_relaxed))
		atomic_store_explicit(
		    &worker->task_count_peak, count, memory_order_relaxed);
}

/* What the task before left in @task is as a task begins, but for this. */
static inline void
task_init(struct task *task, const struct task_options *options, task_fn fn,
    void *arg)
{
	task->cancelled = 0;
	task->uncancellable = false;
	task->stopped = false;
	task->wake_pending = false;
	task->shield_depth = 0;
	task->daemon = options->daemon;
	if (unlikely(task->timer.fire == NULL))
		timer_init(&task->timer, task_timer_fire);
	task->fn = fn;
	task->arg = arg;
	task->name = options->name;
	task->handle = options->handle;
}

static COLD int
task_start_refused(const struct worker *worker)
{
	if (runtime_here.forked)
		return -EOWNERDEAD;
	return worker->task_count >= runtime_here.task_count_max ||
		worker->stacks.slot_count == worker->stacks.slot_count_max
	    ? -EAGAIN
	    : -ENOMEM;
}

static inline __attribute__((always_inline)) int
task_start_here(struct scope *scope, const struct task_options *options,
    task_fn fn, void *arg, const char *file, int line)
{
	struct worker *worker = worker_here;
	struct task *task;

	if (unlikely(worker == NULL))
		misuse_outside_task("task_start");
	if (unlikely(atomic_load_explicit(&worker->task_count,
			 memory_order_relaxed) >= runtime_here.task_count_max))
		return task_start_refused(worker);
	task = task_take_slot(worker);
	if (unlikely(task == NULL))
		return task_start_refused(worker);
	if (unlikely(options->shrink_ns > 0))
		task = shrink_task(worker, task, options->shrink_ns);
	task_init(task, options, fn, arg);
	if (task->handle != NULL) {
		if (!options->handle_begun)
			task_handle_begin(task->handle, worker->index);
		task->handle->task = task;
	}
	task->file = file;
	task->line = line;
	task_enter_scope(task, scope != NULL ? scope : &worker->root);
	task_count_up(worker);
	worker_ready(worker, task);
	return 0;
}

int
task_start_at(struct scope *scope, const char *name, task_fn fn, void *arg,
    const char *file, int line)
{
	const struct task_options options = {.name = name};

	return task_start_here(scope, &options, fn, arg, file, line);
}

int
task_start_with_at(struct scope *scope, const struct task_options *options,
    task_fn fn, void *arg, const char *file, int line)
{
	return task_start_here(scope, options, fn, arg, file, line);
}

struct task *
task_self(void)
{
	return worker_here != NULL ? worker_here->current : NULL;
}

int
task_cancelled(void)
{
	struct worker *worker = worker_here;

	return task_stop_error(task_required(__func__), worker->now);
}

/* Who is alone goes on; at the end of a turn everybody waits for the loop. */
NOINLINE int
task_yield_checked(struct worker *worker, struct task *self, bool over)
{
	bool picks = (worker->leave_checks & WORKER_PICKS) != 0;
	struct task *next = self;
	int error = task_stop_error(self, worker->now);

	if (error < 0)
		return error;
	worker_check_leave(worker, self);
	over = over || (!picks && !worker_turn_goes_on(worker));
	if (over || picks || worker->ready_first != NULL) {
		worker_ready(worker, self);
		next = over ? NULL
		    : picks ? worker_take_checked(worker, self)
			    : worker_pop_ready(worker);
	}
	worker_slice(worker);
	if (next != self)
		worker_leave(worker, self, next);
	return task_stop_error(self, worker->now);
}

int
task_yield(void)
{
	return task_yield_here(__func__);
}

size_t
task_stack_high(void)
{
	struct task *self = task_required(__func__);

	return stack_report_on ? stack_report_high(self) : 0;
}

bool
task_need_yield(void)
{
	(void)task_required(__func__);
	return instant_since(clock_now(), worker_here->now).ns >= TASK_YIELD_NS;
}

/* A frame of its own: in backtraces it says that the task waits. */
NOINLINE int
task_park(const char *reason, instant deadline)
{
	struct task *self = task_required(__func__);

	return task_park_here(worker_here, self, reason, deadline);
}

void
task_park_uncancellable(const char *reason)
{
	struct worker *worker = worker_here;
	struct task *self;

	self = task_required(__func__);
	if (self->wake_pending) {
		self->wake_pending = false;
		return;
	}
	self->uncancellable = true;
	task_park_now(worker, self, reason);
	self->uncancellable = false;
}

int
task_park_inner(const char *reason, instant deadline)
{
	struct task *self = task_required(__func__);

	return task_park_inner_here(worker_here, self, reason, deadline);
}

static void
worker_open_parks_add(struct worker *worker, uint32_t more)
{
	uint32_t count =
	    atomic_load_explicit(&worker->open_parks, memory_order_relaxed);

	atomic_store_explicit(
	    &worker->open_parks, count + more, memory_order_relaxed);
}

int
task_park_open(const char *reason, instant deadline)
{
	struct task *self = task_required(__func__);
	struct worker *worker = worker_here;
	int error;

	worker_open_parks_add(worker, 1);
	error = task_park_inner_here(worker, self, reason, deadline);
	worker_open_parks_add(worker, -1U);
	return error;
}

void
task_park_inner_uncancellable(const char *reason)
{
	struct worker *worker = worker_here;

	must(worker != NULL);
	worker->inner_parks++;
	task_park_uncancellable(reason);
	worker->inner_parks--;
}

void
task_wake(struct task *task)
{
	task_wake_here(task);
}

int
task_sleep_until(instant when)
{
	struct task *self = task_required(__func__);
	int error;

	if (!instant_before(worker_here->now, when))
		return task_yield();
	for (;;) {
		error = task_park(shrink_sleep, when);
		if (error < 0 && error != -ETIMEDOUT)
			return error;
		error = task_stop_error(self, worker_here->now);
		if (error < 0 || !instant_before(worker_here->now, when))
			return error;
	}
}

int
task_sleep(duration how_long)
{
	/* Not the cached time: it may be a slice old, and the sleep would be
	 * that much too short. */
	return task_sleep_until(instant_after(clock_now(), how_long));
}

void
task_shield(duration budget)
{
	struct task *self = task_required(__func__);

	must(self->shield_depth < UINT16_MAX);
	if (self->shield_depth++ == 0)
		self->shield_until = instant_after(clock_now(), budget);
}

void
task_unshield(void)
{
	struct task *self = task_required(__func__);

	if (unlikely(self->shield_depth == 0))
		misuse("weir_unshield() without weir_shield()");
	self->shield_depth--;
}

void
nosuspend_enter(void)
{
	if (worker_here != NULL)
		worker_here->leave_checks++;
}

void
nosuspend_leave(void)
{
	if (worker_here != NULL) {
		must((worker_here->leave_checks & WORKER_NOSUSPEND) != 0);
		worker_here->leave_checks--;
	}
}
