/*
 * inner.h - what lies behind the structs of the public headers
 *
 * A public struct is room of a fixed size in the caller's memory; the runtime's
 * own struct stands at its start. The sizes are compared where they are used.
 */
#pragma once

#include <weir/io.h>
#include <weir/task.h>
#include <weir/time.h>

#include "runtime/io.h"
#include "runtime/join.h"
#include "runtime/runtime.h"
#include "runtime/task.h"
#include "runtime/sim/sim.h"
#include "runtime/timer.h"
#include "runtime/worker.h"

_Static_assert(sizeof(struct io_fd) <= sizeof(struct weir_io), "");
_Static_assert(sizeof(struct timer) <= sizeof(struct weir_timer), "");
_Static_assert(sizeof(struct scope) <= sizeof(struct weir_scope), "");
_Static_assert(sizeof(struct task_handle) <= sizeof(struct weir_task), "");
_Static_assert(sizeof(struct event) <= sizeof(struct weir_event), "");
_Static_assert(WEIR_NEVER == INSTANT_NEVER_NS, "");
_Static_assert(WEIR_PAST == INSTANT_PAST_NS, "");

static inline instant
inner_time(weir_time t)
{
	return (instant){t};
}

static inline struct io_fd *
inner_io(struct weir_io *io)
{
	return (struct io_fd *)io;
}

static inline struct scope *
inner_scope(struct weir_scope *scope)
{
	return (struct scope *)scope;
}

static inline struct task_handle *
inner_task(struct weir_task *handle)
{
	return (struct task_handle *)handle;
}

static inline struct timer *
inner_timer(struct weir_timer *timer)
{
	return (struct timer *)timer;
}

struct weir_future;
static inline struct future *
inner_future(struct weir_future *future)
{
	return (struct future *)future;
}

struct weir_channel;
static inline struct chan *
inner_channel(struct weir_channel *channel)
{
	return (struct chan *)channel;
}

static inline struct event *
inner_event(struct weir_event *event)
{
	return (struct event *)event;
}

/* sim.c */
struct weir_sim_options;
void
inner_sim(const struct weir_sim_options *options, struct sim_options *ret);
