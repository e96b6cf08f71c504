/*
 * weir/select.h - wait for the first of several things
 *
 *	struct weir_case cases[2];
 *
 *	cases[0] = weir_case_recv(work, &job);
 *	cases[1] = weir_case_io(&io, WEIR_IN);
 *	switch (weir_select(cases, 2, WEIR_NEVER)) {
 *	case 0: ...
 *
 * Of several channels exactly one moves an item: in the case that is returned.
 * When several things are ready any of them may be returned, each as likely as
 * the others; what was not returned stays ready. Signals are a descriptor,
 * see weir_signals_open().
 */
#ifndef WEIR_SELECT_H
#define WEIR_SELECT_H

#include <weir/api.h>
#include <weir/channel.h>
#include <weir/future.h>
#include <weir/io.h>
#include <weir/task.h>
#include <weir/time.h>

WEIR_BEGIN

#define WEIR_CASES_MAX 64

struct weir_case {
	int kind; /* one of the functions below fills all of it in */
	/* Of the case that came: what its own call would have returned (a
	 * channel's -EPIPE, ready events, what the task or future ended with).
	 */
	int result;
	void *source;
	void *item;
	unsigned events;
	unsigned state; /* inside only */
	weir_time when;
	uint64_t opaque[16];
};

WEIR_API struct weir_case
weir_case_send(struct weir_channel *channel, const void *item);
WEIR_API struct weir_case
weir_case_recv(struct weir_channel *channel, void *item);
/* Ready for WEIR_IN, WEIR_OUT. */
WEIR_API struct weir_case weir_case_io(struct weir_io *io, unsigned events);
/* It has ended; a task of this worker. */
WEIR_API struct weir_case weir_case_task(struct weir_task *task);
WEIR_API struct weir_case weir_case_event(struct weir_event *event);
WEIR_API struct weir_case weir_case_future(struct weir_future *future);
WEIR_API struct weir_case weir_case_time(weir_time when);
/* Takes no part, so that a case can be switched off between two calls. */
WEIR_API struct weir_case weir_case_never(void);

/*
 * Suspends until one of @cases comes; WEIR_PAST only looks. The cases may be
 * used again.
 *
 * Returns its index; -ETIMEDOUT; why the task was stopped; -E2BIG (more than
 * WEIR_CASES_MAX); -EINVAL.
 */
WEIR_API WEIR_MUST_CHECK int
weir_select(struct weir_case *cases, unsigned count, weir_time deadline);

WEIR_END

#endif
