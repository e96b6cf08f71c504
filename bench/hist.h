/*
 * hist.h - latencies, in buckets of 1/32 of their size
 *
 * Memory     16 KiB
 * Cost       one increment a value
 */
#pragma once

#include <stdint.h>

#define HIST_STEPS 32 /* buckets for each power of two: 3 % */

struct hist {
	uint64_t count, sum_ns, max_ns;
	uint64_t bucket[64 * HIST_STEPS];
};

void hist_add(struct hist *h, uint64_t ns);

/* The middle of the bucket that holds the @share (0-1) of all values, in
 * nanoseconds; 0 when there is none. */
uint64_t hist_quantile(const struct hist *h, double share);
