/*
 * The lost wake-up is searched for: two posters and the owner of an inbox, in
 * every order of their steps with up to three preemptions, and with stores that
 * come late (390,000 orders; with four preemptions 5 million). The
 * same search finds each of three mistakes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/explore.h"

#include "runtime/inbox.c"
#include "runtime/io_backend.h"

/* Sanitizers take ten times as long. */
#ifdef WEIR_SLOW_CHECKS
#	define PREEMPTIONS 2
#else
#	define PREEMPTIONS 3
#endif
#define POSTERS 2
#define ITEMS   2 /* per poster */

static struct worker owner;
static bool woken; /* an edge of the eventfd */
static struct inbox_item items[POSTERS][ITEMS];
static unsigned arrived[POSTERS][ITEMS];
static unsigned arrived_count;
static enum { RIGHT, LOOKS_TOO_EARLY, POSTS_TOO_LATE } variant;

static void
wake(struct worker *worker)
{
	(void)worker;
	explore_step();
	woken = true;
}

static const struct io_backend backend = {.name = "explore", .wake = wake};

static void
arrive(struct inbox_item *item)
{
	size_t n = (size_t)(item - &items[0][0]);

	/* Of one poster in the order in which they were posted. */
	if (n % ITEMS > 0)
		explore_assert(arrived[n / ITEMS][n % ITEMS - 1] == 1);
	arrived[n / ITEMS][n % ITEMS]++;
	arrived_count++;
}

static void
setup(void)
{
	memset(&owner, 0, sizeof(owner));
	memset(arrived, 0, sizeof(arrived));
	arrived_count = 0;
	woken = false;
	owner.backend = &backend;
	runtime_here.workers[0] = &owner;
	runtime_here.worker_count = 1;
	for (int i = 0; i < POSTERS; i++) {
		for (int k = 0; k < ITEMS; k++)
			items[i][k].run = arrive;
	}
}

static void
check(void)
{
	runtime_here.worker_count = 0;
	if (owner.inbox != NULL || arrived_count != POSTERS * ITEMS)
		explore_failure = "an item was lost";
	for (int i = 0; i < POSTERS; i++) {
		for (int k = 0; k < ITEMS; k++) {
			if (arrived[i][k] != 1)
				explore_failure = "an item came twice";
		}
	}
}

/* The mistakes. */
static bool
sleep_after_look(struct worker *worker)
{
	bool empty = inbox_empty(worker);

	step_store(&worker->sleeping, true, memory_order_seq_cst);
	return empty;
}

static void
post_after_look(struct inbox_item *item)
{
	bool sleeping = step_load(&owner.sleeping, memory_order_seq_cst);

	item->next = step_load(&owner.inbox, memory_order_relaxed);
	while (!step_compare_exchange(
	    &owner.inbox, &item->next, item, memory_order_seq_cst))
		;
	if (sleeping)
		worker_wake(&owner);
}

static void
post_all(unsigned poster)
{
	for (int k = 0; k < ITEMS; k++) {
		if (variant == POSTS_TOO_LATE)
			post_after_look(&items[poster][k]);
		else
			worker_post(0, &items[poster][k]);
	}
}

static void
poster_0(void)
{
	post_all(0);
}

static void
poster_1(void)
{
	post_all(1);
}

/* worker_poll() and worker_run(), of a worker that has nothing else. */
static void
own(void)
{
	while (arrived_count < POSTERS * ITEMS) {
		bool may_sleep = variant == LOOKS_TOO_EARLY
		    ? sleep_after_look(&owner)
		    : inbox_sleep(&owner);

		if (may_sleep)
			explore_wait(&woken);
		woken = false;
		inbox_awake(&owner);
		inbox_run(&owner);
	}
}

static const struct explore_case inbox_case = {.setup = setup,
    .threads = {own, poster_0, poster_1},
    .check = check,
    .thread_count = 3,
    .preemptions = PREEMPTIONS};

static void
test_right(void **state)
{
	unsigned long runs;

	variant = RIGHT;
	runs = explore_run(&inbox_case);
	if (explore_failure != NULL)
		fail_msg("%s: %s", explore_failure, explore_order);
	print_message("%lu orders\n", runs);
	assert_true(runs > 10000);
}

static void
test_broken(void **state)
{
	struct explore_case weak = inbox_case;

	variant = LOOKS_TOO_EARLY;
	explore_run(&inbox_case);
	assert_string_equal(explore_failure, "a thread waits for ever");
	variant = POSTS_TOO_LATE;
	explore_run(&inbox_case);
	assert_string_equal(explore_failure, "a thread waits for ever");
	/* As if `sleeping` were stored without sequential consistency. */
	variant = RIGHT;
	weak.weak = true;
	explore_run(&weak);
	assert_string_equal(explore_failure, "a thread waits for ever");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_right),
	    cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
