#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "policy/health_state.h"

/* '+' a success, '-' a failure; the state after each: '?', 'u', 'd'. */
static const struct {
	uint16_t fall, rise;
	const char *results, *states;
} sequences[] = {
    {3, 2, "+", "u"}, /* the first check decides */
    {3, 2, "-", "d"},
    {3, 2, "+--+--", "uuuuuu"}, /* a success ends the streak */
    {3, 2, "+---", "uuud"},
    {3, 2, "-+", "dd"},
    {3, 2, "-+-+", "dddd"},
    {3, 2, "-++", "ddu"},
    {3, 2, "+-----+-++", "uuuddddddu"},
    {1, 1, "+-+-", "udud"},
    {0, 0, "+-+-", "udud"}, /* 0 counts as 1 */
    {2, 3, "-++-+++--",
	"ddddddu"
	"ud"},
};

static void
sequences_hold(void **state)
{
	for (size_t i = 0; i < array_count(sequences); i++) {
		struct health_fsm fsm;
		const char *results = sequences[i].results;
		char before = '?';

		health_fsm_init(&fsm, sequences[i].fall, sequences[i].rise);
		assert_int_equal(fsm.state, HEALTH_UNKNOWN);
		for (size_t n = 0; results[n] != '\0'; n++) {
			bool changed = health_fsm_step(&fsm, results[n] == '+');
			char now = "?ud"[fsm.state];

			if (now != sequences[i].states[n])
				fail_msg("row %zu, step %zu: %c", i, n, now);
			assert_int_equal(changed, now != before);
			before = now;
		}
	}
}

static void
next_check_in_range(void **state)
{
	struct random random;
	int64_t least = INT64_MAX, most = 0, sum = 0;

	random_seed(&random, 3);
	for (int i = 0; i < 10000; i++) {
		int64_t ns =
		    health_next_check(duration_s(2), 10, random_next(&random))
			.ns;

		least = min_of(least, ns);
		most = max_of(most, ns);
		sum += ns / 10000;
	}
	assert_in_range(least, 1800000000, 1801000000);
	assert_in_range(most, 2199000000, 2200000000);
	assert_in_range(sum, 1990000000, 2010000000);
	assert_int_equal(
	    health_next_check(duration_s(2), 0, UINT64_MAX).ns, 2000000000);
	/* More than all of it: never negative. */
	assert_int_equal(health_next_check(duration_s(2), 400, 0).ns, 0);
	assert_int_equal(health_next_check(duration_s(0), 10, 5).ns, 0);
}

static void
ejection_doubles(void **state)
{
	static const int64_t seconds[] = {10, 10, 20, 40, 80, 160, 160, 160};
	struct ejection ejection = {
	    .failures_max = 5, .hold_ns = duration_s(10).ns};

	for (uint32_t i = 0; i < array_count(seconds); i++)
		assert_int_equal(
		    ejection_hold(&ejection, i).ns, duration_s(seconds[i]).ns);
	assert_int_equal(
	    ejection_hold(&ejection, UINT32_MAX).ns, duration_s(160).ns);
	ejection.hold_ns = INT64_MAX / 2;
	assert_int_equal(ejection_hold(&ejection, 5).ns, INT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sequences_hold),
	    cmocka_unit_test(next_check_in_range),
	    cmocka_unit_test(ejection_doubles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
