/*
 * weir/time.h - points in time, and timers that call a function
 *
 * A time is nanoseconds of CLOCK_MONOTONIC. Deadlines are absolute, so that
 * several calls can share one.
 */
#ifndef WEIR_TIME_H
#define WEIR_TIME_H

#include <weir/api.h>

WEIR_BEGIN

typedef int64_t weir_time;

#define WEIR_NEVER       INT64_MAX /* wait as long as it takes */
#define WEIR_PAST        INT64_MIN /* try once, do not wait */

#define WEIR_MICROSECOND INT64_C(1000)
#define WEIR_MILLISECOND INT64_C(1000000)
#define WEIR_SECOND      INT64_C(1000000000)

/* When the worker last looked at the clock; outside the runtime, now. */
WEIR_API weir_time weir_now(void);
/* That many nanoseconds after now, as the kernel knows it. */
WEIR_API weir_time weir_after(int64_t ns);

/*
 * A timer belongs to the worker that started it and stays where it is while
 * it is armed. It never fires early, and up to a millisecond late. @fire runs
 * on the worker's loop: it may start and wake tasks, it must not suspend.
 */
struct weir_timer {
	uint64_t opaque[8];
};
WEIR_API void weir_timer_init(
    struct weir_timer *timer, void (*fire)(struct weir_timer *timer));
/* Arms it, or moves it when it is armed already. */
WEIR_API void weir_timer_start(struct weir_timer *timer, weir_time when);
WEIR_API void weir_timer_stop(struct weir_timer *timer);

WEIR_END

#endif
