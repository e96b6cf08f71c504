/*
 * health_state.c - hysteresis of checks, ejection times, check times
 */
#include "policy/health_state.h"

void
health_fsm_init(struct health_fsm *fsm, uint16_t fall, uint16_t rise)
{
	*fsm = (struct health_fsm){
	    .fall = max_of(fall, (uint16_t)1),
	    .rise = max_of(rise, (uint16_t)1),
	    .state = HEALTH_UNKNOWN,
	};
}

bool
health_fsm_step(struct health_fsm *fsm, bool success)
{
	enum health_state wanted = success ? HEALTH_UP : HEALTH_DOWN;

	if (fsm->state == wanted) {
		fsm->streak = 0;
		return false;
	}
	fsm->streak++;
	if (fsm->state != HEALTH_UNKNOWN &&
	    fsm->streak < (success ? fsm->rise : fsm->fall))
		return false;
	fsm->state = wanted;
	fsm->streak = 0;
	return true;
}

duration
health_next_check(duration every, uint32_t jitter_percent, uint64_t random)
{
	unsigned __int128 spread = (unsigned __int128)(uint64_t)every.ns *
	    min_of(jitter_percent, 100u) / 100;
	int64_t offset;

	if (every.ns <= 0)
		return duration_ns(0);
	/* Uniform over [-spread, +spread]. */
	offset = (int64_t)((2 * spread + 1) * (random >> 32) >> 32);
	return instant_since(
	    (instant){every.ns}, (instant){(int64_t)spread - offset});
}

#define EJECTION_DOUBLINGS_MAX 4 /* 16 times the hold */

duration
ejection_hold(const struct ejection *ejection, uint32_t count)
{
	uint32_t doublings = count > 0 ? count - 1 : 0;
	int64_t ns;

	doublings = min_of(doublings, (uint32_t)EJECTION_DOUBLINGS_MAX);
	if (__builtin_mul_overflow(
		ejection->hold_ns, (int64_t)1 << doublings, &ns))
		ns = INT64_MAX;
	return duration_ns(ns);
}
