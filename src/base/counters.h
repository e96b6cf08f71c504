/*
 * counters.h - what a worker thread counts
 *
 * Layer      base
 * Threads    one writer: the thread whose block it is; anybody may read, each
 *            value is one aligned word
 * Memory     blocks lie in shared memory (net/shared.h) so that another
 *            process can expose them; before counters_use() a private one
 * Cost       one add in the thread's own cache line
 */
#pragma once

#include "base/cc.h"

/* Request durations, powers of two from 64 microseconds to 67 seconds. */
#define COUNTERS_LATENCY_BUCKETS 21

struct counters {
#define COUNTER(name, kind, metric, labels, help) uint64_t name;
#include "base/counters.tbl"
#undef COUNTER
	uint64_t latency[COUNTERS_LATENCY_BUCKETS + 1];
	uint64_t latency_sum_us;
} __attribute__((aligned(64)));

extern __thread struct counters *counters_here;

/* Make @block this thread's counters; NULL returns to the private block. */
void counters_use(struct counters *block);

static inline void
counters_latency_add(uint64_t us)
{
	unsigned bucket = us <= 64 ? 0 : 58 - (unsigned)__builtin_clzll(us - 1);

	if (bucket > COUNTERS_LATENCY_BUCKETS)
		bucket = COUNTERS_LATENCY_BUCKETS;
	counters_here->latency[bucket]++;
	counters_here->latency_sum_us += us;
}
