/*
 * public/supervise.c - <weir/supervise.h> over the runtime
 */
#include <weir/supervise.h>

#include "public/inner.h"
#include "runtime/supervise.h"

/* The structs are the same, but for the room behind. */
#define SAME(outer, inner, field, inner_field)                                 \
	_Static_assert(offsetof(struct outer, field) ==                        \
		offsetof(struct inner, inner_field),                           \
	    "")
SAME(weir_child, supervise_child, process, process);
SAME(weir_child, supervise_child, arg, arg);
SAME(weir_child, supervise_child, when, when);
SAME(weir_child, supervise_child, grace_ns, grace);
SAME(weir_child, supervise_child, prepare, prepare);
SAME(weir_child, supervise_child, attend, attend);
SAME(weir_backoff, restart_backoff, healthy_ns, healthy);
SAME(weir_backoff, restart_backoff, jitter_percent, jitter_percent);
SAME(weir_child_event, supervise_event, child, child);
SAME(weir_child_event, supervise_event, pid, pid);
SAME(weir_child_event, supervise_event, again, again);
SAME(weir_child_event, supervise_event, why, why);
SAME(weir_supervise_options, supervise_options, backoff, backoff);
SAME(weir_supervise_options, supervise_options, restart_max, restart_max);
SAME(weir_supervise_options, supervise_options, event_arg, event_arg);
_Static_assert(sizeof(struct weir_child) == sizeof(struct supervise_child), "");
_Static_assert(WEIR_SUPERVISE_TEXT_BYTES == SUPERVISE_TEXT_BYTES, "");
_Static_assert(WEIR_SUPERVISE_RESTARTS_MAX == RESTART_INTENSITY_MAX, "");
_Static_assert(WEIR_SUPERVISE_CHILDREN_MAX == SUPERVISE_CHILDREN_MAX, "");
_Static_assert(WEIR_REST_FOR_ONE == (int)SUPERVISE_REST_FOR_ONE, "");
_Static_assert(WEIR_TEMPORARY == (int)RESTART_TEMPORARY, "");
_Static_assert(WEIR_CHILD_GAVE_UP == (int)SUPERVISE_GAVE_UP, "");

int
weir_supervise(const struct weir_supervise_options *options,
    const struct weir_child *children, unsigned count,
    char ret_failure[WEIR_SUPERVISE_TEXT_BYTES])
{
	static const struct weir_supervise_options usual;

	(void)task_required(__func__);
	return supervise(
	    (const struct supervise_options *)(options != NULL ? options
							       : &usual),
	    (const struct supervise_child *)children, count, ret_failure);
}
