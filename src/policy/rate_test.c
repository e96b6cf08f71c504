#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "policy/rate.h"

struct step {
	uint64_t bytes;
	int64_t waited_ms;
	bool enough;
};

/* 100 bytes a second over windows of 10 s: 1,000 bytes each. */
static const struct {
	const char *what;
	struct step steps[6];
} rows[] = {
    {"nothing is asked before the grace", {{0, 9999, true}}},
    {"silence", {{0, 9999, true}, {0, 1, false}}},
    {"just enough", {{500, 5000, true}, {500, 5000, true}}},
    {"a byte short", {{500, 5000, true}, {499, 5000, false}}},
    {"each window for itself",
	{{1500, 10000, true}, {0, 9999, true}, {999, 1, false}}},
    {"a long wait asks for more", {{1000, 10010, false}}},
    {"a long wait with its bytes", {{1001, 10010, true}}},
    {"a burst pays for two windows", {{1 << 30, 20000, true}}},
    {"and for no more", {{1 << 30, 20001, false}}},
    {"no time passes while nobody waits",
	{{1, 0, true}, {1, 0, true}, {0, 0, true}}},
};

static void
table_holds(void **state)
{
	for (size_t i = 0; i < array_count(rows); i++) {
		struct rate_meter meter;

		rate_meter_init(&meter, 100, duration_s(10));
		for (size_t n = 0; n < 6; n++) {
			const struct step *step = &rows[i].steps[n];

			if (n > 0 && step->bytes == 0 && step->waited_ms == 0)
				break;
			if (rate_meter_add(&meter, step->bytes,
				duration_ms(step->waited_ms)) != step->enough)
				fail_msg("%s, step %zu", rows[i].what, n);
		}
	}
}

/* Patience is exact: a nanosecond less of silence is still enough. */
static void
patience_is_exact(void **state)
{
	static const struct step before[] = {
	    {0, 0, true},
	    {0, 9000, true},
	    {999, 9000, true},
	    {1000, 1, true},
	    {1500, 500, true},
	    {1 << 20, 1000, true},
	};

	for (size_t i = 0; i < array_count(before); i++) {
		struct rate_meter meter, copy;
		duration patience;

		rate_meter_init(&meter, 100, duration_s(10));
		assert_true(rate_meter_add(
		    &meter, before[i].bytes, duration_ms(before[i].waited_ms)));
		patience = rate_meter_patience(&meter);
		assert_in_range(patience.ns, 1, 2 * 10000000000 + 1);
		copy = meter;
		assert_false(rate_meter_add(&copy, 0, patience));
		copy = meter;
		assert_true(
		    rate_meter_add(&copy, 0, duration_ns(patience.ns - 1)));
	}
}

static void
zero_and_extremes(void **state)
{
	struct rate_meter meter;

	rate_meter_init(&meter, 0, duration_s(10));
	assert_true(rate_meter_add(&meter, 0, duration_ns(INT64_MAX)));
	assert_int_equal(rate_meter_patience(&meter).ns, INT64_MAX);

	rate_meter_init(&meter, 1u << 31, duration_ns(INT64_MAX));
	assert_true(rate_meter_add(&meter, UINT64_MAX, duration_s(1)));
	assert_false(rate_meter_add(&meter, 1, duration_ns(INT64_MAX)));
	rate_meter_init(&meter, 1, duration_ns(0));
	assert_true(rate_meter_patience(&meter).ns > 0);
	assert_false(rate_meter_add(&meter, 0, duration_ns(1)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table_holds),
	    cmocka_unit_test(patience_is_exact),
	    cmocka_unit_test(zero_and_extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
