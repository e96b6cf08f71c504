#include "runtime/io/gather.h"

static void
gather_trial_end(struct gather *gather)
{
	if (gather->trial_events < GATHER_TRIAL_EVENTS) {
		gather->pause = gather->pause_next;
		gather->pause_next =
		    (uint8_t)min_of(2 * gather->pause_next, GATHER_PAUSE_MAX);
	} else {
		gather->pause_next = 1;
	}
	gather->trial_waits = 0;
	gather->trial_events = 0;
}

void
gather_note(struct gather *gather, bool gathered, unsigned events, instant now)
{
	if (gather->window_ns == 0)
		return;
	if (gathered) {
		gather->trial_events += events;
		if (++gather->trial_waits == GATHER_TRIAL)
			gather_trial_end(gather);
	}
	gather->run_events += events;
	if (gather->run_events < GATHER_RUN)
		return;
	gather->dense = instant_since(now, gather->run_since).ns <=
	    (int64_t)gather->run_events * GATHER_GAPS * gather->window_ns;
	gather->run_since = now;
	gather->run_events = 0;
	if (gather->pause > 0)
		gather->pause--;
}
