/*
 * public_task.c - <weir/time.h> and <weir/task.h> over the runtime
 */
#include <weir/task.h>

#include "os/clock.h"
#include "runtime/runtime.h"
#include "runtime/timer.h"

_Static_assert(sizeof(struct timer) <= sizeof(struct weir_timer), "");
_Static_assert(sizeof(struct scope) <= sizeof(struct weir_scope), "");
_Static_assert(sizeof(struct event) <= sizeof(struct weir_event), "");
_Static_assert(WEIR_NEVER == INSTANT_NEVER_NS, "");
_Static_assert(WEIR_PAST == INSTANT_PAST_NS, "");

static instant
public_instant(weir_time t)
{
	return (instant){t};
}

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
	timer_init(
	    (struct timer *)timer, (void (*)(struct timer *))(void *)fire);
}

void
weir_timer_start(struct weir_timer *timer, weir_time when)
{
	timer_start((struct timer *)timer, public_instant(when));
}

void
weir_timer_stop(struct weir_timer *timer)
{
	timer_stop((struct timer *)timer);
}

void
weir_scope_init(struct weir_scope *scope, weir_time deadline)
{
	scope_init((struct scope *)scope, public_instant(deadline));
}

int
weir_scope_wait(struct weir_scope *scope)
{
	return scope_wait((struct scope *)scope);
}

int
weir_scope_fini(struct weir_scope *scope)
{
	return scope_fini((struct scope *)scope);
}

void
weir_scope_cancel(struct weir_scope *scope, int error)
{
	scope_cancel((struct scope *)scope, error);
}

int
weir_task_start_at(struct weir_scope *scope, const char *name, weir_task_fn fn,
    void *arg, const char *file, int line)
{
	return task_start_at((struct scope *)scope, name, fn, arg, file, line);
}

int
weir_yield(void)
{
	return task_yield();
}

int
weir_sleep(int64_t ns)
{
	return task_sleep(duration_ns(ns));
}

int
weir_sleep_until(weir_time when)
{
	return task_sleep_until(public_instant(when));
}

int
weir_stopped(void)
{
	return task_cancelled();
}

void
weir_shield(int64_t ns)
{
	task_shield(duration_ns(ns));
}

void
weir_unshield(void)
{
	task_unshield();
}

void
weir_event_init(struct weir_event *event)
{
	event_init((struct event *)event);
}

void
weir_event_set(struct weir_event *event)
{
	event_set((struct event *)event);
}

int
weir_event_wait(struct weir_event *event, weir_time deadline)
{
	return event_wait((struct event *)event, public_instant(deadline));
}
