#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <weir/weir.h>

static void
run(weir_task_fn root, void *arg)
{
	struct weir_options options = {.worker_count = 1};

	assert_int_equal(weir_run(&options, root, arg), 0);
}

static int
counts(struct weir_generator *generator, void *arg)
{
	for (intptr_t i = 1; i <= *(int *)arg; i++) {
		int error = weir_generator_yield(generator, (void *)i, NULL);

		if (error < 0)
			return error;
	}
	return 17;
}

static int
root_values(void *arg)
{
	struct weir_generator generator;
	void *value = NULL;

	weir_generator_init(&generator, counts, &(int){1000});
	for (intptr_t i = 1; i <= 1000; i++) {
		assert_int_equal(
		    weir_generator_next(&generator, NULL, &value), 1);
		assert_int_equal((intptr_t)value, i);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    weir_generator_next(&generator, NULL, &value), 0);
	assert_int_equal(weir_generator_fini(&generator), 17);
	/* Nothing to hand out; never begun. */
	weir_generator_init(&generator, counts, &(int){0});
	assert_int_equal(weir_generator_next(&generator, NULL, &value), 0);
	assert_int_equal(weir_generator_fini(&generator), 17);
	weir_generator_init(&generator, counts, &(int){5});
	assert_int_equal(weir_generator_fini(&generator), 0);
	return 0;
}

static void
test_values(void **state)
{
	run(root_values, NULL);
}

/* The running sum of what is sent. */
static int
sums(struct weir_generator *generator, void *arg)
{
	intptr_t sum = 0;
	void *sent;

	while (weir_generator_yield(generator, (void *)sum, &sent) == 0)
		sum += (intptr_t)sent;
	*(intptr_t *)arg = sum;
	return -EDOM;
}

static int
root_sent(void *arg)
{
	struct weir_generator generator;
	intptr_t last = 0;
	void *value;

	weir_generator_init(&generator, sums, &last);
	for (intptr_t i = 0; i <= 10; i++) {
		assert_int_equal(
		    weir_generator_next(&generator, (void *)i, &value), 1);
		assert_int_equal((intptr_t)value, i * (i + 1) / 2);
	}
	assert_int_equal(weir_generator_fini(&generator), -EDOM);
	assert_int_equal(last, 55);
	return 0;
}

static void
test_sent(void **state)
{
	run(root_sent, NULL);
}

static int
fails(struct weir_generator *generator, void *arg)
{
	int error = weir_generator_yield(generator, NULL, NULL);

	return error < 0 ? error : -EIO;
}

static int
root_error(void *arg)
{
	struct weir_generator generator;
	void *value;

	weir_generator_init(&generator, fails, NULL);
	assert_int_equal(weir_generator_next(&generator, NULL, &value), 1);
	assert_int_equal(weir_generator_next(&generator, NULL, &value), -EIO);
	assert_int_equal(weir_generator_next(&generator, NULL, &value), -EIO);
	assert_int_equal(weir_generator_fini(&generator), -EIO);
	return 0;
}

static void
test_error(void **state)
{
	run(root_error, NULL);
}

/* In order, from a generator in each generator. */
static int
tree(struct weir_generator *generator, void *arg)
{
	int depth = *(int *)arg - 1;
	struct weir_generator inner;
	void *value = NULL;
	int error = 0;

	for (int side = 0; side < 2 && depth > 0 && error == 0; side++) {
		weir_generator_init(&inner, tree, &depth);
		while (error == 0 &&
		    weir_generator_next(&inner, NULL, &value) == 1)
			error = weir_generator_yield(generator, value, NULL);
		weir_generator_fini(&inner);
	}
	if (error == 0)
		error = weir_generator_yield(
		    generator, (void *)(intptr_t)(depth + 1), NULL);
	return error;
}

static int
root_nested(void *arg)
{
	struct weir_generator generator;
	int sum = 0, count = 0, depth = 5;
	void *value;

	weir_generator_init(&generator, tree, &depth);
	while (weir_generator_next(&generator, NULL, &value) == 1) {
		sum += (int)(intptr_t)value;
		count++;
	}
	weir_generator_fini(&generator);
	assert_int_equal(count, 31);
	assert_int_equal(sum, 16 * 1 + 8 * 2 + 4 * 3 + 2 * 4 + 5);
	/* Closed half way: all five levels clean up. */
	weir_generator_init(&generator, tree, &depth);
	for (int i = 0; i < 7; i++)
		assert_int_equal(
		    weir_generator_next(&generator, NULL, &value), 1);
	assert_int_equal(weir_generator_fini(&generator), -ECANCELED);
	return 0;
}

static void
test_nested(void **state)
{
	run(root_nested, NULL);
}

/* A body that reads: others run meanwhile. */
struct reads {
	struct weir_io io;
	char last;
	bool began;
	int ended;
};

static int
reads_bytes(struct weir_generator *generator, void *arg)
{
	struct reads *reads = arg;
	ssize_t got = 0;
	int error = 0;

	reads->began = true;
	while (error == 0 &&
	    (got = weir_recv(&reads->io, &reads->last, 1, WEIR_NEVER)) == 1)
		error = weir_generator_yield(generator, &reads->last, NULL);
	/* To clean up may take its time. */
	reads->ended = weir_sleep(2 * WEIR_MILLISECOND);
	return error < 0 ? error : (int)got;
}

static int
writes(void *arg)
{
	for (int i = 0; i < 10; i++) {
		if (write(*(int *)arg, "abcdefghij" + i, 1) != 1 ||
		    weir_sleep(WEIR_MILLISECOND) < 0)
			return -1;
	}
	return 0;
}

static int
root_io(void *arg)
{
	struct reads reads = {.ended = 1};
	struct weir_generator generator;
	struct weir_scope scope;
	void *value;
	int ends[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(weir_io_attach(&reads.io, ends[0]), 0);
	weir_scope_init(&scope, WEIR_NEVER);
	assert_int_equal(
	    weir_task_start(&scope, "writes", writes, &ends[1]), 0);
	weir_generator_init(&generator, reads_bytes, &reads);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(
		    weir_generator_next(&generator, NULL, &value), 1);
		assert_int_equal(*(char *)value, 'a' + i);
	}
	assert_int_equal(weir_generator_fini(&generator), -ECANCELED);
	assert_int_equal(reads.ended, 0);
	weir_scope_fini(&scope);
	weir_io_close(&reads.io);
	close(ends[1]);
	return 0;
}

static void
test_io(void **state)
{
	run(root_io, NULL);
}

/* The owner is stopped while the body waits for bytes: by its scope, by its
 * deadline, alone. */
enum how { BY_SCOPE, BY_DEADLINE, ALONE };

static int
owns(void *arg)
{
	struct weir_generator generator;
	struct reads *reads = arg;
	void *value;
	int error;

	weir_generator_init(&generator, reads_bytes, reads);
	error = weir_generator_next(&generator, NULL, &value);
	assert_int_equal(weir_generator_fini(&generator), error);
	return error;
}

static bool
stop_after(enum how how, int expected, weir_time deadline)
{
	struct reads reads = {.ended = 1};
	struct weir_task handle;
	struct weir_task_options options = {.name = "owner", .handle = &handle};
	struct weir_scope scope;
	int ends[2], result;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(weir_io_attach(&reads.io, ends[0]), 0);
	weir_scope_init(&scope, deadline);
	assert_int_equal(
	    weir_task_start_with(&scope, &options, owns, &reads), 0);
	assert_int_equal(weir_sleep(WEIR_MILLISECOND), 0);
	if (how == BY_SCOPE)
		weir_scope_cancel(&scope, -ESTALE);
	if (how == ALONE)
		weir_task_cancel(&handle, -ESTALE);
	assert_int_equal(weir_task_join(&handle, &result, WEIR_NEVER), 0);
	assert_int_equal(result, expected);
	/* Its sleep was refused too. */
	if (reads.began)
		assert_int_equal(reads.ended, expected);
	weir_scope_fini(&scope);
	weir_io_close(&reads.io);
	close(ends[1]);
	return reads.began;
}

static void
stop(enum how how, int expected)
{
	int64_t wait = 3 * WEIR_MILLISECOND;

	/* Again with more time, when that was over before it had begun. */
	while (!stop_after(how, expected,
	    how == BY_DEADLINE ? weir_after(wait) : WEIR_NEVER)) {
		assert_int_equal(how, BY_DEADLINE);
		assert_true(wait < 10 * WEIR_SECOND);
		wait *= 2;
	}
}

static int
root_stop(void *arg)
{
	stop(BY_SCOPE, -ESTALE);
	stop(BY_DEADLINE, -ETIMEDOUT);
	stop(ALONE, -ESTALE);
	return 0;
}

static void
test_stop(void **state)
{
	run(root_stop, NULL);
}

/* An owner that takes values without end lets the others run. */
static int
endless(struct weir_generator *generator, void *arg)
{
	int error = 0;

	while (error == 0)
		error = weir_generator_yield(generator, arg, NULL);
	return 0;
}

static int
notes_its_turn(void *arg)
{
	*(bool *)arg = true;
	return 0;
}

static int
root_greedy(void *arg)
{
	struct weir_generator generator;
	struct weir_scope scope;
	bool ran = false;
	void *value;

	weir_scope_init(&scope, WEIR_NEVER);
	weir_generator_init(&generator, endless, NULL);
	assert_int_equal(weir_generator_next(&generator, NULL, &value), 1);
	assert_int_equal(
	    weir_task_start(&scope, "other", notes_its_turn, &ran), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(
		    weir_generator_next(&generator, NULL, &value), 1);
	assert_true(ran);
	assert_int_equal(weir_generator_fini(&generator), 0);
	weir_scope_fini(&scope);
	return 0;
}

static void
test_greedy(void **state)
{
	run(root_greedy, NULL);
}

/* Only its owner and its body may use it. */
struct foreign {
	struct weir_generator *generator;
};

static int
foreign_use(void *arg)
{
	struct foreign *foreign = arg;
	void *value;

	assert_int_equal(
	    weir_generator_next(foreign->generator, NULL, &value), -EPERM);
	assert_int_equal(
	    weir_generator_yield(foreign->generator, NULL, NULL), -EPERM);
	assert_int_equal(weir_generator_fini(foreign->generator), -EPERM);
	return 0;
}

static int
uses_itself(struct weir_generator *generator, void *arg)
{
	void *value;

	assert_int_equal(weir_generator_next(generator, NULL, &value), -EPERM);
	return weir_generator_yield(generator, NULL, NULL);
}

static int
root_foreign(void *arg)
{
	struct weir_generator generator;
	struct foreign foreign = {&generator};
	struct weir_scope scope;
	void *value;

	weir_generator_init(&generator, uses_itself, NULL);
	weir_scope_init(&scope, WEIR_NEVER);
	assert_int_equal(
	    weir_task_start(&scope, "foreign", foreign_use, &foreign), 0);
	assert_int_equal(weir_scope_wait(&scope), 0);
	weir_scope_fini(&scope);
	assert_int_equal(weir_generator_yield(&generator, NULL, NULL), -EPERM);
	assert_int_equal(weir_generator_next(&generator, NULL, &value), 1);
	assert_int_equal(weir_generator_fini(&generator), -ECANCELED);
	return 0;
}

static void
test_foreign(void **state)
{
	run(root_foreign, NULL);
}

static unsigned asleep_count;

static void
hears_asleep(enum weir_deadlock_kind kind, const char *text)
{
	assert_int_equal(kind, WEIR_DEADLOCK_ASLEEP);
	assert_non_null(strstr(text, "waits for generator"));
	assert_non_null(strstr(text, "waits for channel recv"));
	asleep_count++;
}

static int
waits_for_ever(struct weir_generator *generator, void *arg)
{
	char item;
	int error = weir_generator_yield(generator, NULL, NULL);

	return error < 0 ? error : weir_channel_recv(arg, &item, WEIR_NEVER);
}

/* The body waits for what nobody sends, the owner for the body. */
static int
root_asleep(void *arg)
{
	struct weir_channel_options options = {.item_bytes = 1};
	struct weir_generator generator;
	struct weir_channel *channel;
	void *value;
	char item;

	(void)arg;
	weir_deadlock_set_hook(hears_asleep);
	assert_int_equal(weir_channel_new(&options, &channel), 0);
	weir_generator_init(&generator, waits_for_ever, channel);
	assert_int_equal(weir_generator_next(&generator, NULL, &value), 1);
	assert_int_equal(
	    weir_generator_next(&generator, NULL, &value), -EDEADLK);
	assert_int_equal(asleep_count, 1);
	assert_int_equal(weir_generator_fini(&generator), -EDEADLK);
	/* One that waits for its owner is no reason to say nothing. */
	weir_generator_init(&generator, waits_for_ever, channel);
	assert_int_equal(weir_generator_next(&generator, NULL, &value), 1);
	assert_int_equal(
	    weir_channel_recv(channel, &item, WEIR_NEVER), -EDEADLK);
	assert_int_equal(asleep_count, 2);
	assert_int_equal(weir_generator_fini(&generator), -ECANCELED);
	weir_deadlock_set_hook(NULL);
	weir_channel_unref(channel);
	return 0;
}

static void
test_asleep(void **state)
{
	(void)state;
	run(root_asleep, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_sent),
	    cmocka_unit_test(test_error),
	    cmocka_unit_test(test_nested),
	    cmocka_unit_test(test_io),
	    cmocka_unit_test(test_stop),
	    cmocka_unit_test(test_greedy),
	    cmocka_unit_test(test_foreign),
	    cmocka_unit_test(test_asleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
