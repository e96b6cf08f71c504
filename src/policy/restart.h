/*
 * restart.h - whether what ended is started again, and when
 *
 * Layer      policy
 * Memory     in the caller's structs, no allocation
 * Sources    Erlang/OTP supervisor: restart types and intensity; exponential
 *            back-off with jitter (Brooker, AWS Architecture Blog 2015)
 *
 * What dies soon after its start is started again after a pause, which doubles
 * with each death in a row, up to a ceiling. What has lived long enough before
 * starts afresh. How many restarts are too many is counted for all that are
 * supervised together: beyond it, starting again hides the trouble instead of
 * curing it.
 */
#pragma once

#include "base/time.h"

enum restart_when {
	RESTART_PERMANENT, /* always */
	RESTART_TRANSIENT, /* after a failure, not when it ended well */
	RESTART_TEMPORARY, /* never */
};

bool restart_wanted(enum restart_when when, bool failed);

struct restart_backoff {
	duration first; /* the first pause, then doubled up to: */
	duration max;
	duration healthy; /* who lived this long has not died soon */
	unsigned free; /* soon deaths that are answered at once */
	unsigned jitter_percent; /* 0 .. 100: pauses are up to this shorter */
	uint64_t reserved[2]; /* as in <weir/supervise.h> */
};

/* The deaths in a row of one child; 0 at the start. */
struct restart_deaths {
	unsigned soon;
};

/*
 * restart_pause - a child has ended after it @lived: how long to wait
 * @random  any 64 bits, for the jitter
 */
duration restart_pause(struct restart_deaths *deaths,
    const struct restart_backoff *backoff, duration lived, uint64_t random);

/* It could not be started at all: never answered at once. */
duration restart_pause_unstarted(struct restart_deaths *deaths,
    const struct restart_backoff *backoff, uint64_t random);

/* More restarts than @max within @window are too many. */
#define RESTART_INTENSITY_MAX 64
struct restart_intensity {
	unsigned max; /* RESTART_INTENSITY_MAX at most; 0: any number */
	duration window;
	unsigned next; /* the oldest of: */
	unsigned count;
	instant restarts[RESTART_INTENSITY_MAX];
};
void restart_intensity_init(
    struct restart_intensity *intensity, unsigned max, duration window);
/* Count one at @now. false: it is too many, and was not counted. */
MUST_CHECK
bool restart_intensity_take(struct restart_intensity *intensity, instant now);
