/*
 * timer.h - one-shot timers of a worker
 *
 * Layer      runtime
 * Threads    the worker that started it
 * Memory     in the caller's struct; stays put while armed
 * Cost       start and stop O(1), about 5 ns; hierarchical wheel, 1 ms ticks,
 *            6 x 64 slots with occupancy bitmaps
 * Invariant  never fires early; fires at most one tick plus a loop turn late
 * Sources    Varghese and Lauck, Hashed and Hierarchical Timing Wheels (1987)
 */
#pragma once

#include "base/list.h"
#include "base/time.h"

struct timer {
	struct list node;
	instant when;
	void (*fire)(struct timer *timer); /* on the loop; must not suspend */
};

void timer_init(struct timer *timer, void (*fire)(struct timer *timer));
/* Arms it, or moves it when it is armed already. */
void timer_start(struct timer *timer, instant when);
void timer_stop(struct timer *timer);
static inline bool
timer_armed(const struct timer *timer)
{
	return !list_empty(&timer->node);
}
