/*
 * rate.h - is a peer slower than the minimum rate?
 *
 * Layer      policy
 *
 * A peer gets @grace before anything is asked of it, then must have moved
 * @bytes_per_second on average over each window of @grace length. Time the
 * peer was not waited for (we did not read or write) does not count: the
 * caller pauses the meter. A fast start buys one more window of rest at most.
 */
#pragma once

#include "base/time.h"

struct rate_meter {
	uint64_t bytes_per_second; /* 0: never too slow */
	int64_t grace_ns;
	int64_t window_ns; /* time waited for in this window */
	uint64_t window_bytes;
};
void rate_meter_init(
    struct rate_meter *meter, uint64_t bytes_per_second, duration grace);
/* Account for @bytes moved while we waited for @waited.
 * Returns false when the peer is too slow. */
bool rate_meter_add(struct rate_meter *meter, uint64_t bytes, duration waited);
/* How long the next wait may last: after that time without a byte the peer is
 * too slow. INT64_MAX ns: for ever. */
duration rate_meter_patience(const struct rate_meter *meter);
