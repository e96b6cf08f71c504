/* What a user of the library reads who calls it wrongly. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <weir/weir.h>

static int
root_pthread(void *arg)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int error;

	(void)arg;
	weir_pthread_lock(&lock);
	weir_pthread_unlock(&lock);
	error = weir_yield();
	if (error < 0)
		return error;
	weir_pthread_lock(&lock);
	error = weir_sleep(WEIR_MILLISECOND);
	weir_pthread_unlock(&lock);
	return error;
}

static void
pthread_lock_held(void)
{
	struct weir_options options = {.worker_count = 1};

	weir_run(&options, root_pthread, NULL);
}

static void
sleep_outside(void)
{
	weir_sleep(1);
}

static void
recv_outside(void)
{
	struct weir_io io;
	char byte;

	weir_io_clear(&io);
	if (weir_recv(&io, &byte, 1, WEIR_NEVER) < 0)
		_exit(1);
}

static void
attach_outside(void)
{
	struct weir_io io;

	if (weir_io_attach(&io, 0) < 0)
		_exit(1);
}

static void
process_outside(void)
{
	static char name[] = "true";
	char *argv[] = {name, NULL};
	struct weir_process_options options = {.argv = argv};
	struct weir_process *process;

	if (weir_process_start(&options, &process, NULL) < 0)
		_exit(1);
}

static void
lock_outside(void)
{
	static struct weir_mutex lock = WEIR_MUTEX_INIT("lock");

	if (weir_mutex_lock(&lock, WEIR_NEVER) == -EPERM)
		abort();
}

static void
no_root(void)
{
	weir_run(NULL, NULL, NULL);
}

static void
no_worker(void)
{
	if (weir_worker_start(3, "far", root_pthread, NULL) < 0)
		_exit(1);
}

static int
release_lent(void *arg)
{
	weir_lent_release(arg);
	return 0;
}

static int
root_release_elsewhere(void *arg)
{
	struct weir_lent lent;
	struct weir_io io;
	int fds[2];

	(void)arg;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0 ||
	    weir_io_attach_stream(&io, fds[0]) < 0 ||
	    write(fds[1], "x", 1) != 1 ||
	    weir_recv_lend(&io, &lent, WEIR_NEVER) != 1 ||
	    weir_worker_start(1, "thief", release_lent, &lent) < 0)
		_exit(1);
	return weir_sleep(10 * WEIR_SECOND);
}

static void
release_elsewhere(void)
{
	struct weir_options options = {.worker_count = 2};

	weir_run(&options, root_release_elsewhere, NULL);
}

/* Whoever does not want to know how it ended says NULL. */
static int
root_no_exit(void *arg)
{
	static char name[] = "true";
	char *argv[] = {name, NULL};
	struct weir_process_options options = {.argv = argv};
	struct weir_process *process;
	int error;

	(void)arg;
	error = weir_process_start(&options, &process, NULL);
	if (error < 0)
		return error;
	error = weir_process_wait(process, NULL, WEIR_NEVER);
	if (error == 0)
		error = weir_process_stop(process, 0, NULL);
	weir_process_drop(process);
	return error;
}

static void
test_no_exit(void **state)
{
	(void)state;
	assert_int_equal(weir_run(NULL, root_no_exit, NULL), 0);
}

static void
in_root(int (*root)(void *arg))
{
	struct weir_options options = {.worker_count = 1};

	(void)!weir_run(&options, root, NULL);
}

static int
root_serve_nothing(void *arg)
{
	struct weir_io io;

	(void)arg;
	weir_io_clear(&io);
	return weir_serve(&io, NULL, NULL, WEIR_NEVER);
}

static void
serve_nothing(void)
{
	in_root(root_serve_nothing);
}

static int
root_start_nothing(void *arg)
{
	struct weir_process *process;

	(void)arg;
	return weir_process_start(NULL, &process, NULL);
}

static void
start_nothing(void)
{
	in_root(root_start_nothing);
}

static int
root_mq_nothing(void *arg)
{
	struct weir_io io;

	(void)arg;
	return weir_mq_open(&io, "/none", NULL);
}

static void
mq_nothing(void)
{
	in_root(root_mq_nothing);
}

static void
select_outside(void)
{
	(void)!weir_select(NULL, 0, WEIR_NEVER);
}

static void
generator_outside(void)
{
	struct weir_generator generator;

	weir_generator_init(&generator, NULL, NULL);
}

static void
channel_outside(void)
{
	struct weir_channel *channel;

	(void)!weir_channel_new(NULL, &channel);
}

static void
channel_recv_outside(void)
{
	struct weir_channel_options options = {.shared = true};
	struct weir_channel *channel;

	(void)!weir_channel_new(&options, &channel);
	(void)!weir_channel_recv(channel, NULL, WEIR_NEVER);
}

static void
future_outside(void)
{
	struct weir_future *future;

	(void)!weir_future_new(&future);
	(void)!weir_future_wait(future, NULL, NULL, WEIR_NEVER);
}

static int
child_task(void *arg)
{
	(void)arg;
	return 0;
}

/* Where nothing has to be said, NULL says it. */
static int
root_no_options(void *arg)
{
	struct weir_child child = {
	    .name = "child", .task = child_task, .when = WEIR_TEMPORARY};
	struct weir_process_pool *processes;
	struct weir_http_client *client;
	struct weir_channel *channel;
	struct weir_scope scope;
	struct weir_pool *pool;

	(void)arg;
	assert_int_equal(weir_channel_new(NULL, &channel), 0);
	assert_int_equal(weir_channel_try_send(channel, NULL), -EAGAIN);
	weir_channel_unref(channel);
	weir_scope_init(&scope, WEIR_NEVER);
	assert_int_equal(
	    weir_task_start_with(&scope, NULL, child_task, NULL), 0);
	assert_int_equal(weir_scope_wait(&scope), 0);
	assert_int_equal(weir_scope_fini(&scope), 0);
	assert_int_equal(weir_pool_new(NULL, &pool), 0);
	weir_pool_close(pool, false);
	assert_int_equal(weir_process_pool_new(NULL, &processes), 0);
	weir_process_pool_close(processes);
	assert_int_equal(weir_http_open(NULL, &client), 0);
	weir_http_close(client);
	assert_int_equal(weir_resolve_configure(NULL), 0);
	return weir_supervise(NULL, &child, 1, NULL);
}

static void
test_no_options(void **state)
{
	(void)state;
	assert_int_equal(weir_run(NULL, root_no_options, NULL), 0);
}

static const struct {
	void (*fn)(void);
	const char *text;
} cases[] = {
    {serve_nothing, "weir: misuse: weir_serve() without a conversation"},
    {start_nothing, "weir: misuse: weir_process_start() without argv"},
    {mq_nothing, "weir: misuse: weir_mq_open() without options"},
    {select_outside, "weir: misuse: weir_select() called outside a task"},
    {generator_outside, "weir_generator_init() called outside a task"},
    {channel_outside, "weir: misuse: weir_channel_new(): a channel that is"},
    {channel_recv_outside, "weir: misuse: weir_channel_recv() may wait and"},
    {future_outside, "weir: misuse: weir_future_wait() called outside"},
    {sleep_outside, "weir: misuse: weir_sleep() called outside a task; only"},
    {recv_outside, "weir: misuse: weir_recv() called outside a task; only"},
    {attach_outside, "weir_io_attach() called on a thread that is no worker"},
    {process_outside, "weir_process_start() called on a thread that is no"},
    {lock_outside, "weir: weir_mutex_lock(): mutex 'lock': called outside"},
    {no_root, "weir_run() without a function to run"},
    {no_worker, "weir_worker_start() for worker 3 of 0"},
    {release_elsewhere, "on another worker than the one that lent it"},
    {pthread_lock_held, "a pthread lock (1 deep)"},
};

static void
test_texts(void **state)
{
	static char text[16384];
	int fds[2], status;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t length = 0;
		ssize_t r;
		pid_t child;

		assert_int_equal(pipe(fds), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			dup2(fds[1], STDERR_FILENO);
			close(fds[0]);
			close(fds[1]);
			cases[i].fn();
			_exit(0);
		}
		close(fds[1]);
		while ((r = read(fds[0], text + length,
			    sizeof(text) - 1 - length)) > 0)
			length += (size_t)r;
		text[length] = '\0';
		close(fds[0]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
		if (strstr(text, cases[i].text) == NULL)
			fail_msg("no '%s' in '%s'", cases[i].text, text);
	}
}

static int
root_need_yield(void *arg)
{
	weir_time start;

	(void)arg;
	/* Through the loop, which looks at the clock. */
	if (weir_sleep(WEIR_MICROSECOND) < 0)
		return -ECANCELED;
	start = weir_after(0);
	while (!weir_need_yield()) {
		if (weir_after(0) - start > 10 * WEIR_SECOND)
			return -ETIMEDOUT;
	}
	/* It did not say so at once. */
	return weir_after(0) - start > 100 * WEIR_MICROSECOND ? 0 : -EAGAIN;
}

/* Twice when the machine took the thread away in the wrong moment. */
static void
test_need_yield(void **state)
{
	struct weir_options options = {.worker_count = 1};
	int result = -EAGAIN;

	(void)state;
	for (int i = 0; i < 20 && result == -EAGAIN; i++)
		result = weir_run(&options, root_need_yield, NULL);
	assert_int_equal(result, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_need_yield),
	    cmocka_unit_test(test_no_exit),
	    cmocka_unit_test(test_no_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
