/*
 * select.h - the first of several things: channels, descriptors, tasks, time
 *
 * Layer      runtime
 * Threads    a task's; channels and futures may be shared with other workers,
 *            everything else belongs to this one
 * Memory     the cases, in the caller's memory; nothing is allocated
 * Cost       a visit of every case before and after the wait; a shared
 *            channel's lock; a system call per descriptor
 * Limits     SELECT_CASES_MAX, then -E2BIG
 * Invariant  of several channels exactly one moves an item, in exactly the
 *            case that is returned. Everything else that may be ready too
 *            stays ready. The search starts at another case each time, so
 *            that none starves.
 *
 * Signals are a descriptor: signals_open(), and a case on it.
 */
#pragma once

#include "runtime/chan.h"
#include "runtime/future.h"
#include "runtime/io.h"
#include "runtime/join.h"
#include "runtime/runtime.h"

#define SELECT_CASES_MAX 64

enum select_kind {
	SELECT_NEVER, /* this case takes no part */
	SELECT_SEND, /* source: struct chan, item: what is sent */
	SELECT_RECV, /* source: struct chan, item: where it goes */
	SELECT_IO, /* source: struct io_fd, events: IO_IN, IO_OUT */
	SELECT_TASK, /* source: struct task_handle */
	SELECT_EVENT, /* source: struct event */
	SELECT_FUTURE, /* source: struct future */
	SELECT_TIME, /* when */
};

struct select_case {
	int kind;
	/* Of the case that came: what its own call would have returned (a
	 * channel's -EPIPE, ready events, what the task or future ended with).
	 */
	int result;
	void *source;
	void *item;
	unsigned events;
	bool ready; /* inside only, as all below */
	bool armed;
	instant when;
	uint64_t room[16];
};

/*
 * select_wait - until one of @cases comes
 *
 * @deadline  instant_past() only looks
 *
 * Suspends   unless one is ready
 * Returns    the index of the case; -ETIMEDOUT, the cancel error, -E2BIG,
 *            -EINVAL (a kind that is none)
 */
SUSPENDS MUST_CHECK int
select_wait(struct select_case *cases, unsigned count, instant deadline);
