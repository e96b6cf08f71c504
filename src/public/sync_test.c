/* The locks as a user of the library has them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weir/weir.h>

static unsigned reports[4];

static void
count(enum weir_deadlock_kind kind, const char *text)
{
	assert_int_equal(text[strlen(text) - 1], '\n');
	reports[kind]++;
}

static int
run(weir_task_fn root)
{
	struct weir_options options = {.worker_count = 2};

	memset(reports, 0, sizeof(reports));
	weir_deadlock_set_hook(count);
	return weir_run(&options, root, NULL);
}

static int
root_locks(void *arg)
{
	static struct weir_rwlock fixed = WEIR_RWLOCK_INIT("fixed");
	struct weir_mutex m, r;
	struct weir_rwlock l;

	(void)arg;
	weir_mutex_init(&m, "m");
	weir_mutex_init_reentrant(&r, "r");
	weir_rwlock_init(&l, NULL);
	assert_int_equal(weir_mutex_lock(&m, WEIR_NEVER), 0);
	assert_int_equal(weir_mutex_try(&m), -EBUSY);
	assert_int_equal(weir_mutex_lock(&m, WEIR_PAST), -ETIMEDOUT);
	assert_int_equal(weir_mutex_lock(&m, WEIR_NEVER), -EDEADLK);
	assert_int_equal(weir_mutex_fini(&m), -EBUSY);
	assert_int_equal(weir_mutex_unlock(&m), 0);
	assert_int_equal(weir_mutex_unlock(&m), -EPERM);
	assert_int_equal(weir_mutex_fini(&m), 0);
	assert_int_equal(weir_mutex_lock(&r, WEIR_NEVER), 0);
	assert_int_equal(weir_mutex_try(&r), 0);
	assert_int_equal(weir_mutex_unlock(&r), 0);
	assert_int_equal(weir_mutex_unlock(&r), 0);
	assert_int_equal(weir_rwlock_read(&l, WEIR_NEVER), 0);
	assert_int_equal(weir_rwlock_try_read(&l), 0);
	assert_int_equal(weir_rwlock_try_write(&l), -EBUSY);
	assert_int_equal(weir_rwlock_write(&l, WEIR_PAST), -ETIMEDOUT);
	assert_int_equal(weir_rwlock_unlock(&l), 0);
	assert_int_equal(weir_rwlock_unlock(&l), 0);
	assert_int_equal(weir_rwlock_fini(&l), 0);
	assert_int_equal(weir_rwlock_write(&fixed, WEIR_NEVER), 0);
	assert_int_equal(weir_rwlock_unlock(&fixed), 0);
	assert_int_equal(reports[WEIR_DEADLOCK_CIRCLE], 1);
	assert_int_equal(reports[WEIR_DEADLOCK_MISUSE], 2);
	return 0;
}

static void
test_locks(void **state)
{
	struct weir_mutex m = WEIR_MUTEX_INIT("outside");

	assert_int_equal(run(root_locks), 0);
	assert_int_equal(weir_mutex_lock(&m, WEIR_NEVER), -EPERM);
}

/* One of everything, between two tasks on two workers. */
struct pair {
	struct weir_mutex m;
	struct weir_condition c;
	struct weir_semaphore s;
	struct weir_barrier b;
	struct weir_once once;
	struct weir_wait_group g;
	int turn;
	int made;
	int last;
};

static int
make(void *arg)
{
	((struct pair *)arg)->made++;
	return 0;
}

static int
partner(void *arg)
{
	struct pair *p = arg;
	int me = (int)weir_worker_self();
	int last;

	assert_int_equal(weir_once_run(&p->once, make, p, WEIR_NEVER), 0);
	last = weir_barrier_wait(&p->b, WEIR_NEVER);
	assert_true(last == 0 || last == 1);
	assert_int_equal(weir_mutex_lock(&p->m, WEIR_NEVER), 0);
	p->last += last;
	for (int i = 0; i < 100; i++) {
		while (p->turn != me)
			assert_int_equal(
			    weir_condition_wait(&p->c, &p->m, WEIR_NEVER), 0);
		p->turn = !me;
		weir_condition_broadcast(&p->c);
	}
	weir_condition_signal(&p->c);
	assert_int_equal(weir_mutex_unlock(&p->m), 0);
	assert_int_equal(weir_semaphore_give(&p->s, 2), 0);
	return weir_wait_group_done(&p->g);
}

static int
root_pair(void *arg)
{
	struct pair p = {.once = WEIR_ONCE_INIT("once")};

	(void)arg;
	weir_mutex_init(&p.m, "m");
	weir_condition_init(&p.c, "c");
	weir_semaphore_init(&p.s, "s", 1);
	weir_barrier_init(&p.b, "b", 2);
	weir_wait_group_init(&p.g, "g");
	assert_int_equal(weir_wait_group_add(&p.g, 2), 0);
	assert_int_equal(weir_worker_start(0, "one", partner, &p), 0);
	assert_int_equal(weir_worker_start(1, "two", partner, &p), 0);
	assert_int_equal(weir_semaphore_take(&p.s, 5, WEIR_NEVER), 0);
	assert_int_equal(weir_semaphore_try(&p.s, 1), -EBUSY);
	assert_int_equal(weir_wait_group_wait(&p.g, WEIR_NEVER), 0);
	assert_int_equal(p.made, 1);
	assert_int_equal(p.last, 1);
	assert_int_equal(weir_condition_fini(&p.c), 0);
	assert_int_equal(weir_semaphore_fini(&p.s), 0);
	assert_int_equal(weir_barrier_fini(&p.b), 0);
	assert_int_equal(weir_wait_group_fini(&p.g), 0);
	/* Nobody will give: root is told. */
	assert_int_equal(weir_semaphore_take(&p.s, 1, WEIR_NEVER), -EDEADLK);
	assert_int_equal(reports[WEIR_DEADLOCK_ASLEEP], 1);
	weir_outside_begin();
	assert_int_equal(
	    weir_semaphore_take(&p.s, 1, weir_after(3 * WEIR_MILLISECOND)),
	    -ETIMEDOUT);
	weir_outside_end();
	return 0;
}

static void
test_pair(void **state)
{
	assert_int_equal(run(root_pair), 0);
}

static int
root_order(void *arg)
{
	struct weir_mutex a = WEIR_MUTEX_INIT("a"), b = WEIR_MUTEX_INIT("b");

	(void)arg;
	for (int i = 0; i < 4; i++) {
		struct weir_mutex *first = i % 2 ? &a : &b;
		struct weir_mutex *second = i % 2 ? &b : &a;

		assert_int_equal(weir_mutex_lock(first, WEIR_NEVER), 0);
		assert_int_equal(weir_mutex_lock(second, WEIR_NEVER), 0);
		weir_mutex_unlock(second);
		weir_mutex_unlock(first);
	}
	return 0;
}

static void
test_order(void **state)
{
	weir_deadlock_watch_order(false);
	assert_int_equal(run(root_order), 0);
	assert_int_equal(reports[WEIR_DEADLOCK_ORDER], 0);
	weir_deadlock_watch_order(true);
	assert_int_equal(run(root_order), 0);
	assert_int_equal(reports[WEIR_DEADLOCK_ORDER], 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_locks),
	    cmocka_unit_test(test_pair),
	    cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
