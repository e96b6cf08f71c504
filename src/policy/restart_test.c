#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/restart.h"

static void
test_wanted(void **state)
{
	assert_true(restart_wanted(RESTART_PERMANENT, true));
	assert_true(restart_wanted(RESTART_PERMANENT, false));
	assert_true(restart_wanted(RESTART_TRANSIENT, true));
	assert_false(restart_wanted(RESTART_TRANSIENT, false));
	assert_false(restart_wanted(RESTART_TEMPORARY, true));
	assert_false(restart_wanted(RESTART_TEMPORARY, false));
}

static const struct restart_backoff backoff = {
    .first = {100},
    .max = {1000},
    .healthy = {5000},
    .free = 1,
};

static void
test_pauses(void **state)
{
	static const int64_t expected[] = {0, 100, 200, 400, 800, 1000, 1000};
	struct restart_deaths deaths = {0};

	for (unsigned i = 0; i < array_count(expected); i++)
		assert_int_equal(
		    restart_pause(&deaths, &backoff, duration_ns(4999), 0).ns,
		    expected[i]);
	/* A long life wipes the slate. */
	assert_int_equal(
	    restart_pause(&deaths, &backoff, duration_ns(5000), 0).ns, 0);
	assert_int_equal(
	    restart_pause(&deaths, &backoff, duration_ns(1), 0).ns, 0);
	assert_int_equal(
	    restart_pause(&deaths, &backoff, duration_ns(1), 0).ns, 100);
}

static void
test_unstarted(void **state)
{
	struct restart_deaths deaths = {0};

	assert_int_equal(restart_pause_unstarted(&deaths, &backoff, 0).ns, 100);
	assert_int_equal(restart_pause_unstarted(&deaths, &backoff, 0).ns, 200);
	/* No number of doublings overflows. */
	for (int i = 0; i < 1000; i++)
		assert_in_range(
		    restart_pause_unstarted(&deaths, &backoff, 0).ns, 100,
		    1000);
}

static void
test_jitter(void **state)
{
	struct restart_backoff shaken = backoff;
	struct restart_deaths deaths = {0};

	shaken.free = 0;
	shaken.first = shaken.max = duration_ns(1000);
	shaken.jitter_percent = 20;
	assert_int_equal(
	    restart_pause(&deaths, &shaken, duration_ns(0), 0).ns, 1000);
	assert_int_equal(
	    restart_pause(&deaths, &shaken, duration_ns(0), UINT64_MAX).ns,
	    800);
	assert_int_equal(
	    restart_pause(&deaths, &shaken, duration_ns(0), UINT64_MAX / 2).ns,
	    900);
}

static void
test_intensity(void **state)
{
	struct restart_intensity intensity;

	restart_intensity_init(&intensity, 3, duration_ns(100));
	assert_true(restart_intensity_take(&intensity, (instant){0}));
	assert_true(restart_intensity_take(&intensity, (instant){10}));
	assert_true(restart_intensity_take(&intensity, (instant){20}));
	assert_false(restart_intensity_take(&intensity, (instant){99}));
	/* The first has left the window, and only the first. */
	assert_true(restart_intensity_take(&intensity, (instant){100}));
	assert_false(restart_intensity_take(&intensity, (instant){101}));
	assert_true(restart_intensity_take(&intensity, (instant){1000}));
	assert_true(restart_intensity_take(&intensity, (instant){1000}));
	assert_true(restart_intensity_take(&intensity, (instant){1000}));
	assert_false(restart_intensity_take(&intensity, (instant){1000}));
	restart_intensity_init(&intensity, 0, duration_ns(100));
	for (int i = 0; i < 1000; i++)
		assert_true(restart_intensity_take(&intensity, (instant){0}));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wanted),
	    cmocka_unit_test(test_pauses),
	    cmocka_unit_test(test_unstarted),
	    cmocka_unit_test(test_jitter),
	    cmocka_unit_test(test_intensity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
