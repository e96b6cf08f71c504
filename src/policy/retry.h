/*
 * retry.h - how many retries a pool can afford
 *
 * Layer      policy
 * Memory     in the caller's struct, no allocation
 * Cost       request: one add; take: RETRY_SLOTS adds
 * Invariant  when a retry is granted, the retries of the last @window, this
 *            one included, are at most @percent/100 of the requests of the
 *            last @window and one slot, plus @min_per_second * @window
 * Sources    Finagle's RetryBudget. A budget over a window,
 *            counted before the retry is made (envoy#30205 overshoots because
 *            it counts late)
 *
 * Requests and retries are counted in RETRY_SLOTS slots of a tenth of the
 * window each; what has left the window is forgotten, so neither a busy past
 * nor an idle one can be saved up. The reserve of @min_per_second keeps quiet
 * pools able to retry.
 */
#pragma once

#include "base/time.h"

#define RETRY_SLOTS 11 /* ten whole ones and the one that is filling */

struct retry_budget {
	uint32_t percent;
	uint64_t reserve; /* min_per_second over the window, in hundredths */
	int64_t slot_ns;
	int64_t slot_ends_ns;
	unsigned slot; /* the one that is filling */
	uint32_t requests[RETRY_SLOTS];
	uint32_t retries[RETRY_SLOTS];
};
void retry_budget_init(struct retry_budget *budget, uint32_t percent,
    uint32_t min_per_second, duration window, instant now);
void retry_budget_request(struct retry_budget *budget, instant now);
/* true: the retry may be made, and is counted. */
bool retry_budget_take(struct retry_budget *budget, instant now);
