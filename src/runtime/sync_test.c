#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/clock.h"
#include "runtime/deadlock.h"
#include "runtime/runtime.h"
#include "runtime/sync.h"

#define WORKERS 4

static const struct runtime_options one_worker = {.worker_count = 1};
static const struct runtime_options many_workers = {.worker_count = WORKERS};

static _Atomic unsigned mistakes;

static void
count_mistake(enum deadlock_kind kind, const char *text)
{
	(void)text;
	mistakes += kind == DEADLOCK_MISUSE;
}

static instant
soon(int64_t ms)
{
	return instant_after(clock_now(), duration_ms(ms));
}

/* A big wish at the head is not overtaken by small ones; when it gives up
 * they go on. */
struct permits {
	struct semaphore s;
	char log[8];
	int length;
};

static int
take_three(void *arg)
{
	struct permits *p = arg;
	int error = semaphore_take(&p->s, 3, soon(5));

	p->log[p->length++] = error == 0 ? '3' : '-';
	return error == 0 || error == -ETIMEDOUT ? 0 : error;
}

static int
take_one(void *arg)
{
	struct permits *p = arg;
	int error = semaphore_take(&p->s, 1, instant_never());

	p->log[p->length++] = '1';
	return error;
}

static int
root_semaphore(void *arg)
{
	struct permits p = {.s = SEMAPHORE_INIT("permits", 2)};
	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	assert_int_equal(semaphore_try(&p.s, 3), -EBUSY);
	assert_int_equal(task_start(&scope, "three", take_three, &p), 0);
	assert_int_equal(task_start(&scope, "one", take_one, &p), 0);
	assert_int_equal(task_yield(), 0);
	assert_int_equal(semaphore_try(&p.s, 1), -EBUSY);
	assert_int_equal(semaphore_fini(&p.s), -EBUSY);
	assert_int_equal(scope_wait(&scope), 0);
	assert_string_equal(p.log, "-1");
	assert_int_equal(task_start(&scope, "three", take_three, &p), 0);
	assert_int_equal(task_start(&scope, "one", take_one, &p), 0);
	assert_int_equal(task_yield(), 0);
	assert_int_equal(semaphore_give(&p.s, 3), 0);
	assert_int_equal(scope_wait(&scope), 0);
	assert_string_equal(p.log, "-131");
	assert_int_equal(semaphore_give(&p.s, UINT64_MAX), 0);
	assert_int_equal(semaphore_give(&p.s, 1), -EOVERFLOW);
	assert_int_equal(scope_fini(&scope), 0);
	return semaphore_fini(&p.s);
}

static void
test_semaphore(void **state)
{
	assert_int_equal(runtime_run(&one_worker, root_semaphore, NULL), 0);
}

/* A bounded queue of numbers, as in every book. */
#define ITEMS 3000
struct buffer {
	struct mutex m;
	struct condition not_full, not_empty;
	int items[4];
	int count;
	_Atomic int64_t sum;
	struct wait_group done;
};

static int
produce(void *arg)
{
	struct buffer *b = arg;

	for (int i = 1; i <= ITEMS; i++) {
		assert_int_equal(mutex_lock(&b->m, instant_never()), 0);
		while (b->count == 4)
			assert_int_equal(condition_wait(&b->not_full, &b->m,
					     instant_never()),
			    0);
		assert_true(mutex_held(&b->m));
		b->items[b->count++] = i;
		condition_signal(&b->not_empty);
		mutex_unlock(&b->m);
	}
	return wait_group_done(&b->done);
}

static int
consume(void *arg)
{
	struct buffer *b = arg;

	for (int i = 1; i <= ITEMS; i++) {
		assert_int_equal(mutex_lock(&b->m, instant_never()), 0);
		while (b->count == 0)
			assert_int_equal(condition_wait(&b->not_empty, &b->m,
					     instant_never()),
			    0);
		b->sum += b->items[--b->count];
		condition_signal(&b->not_full);
		mutex_unlock(&b->m);
	}
	return wait_group_done(&b->done);
}

static int
root_condition(void *arg)
{
	struct buffer b = {.m = MUTEX_INIT("buffer"),
	    .not_full = CONDITION_INIT("not full"),
	    .not_empty = CONDITION_INIT("not empty"),
	    .done = WAIT_GROUP_INIT("done")};
	unsigned workers = runtime_worker_count();

	(void)arg;
	wait_group_add(&b.done, 6);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(
		    worker_start_on(i % workers, "produce", produce, &b), 0);
		assert_int_equal(
		    worker_start_on((i + 1) % workers, "consume", consume, &b),
		    0);
	}
	assert_int_equal(wait_group_wait(&b.done, instant_never()), 0);
	assert_int_equal(b.sum, 3ll * ITEMS * (ITEMS + 1) / 2);
	/* Alone: in time nobody signals, and the mutex is held again. */
	assert_int_equal(mutex_lock(&b.m, instant_never()), 0);
	assert_int_equal(
	    condition_wait(&b.not_full, &b.m, soon(3)), -ETIMEDOUT);
	assert_true(mutex_held(&b.m));
	mutex_unlock(&b.m);
	assert_int_equal(condition_wait(&b.not_full, &b.m, soon(3)), -EPERM);
	assert_int_equal(condition_fini(&b.not_full), 0);
	return mutex_fini(&b.m);
}

static void
test_condition(void **state)
{
	assert_int_equal(runtime_run(&one_worker, root_condition, NULL), 0);
	assert_int_equal(runtime_run(&many_workers, root_condition, NULL), 0);
}

/* Once: the first try fails, the second is the last. */
struct once_case {
	struct once once;
	_Atomic int runs;
	_Atomic int failed;
	struct wait_group done;
};

static int
once_make(void *arg)
{
	struct once_case *c = arg;

	assert_int_equal(
	    once_run(&c->once, once_make, c, instant_never()), -EDEADLK);
	assert_int_equal(task_sleep(duration_ms(2)), 0);
	return ++c->runs == 1 ? -EIO : 7;
}

static int
once_user(void *arg)
{
	struct once_case *c = arg;
	int result = once_run(&c->once, once_make, c, instant_never());

	if (result == -EIO)
		c->failed++;
	else
		assert_int_equal(result, 0);
	return wait_group_done(&c->done);
}

static int
root_once(void *arg)
{
	struct once_case c = {
	    .once = ONCE_INIT("once"), .done = WAIT_GROUP_INIT("done")};

	(void)arg;
	wait_group_add(&c.done, 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(
		    worker_start_on(i % WORKERS, "user", once_user, &c), 0);
	assert_int_equal(wait_group_wait(&c.done, instant_never()), 0);
	assert_int_equal(c.runs, 2);
	assert_int_equal(c.failed, 1);
	return 0;
}

static void
test_once(void **state)
{
	assert_int_equal(runtime_run(&many_workers, root_once, NULL), 0);
}

/* Nobody is more than a round ahead; one of each round came last. */
#define ROUNDS 200
struct rounds {
	struct barrier b;
	_Atomic int round[WORKERS];
	_Atomic int last;
	struct wait_group done;
};

static int
run_rounds(void *arg)
{
	struct rounds *r = arg;

	for (int i = 0; i < ROUNDS; i++) {
		int result;

		r->round[worker_self()] = i;
		result = barrier_wait(&r->b, instant_never());
		assert_true(result >= 0);
		r->last += result;
		for (int k = 0; k < WORKERS; k++)
			assert_true(r->round[k] >= i);
	}
	return wait_group_done(&r->done);
}

static int
root_barrier(void *arg)
{
	struct rounds r = {.b = BARRIER_INIT("rounds", WORKERS),
	    .done = WAIT_GROUP_INIT("done")};

	(void)arg;
	wait_group_add(&r.done, WORKERS);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(
		    worker_start_on(i, "rounds", run_rounds, &r), 0);
	assert_int_equal(wait_group_wait(&r.done, instant_never()), 0);
	assert_int_equal(r.last, ROUNDS);
	/* Who gives up no longer counts. */
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(barrier_wait(&r.b, soon(1)), -ETIMEDOUT);
	return barrier_fini(&r.b);
}

static void
test_barrier(void **state)
{
	assert_int_equal(runtime_run(&many_workers, root_barrier, NULL), 0);
}

/* From threads that are no workers. */
struct outside {
	struct semaphore s;
	struct wait_group g;
};

static void *
outside_thread(void *arg)
{
	struct outside *o = arg;

	usleep(2000);
	semaphore_give(&o->s, 2);
	wait_group_done(&o->g);
	return NULL;
}

static int
root_outside(void *arg)
{
	struct outside o = {
	    .s = SEMAPHORE_INIT("s", 0), .g = WAIT_GROUP_INIT("g")};
	pthread_t threads[3];

	(void)arg;
	wait_group_add(&o.g, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, outside_thread, &o), 0);
	assert_int_equal(semaphore_take(&o.s, 6, instant_never()), 0);
	assert_int_equal(wait_group_wait(&o.g, instant_never()), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wait_group_wait(&o.g, instant_never()), 0);
	mistakes = 0;
	assert_int_equal(wait_group_done(&o.g), -EINVAL);
	assert_int_equal(mistakes, 1);
	return 0;
}

static void
test_outside(void **state)
{
	deadlock_outside_begin();
	assert_int_equal(runtime_run(&one_worker, root_outside, NULL), 0);
	deadlock_outside_end();
}

/*
 * Storm: tasks of every worker take everything in random ways, with deadlines
 * that often come first, and are cancelled at random moments. Afterwards
 * everything is free: no grant was lost, none was given twice.
 */
#define STORM_TASKS  6 /* per worker */
#define STORM_ROUNDS 40
#define STORM_STEPS  30
struct storm {
	struct mutex m;
	struct rwlock l;
	struct semaphore s;
	struct condition c;
	int inside; /* under m */
	_Atomic int readers, writers;
	_Atomic int permits;
	_Atomic int got, gave_up;
	struct wait_group done;
};

static unsigned
dice(unsigned *seed, unsigned sides)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16) % sides;
}

static instant
storm_deadline(unsigned *seed)
{
	switch (dice(seed, 4)) {
	case 0:
		return instant_never();
	case 1:
		return instant_past();
	default:
		return instant_after(
		    clock_now(), duration_us(dice(seed, 3000)));
	}
}

/* Returns what was got with the lock held; whoever is stopped inside leaves
 * orderly. */
static int
storm_mutex(struct storm *t, unsigned *seed)
{
	int error = mutex_lock(&t->m, storm_deadline(seed));

	if (error < 0)
		return error;
	assert_int_equal(t->inside++, 0);
	if (dice(seed, 3) == 0) {
		t->inside--;
		/* Timed out, signalled or stopped: it is held again. */
		error = condition_wait(
		    &t->c, &t->m, instant_after(clock_now(), duration_us(500)));
		t->inside++;
	} else if (dice(seed, 2) == 0) {
		error = task_yield();
	}
	condition_signal(&t->c);
	assert_int_equal(--t->inside, 0);
	assert_int_equal(mutex_unlock(&t->m), 0);
	return error == -ETIMEDOUT ? 0 : error;
}

static int
storm_rwlock(struct storm *t, unsigned *seed)
{
	bool write = dice(seed, 3) == 0;
	int error = write ? rwlock_write(&t->l, storm_deadline(seed))
			  : rwlock_read(&t->l, storm_deadline(seed));

	if (error < 0)
		return error;
	if (write) {
		assert_int_equal(t->writers++, 0);
		assert_int_equal(t->readers, 0);
	} else {
		t->readers++;
		assert_int_equal(t->writers, 0);
	}
	if (dice(seed, 2) == 0)
		error = task_yield();
	if (write)
		t->writers--;
	else
		t->readers--;
	assert_int_equal(rwlock_unlock(&t->l), 0);
	return error;
}

static int
storm_semaphore(struct storm *t, unsigned *seed)
{
	unsigned want = 1 + dice(seed, 3);
	int error = semaphore_take(&t->s, want, storm_deadline(seed));

	if (error < 0)
		return error;
	t->permits += (int)want;
	assert_true(t->permits <= 3);
	if (dice(seed, 2) == 0)
		error = task_yield();
	t->permits -= (int)want;
	assert_int_equal(semaphore_give(&t->s, want), 0);
	return error;
}

struct storm_task {
	struct storm *storm;
	unsigned seed;
};

static int
storm_run(void *arg)
{
	struct storm_task *self = arg;

	for (int i = 0; i < STORM_STEPS; i++) {
		static int (*const kinds[])(struct storm *, unsigned *) = {
		    storm_mutex, storm_rwlock, storm_semaphore};
		int error =
		    kinds[dice(&self->seed, 3)](self->storm, &self->seed);

		if (error == -EINTR)
			return 0;
		if (error == 0)
			self->storm->got++;
		else
			self->storm->gave_up++;
	}
	return 0;
}

/* One per worker: starts tasks, and stops them in the middle. */
static int
storm_rounds(void *arg)
{
	struct storm *t = arg;
	unsigned seed = 77 + worker_self();

	for (int round = 0; round < STORM_ROUNDS; round++) {
		struct storm_task tasks[STORM_TASKS];
		struct scope scope;

		scope_init(&scope, instant_never());
		for (int i = 0; i < STORM_TASKS; i++) {
			tasks[i].storm = t;
			tasks[i].seed = dice(&seed, 10000);
			assert_int_equal(
			    task_start(&scope, "storm", storm_run, &tasks[i]),
			    0);
		}
		assert_int_equal(
		    task_sleep(duration_us(200 + dice(&seed, 3000))), 0);
		scope_cancel(&scope, -EINTR);
		assert_int_equal(scope_fini(&scope), 0);
	}
	return wait_group_done(&t->done);
}

static int
root_storm(void *arg)
{
	struct storm t = {.m = MUTEX_INIT("storm"),
	    .l = RWLOCK_INIT("storm"),
	    .s = SEMAPHORE_INIT("storm", 3),
	    .c = CONDITION_INIT("storm"),
	    .done = WAIT_GROUP_INIT("storm")};

	(void)arg;
	wait_group_add(&t.done, runtime_worker_count());
	for (unsigned i = 0; i < runtime_worker_count(); i++)
		assert_int_equal(
		    worker_start_on(i, "rounds", storm_rounds, &t), 0);
	assert_int_equal(wait_group_wait(&t.done, instant_never()), 0);
	assert_int_equal(mutex_fini(&t.m), 0);
	assert_int_equal(rwlock_fini(&t.l), 0);
	assert_int_equal(condition_fini(&t.c), 0);
	assert_int_equal(semaphore_fini(&t.s), 0);
	assert_int_equal(t.s.count, 3);
	assert_true(t.got > 0 && t.gave_up > 0);
	return 0;
}

static void
test_storm(void **state)
{
	assert_int_equal(runtime_run(&one_worker, root_storm, NULL), 0);
	assert_int_equal(runtime_run(&many_workers, root_storm, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_semaphore),
	    cmocka_unit_test(test_condition),
	    cmocka_unit_test(test_once),
	    cmocka_unit_test(test_barrier),
	    cmocka_unit_test(test_outside),
	    cmocka_unit_test(test_storm),
	};

	deadlock_set_hook(count_mistake);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
