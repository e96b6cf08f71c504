/*
 * health_state.h - from single checks to a verdict, and evidence from traffic
 *
 * Layer      policy
 *
 * Active: a server goes down after @fall failures in a row, up after @rise
 * successes in a row; its first check decides at once (nothing is "up"
 * because nobody looked). Passive: @failures failures in a row of real
 * requests eject it for @hold, doubled at each ejection without a success
 * between (at most 16 x); after that one request may try it.
 */
#pragma once

#include "base/time.h"

enum health_state { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

struct health_fsm {
	uint16_t fall;
	uint16_t rise;
	uint16_t streak; /* of results against the current state */
	uint8_t state; /* enum health_state */
};
void health_fsm_init(struct health_fsm *fsm, uint16_t fall, uint16_t rise);
/* Feed one result. Returns true when the state changed. */
bool health_fsm_step(struct health_fsm *fsm, bool success);

/* When the next check is due: @every, plus or minus @jitter_percent of it,
 * from 64 random bits. */
duration
health_next_check(duration every, uint32_t jitter_percent, uint64_t random);

struct ejection {
	uint32_t failures_max; /* 0: never ejects */
	int64_t hold_ns;
};
/* How long the @count-th ejection in a row lasts. */
duration ejection_hold(const struct ejection *ejection, uint32_t count);
