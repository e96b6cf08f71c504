#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hist.h"

/* Within 1/32 of the truth, whatever the size. */
static void
test_quantile_precision(void **state)
{
	static struct hist h;
	uint64_t v, got;

	for (v = 1; v < (uint64_t)1 << 40; v = v * 5 / 3 + 1) {
		h = (struct hist){0};
		hist_add(&h, v);
		got = hist_quantile(&h, 0.5);
		assert_in_range(got, v - v / 32, v + v / 32);
	}
}

static void
test_quantile_order(void **state)
{
	static struct hist h;
	uint64_t v;

	assert_int_equal(hist_quantile(&h, 0.99), 0);
	for (v = 1; v <= 10000; v++)
		hist_add(&h, v * 1000);
	assert_in_range(hist_quantile(&h, 0.5), 4840000, 5160000);
	assert_in_range(hist_quantile(&h, 0.99), 9590000, 10210000);
	assert_in_range(hist_quantile(&h, 1.0), 9680000, 10320000);
	assert_int_equal(h.max_ns, 10000000);
	assert_int_equal(h.count, 10000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_quantile_precision),
	    cmocka_unit_test(test_quantile_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
