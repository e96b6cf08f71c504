/*
 * retry.h - how many retries a pool can afford
 *
 * Layer      policy
 * Sources    features.md: a budget over a window, counted before the retry is
 *            made (envoy#30205 overshoots because it counts late)
 *
 * A token bucket in the manner of Finagle's RetryBudget: each request puts
 * @percent/100 of a token in, each retry takes one out; a reserve of
 * @min_per_second tokens per second keeps quiet pools able to retry. Tokens
 * are kept for @window at most.
 */
#pragma once

#include "base/time.h"

struct retry_budget {
	uint32_t percent;
	uint32_t min_per_second;
	int64_t window_ns;
	int64_t tokens_milli;
	int64_t refilled_at_ns;
};
void retry_budget_init(struct retry_budget *budget, uint32_t percent,
    uint32_t min_per_second, duration window, instant now);
void retry_budget_request(struct retry_budget *budget, instant now);
/* true: the retry may be made, and is counted. */
bool retry_budget_take(struct retry_budget *budget, instant now);
