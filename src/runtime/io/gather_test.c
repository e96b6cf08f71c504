#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "runtime/io/gather.h"

enum { WINDOW_NS = 30000, SPARSE_NS = 3 * GATHER_GAPS * WINDOW_NS };

static struct gather gather;
static instant now;

static bool
wanted(void)
{
	return gather_wanted(&gather, now);
}

/* @waits, each ending after @ns with @events; true: all of them gathered. */
static bool
waits(int waits, int64_t ns, unsigned events)
{
	bool all = true;

	for (int i = 0; i < waits; i++) {
		bool gathers = wanted();

		all = all && gathers;
		now = instant_after(now, duration_ns(ns));
		gather_note(&gather, gathers, events, now);
	}
	return all;
}

static void
begin(int64_t window_ns)
{
	now = (instant){1000000000};
	gather_init(&gather, window_ns, now);
}

static void
test_dense(void **state)
{
	begin(WINDOW_NS);
	assert_false(wanted());
	waits(GATHER_RUN / 2 - 1, WINDOW_NS, 2);
	assert_false(wanted());
	waits(1, WINDOW_NS, 2);
	assert_true(wanted());
	/* It goes on while it pays. */
	assert_true(waits(1000, 2 * WINDOW_NS, 2));
}

static void
test_sparse(void **state)
{
	begin(WINDOW_NS);
	waits(10 * GATHER_RUN, SPARSE_NS, 1);
	assert_false(wanted());
	/* As many at once do not make a run dense that took so long. */
	waits(GATHER_RUN / 4, 4 * SPARSE_NS, 4);
	assert_false(wanted());
}

/* The first after a pause of all is not delayed for what was before. */
static void
test_idle(void **state)
{
	begin(WINDOW_NS);
	waits(GATHER_RUN, WINDOW_NS, 2);
	assert_true(wanted());
	now = instant_after(
	    now, duration_ns(GATHER_RUN * GATHER_GAPS * WINDOW_NS + 1));
	assert_false(wanted());
	/* Nor is the second; when many have come, it begins anew. */
	waits(GATHER_RUN / 4, WINDOW_NS, 2);
	assert_false(wanted());
	waits(2 * GATHER_RUN, WINDOW_NS, 2);
	assert_true(wanted());
}

/* One conversation, however fast, is seldom delayed. */
static void
test_vain(void **state)
{
	unsigned gathered = 0, rounds = 100000, pause = 0;

	begin(WINDOW_NS);
	for (unsigned i = 0; i < rounds; i++) {
		gathered += wanted();
		waits(1, WINDOW_NS, 1);
	}
	assert_true(gathered > 0);
	assert_in_range(gathered, 1, rounds / 100);
	/* Others come, and it is found to pay soon. */
	waits(GATHER_PAUSE_MAX * GATHER_RUN / 2 + GATHER_RUN, WINDOW_NS, 2);
	assert_true(waits(1000, WINDOW_NS, 2));
	/* And is given a second chance soon when it did not once. */
	while (wanted())
		waits(1, WINDOW_NS, 1);
	for (; !wanted(); pause++)
		waits(1, WINDOW_NS, 1);
	assert_in_range(pause, 1, 2 * GATHER_RUN);
}

static void
test_off(void **state)
{
	begin(0);
	waits(10 * GATHER_RUN, 0, 4);
	assert_false(wanted());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dense),
	    cmocka_unit_test(test_sparse),
	    cmocka_unit_test(test_idle),
	    cmocka_unit_test(test_vain),
	    cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
