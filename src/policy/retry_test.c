#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "policy/retry.h"

static instant
at_ms(int64_t ms)
{
	return (instant){ms * 1000000};
}

static unsigned
take_all(struct retry_budget *budget, instant now)
{
	unsigned count = 0;

	while (count < 100000 && retry_budget_take(budget, now))
		count++;
	return count;
}

static void
share_and_reserve(void **state)
{
	struct retry_budget budget;

	retry_budget_init(&budget, 20, 0, duration_s(10), at_ms(0));
	assert_int_equal(take_all(&budget, at_ms(0)), 0);
	for (int i = 0; i < 99; i++)
		retry_budget_request(&budget, at_ms(1));
	assert_int_equal(take_all(&budget, at_ms(2)), 19);
	retry_budget_request(&budget, at_ms(3));
	assert_int_equal(take_all(&budget, at_ms(3)), 1);

	/* A quiet pool has its reserve, once per window. */
	retry_budget_init(&budget, 20, 3, duration_s(10), at_ms(0));
	assert_int_equal(take_all(&budget, at_ms(500)), 30);
	assert_int_equal(take_all(&budget, at_ms(9900)), 0);
	assert_int_equal(take_all(&budget, at_ms(11999)), 30);
}

static void
past_is_forgotten(void **state)
{
	struct retry_budget budget;

	retry_budget_init(&budget, 50, 0, duration_s(10), at_ms(0));
	for (int i = 0; i < 1000; i++)
		retry_budget_request(&budget, at_ms(0));
	assert_true(retry_budget_take(&budget, at_ms(10000)));
	assert_false(retry_budget_take(&budget, at_ms(11000)));
	/* A clock that stands or goes back does no harm. */
	for (int i = 0; i < 4; i++)
		retry_budget_request(&budget, at_ms(5));
	assert_int_equal(take_all(&budget, at_ms(5)), 1);
	/* Neither does a very long pause. */
	assert_false(retry_budget_take(&budget, at_ms(3000000000000)));
}

/*
 * Property: whatever the schedule, when a retry is granted the retries of
 * any window that ends with it obey the budget of the requests in that
 * window and the slot before it.
 */
#define EVENTS 4000

static void
never_overshoots(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		static int64_t request_ms[EVENTS], retry_ms[EVENTS];
		unsigned requests = 0, retries = 0;
		struct retry_budget budget;
		struct random random;
		uint32_t percent, reserve;
		int64_t now = 0;

		random_seed(&random, seed);
		percent = (uint32_t)random_scale(random_next(&random), 101);
		reserve = (uint32_t)random_scale(random_next(&random), 4);
		retry_budget_init(
		    &budget, percent, reserve, duration_s(10), at_ms(now));
		for (unsigned i = 0; i < EVENTS; i++) {
			uint64_t dice = random_next(&random);
			unsigned asked = 0, made = 0;

			/* Bursts, steady traffic, and pauses. */
			if (dice % 1000 == 0)
				now += (int64_t)(dice >> 32) % 30000;
			else if (dice % 4 == 0)
				now += (int64_t)(dice >> 32) % 100;
			if (dice >> 8 & 1) {
				retry_budget_request(&budget, at_ms(now));
				request_ms[requests++] = now;
				continue;
			}
			if (!retry_budget_take(&budget, at_ms(now)))
				continue;
			retry_ms[retries++] = now;
			for (unsigned r = 0; r < requests; r++)
				asked += request_ms[r] >= now - 11000;
			for (unsigned r = 0; r < retries; r++)
				made += retry_ms[r] > now - 10000;
			if (made * 100 > asked * percent + reserve * 1000)
				fail_msg("seed %lu: %u retries on %u requests, "
					 "%u %%",
				    (unsigned long)seed, made, asked, percent);
		}
		assert_true(retries > 0 || (percent == 0 && reserve == 0));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(share_and_reserve),
	    cmocka_unit_test(past_is_forgotten),
	    cmocka_unit_test(never_overshoots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
