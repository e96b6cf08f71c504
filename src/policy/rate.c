/*
 * rate.c - the minimum rate of a peer, over windows of waiting time
 */
#include "policy/rate.h"

#define NS_PER_S 1000000000

/* The bytes asked of @ns nanoseconds, rounded up, saturating. */
static uint64_t
rate_bytes_of(const struct rate_meter *meter, int64_t ns)
{
	unsigned __int128 bytes =
	    ((unsigned __int128)meter->bytes_per_second * (uint64_t)ns +
		NS_PER_S - 1) /
	    NS_PER_S;

	return bytes > UINT64_MAX ? UINT64_MAX : (uint64_t)bytes;
}

void
rate_meter_init(
    struct rate_meter *meter, uint64_t bytes_per_second, duration grace)
{
	int64_t grace_ns = max_of(grace.ns, (int64_t)1);

	*meter = (struct rate_meter){
	    .bytes_per_second = bytes_per_second,
	    /* Twice the grace must not overflow. */
	    .grace_ns = min_of(grace_ns, INT64_MAX / 4),
	};
}

bool
rate_meter_add(struct rate_meter *meter, uint64_t bytes, duration waited)
{
	int64_t waited_ns = max_of(waited.ns, (int64_t)0);
	bool enough;

	if (meter->bytes_per_second == 0)
		return true;
	if (__builtin_add_overflow(
		meter->window_bytes, bytes, &meter->window_bytes))
		meter->window_bytes = UINT64_MAX;
	/* No more credit than two windows need: a burst does not excuse a
	 * long silence. */
	meter->window_bytes = min_of(
	    meter->window_bytes, rate_bytes_of(meter, 2 * meter->grace_ns));
	meter->window_ns += min_of(waited_ns, INT64_MAX / 2);
	if (meter->window_ns < meter->grace_ns)
		return true;
	enough = meter->window_bytes >= rate_bytes_of(meter, meter->window_ns);
	meter->window_ns = 0;
	meter->window_bytes = 0;
	return enough;
}

duration
rate_meter_patience(const struct rate_meter *meter)
{
	unsigned __int128 covered;
	int64_t until = meter->grace_ns;

	if (meter->bytes_per_second == 0)
		return duration_ns(INT64_MAX);
	/* The first nanosecond that the bytes of this window do not pay for. */
	covered = (unsigned __int128)meter->window_bytes * NS_PER_S /
		meter->bytes_per_second +
	    1;
	if (covered > (uint64_t)until)
		until = (int64_t)covered;
	return duration_ns(until - meter->window_ns);
}
