/*
 * wheel.h - the timers of one worker
 *
 * Layer      runtime, inside only
 * Cost       see timer.h
 * Invariant  a timer whose tick is `now_tick` or earlier is in `due`. One in
 *            slot s of level l agrees with now_tick in all digits (base 64)
 *            above l and has the larger digit s at l, so that the lowest level
 *            in use holds the next one and no slot is ever behind.
 */
#pragma once

#include "runtime/timer.h"

#define WHEEL_LEVELS  6
#define WHEEL_BITS    6
#define WHEEL_SLOTS   (1 << WHEEL_BITS)
#define WHEEL_TICK_NS 1000000

struct wheel {
	instant base; /* of tick 0 */
	uint64_t now_tick;
	uint64_t occupied[WHEEL_LEVELS]; /* a bit per slot that is not empty */
	struct list due;
	struct list far; /* more than 2^36 ticks (2 years) ahead */
	struct list slots[WHEEL_LEVELS * WHEEL_SLOTS];
};

void wheel_init(struct wheel *wheel, instant now);
void wheel_start(struct wheel *wheel, struct timer *timer, instant when);
void wheel_stop(struct wheel *wheel, struct timer *timer);
/* Fires what has come at @now. A timer that is started meanwhile fires in the
 * next call at the earliest. */
void wheel_run(struct wheel *wheel, instant now);
/* Nothing fires before; exact for the next 64 ms, a cascade beyond. */
instant wheel_next(const struct wheel *wheel);
