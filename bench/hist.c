#include "hist.h"

#define STEP_BITS 5

static unsigned
hist_bucket(uint64_t ns)
{
	unsigned power;

	if (ns < HIST_STEPS)
		return (unsigned)ns;
	power = 63 - (unsigned)__builtin_clzll(ns);
	return (power - STEP_BITS + 1) * HIST_STEPS +
	    ((unsigned)(ns >> (power - STEP_BITS)) & (HIST_STEPS - 1));
}

static uint64_t
hist_middle(unsigned bucket)
{
	unsigned shift;
	uint64_t low;

	if (bucket < HIST_STEPS)
		return bucket;
	shift = bucket / HIST_STEPS - 1;
	low = (uint64_t)(HIST_STEPS + bucket % HIST_STEPS) << shift;
	return low + (((uint64_t)1 << shift) >> 1);
}

void
hist_add(struct hist *h, uint64_t ns)
{
	h->count++;
	h->sum_ns += ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
	h->bucket[hist_bucket(ns)]++;
}

uint64_t
hist_quantile(const struct hist *h, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)h->count + 0.5);
	uint64_t seen = 0;
	unsigned i;

	for (i = 0; i < 64 * HIST_STEPS; i++) {
		seen += h->bucket[i];
		if (seen && seen >= wanted)
			return hist_middle(i);
	}
	return h->max_ns;
}
