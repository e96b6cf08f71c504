/*
 * clock.h - the clocks of the kernel, or of a simulation
 *
 * Layer      os
 * Cost       clock_now() about 25 ns (vDSO)
 */
#pragma once

#include "base/time.h"

/* CLOCK_MONOTONIC. */
instant clock_now(void);

/* Nanoseconds since 1970, CLOCK_REALTIME. */
int64_t clock_wall_ns(void);

/*
 * From here on both clocks stand at @now until it is called again; the wall
 * clock reads @wall_ns ahead of it. A simulated runtime moves them.
 */
void clock_simulate(instant now, int64_t wall_ns);
/* The kernel's clocks again. */
void clock_simulate_end(void);
