/*
 * time.h - instants and durations as distinct types
 *
 * Layer      base
 * Invariant  an instant is nanoseconds of CLOCK_MONOTONIC; adding two
 *            instants does not compile
 * Sources    skalibs: why an event loop wants absolute deadlines
 */
#pragma once

#include "base/cc.h"

typedef struct {
	int64_t ns;
} instant;
typedef struct {
	int64_t ns;
} duration;

#define INSTANT_NEVER_NS INT64_MAX
#define INSTANT_PAST_NS  INT64_MIN

/* A deadline that never comes: a call waits as long as it takes. */
static inline instant
instant_never(void)
{
	return (instant){INSTANT_NEVER_NS};
}

/* A deadline that has come already: a call tries once and does not wait. */
static inline instant
instant_past(void)
{
	return (instant){INSTANT_PAST_NS};
}

static inline bool
instant_is_never(instant t)
{
	return t.ns == INSTANT_NEVER_NS;
}

static inline bool
instant_before(instant a, instant b)
{
	return a.ns < b.ns;
}

static inline instant
instant_earlier(instant a, instant b)
{
	return a.ns < b.ns ? a : b;
}

static inline duration
duration_ns(int64_t ns)
{
	return (duration){ns};
}

static inline duration
duration_us(int64_t us)
{
	return (duration){us * 1000};
}

static inline duration
duration_ms(int64_t ms)
{
	return (duration){ms * 1000000};
}

static inline duration
duration_s(int64_t s)
{
	return (duration){s * 1000000000};
}

static inline int64_t
duration_to_ms(duration d)
{
	return d.ns / 1000000;
}

/* never and past stay what they are; all else saturates. */
static inline instant
instant_after(instant t, duration d)
{
	int64_t ns;

	if (t.ns == INSTANT_NEVER_NS || t.ns == INSTANT_PAST_NS)
		return t;
	if (__builtin_add_overflow(t.ns, d.ns, &ns))
		ns = d.ns < 0 ? INSTANT_PAST_NS : INSTANT_NEVER_NS;
	return (instant){ns};
}

/* later - earlier, saturating. */
static inline duration
instant_since(instant later, instant earlier)
{
	int64_t ns;

	if (__builtin_sub_overflow(later.ns, earlier.ns, &ns))
		ns = later.ns < earlier.ns ? INT64_MIN : INT64_MAX;
	return (duration){ns};
}
