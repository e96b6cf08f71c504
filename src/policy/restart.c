#include "policy/restart.h"

#include "base/random.h"

bool
restart_wanted(enum restart_when when, bool failed)
{
	switch (when) {
	case RESTART_PERMANENT:
		return true;
	case RESTART_TRANSIENT:
		return failed;
	case RESTART_TEMPORARY:
		break;
	}
	return false;
}

static duration
restart_pause_of(
    const struct restart_backoff *backoff, unsigned doublings, uint64_t random)
{
	int64_t ns = backoff->first.ns;
	uint64_t range;

	while (doublings-- > 0 && ns < backoff->max.ns)
		ns = ns > INT64_MAX / 2 ? INT64_MAX : ns * 2;
	ns = min_of(ns, backoff->max.ns);
	/* Downwards, so that the ceiling stays one. */
	range = (uint64_t)ns / 100 * backoff->jitter_percent;
	return duration_ns(ns - (int64_t)random_scale(random, range + 1));
}

duration
restart_pause(struct restart_deaths *deaths,
    const struct restart_backoff *backoff, duration lived, uint64_t random)
{
	if (lived.ns >= backoff->healthy.ns) {
		deaths->soon = 0;
		return backoff->free > 0 ? duration_ns(0)
					 : restart_pause_of(backoff, 0, random);
	}
	if (deaths->soon < UINT32_MAX)
		deaths->soon++;
	if (deaths->soon <= backoff->free)
		return duration_ns(0);
	return restart_pause_of(
	    backoff, deaths->soon - backoff->free - 1, random);
}

duration
restart_pause_unstarted(struct restart_deaths *deaths,
    const struct restart_backoff *backoff, uint64_t random)
{
	deaths->soon = max_of(deaths->soon, backoff->free);
	return restart_pause(deaths, backoff, duration_ns(-1), random);
}

void
restart_intensity_init(
    struct restart_intensity *intensity, unsigned max, duration window)
{
	must(max <= RESTART_INTENSITY_MAX);
	intensity->max = max;
	intensity->window = window;
	intensity->next = intensity->count = 0;
}

bool
restart_intensity_take(struct restart_intensity *intensity, instant now)
{
	if (intensity->max == 0)
		return true;
	if (intensity->count == intensity->max &&
	    instant_since(now, intensity->restarts[intensity->next]).ns <
		intensity->window.ns)
		return false;
	intensity->restarts[intensity->next] = now;
	intensity->next = (intensity->next + 1) % intensity->max;
	intensity->count = min_of(intensity->count + 1, intensity->max);
	return true;
}
