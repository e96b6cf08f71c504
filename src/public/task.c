/*
 * public/task.c - <weir/time.h> and <weir/task.h> over the runtime
 */
#include <weir/task.h>

#include "os/clock.h"
#include "public/inner.h"
#include "runtime/park.h"

weir_time
weir_now(void)
{
	return runtime_now().ns;
}

weir_time
weir_after(int64_t ns)
{
	return instant_after(clock_now(), duration_ns(ns)).ns;
}

void
weir_timer_init(
    struct weir_timer *timer, void (*fire)(struct weir_timer *timer))
{
	/* A struct weir_timer is a struct timer and room for more. */
	timer_init(inner_timer(timer), (void (*)(struct timer *))(void *)fire);
}

void
weir_timer_start(struct weir_timer *timer, weir_time when)
{
	(void)worker_required(__func__);
	timer_start(inner_timer(timer), inner_time(when));
}

void
weir_timer_stop(struct weir_timer *timer)
{
	(void)worker_required(__func__);
	timer_stop(inner_timer(timer));
}

void
weir_scope_init(struct weir_scope *scope, weir_time deadline)
{
	(void)task_required(__func__);
	scope_init(inner_scope(scope), inner_time(deadline));
}

int
weir_scope_wait(struct weir_scope *scope)
{
	(void)task_required(__func__);
	return scope_wait(inner_scope(scope));
}

int
weir_scope_fini(struct weir_scope *scope)
{
	(void)task_required(__func__);
	return scope_fini(inner_scope(scope));
}

void
weir_scope_cancel(struct weir_scope *scope, int error)
{
	(void)worker_required(__func__);
	scope_cancel(inner_scope(scope), error);
}

int
weir_task_start_at(struct weir_scope *scope, const char *name, weir_task_fn fn,
    void *arg, const char *file, int line)
{
	(void)worker_required(__func__);
	return task_start_at(inner_scope(scope), name, fn, arg, file, line);
}

int
weir_task_start_with_at(struct weir_scope *scope,
    const struct weir_task_options *options, weir_task_fn fn, void *arg,
    const char *file, int line)
{
	struct task_options inner = {.name = NULL};

	(void)worker_required(__func__);
	if (options != NULL)
		inner = (struct task_options){.name = options->name,
		    .handle = inner_task(options->handle),
		    .daemon = options->daemon,
		    .shrink_ns = options->shrink_ns};
	return task_start_with_at(
	    inner_scope(scope), &inner, fn, arg, file, line);
}

int
weir_task_join(struct weir_task *handle, int *ret_result, weir_time deadline)
{
	(void)task_required(__func__);
	return task_join(inner_task(handle), ret_result, inner_time(deadline));
}

void
weir_task_cancel(struct weir_task *handle, int error)
{
	(void)worker_required(__func__);
	task_cancel(inner_task(handle), error);
}

void
weir_task_detach(struct weir_task *handle)
{
	(void)worker_required(__func__);
	task_detach(inner_task(handle));
}

int
weir_yield(void)
{
	return task_yield_here(__func__);
}

int
weir_sleep(int64_t ns)
{
	(void)task_required(__func__);
	return task_sleep(duration_ns(ns));
}

int
weir_sleep_until(weir_time when)
{
	(void)task_required(__func__);
	return task_sleep_until(inner_time(when));
}

int
weir_stopped(void)
{
	(void)task_required(__func__);
	return task_cancelled();
}

void
weir_shield(int64_t ns)
{
	(void)task_required(__func__);
	task_shield(duration_ns(ns));
}

void
weir_unshield(void)
{
	(void)task_required(__func__);
	task_unshield();
}

void
weir_nosuspend_enter(void)
{
	nosuspend_enter();
}

void
weir_nosuspend_leave(void)
{
	nosuspend_leave();
}

size_t
weir_stack_high(void)
{
	(void)task_required(__func__);
	return task_stack_high();
}

bool
weir_need_yield(void)
{
	(void)task_required(__func__);
	return task_need_yield();
}

void
weir_event_init(struct weir_event *event)
{
	(void)task_required(__func__);
	event_init(inner_event(event));
}

void
weir_event_set(struct weir_event *event)
{
	event_set(inner_event(event));
}

int
weir_event_wait(struct weir_event *event, weir_time deadline)
{
	(void)task_required(__func__);
	return event_wait(inner_event(event), inner_time(deadline));
}
