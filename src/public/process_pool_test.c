#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <weir/weir.h>

static const struct weir_options one_worker = {.worker_count = 1};

static weir_time
soon(void)
{
	return weir_after(60 * WEIR_SECOND);
}

/* ---- jobs ---- */

static ssize_t
job_upper(const void *in, size_t in_length, void *out, size_t out_capacity)
{
	for (size_t i = 0; i < in_length && i < out_capacity; i++)
		((char *)out)[i] = (char)(((const char *)in)[i] & ~0x20);
	return (ssize_t)in_length;
}

/* By the first byte: crash, leave, hang, fail; a digit sleeps. */
static ssize_t
job_behave(const void *in, size_t in_length, void *out, size_t out_capacity)
{
	char what = in_length > 0 ? *(const char *)in : 0;

	switch (what) {
	case 'k':
		kill(getpid(), SIGKILL);
		break;
	case 'x':
		_exit(9);
	case 'h':
		sleep(1000);
		break;
	case 'f':
		return -EDOM;
	default:
		usleep((unsigned)(what - '0') * 10000);
	}
	memcpy(out, &what, out_capacity > 0);
	return 1;
}

static const weir_job_fn jobs[] = {job_upper, job_behave};
enum { UPPER, BEHAVE };

static ssize_t
behave(struct weir_process_pool *pool, const char *what,
    struct weir_job_result *result)
{
	ssize_t r =
	    weir_process_pool_run(pool, BEHAVE, what, 1, result, soon());

	free(result->out);
	return r;
}

static int
run_task(void *arg)
{
	const struct weir_process_pool_options options = {
	    .process_count = 1, .bytes_max = 100000, .job_ns = 0};
	struct weir_process_pool *pool;
	struct weir_job_result result;
	static char big[100001];

	(void)arg;
	memset(big, 'a', sizeof(big));
	assert_int_equal(weir_process_pool_new(&options, &pool), 0);
	assert_int_equal(
	    weir_process_pool_run(pool, UPPER, big, 100000, &result, soon()),
	    100000);
	assert_memory_equal(result.out, "AAAA", 4);
	weir_job_result_free(&result);
	assert_int_equal(
	    weir_process_pool_run(pool, UPPER, big, 100001, &result, soon()),
	    -EMSGSIZE);
	assert_int_equal(
	    weir_process_pool_run(pool, UPPER, "", 0, &result, soon()), 0);
	assert_int_equal(
	    weir_process_pool_run(pool, 2, "", 0, &result, soon()), -ENOSYS);

	/* A crash is an error of its job; the next has a new process. */
	assert_int_equal(behave(pool, "k", &result), -ECHILD);
	assert_int_equal(result.exit.signal, SIGKILL);
	assert_int_equal(behave(pool, "x", &result), -ECHILD);
	assert_int_equal(result.exit.code, 9);
	assert_int_equal(behave(pool, "0", &result), 1);
	assert_int_equal(behave(pool, "f", &result), -EDOM);
	assert_int_equal(behave(pool, "0", &result), 1);
	assert_int_equal(weir_process_pool_run(pool, BEHAVE, "h", 1, &result,
			     weir_after(30 * WEIR_MILLISECOND)),
	    -ETIMEDOUT);
	assert_int_equal(behave(pool, "0", &result), 1);
	weir_process_pool_close(pool);
	return 0;
}

static void
test_run(void **state)
{
	(void)state;
	assert_int_equal(weir_run(&one_worker, run_task, NULL), 0);
}

/* ---- a queue, a deadline of the pool's, a caller that is stopped ---- */

static int
hang(void *arg)
{
	struct weir_job_result result;

	(void)weir_process_pool_run(arg, BEHAVE, "h", 1, &result, soon());
	return 0;
}

static int
limits_task(void *arg)
{
	struct weir_process_pool_options options = {
	    .process_count = 1, .queue_max = 1};
	struct weir_process_pool *pool;
	struct weir_job_result result;
	struct weir_scope scope;

	(void)arg;
	assert_int_equal(weir_process_pool_new(&options, &pool), 0);
	weir_scope_init(&scope, WEIR_NEVER);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    weir_task_start(&scope, "hang", hang, pool), 0);
	assert_int_equal(weir_sleep(50 * WEIR_MILLISECOND), 0);
	assert_int_equal(behave(pool, "0", &result), -EAGAIN);
	weir_scope_fini(&scope);
	assert_int_equal(behave(pool, "0", &result), 1);
	weir_process_pool_close(pool);

	options.job_ns = 30 * WEIR_MILLISECOND;
	assert_int_equal(weir_process_pool_new(&options, &pool), 0);
	assert_int_equal(behave(pool, "h", &result), -ETIMEDOUT);
	weir_process_pool_close(pool);
	options.process_count = 257;
	assert_int_equal(weir_process_pool_new(&options, &pool), -EINVAL);
	return 0;
}

static void
test_limits(void **state)
{
	(void)state;
	assert_int_equal(weir_run(&one_worker, limits_task, NULL), 0);
}

/* ---- map ---- */

struct heard {
	char text[16];
	size_t count;
	size_t stop_at; /* 0: never */
};

static int
hear(void *context, size_t index, const struct weir_job_result *result)
{
	struct heard *heard = context;

	(void)index;
	heard->text[heard->count++] =
	    result->result == 1 ? *(char *)result->out : '!';
	return heard->count == heard->stop_at ? -EINTR : 0;
}

static int
map_task(void *arg)
{
	const struct weir_process_pool_options options = {.process_count = 3};
	struct iovec inputs[] = {
	    {"9", 1}, {"0", 1}, {"k", 1}, {"3", 1}, {"0", 1}};
	struct heard heard = {{0}, 0, 0};
	struct weir_process_map map = {.job = BEHAVE,
	    .inputs = inputs,
	    .count = 5,
	    .each = hear,
	    .context = &heard,
	    .ordered = true};
	struct weir_process_pool *pool;

	(void)arg;
	assert_int_equal(weir_process_pool_new(&options, &pool), 0);
	assert_int_equal(weir_process_pool_map(pool, &map, soon()), 0);
	assert_string_equal(heard.text, "90!30");

	/* The slow one does not hold the others up. */
	map.ordered = false;
	heard = (struct heard){{0}, 0, 0};
	inputs[2].iov_base = "0";
	assert_int_equal(weir_process_pool_map(pool, &map, soon()), 0);
	assert_int_equal(heard.count, 5);
	assert_int_not_equal(heard.text[0], '9');

	heard = (struct heard){{0}, 0, 2};
	assert_int_equal(weir_process_pool_map(pool, &map, soon()), -EINTR);
	assert_int_equal(heard.count, 2);
	inputs[0].iov_base = "h";
	heard = (struct heard){{0}, 0, 0};
	map.ordered = true;
	assert_int_equal(weir_process_pool_map(
			     pool, &map, weir_after(50 * WEIR_MILLISECOND)),
	    -ETIMEDOUT);
	weir_process_pool_close(pool);
	return 0;
}

static void
test_map(void **state)
{
	(void)state;
	assert_int_equal(weir_run(&one_worker, map_task, NULL), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_run),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_map),
	};

	(void)argc;
	(void)argv;
	weir_process_pool_child(jobs, 2);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
