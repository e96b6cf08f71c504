/*
 * public/select.c - <weir/select.h> over the runtime
 */
#include <weir/select.h>

#include "public/inner.h"
#include "runtime/select.h"

#define SAME(theirs, ours)                                                     \
	_Static_assert(offsetof(struct weir_case, theirs) ==                   \
		offsetof(struct select_case, ours),                            \
	    "a struct weir_case is a struct select_case")
SAME(kind, kind);
SAME(result, result);
SAME(source, source);
SAME(item, item);
SAME(events, events);
SAME(state, ready);
SAME(when, when);
SAME(opaque, room);
_Static_assert(sizeof(struct weir_case) == sizeof(struct select_case), "");
_Static_assert(WEIR_CASES_MAX == SELECT_CASES_MAX, "");

struct weir_case
weir_case_send(struct weir_channel *channel, const void *item)
{
	return (struct weir_case){
	    .kind = SELECT_SEND, .source = channel, .item = (void *)item};
}

struct weir_case
weir_case_recv(struct weir_channel *channel, void *item)
{
	return (struct weir_case){
	    .kind = SELECT_RECV, .source = channel, .item = item};
}

struct weir_case
weir_case_io(struct weir_io *io, unsigned events)
{
	return (struct weir_case){
	    .kind = SELECT_IO, .source = io, .events = events};
}

struct weir_case
weir_case_task(struct weir_task *task)
{
	return (struct weir_case){.kind = SELECT_TASK, .source = task};
}

struct weir_case
weir_case_event(struct weir_event *event)
{
	return (struct weir_case){.kind = SELECT_EVENT, .source = event};
}

struct weir_case
weir_case_future(struct weir_future *future)
{
	return (struct weir_case){.kind = SELECT_FUTURE, .source = future};
}

struct weir_case
weir_case_time(weir_time when)
{
	return (struct weir_case){.kind = SELECT_TIME, .when = when};
}

struct weir_case
weir_case_never(void)
{
	return (struct weir_case){.kind = SELECT_NEVER};
}

int
weir_select(struct weir_case *cases, unsigned count, weir_time deadline)
{
	(void)task_required(__func__);
	return select_wait(
	    (struct select_case *)cases, count, inner_time(deadline));
}
