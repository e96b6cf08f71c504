/*
 * A mutex and a semaphore between three workers with a task each, in every
 * order of their steps with up to three preemptions, while waiters may give up
 * at any moment: nobody is let in beside another, no grant is lost.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/explore.h"
#include "runtime/sync_core.h"

/* What the locks call, simulated. */
static int explore_park(const char *reason, instant deadline);
static void explore_park_surely(const char *reason);
static void explore_wake(struct task *task);
static void explore_post(unsigned worker, struct inbox_item *item);
#define task_park_inner               explore_park
#define task_park_inner_uncancellable explore_park_surely
#define task_wake                     explore_wake
#define worker_post                   explore_post
#include "runtime/deadlock.c"
#include "runtime/lock.c"
#include "runtime/rwlock.c"
#include "runtime/sync.c"
#include "runtime/sync_core.c"

#define WORKERS 3

static struct worker workers[WORKERS];
static struct task tasks[WORKERS];
static struct scope scopes[WORKERS];
/* The inbox of each worker: the items in the order of their posting. */
static struct inbox_item *posted[WORKERS][8];
static unsigned posted_count[WORKERS];
static bool may_go_on[WORKERS]; /* woken, or something in the inbox */
static bool gives_up;
static bool loses_grants; /* the mistake */
static struct sync_waiter losing_waiters[WORKERS];
static struct mutex mutex;
static struct semaphore semaphore;
static int inside;
static unsigned went, gave_up;

static void
explore_wake(struct task *task)
{
	may_go_on[task - tasks] = true;
}

static void
explore_post(unsigned worker, struct inbox_item *item)
{
	explore_step();
	explore_drain();
	explore_assert(posted_count[worker] < array_count(posted[worker]));
	posted[worker][posted_count[worker]++] = item;
	may_go_on[worker] = true;
}

/* The loop of the worker, while its task is parked. */
static void
run_inbox(unsigned self)
{
	for (unsigned i = 0; i < posted_count[self]; i++)
		posted[self][i]->run(posted[self][i]);
	posted_count[self] = 0;
}

static void
explore_park_surely(const char *reason)
{
	unsigned self = explore_self();

	(void)reason;
	explore_wait(&may_go_on[self]);
	may_go_on[self] = false;
	run_inbox(self);
}

static int
explore_park(const char *reason, instant deadline)
{
	unsigned self = explore_self();

	(void)deadline;
	/* The deadline comes at any time, and may meet an item that comes. */
	if (gives_up && explore_choose(2) == 1) {
		explore_step();
		if (explore_choose(2) == 1)
			run_inbox(self);
		return -ETIMEDOUT;
	}
	explore_park_surely(reason);
	return 0;
}

/* Of the worker whose thread goes on. */
static void
enter(unsigned self)
{
	worker_here = &workers[self];
}

static void
setup(void)
{
	runtime_here.worker_count = WORKERS;
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i].index = i;
		workers[i].current = &tasks[i];
		scopes[i].deadline = instant_never();
		tasks[i].scope = &scopes[i];
		tasks[i].holds = NULL;
		tasks[i].blocked = NULL;
		posted_count[i] = 0;
		may_go_on[i] = false;
	}
	mutex_init(&mutex, "mutex");
	semaphore_init(&semaphore, "semaphore", 2);
	inside = 0;
	went = gave_up = 0;
}

static void
check(void)
{
	worker_here = NULL;
	if (mutex.hold.task != NULL || mutex.sync.first != NULL)
		explore_failure = "the mutex is not free";
	if (semaphore.count != 2 || semaphore.sync.first != NULL)
		explore_failure = "a permit was lost";
	if (went + gave_up != WORKERS || (!gives_up && gave_up > 0))
		explore_failure = "not everybody came";
}

/* Leaves without a look at what it was given meanwhile. */
static int
lock_losing(void)
{
	struct sync_waiter *waiter = &losing_waiters[explore_self()];
	int error = 0;

	sync_enter(&mutex.sync);
	if (mutex_take(&mutex, worker_here->current, "", 0) == 0) {
		sync_leave(&mutex.sync);
		return 0;
	}
	waiter->sync = &mutex.sync;
	sync_enqueue(waiter);
	while (!waiter->arrived && error == 0)
		error = explore_park("mutex", instant_never());
	if (error == 0) {
		lock_hold_enter(&mutex.hold);
		return 0;
	}
	sync_enter(&mutex.sync);
	if (!waiter->granted)
		sync_remove(waiter);
	sync_leave(&mutex.sync);
	return error;
}

static void
lock_once(void)
{
	int error =
	    loses_grants ? lock_losing() : mutex_lock(&mutex, instant_never());

	if (error < 0) {
		explore_assert(error == -ETIMEDOUT);
		gave_up++;
		return;
	}
	explore_assert(inside++ == 0);
	explore_step();
	explore_assert(--inside == 0);
	went++;
	explore_assert(mutex_unlock(&mutex) == 0);
}

/* One wants both permits, two want one each. */
static void
take_once(void)
{
	unsigned want = explore_self() == 0 ? 2 : 1;
	int error = semaphore_take(&semaphore, want, instant_never());

	if (error < 0) {
		gave_up++;
		return;
	}
	inside += (int)want;
	explore_assert(inside <= 2);
	explore_step();
	inside -= (int)want;
	went++;
	explore_assert(semaphore_give(&semaphore, want) == 0);
}

static const struct explore_case mutex_case = {.setup = setup,
    .threads = {lock_once, lock_once, lock_once},
    .enter = enter,
    .check = check,
    .thread_count = WORKERS,
    .preemptions = 3,
    .strong = true};

static const struct explore_case semaphore_case = {.setup = setup,
    .threads = {take_once, take_once, take_once},
    .enter = enter,
    .check = check,
    .thread_count = WORKERS,
    .preemptions = 3,
    .strong = true};

static void
explore(const char *what, const struct explore_case *c)
{
	unsigned long runs = explore_run(c);

	runtime_here.worker_count = 0;
	worker_here = NULL;
	if (explore_failure != NULL)
		fail_msg("%s: %s: %s", what, explore_failure, explore_order);
	print_message("%s: %lu orders\n", what, runs);
}

static void
test_right(void **state)
{
	explore("mutex", &mutex_case);
	explore("semaphore", &semaphore_case);
	gives_up = true;
	explore("mutex, giving up", &mutex_case);
	explore("semaphore, giving up", &semaphore_case);
	gives_up = false;
}

static void
test_broken(void **state)
{
	gives_up = loses_grants = true;
	explore_run(&mutex_case);
	gives_up = loses_grants = false;
	runtime_here.worker_count = 0;
	worker_here = NULL;
	assert_non_null(explore_failure);
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
