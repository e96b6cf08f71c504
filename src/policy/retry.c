/*
 * retry.c - a retry budget over a sliding window
 */
#include "policy/retry.h"

#include <string.h>

void
retry_budget_init(struct retry_budget *budget, uint32_t percent,
    uint32_t min_per_second, duration window, instant now)
{
	int64_t window_ns = max_of(window.ns, (int64_t)(RETRY_SLOTS - 1));

	*budget = (struct retry_budget){
	    .percent = percent,
	    .reserve = (uint64_t)((unsigned __int128)min_per_second * 100 *
		(uint64_t)window_ns / 1000000000),
	    .slot_ns = window_ns / (RETRY_SLOTS - 1),
	};
	budget->slot_ends_ns =
	    instant_after(now, duration_ns(budget->slot_ns)).ns;
}

/* Empty the slots that lie between the last call and @now. */
static void
retry_advance(struct retry_budget *budget, instant now)
{
	int64_t past;

	if (likely(now.ns < budget->slot_ends_ns))
		return;
	past = (now.ns - budget->slot_ends_ns) / budget->slot_ns + 1;
	if (past >= RETRY_SLOTS) {
		memset(budget->requests, 0, sizeof(budget->requests));
		memset(budget->retries, 0, sizeof(budget->retries));
	} else {
		for (int64_t i = 0; i < past; i++) {
			budget->slot = (budget->slot + 1) % RETRY_SLOTS;
			budget->requests[budget->slot] = 0;
			budget->retries[budget->slot] = 0;
		}
	}
	budget->slot_ends_ns += past * budget->slot_ns;
}

void
retry_budget_request(struct retry_budget *budget, instant now)
{
	retry_advance(budget, now);
	budget->requests[budget->slot]++;
}

bool
retry_budget_take(struct retry_budget *budget, instant now)
{
	uint64_t requests = 0, retries = 0;

	retry_advance(budget, now);
	for (unsigned i = 0; i < RETRY_SLOTS; i++) {
		requests += budget->requests[i];
		retries += budget->retries[i];
	}
	if ((retries + 1) * 100 > requests * budget->percent + budget->reserve)
		return false;
	budget->retries[budget->slot]++;
	return true;
}
