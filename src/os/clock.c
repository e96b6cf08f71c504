#include "os/clock.h"

#include <stdatomic.h>
#include <time.h>

/* Read by every thread, written by the one that simulates. */
static _Atomic bool clock_simulated;
static _Atomic int64_t clock_simulated_ns;
static _Atomic int64_t clock_simulated_wall_ns;

static int64_t
clock_read(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool
clock_stands(void)
{
	return unlikely(
	    atomic_load_explicit(&clock_simulated, memory_order_relaxed));
}

instant
clock_now(void)
{
	if (clock_stands())
		return (instant){atomic_load_explicit(
		    &clock_simulated_ns, memory_order_relaxed)};
	return (instant){clock_read(CLOCK_MONOTONIC)};
}

int64_t
clock_wall_ns(void)
{
	if (clock_stands())
		return atomic_load_explicit(
			   &clock_simulated_ns, memory_order_relaxed) +
		    atomic_load_explicit(
			&clock_simulated_wall_ns, memory_order_relaxed);
	return clock_read(CLOCK_REALTIME);
}

void
clock_simulate(instant now, int64_t wall_ns)
{
	atomic_store_explicit(
	    &clock_simulated_wall_ns, wall_ns, memory_order_relaxed);
	atomic_store_explicit(
	    &clock_simulated_ns, now.ns, memory_order_relaxed);
	atomic_store_explicit(&clock_simulated, true, memory_order_relaxed);
}

void
clock_simulate_end(void)
{
	atomic_store_explicit(&clock_simulated, false, memory_order_relaxed);
}
