#include "net/shared.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/memory.h"

static const struct ejection eject_3 = {
    .failures_max = 3, .hold_ns = 10000000000};

static instant
at_s(int64_t s)
{
	return (instant){s * 1000000000};
}

static int
setup(void **state)
{
	return shared_map_private();
}

static int
teardown(void **state)
{
	memory_unmap(shared, sizeof(*shared));
	shared = NULL;
	return 0;
}

static void
maps_itself_only(void **state)
{
	struct shared *first, *second;
	int fd = shared_create();
	int other = memory_file_create("other", sizeof(struct shared));
	int small = memory_file_create("small", 4096);

	assert_true(fd >= 0 && other >= 0 && small >= 0);
	assert_int_equal(shared_map(other), -EINVAL);
	assert_int_equal(shared_map(small), -EINVAL);
	assert_int_equal(shared_map(-1), -EBADF);
	assert_null(shared);

	/* Two mappings are the same memory; nobody can cut it short. */
	assert_int_equal(shared_map(fd), 0);
	first = shared;
	assert_int_equal(ftruncate(fd, 4096), -1);
	assert_int_equal(verdict_claim(BYTES("shop"), BYTES("a:80")), 0);
	assert_int_equal(shared_map(fd), 0);
	second = shared;
	assert_ptr_not_equal(first, second);
	assert_int_equal(verdict_find(BYTES("shop"), BYTES("a:80")), 0);
	assert_int_equal(first->hash_key.k0, second->hash_key.k0);
	assert_true(first->hash_key.k0 != 0 || first->hash_key.k1 != 0);
	memory_unmap(first, sizeof(*first));
	memory_unmap(second, sizeof(*second));
	shared = NULL;
	memory_file_close(fd);
	memory_file_close(other);
	memory_file_close(small);
}

static void
slots_are_claimed_and_released(void **state)
{
	char longest[SHARED_KEY_BYTES];
	int a, b, c;

	a = verdict_claim(BYTES("shop"), BYTES("a:80"));
	b = verdict_claim(BYTES("shop"), BYTES("b:80"));
	assert_true(a >= 0 && b >= 0 && a != b);
	assert_int_equal(verdict_claim(BYTES("shop"), BYTES("a:80")), a);
	assert_int_equal(verdict_find(BYTES("shop"), BYTES("b:80")), b);
	assert_int_equal(verdict_find(BYTES("shop"), BYTES("b:8")), -ENOENT);
	assert_int_equal(verdict_find(BYTES("sho"), BYTES("b:80")), -ENOENT);
	assert_true(verdict_is(a, BYTES("shop"), BYTES("a:80")));
	assert_false(verdict_is(a, BYTES("shop"), BYTES("b:80")));

	/* What the operator said lasts while the server is there ... */
	atomic_store(&shared->verdicts[a].admin, ADMIN_DRAINED);
	atomic_store(&shared->verdicts[a].weight, 7);
	verdict_publish(a, HEALTH_UP, "fine", at_s(5));
	assert_int_equal(verdict_claim(BYTES("shop"), BYTES("a:80")), a);
	assert_int_equal(
	    atomic_load(&shared->verdicts[a].admin), ADMIN_DRAINED);

	/* ... and a released slot is not the next one to be claimed. */
	verdict_release(a);
	assert_int_equal(verdict_find(BYTES("shop"), BYTES("a:80")), -ENOENT);
	c = verdict_claim(BYTES("shop"), BYTES("a:80"));
	assert_true(c >= 0 && c != a && c != b);
	assert_int_equal(atomic_load(&shared->verdicts[c].admin), ADMIN_READY);
	assert_int_equal(atomic_load(&shared->verdicts[c].weight), UINT32_MAX);

	memset(longest, 'x', sizeof(longest));
	assert_true(verdict_claim(BYTES("p"),
			bytes_of(longest, SHARED_KEY_BYTES - 3)) >= 0);
	assert_int_equal(
	    verdict_claim(BYTES("p"), bytes_of(longest, SHARED_KEY_BYTES - 2)),
	    -ENAMETOOLONG);
	assert_int_equal(
	    verdict_find(BYTES("p"), bytes_of(longest, SHARED_KEY_BYTES - 2)),
	    -ENOENT);
}

static void
table_fills_and_reuses(void **state)
{
	char name[16];
	struct verdict_view view;
	int slot;

	for (int i = 0; i < SHARED_SERVERS_MAX; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		slot = verdict_claim(BYTES("p"), bytes_from(name));
		assert_true(slot >= 0);
		verdict_publish(slot, HEALTH_DOWN, "old", at_s(1));
	}
	assert_int_equal(verdict_claim(BYTES("p"), BYTES("one")), -ENOSPC);
	slot = verdict_find(BYTES("p"), BYTES("s100"));
	atomic_store(&shared->verdicts[slot].in_flight, 2);
	(void)verdict_failure(slot, &eject_3, at_s(2));
	verdict_release(slot);
	/* Busy, but the only one: taken, and all of its past forgotten. */
	assert_int_equal(verdict_claim(BYTES("p"), BYTES("one")), slot);
	verdict_read(slot, at_s(3), &view);
	assert_int_equal(view.state, HEALTH_UNKNOWN);
	assert_int_equal(view.in_flight, 0);
	assert_string_equal(view.reason, "not checked yet");
	assert_int_equal(
	    atomic_load(&shared->verdicts[slot].failures_in_row), 0);
	/* An idle one is preferred to a busy one that comes first. */
	atomic_store(&shared->verdicts[slot + 1].in_flight, 1);
	verdict_release(slot + 1);
	verdict_release(slot + 2);
	assert_int_equal(verdict_claim(BYTES("p"), BYTES("two")), slot + 2);
}

static void
usable_table(void **state)
{
	static const struct {
		enum verdict_admin admin;
		enum health_state health;
		bool checked, usable;
	} rows[] = {
	    {ADMIN_READY, HEALTH_UP, true, true},
	    {ADMIN_READY, HEALTH_UP, false, true},
	    {ADMIN_READY, HEALTH_UNKNOWN, true, false},
	    {ADMIN_READY, HEALTH_UNKNOWN, false, true},
	    {ADMIN_READY, HEALTH_DOWN, true, false},
	    {ADMIN_READY, HEALTH_DOWN, false, false},
	    {ADMIN_DRAINED, HEALTH_UP, true, false},
	    {ADMIN_DOWN, HEALTH_UP, true, false},
	    {ADMIN_DRAINED, HEALTH_UNKNOWN, false, false},
	};
	int slot = verdict_claim(BYTES("p"), BYTES("s"));

	assert_true(slot >= 0);
	for (size_t i = 0; i < array_count(rows); i++) {
		atomic_store(&shared->verdicts[slot].admin, rows[i].admin);
		verdict_publish(slot, rows[i].health, "", at_s(1));
		assert_int_equal(verdict_usable(slot, rows[i].checked, at_s(2)),
		    rows[i].usable);
	}
}

static void
publish_keeps_since(void **state)
{
	char longer[SHARED_REASON_BYTES + 50];
	int slot = verdict_claim(BYTES("p"), BYTES("s"));
	struct verdict_view view;

	assert_true(slot >= 0);
	verdict_publish(slot, HEALTH_DOWN, "connect: refused", at_s(5));
	verdict_publish(slot, HEALTH_DOWN, "status 500", at_s(6));
	verdict_read(slot, at_s(7), &view);
	assert_int_equal(view.state, HEALTH_DOWN);
	assert_int_equal(view.since.ns, at_s(5).ns);
	assert_string_equal(view.reason, "status 500");
	verdict_publish(slot, HEALTH_UP, "ok", at_s(8));
	verdict_read(slot, at_s(9), &view);
	assert_int_equal(view.since.ns, at_s(8).ns);
	assert_string_equal(view.reason, "ok");

	memset(longer, 'r', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	verdict_publish(slot, HEALTH_UP, longer, at_s(9));
	verdict_read(slot, at_s(9), &view);
	assert_int_equal(strlen(view.reason), SHARED_REASON_BYTES - 1);
}

static void
ejection_and_trial(void **state)
{
	int slot = verdict_claim(BYTES("p"), BYTES("s"));
	struct verdict_view view;

	assert_true(slot >= 0);
	/* A success between starts the count afresh. */
	assert_false(verdict_failure(slot, &eject_3, at_s(0)));
	assert_false(verdict_failure(slot, &eject_3, at_s(0)));
	verdict_success(slot);
	assert_false(verdict_failure(slot, &eject_3, at_s(0)));
	assert_false(verdict_failure(slot, &eject_3, at_s(0)));
	assert_true(verdict_try(slot, at_s(0)));
	assert_true(verdict_failure(slot, &eject_3, at_s(100)));
	assert_false(verdict_failure(slot, &eject_3, at_s(101)));
	assert_false(verdict_usable(slot, false, at_s(109)));
	verdict_read(slot, at_s(109), &view);
	assert_true(view.ejected);

	/* One request tries it; the trial is free again after a second. */
	assert_true(verdict_usable(slot, false, at_s(110)));
	assert_true(verdict_try(slot, at_s(110)));
	assert_false(verdict_usable(slot, false, at_s(110)));
	assert_false(verdict_try(slot, at_s(110)));
	assert_true(verdict_usable(slot, false, at_s(111)));
	assert_true(verdict_try(slot, at_s(111)));

	/* It fails: one failure is enough now, for twice as long. */
	assert_true(verdict_failure(slot, &eject_3, at_s(111)));
	assert_false(verdict_usable(slot, false, at_s(130)));
	assert_true(verdict_usable(slot, false, at_s(131)));
	assert_true(verdict_try(slot, at_s(131)));
	verdict_success(slot);
	assert_true(verdict_usable(slot, false, at_s(131)));
	assert_true(verdict_try(slot, at_s(131)));
	assert_true(verdict_try(slot, at_s(131)));

	/* All forgotten: three failures, and the first hold. */
	assert_false(verdict_failure(slot, &eject_3, at_s(131)));
	assert_false(verdict_failure(slot, &eject_3, at_s(131)));
	assert_true(verdict_failure(slot, &eject_3, at_s(131)));
	assert_true(verdict_usable(slot, false, at_s(141)));

	/* Off. */
	slot = verdict_claim(BYTES("p"), BYTES("never"));
	for (int i = 0; i < 100; i++)
		assert_false(
		    verdict_failure(slot, &(struct ejection){0}, at_s(1)));
	assert_true(verdict_usable(slot, false, at_s(1)));
}

/* ---- threads ---- */

#define PUBLISH_COUNT 50000

static int raced;

/* Each note names its state, since and text by one number. */
static void *
publisher(void *arg)
{
	for (int64_t i = 1; i <= PUBLISH_COUNT; i++) {
		char reason[SHARED_REASON_BYTES];

		snprintf(reason, sizeof(reason), "%lld %060lld", (long long)i,
		    (long long)i);
		verdict_publish(raced, i % 2 ? HEALTH_UP : HEALTH_DOWN, reason,
		    (instant){i});
	}
	return NULL;
}

static void *
reader(void *arg)
{
	int64_t last = 0;
	struct verdict_view view;

	while (last < PUBLISH_COUNT) {
		long long a, b;

		verdict_read(raced, (instant){0}, &view);
		if (view.since.ns == 0)
			continue;
		must(sscanf(view.reason, "%lld %lld", &a, &b) == 2);
		must(a == b && a == view.since.ns && a >= last);
		must(view.state == (a % 2 ? HEALTH_UP : HEALTH_DOWN));
		last = a;
	}
	return NULL;
}

static void
notes_are_never_mixed(void **state)
{
	pthread_t threads[4];

	raced = verdict_claim(BYTES("p"), BYTES("raced"));
	assert_true(raced >= 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
				     i == 0 ? publisher : reader, NULL),
		    0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void *
failing(void *arg)
{
	uintptr_t ejections = 0;

	for (int i = 0; i < 1000; i++)
		ejections += verdict_failure(raced, &eject_3, at_s(50));
	return (void *)ejections;
}

static void *
trying(void *arg)
{
	return (void *)(uintptr_t)verdict_try(raced, at_s(60));
}

static uintptr_t
sum_of_four(void *(*run)(void *))
{
	pthread_t threads[4];
	uintptr_t sum = 0;

	for (int i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, run, NULL), 0);
	for (int i = 0; i < 4; i++) {
		void *result;

		pthread_join(threads[i], &result);
		sum += (uintptr_t)result;
	}
	return sum;
}

/* Many threads see failures at once: one of them ejects; one has the trial. */
static void
one_ejects_and_one_tries(void **state)
{
	raced = verdict_claim(BYTES("p"), BYTES("raced"));
	assert_true(raced >= 0);
	assert_int_equal(sum_of_four(failing), 1);
	assert_int_equal(sum_of_four(trying), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(maps_itself_only),
	    cmocka_unit_test_setup_teardown(
		slots_are_claimed_and_released, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		table_fills_and_reuses, setup, teardown),
	    cmocka_unit_test_setup_teardown(usable_table, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		publish_keeps_since, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		ejection_and_trial, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		notes_are_never_mixed, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		one_ejects_and_one_tries, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
