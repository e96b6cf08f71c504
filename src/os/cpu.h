/*
 * cpu.h - how many processors are ours, and staying on one
 *
 * Layer      os
 */
#pragma once

#include "base/cc.h"

/* Processors of the affinity mask, or fewer when the control group (v2) may
 * use less time than that; at least 1. */
unsigned cpu_count_usable(void);

/* Keep the calling thread on the @index-th processor of its affinity mask,
 * counted round. Returns 0 or -errno. */
int cpu_pin(unsigned index);
