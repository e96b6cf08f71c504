#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/clock.h"
#include "os/outside.h"
#include "runtime/chan.h"
#include "runtime/deadlock.h"
#include "runtime/future.h"
#include "runtime/io.h"
#include "runtime/join.h"
#include "runtime/lock.h"
#include "runtime/pool.h"
#include "runtime/runtime.h"
#include "runtime/select.h"
#include "runtime/sync.h"
#include "runtime/worker.h"

static const struct runtime_options one_worker = {.worker_count = 1};
static const struct runtime_options four_workers = {.worker_count = 4};

/* What was reported last, and how often. */
static char said[DEADLOCK_TEXT_BYTES], said_of_order[DEADLOCK_TEXT_BYTES];
static unsigned said_count[4];

static void
listen_to(enum deadlock_kind kind, const char *text)
{
	said_count[kind]++;
	snprintf(kind == DEADLOCK_ORDER ? said_of_order : said, sizeof(said),
	    "%s", text);
}

static int
setup(void **state)
{
	(void)state;
	memset(said_count, 0, sizeof(said_count));
	said[0] = '\0';
	deadlock_set_hook(listen_to);
	return 0;
}

static instant
soon(int64_t ms)
{
	return instant_after(clock_now(), duration_ms(ms));
}

static int
root_alone(void *arg)
{
	struct mutex m = MUTEX_INIT("alone");
	struct mutex raw;

	(void)arg;
	assert_int_equal(mutex_lock(&m, instant_never()), 0);
	assert_true(mutex_held(&m));
	assert_int_equal(mutex_try(&m), -EBUSY);
	assert_int_equal(mutex_unlock(&m), 0);
	assert_false(mutex_held(&m));
	assert_int_equal(mutex_try(&m), 0);
	assert_int_equal(mutex_lock(&m, instant_never()), -EDEADLK);
	assert_non_null(strstr(said, "a task waits for a lock that it holds"));
	assert_int_equal(mutex_lock(&m, instant_past()), -ETIMEDOUT);
	assert_int_equal(mutex_fini(&m), -EBUSY);
	assert_non_null(strstr(said, "mutex 'alone': it is held"));
	assert_int_equal(mutex_unlock(&m), 0);
	assert_int_equal(mutex_fini(&m), 0);
	assert_int_equal(mutex_unlock(&m), -EPERM);
	assert_non_null(strstr(said, "the caller does not hold it"));
	memset(&raw, 0, sizeof(raw));
	assert_int_equal(mutex_lock(&raw, instant_never()), -EINVAL);
	assert_non_null(strstr(said, "never initialised"));
	assert_int_equal(said_count[DEADLOCK_CIRCLE], 1);
	assert_int_equal(said_count[DEADLOCK_MISUSE], 3);
	return 0;
}

static void
test_alone(void **state)
{
	struct mutex m = MUTEX_INIT(NULL);

	assert_int_equal(runtime_run(&one_worker, root_alone, NULL), 0);
	assert_int_equal(mutex_lock(&m, instant_never()), -EPERM);
	assert_non_null(strstr(said, "called outside a task"));
	assert_non_null(strstr(said, "mutex of src/runtime/lock_test.c:"));
}

static int
root_reentrant(void *arg)
{
	struct mutex m = REENTRANT_INIT("again");

	(void)arg;
	for (int i = 0; i < 3; i++)
		assert_int_equal(mutex_lock(&m, instant_never()), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(mutex_unlock(&m), 0);
	assert_int_equal(mutex_unlock(&m), -EPERM);
	return 0;
}

static void
test_reentrant(void **state)
{
	assert_int_equal(runtime_run(&one_worker, root_reentrant, NULL), 0);
}

/* First come, first served; who gives up leaves no trace; a stopped task gets
 * nothing, also when the lock is free. */
struct line {
	struct mutex m;
	int order[8];
	int count;
	int next;
};

static int
stand(void *arg)
{
	struct line *line = arg;
	int me = line->next++;
	int error;

	error = mutex_lock(&line->m, me == 2 ? soon(2) : instant_never());
	if (error < 0)
		return me == 2 && error == -ETIMEDOUT ? 0 : error;
	line->order[line->count++] = me;
	error = task_yield();
	mutex_unlock(&line->m);
	return error;
}

static int
root_line(void *arg)
{
	struct line line = {.m = MUTEX_INIT("line")};
	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	assert_int_equal(mutex_lock(&line.m, instant_never()), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(task_start(&scope, "stand", stand, &line), 0);
	assert_int_equal(task_sleep(duration_ms(10)), 0);
	assert_int_equal(line.next, 5);
	mutex_unlock(&line.m);
	/* It was handed over: nobody overtakes. */
	assert_int_equal(mutex_try(&line.m), -EBUSY);
	assert_int_equal(scope_wait(&scope), 0);
	assert_int_equal(line.count, 4);
	assert_int_equal(line.order[0], 0);
	assert_int_equal(line.order[1], 1);
	assert_int_equal(line.order[2], 3);
	assert_int_equal(line.order[3], 4);
	assert_int_equal(task_start(&scope, "stand", stand, &line), 0);
	scope_cancel(&scope, -EINTR);
	assert_int_equal(scope_fini(&scope), 0);
	assert_int_equal(line.count, 4);
	return mutex_fini(&line.m);
}

static void
test_line(void **state)
{
	assert_int_equal(runtime_run(&one_worker, root_line, NULL), 0);
}

/* Two locks in both orders, on one worker and on two. */
struct fork_eaters {
	struct mutex noodles, fork;
	struct barrier both_have_one;
	struct wait_group done;
	_Atomic int deadlocks;
};

static int
eat(struct fork_eaters *t, struct mutex *first, struct mutex *second)
{
	int error;

	assert_int_equal(mutex_lock(first, instant_never()), 0);
	assert_true(barrier_wait(&t->both_have_one, instant_never()) >= 0);
	error = mutex_lock(second, instant_never());
	if (error == -EDEADLK)
		t->deadlocks++;
	else
		assert_int_equal(error, 0);
	if (error == 0)
		mutex_unlock(second);
	mutex_unlock(first);
	wait_group_done(&t->done);
	return 0;
}

static int
eat_fork_first(void *arg)
{
	struct fork_eaters *t = arg;

	return eat(t, &t->fork, &t->noodles);
}

static int
eat_noodles_first(void *arg)
{
	struct fork_eaters *t = arg;

	return eat(t, &t->noodles, &t->fork);
}

static int
root_circle(void *arg)
{
	struct fork_eaters t = {.noodles = MUTEX_INIT("noodles"),
	    .fork = MUTEX_INIT("fork"),
	    .both_have_one = BARRIER_INIT("both", 2),
	    .done = WAIT_GROUP_INIT("done")};
	unsigned last = runtime_worker_count() - 1;

	(void)arg;
	wait_group_add(&t.done, 2);
	assert_int_equal(worker_start_on(0, "left", eat_fork_first, &t), 0);
	assert_int_equal(
	    worker_start_on(last, "right", eat_noodles_first, &t), 0);
	assert_int_equal(wait_group_wait(&t.done, instant_never()), 0);
	assert_int_equal(t.deadlocks, 1);
	assert_int_equal(mutex_fini(&t.noodles), 0);
	assert_int_equal(mutex_fini(&t.fork), 0);
	return 0;
}

static void
test_circle(void **state)
{
	for (int i = 0; i < 20; i++) {
		setup(NULL);
		assert_int_equal(
		    runtime_run(
			i % 2 ? &one_worker : &four_workers, root_circle, NULL),
		    0);
		assert_int_equal(said_count[DEADLOCK_CIRCLE], 1);
		assert_non_null(strstr(said, "2 tasks wait for each other"));
		assert_non_null(strstr(said, "task 'left' (spawned at "));
		assert_non_null(strstr(said, "task 'right' (spawned at "));
		assert_non_null(strstr(said, "waits for mutex 'fork' at "));
		assert_non_null(strstr(said, "waits for mutex 'noodles' at "));
		assert_non_null(strstr(said, "taken at src/runtime/lock_test"));
	}
}

/* Each of three has what the one before it wants. */
struct table_of_three {
	struct mutex forks[3];
	struct barrier all_have_one;
	struct wait_group done;
	_Atomic unsigned seats, deadlocks;
};

static int
dine(void *arg)
{
	struct table_of_three *t = arg;
	unsigned seat = t->seats++;
	struct mutex *second = &t->forks[(seat + 1) % 3];
	int error;

	assert_int_equal(mutex_lock(&t->forks[seat], instant_never()), 0);
	assert_true(barrier_wait(&t->all_have_one, instant_never()) >= 0);
	error = mutex_lock(second, instant_never());
	t->deadlocks += error == -EDEADLK;
	if (error == 0)
		mutex_unlock(second);
	mutex_unlock(&t->forks[seat]);
	wait_group_done(&t->done);
	return 0;
}

static int
root_three(void *arg)
{
	struct table_of_three t = {
	    .forks = {MUTEX_INIT("a"), MUTEX_INIT("b"), MUTEX_INIT("c")},
	    .all_have_one = BARRIER_INIT("all", 3),
	    .done = WAIT_GROUP_INIT("done")};

	(void)arg;
	wait_group_add(&t.done, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(worker_start_on(i % runtime_worker_count(),
				     "diner", dine, &t),
		    0);
	assert_int_equal(wait_group_wait(&t.done, instant_never()), 0);
	assert_int_equal(t.deadlocks, 1);
	return 0;
}

static void
test_three(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		setup(NULL);
		assert_int_equal(
		    runtime_run(
			i % 2 ? &one_worker : &four_workers, root_three, NULL),
		    0);
		assert_int_equal(said_count[DEADLOCK_CIRCLE], 1);
		assert_non_null(strstr(said, "3 tasks wait for each other"));
	}
}

/* A circle through the second of two readers. */
struct readers {
	struct rwlock l;
	struct mutex m;
};

static int
reads_on(void *arg)
{
	struct readers *t = arg;

	assert_int_equal(rwlock_read(&t->l, instant_never()), 0);
	(void)task_sleep_until(instant_never());
	return rwlock_unlock(&t->l);
}

static int
writes_and_holds(void *arg)
{
	struct readers *t = arg;

	assert_int_equal(mutex_lock(&t->m, instant_never()), 0);
	if (rwlock_write(&t->l, instant_never()) == 0)
		rwlock_unlock(&t->l);
	return mutex_unlock(&t->m);
}

static int
root_readers(void *arg)
{
	struct readers t = {.l = RWLOCK_INIT("book"), .m = MUTEX_INIT("pen")};
	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	assert_int_equal(task_start(&scope, "first", reads_on, &t), 0);
	assert_int_equal(task_yield(), 0);
	assert_int_equal(rwlock_read(&t.l, instant_never()), 0);
	assert_int_equal(task_start(&scope, "writer", writes_and_holds, &t), 0);
	assert_int_equal(task_yield(), 0);
	assert_int_equal(mutex_lock(&t.m, instant_never()), -EDEADLK);
	assert_int_equal(said_count[DEADLOCK_CIRCLE], 1);
	assert_int_equal(rwlock_unlock(&t.l), 0);
	assert_int_equal(scope_fini(&scope), 0);
	return rwlock_fini(&t.l);
}

static void
test_readers(void **state)
{
	(void)state;
	assert_int_equal(runtime_run(&one_worker, root_readers, NULL), 0);
}

/* Readers and a writer in line; a reader that comes again behind a writer
 * would wait for itself. */
struct library {
	struct rwlock l;
	char log[16];
	int length;
};

static int
reader(void *arg)
{
	struct library *t = arg;
	int error = rwlock_read(&t->l, instant_never());

	if (error < 0)
		return error;
	t->log[t->length++] = 'r';
	error = task_yield();
	t->log[t->length++] = '.';
	rwlock_unlock(&t->l);
	return error;
}

static int
writer(void *arg)
{
	struct library *t = arg;
	int error = rwlock_write(&t->l, instant_never());

	if (error < 0)
		return error;
	assert_int_equal(rwlock_try_read(&t->l), -EBUSY);
	assert_int_equal(rwlock_try_write(&t->l), -EBUSY);
	t->log[t->length++] = 'w';
	error = task_yield();
	t->log[t->length++] = '.';
	rwlock_unlock(&t->l);
	return error;
}

static int
root_rwlock(void *arg)
{
	struct library t = {.l = RWLOCK_INIT("library")};
	const task_fn line[] = {reader, reader, writer, reader, reader, writer};
	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	assert_int_equal(rwlock_read(&t.l, instant_never()), 0);
	assert_int_equal(rwlock_try_read(&t.l), 0);
	rwlock_unlock(&t.l);
	for (unsigned i = 0; i < array_count(line); i++)
		assert_int_equal(task_start(&scope, "line", line[i], &t), 0);
	assert_int_equal(task_yield(), 0);
	assert_int_equal(rwlock_try_read(&t.l), -EBUSY);
	assert_int_equal(rwlock_read(&t.l, instant_never()), -EDEADLK);
	assert_non_null(strstr(said, "rwlock 'library'"));
	assert_int_equal(rwlock_fini(&t.l), -EBUSY);
	assert_int_equal(rwlock_unlock(&t.l), 0);
	assert_int_equal(scope_wait(&scope), 0);
	assert_string_equal(t.log, "rr..w.rr..w.");
	assert_int_equal(rwlock_unlock(&t.l), -EPERM);
	/* More readers than are known by name. */
	for (int i = 0; i < 7; i++)
		assert_int_equal(rwlock_read(&t.l, instant_never()), 0);
	for (int i = 0; i < 7; i++)
		assert_int_equal(rwlock_unlock(&t.l), 0);
	assert_int_equal(scope_fini(&scope), 0);
	return rwlock_fini(&t.l);
}

static void
test_rwlock(void **state)
{
	assert_int_equal(runtime_run(&one_worker, root_rwlock, NULL), 0);
}

/* A writer that gives up lets the readers behind it in. */
static int
impatient_writer(void *arg)
{
	struct library *t = arg;

	return rwlock_write(&t->l, soon(3)) == -ETIMEDOUT ? 0 : -1;
}

static int
root_impatient(void *arg)
{
	struct library t = {.l = RWLOCK_INIT("library")};
	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	assert_int_equal(rwlock_read(&t.l, instant_never()), 0);
	assert_int_equal(task_start(&scope, "writer", impatient_writer, &t), 0);
	assert_int_equal(task_start(&scope, "reader", reader, &t), 0);
	assert_int_equal(scope_wait(&scope), 0);
	assert_string_equal(t.log, "r.");
	rwlock_unlock(&t.l);
	return scope_fini(&scope);
}

static void
test_impatient(void **state)
{
	assert_int_equal(runtime_run(&one_worker, root_impatient, NULL), 0);
}

/* A task that ends with a lock ends the process, and says which. */
static int
ends_with_lock(void *arg)
{
	return mutex_lock((struct mutex *)arg, instant_never());
}

static int
root_ends(void *arg)
{
	static struct mutex m = MUTEX_INIT("kept");

	(void)arg;
	(void)!task_start(NULL, "forgetful", ends_with_lock, &m);
	return task_sleep(duration_ms(10));
}

static void
test_ends_with_lock(void **state)
{
	char text[2048] = "";
	int fds[2], status;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		dup2(fds[1], STDERR_FILENO);
		deadlock_set_hook(NULL);
		runtime_run(&one_worker, root_ends, NULL);
		_exit(0);
	}
	close(fds[1]);
	for (size_t length = 0; length < sizeof(text) - 1;) {
		ssize_t got =
		    read(fds[0], text + length, sizeof(text) - 1 - length);

		if (got <= 0)
			break;
		length += (size_t)got;
	}
	close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_non_null(strstr(text, "task 'forgetful' (spawned at "));
	assert_non_null(strstr(text, "ended and holds\n  mutex 'kept', taken"));
}

/* Three locks in a circle, one pair at a time, by one task: it never bites. */
static void
take_both(struct mutex *first, struct mutex *second)
{
	assert_int_equal(mutex_lock(first, instant_never()), 0);
	assert_int_equal(mutex_lock(second, instant_never()), 0);
	mutex_unlock(second);
	mutex_unlock(first);
}

static int
root_order(void *arg)
{
	struct mutex a = MUTEX_INIT("order a"), b = MUTEX_INIT("order b");
	struct mutex c = MUTEX_INIT("order c"), x = MUTEX_INIT("order a");
	struct rwlock d = RWLOCK_INIT(NULL);

	(void)arg;
	take_both(&a, &b);
	take_both(&b, &c);
	take_both(&a, &c);
	take_both(&a, &x);
	take_both(&x, &a);
	/* A try waits for nobody. */
	assert_int_equal(mutex_lock(&c, instant_never()), 0);
	assert_int_equal(mutex_try(&a), 0);
	mutex_unlock(&c);
	mutex_unlock(&a);
	assert_int_equal(said_count[DEADLOCK_ORDER], 0);
	take_both(&c, &x);
	assert_int_equal(said_count[DEADLOCK_ORDER], 1);
	assert_non_null(strstr(said_of_order, "now by task 'root'"));
	assert_non_null(
	    strstr(said_of_order, "mutex 'order a' was taken at src/"));
	assert_non_null(
	    strstr(said_of_order, "while mutex 'order c' was held, taken"));
	assert_non_null(
	    strstr(said_of_order, "mutex 'order c' was taken at src/"));
	assert_non_null(
	    strstr(said_of_order, "while mutex 'order a' was held, taken"));
	take_both(&c, &a);
	assert_int_equal(said_count[DEADLOCK_ORDER], 1);
	assert_int_equal(rwlock_read(&d, instant_never()), 0);
	assert_int_equal(mutex_lock(&a, instant_never()), 0);
	rwlock_unlock(&d);
	assert_int_equal(rwlock_write(&d, instant_never()), 0);
	assert_int_equal(said_count[DEADLOCK_ORDER], 2);
	assert_non_null(
	    strstr(said_of_order, "rwlock of src/runtime/lock_test.c:"));
	rwlock_unlock(&d);
	return mutex_unlock(&a);
}

static void
test_order(void **state)
{
	deadlock_watch_order(true);
	assert_int_equal(runtime_run(&one_worker, root_order, NULL), 0);
}

/*
 * Nothing can wake anybody: tasks of two workers wait for permits that nobody
 * gives, root for them. Root is told, the others are stopped at the end.
 */
struct sleepers {
	struct semaphore never;
	struct mutex kept;
	struct wait_group done;
	bool with_timer;
};

static int
oversleep(void *arg)
{
	struct sleepers *t = arg;
	int error = mutex_lock(&t->kept, instant_never());

	if (error < 0)
		return error;
	assert_int_equal(
	    semaphore_take(&t->never, 1, instant_never()), -ECANCELED);
	mutex_unlock(&t->kept);
	return 0;
}

/* Channels of this worker: nobody is left to send. */
static void
asleep_on_channels(void)
{
	const struct chan_options options = {.item_bytes = 1};
	struct chan *channel;
	char item;
	struct select_case cases[] = {{.kind = SELECT_RECV, .item = &item}};

	assert_int_equal(chan_new(&options, &channel), 0);
	assert_int_equal(chan_recv(channel, &item, instant_never()), -EDEADLK);
	assert_int_equal(said_count[DEADLOCK_ASLEEP], 3);
	assert_non_null(strstr(said, "waits for channel recv"));
	cases[0].source = channel;
	assert_int_equal(select_wait(cases, 1, instant_never()), -EDEADLK);
	assert_int_equal(said_count[DEADLOCK_ASLEEP], 4);
	assert_non_null(strstr(said, "waits for select"));
	chan_unref(channel);
}

static int
wait_for_scope(void *arg)
{
	struct scope scope;
	int error;

	scope_init(&scope, instant_never());
	assert_int_equal(task_start(&scope, "below", oversleep, arg), 0);
	error = scope_wait(&scope);
	assert_int_equal(error, -ECANCELED);
	scope_fini(&scope);
	return 0;
}

static int
root_asleep(void *arg)
{
	static struct sleepers t;
	unsigned last = runtime_worker_count() - 1;

	(void)arg;
	semaphore_init(&t.never, "never", 0);
	mutex_init(&t.kept, "kept");
	wait_group_init(&t.done, "done");
	wait_group_add(&t.done, 1);
	assert_int_equal(task_start(NULL, "near", oversleep, &t), 0);
	assert_int_equal(worker_start_on(last, "far", wait_for_scope, &t), 0);
	/* A timer of another task: it is not over yet. */
	assert_int_equal(wait_group_wait(&t.done, soon(30)), -ETIMEDOUT);
	assert_int_equal(said_count[DEADLOCK_ASLEEP], 0);
	assert_int_equal(wait_group_wait(&t.done, instant_never()), -EDEADLK);
	assert_int_equal(said_count[DEADLOCK_ASLEEP], 1);
	assert_non_null(strstr(said, "task 'root' (spawned at "));
	assert_non_null(strstr(said, "waits for wait group 'done' at src/"));
	assert_non_null(strstr(said, "waits for semaphore 'never' at src/"));
	assert_non_null(strstr(said, "holds mutex 'kept', taken at src/"));
	assert_non_null(strstr(said, "task 'below' (spawned at src/"));
	assert_non_null(strstr(said, "waits for scope"));
	/* A second time, and in another call. */
	assert_int_equal(
	    semaphore_take(&t.never, 9, instant_never()), -EDEADLK);
	assert_int_equal(said_count[DEADLOCK_ASLEEP], 2);
	asleep_on_channels();
	return 5;
}

static void
test_asleep(void **state)
{
	assert_int_equal(runtime_run(&one_worker, root_asleep, NULL), 5);
	setup(NULL);
	assert_int_equal(runtime_run(&four_workers, root_asleep, NULL), 5);
}

/* ---- events, futures, joins, shared channels: threads may end these ---- */

static int
joins_sleeper(void *arg)
{
	static struct task_handle handle;

	(void)arg;
	assert_int_equal(worker_start_handle(runtime_worker_count() - 1,
			     &handle, "far", oversleep, arg),
	    0);
	assert_int_equal(task_join(&handle, NULL, instant_never()), -EDEADLK);
	assert_non_null(strstr(said, "waits for join"));
	assert_non_null(
	    strstr(said, "task 'far' (spawned at src/runtime/lock_test.c:"));
	assert_non_null(strstr(said, "waits for semaphore 'never' at src/"));
	return 0;
}

static int
waits_for_future(void *arg)
{
	return future_wait(arg, NULL, NULL, instant_never());
}

static int
doubles(void *arg)
{
	return 2 * (int)(intptr_t)arg;
}

static int
doubles_late(void *arg)
{
	usleep(30000);
	return doubles(arg);
}

/* A pool that has nothing to do wakes nobody; one that works does. */
static void
asleep_beside_a_pool(void)
{
	struct pool_options options = {.thread_count = 2};
	struct future *future;
	struct event event;
	struct pool *pool;
	int result;

	event_init(&event);
	assert_int_equal(pool_new(&options, &pool), 0);
	assert_int_equal(
	    pool_submit(pool, doubles, (void *)4, &future, instant_never()), 0);
	assert_int_equal(
	    future_wait(future, &result, NULL, instant_never()), 0);
	assert_int_equal(result, 8);
	future_unref(future);
	assert_int_equal(event_wait(&event, instant_never()), -EDEADLK);
	/* Its job is waited for, and then nothing is left. */
	assert_int_equal(
	    pool_submit(pool, doubles_late, (void *)4, &future, soon(9)), 0);
	assert_int_equal(
	    future_wait(future, &result, NULL, instant_never()), 0);
	assert_int_equal(result, 8);
	future_unref(future);
	assert_int_equal(
	    pool_submit(pool, doubles_late, NULL, NULL, soon(9)), 0);
	assert_int_equal(event_wait(&event, instant_never()), -EDEADLK);
	pool_close(pool, false);
}

static void *
sets_late(void *arg)
{
	usleep(30000);
	event_set(arg);
	return NULL;
}

static struct event *for_handler;

/* It comes while the worker is in its poll. */
static void
sets_in_handler(int signal)
{
	(void)signal;
	event_set(for_handler);
}

/* As long as somebody could, nothing is said. */
static void
not_asleep_beside_threads(void)
{
	struct event event;
	struct select_case is_set = {.kind = SELECT_EVENT, .source = &event};
	pthread_t thread;
	unsigned before = said_count[DEADLOCK_ASLEEP];

	event_init(&event);
	assert_int_equal(pthread_create(&thread, NULL, sets_late, &event), 0);
	assert_int_equal(event_wait(&event, instant_never()), 0);
	pthread_join(thread, NULL);
	event_init(&event);
	assert_int_equal(pthread_create(&thread, NULL, sets_late, &event), 0);
	assert_int_equal(select_wait(&is_set, 1, instant_never()), 0);
	pthread_join(thread, NULL);
	assert_int_equal(said_count[DEADLOCK_ASLEEP], before);
}

static void
not_asleep_beside_a_handler(void)
{
	struct sigaction action = {.sa_handler = sets_in_handler}, old;
	struct itimerval once = {.it_value = {.tv_usec = 50000}};
	unsigned before = said_count[DEADLOCK_ASLEEP];
	struct event event;

	event_init(&event);
	for_handler = &event;
	assert_int_equal(sigaction(SIGALRM, &action, &old), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &once, NULL), 0);
	assert_int_equal(event_wait(&event, instant_never()), 0);
	assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
	assert_int_equal(said_count[DEADLOCK_ASLEEP], before);
}

static int
root_asleep_open(void *arg)
{
	const struct chan_options options = {.item_bytes = 1, .shared = true};
	static struct sleepers t;
	struct select_case cases[2];
	struct chan *channel;
	struct future *future;
	struct event event;
	char item;

	(void)arg;
	semaphore_init(&t.never, "never", 0);
	mutex_init(&t.kept, "kept");
	event_init(&event);
	assert_int_equal(future_new(&future), 0);
	assert_int_equal(chan_new(&options, &channel), 0);
	not_asleep_beside_threads();
	not_asleep_beside_a_handler();
	assert_int_equal(event_wait(&event, instant_never()), -EDEADLK);
	assert_int_equal(said_count[DEADLOCK_ASLEEP], 1);
	assert_non_null(strstr(said, "waits for event"));
	assert_int_equal(
	    task_start(NULL, "future", waits_for_future, future), 0);
	assert_int_equal(
	    future_wait(future, NULL, NULL, instant_never()), -EDEADLK);
	assert_int_equal(said_count[DEADLOCK_ASLEEP], 2);
	assert_non_null(strstr(said, "task 'future' (spawned at src/"));
	assert_non_null(strstr(said, "waits for future"));
	assert_int_equal(chan_recv(channel, &item, instant_never()), -EDEADLK);
	cases[0] = (struct select_case){.kind = SELECT_EVENT, .source = &event};
	cases[1] =
	    (struct select_case){.kind = SELECT_FUTURE, .source = future};
	assert_int_equal(select_wait(cases, 2, instant_never()), -EDEADLK);
	assert_int_equal(said_count[DEADLOCK_ASLEEP], 4);
	asleep_beside_a_pool();
	assert_int_equal(said_count[DEADLOCK_ASLEEP], 6);
	assert_int_equal(joins_sleeper(&t), 0);
	assert_int_equal(said_count[DEADLOCK_ASLEEP], 7);
	future_set(future, 0, NULL);
	future_unref(future);
	chan_unref(channel);
	return 0;
}

static void
test_asleep_open(void **state)
{
	(void)state;
	/* A sanitizer has a thread of its own, and may always wake us. */
	if (outside_thread_count() != 1)
		skip();
	assert_int_equal(runtime_run(&one_worker, root_asleep_open, NULL), 0);
}

static void
test_asleep_open_far(void **state)
{
	(void)state;
	if (outside_thread_count() != 1)
		skip();
	assert_int_equal(runtime_run(&four_workers, root_asleep_open, NULL), 0);
}

/* Whatever can still come from outside is waited for. */
static void *
give_late(void *arg)
{
	usleep(30000);
	semaphore_give((struct semaphore *)arg, 1);
	return NULL;
}

static int
give_offloaded(void *arg)
{
	(void)give_late(arg);
	return 0;
}

static int
offload_give(void *arg)
{
	return offload_run(give_offloaded, arg, NULL, instant_never());
}

static struct semaphore hooked = SEMAPHORE_INIT("hooked", 0);

static void
give_on_ready(struct io_fd *io, unsigned events)
{
	(void)events;
	io_unwatch(io);
	semaphore_give(&hooked, 1);
}

static void *
write_late(void *arg)
{
	usleep(30000);
	assert_int_equal(write(*(int *)arg, "x", 1), 1);
	return NULL;
}

static int
root_outside(void *arg)
{
	struct semaphore s = SEMAPHORE_INIT("late", 0);
	struct io_fd io;
	pthread_t thread;
	int fds[2];

	(void)arg;
	deadlock_outside_begin();
	assert_int_equal(pthread_create(&thread, NULL, give_late, &s), 0);
	assert_int_equal(semaphore_take(&s, 1, instant_never()), 0);
	pthread_join(thread, NULL);
	deadlock_outside_end();
	assert_int_equal(task_start(NULL, "offload", offload_give, &s), 0);
	assert_int_equal(semaphore_take(&s, 1, instant_never()), 0);
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	assert_int_equal(io_attach(&io, fds[0]), 0);
	io_watch(&io, give_on_ready);
	assert_int_equal(pthread_create(&thread, NULL, write_late, &fds[1]), 0);
	assert_int_equal(semaphore_take(&hooked, 1, instant_never()), 0);
	pthread_join(thread, NULL);
	/* Watched no more. */
	assert_int_equal(semaphore_take(&hooked, 1, instant_never()), -EDEADLK);
	io_close(&io);
	close(fds[1]);
	return 0;
}

static int
wait_for_mutex(void *arg)
{
	struct mutex *m = arg;
	int error = mutex_lock(m, instant_never());

	return error < 0 ? error : mutex_unlock(m);
}

static int
root_dump(void *arg)
{
	static char text[32768];
	struct scope scope;
	struct mutex m;
	ssize_t length;
	int fds[2];

	(void)arg;
	mutex_init(&m, "shown");
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(mutex_lock(&m, instant_never()), 0);
	scope_init(&scope, instant_never());
	assert_int_equal(task_start(&scope, "waits", wait_for_mutex, &m), 0);
	assert_int_equal(task_yield(), 0);
	assert_int_equal(runtime_dump(fds[1]), 0);
	length = read(fds[0], text, sizeof(text) - 1);
	assert_true(length > 0);
	text[length] = '\0';
	assert_non_null(strstr(text, "waits for mutex 'shown' at src/"));
	assert_non_null(strstr(text, "holds mutex 'shown', taken at src/"));
	mutex_unlock(&m);
	scope_wait(&scope);
	close(fds[0]);
	close(fds[1]);
	return scope_fini(&scope);
}

static void
test_dump(void **state)
{
	(void)state;
	assert_int_equal(runtime_run(&one_worker, root_dump, NULL), 0);
}

static void
test_not_asleep(void **state)
{
	for (int i = 0; i < 2; i++) {
		setup(NULL);
		assert_int_equal(runtime_run(i ? &one_worker : &four_workers,
				     root_outside, NULL),
		    0);
		assert_int_equal(said_count[DEADLOCK_ASLEEP], 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_alone, setup),
	    cmocka_unit_test_setup(test_reentrant, setup),
	    cmocka_unit_test_setup(test_line, setup),
	    cmocka_unit_test_setup(test_circle, setup),
	    cmocka_unit_test_setup(test_three, setup),
	    cmocka_unit_test_setup(test_readers, setup),
	    cmocka_unit_test_setup(test_rwlock, setup),
	    cmocka_unit_test_setup(test_impatient, setup),
	    cmocka_unit_test_setup(test_order, setup),
	    cmocka_unit_test_setup(test_asleep, setup),
	    cmocka_unit_test_setup(test_asleep_open, setup),
	    cmocka_unit_test_setup(test_asleep_open_far, setup),
	    cmocka_unit_test_setup(test_not_asleep, setup),
	    cmocka_unit_test_setup(test_dump, setup),
	    cmocka_unit_test_setup(test_ends_with_lock, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
