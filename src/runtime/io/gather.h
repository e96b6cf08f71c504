/*
 * gather.h - when a wait should go on a little after its first completion
 *
 * Layer      runtime/io, inside only
 * Threads    the worker's
 * Cost       a few additions a turn; no clock of its own
 *
 * To fall asleep and be woken costs more than to handle an event, and what a
 * sleep left in the caches is lost. Where events come one soon after another,
 * a wait that sleeps through a window of some microseconds finds several at
 * its end. Whoever sleeps so delays each event by the window at most; so it is
 * done only while both hold:
 *
 * - events are dense: the last GATHER_RUN of them took less than GATHER_GAPS
 *   windows each, and those that came since do not take longer. On an idle
 *   worker nobody is delayed.
 * - it pays: GATHER_TRIAL such waits brought GATHER_TRIAL_EVENTS. A single
 *   conversation, however fast, brings one a wait: its next message needs our
 *   answer to the last. Then it pauses, twice as long each time in a row, up to
 *   GATHER_PAUSE_MAX runs: 8 waits of 2,000 are delayed in vain.
 *
 * Sources    the adaptive interrupt moderation of network cards
 */
#pragma once

#include "base/time.h"

#define GATHER_RUN          32
#define GATHER_GAPS         2
#define GATHER_TRIAL        8
#define GATHER_TRIAL_EVENTS 10
#define GATHER_PAUSE_MAX    64
/* As many are not waited for any longer. */
#define GATHER_ENOUGH 16
/* Nobody wants to wait longer for another's sake. */
#define GATHER_WINDOW_NS_MAX INT64_C(1000000)

struct gather {
	int64_t window_ns; /* 0: never */
	instant run_since;
	uint32_t run_events;
	uint8_t trial_waits;
	uint8_t pause; /* runs that are left of it */
	uint8_t pause_next;
	bool dense; /* the last run was */
	uint32_t trial_events;
};

static inline void
gather_init(struct gather *gather, int64_t window_ns, instant now)
{
	*gather = (struct gather){
	    .window_ns = window_ns, .run_since = now, .pause_next = 1};
}

/* Before a wait at @now: shall it gather? */
static inline bool
gather_wanted(const struct gather *gather, instant now)
{
	return gather->dense && gather->pause == 0 &&
	    instant_since(now, gather->run_since).ns <=
	    GATHER_RUN * GATHER_GAPS * gather->window_ns;
}

/* After a wait or a look, which brought @events that were not our own doing;
 * @gathered: gather_wanted() was followed. */
void
gather_note(struct gather *gather, bool gathered, unsigned events, instant now);
