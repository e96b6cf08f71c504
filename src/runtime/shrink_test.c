#include "runtime/io/io_test.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "os/memory.h"
#include "runtime/chan.h"
#include "runtime/lock.h"
#include "runtime/stack_report.h"
#include "runtime/worker.h"

/* Every case runs on every backend; where nothing can shrink the tasks do the
 * same and none of them is shrunk. */
static bool
can_shrink(void)
{
#if defined(SANITIZE_ADDRESS) || defined(SANITIZE_THREAD)
	return false;
#endif
	return !sanitize_on_valgrind() && !stack_report_on &&
	    worker_here->stacks.guard_install;
}

/* The sweep of one second, now, when everybody has waited a while. */
static void
sweep(void)
{
	struct shrink *shrink = &worker_here->shrink;

	assert_int_equal(task_sleep(duration_ms(2)), 0);
	if (shrink->tasks == NULL)
		return;
	do {
		timer_stop(&shrink->sweep);
		shrink->sweep.fire(&shrink->sweep);
	} while (shrink->at != 0);
}

static unsigned
shrunk(void)
{
	struct runtime_info info;

	runtime_info_get(&info);
	return info.shrunk_count;
}

static void
expect_shrunk(unsigned count)
{
	assert_int_equal(shrunk(), can_shrink() ? count : 0);
}

static void
sweep_to(unsigned count)
{
	sweep();
	for (int i = 0; i < 1000 && can_shrink() && shrunk() != count; i++)
		sweep();
	expect_shrunk(count);
}

static struct task_handle handles[8];

static void
start(struct scope *scope, unsigned which, task_fn fn, void *arg)
{
	struct task_options options = {
	    .name = "idler", .handle = &handles[which], .shrink_ns = 1};

	assert_int_equal(task_start_with(scope, &options, fn, arg), 0);
	assert_int_equal(task_yield(), 0);
}

static int
result(unsigned which)
{
	int r = -1;

	assert_int_equal(task_join(&handles[which], &r, after_ms(5000)), 0);
	return r;
}

/* ---- what is on a stack stays ---- */

static NOINLINE int
deeper(int depth, duration how_long)
{
	unsigned char bytes[64];
	int r;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(depth * 7 + (int)i);
	r = depth == 0 ? task_sleep(how_long) : deeper(depth - 1, how_long);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], (unsigned char)(depth * 7 + (int)i));
	return r;
}

static bool enough;

static int
sleeper(void *arg)
{
	(void)arg;
	while (!enough)
		assert_int_equal(deeper(4, duration_ms(50)), 0);
	return 7;
}

static int
case_sleep(void *arg)
{
	struct scope scope;

	(void)arg;
	enough = false;
	scope_init(&scope, instant_never());
	start(&scope, 0, sleeper, NULL);
	expect_shrunk(0);
	for (int i = 0; i < 3; i++) {
		sweep_to(1);
		while (shrunk() != 0)
			assert_int_equal(task_sleep(duration_ms(1)), 0);
	}
	enough = true;
	assert_int_equal(result(0), 7);
	return scope_fini(&scope);
}

static int
sleep_deep(void *arg)
{
	(void)arg;
	return deeper(4, duration_s(3600));
}

static int
sleep_long(void *arg)
{
	int r = task_sleep(duration_s(3600));

	(void)arg;
	/* It runs as any other. */
	assert_int_equal(task_yield(), r);
	return r;
}

static size_t
slot_pages(const struct task *task)
{
	unsigned char pages[STACK_SLOT_BYTES / 4096];
	size_t count = 0;

	assert_int_equal(mincore(task->slot, STACK_SLOT_BYTES, pages), 0);
	for (size_t i = 0; i < array_count(pages); i++)
		count += pages[i] & 1;
	return count;
}

static int
case_pages(void *arg)
{
	struct scope scope;
	const struct task *task;

	(void)arg;
	scope_init(&scope, instant_never());
	start(&scope, 0, sleep_long, NULL);
	task = handles[0].task;
	if (can_shrink()) {
		assert_int_equal(slot_pages(task), 1);
		sweep_to(1);
		assert_int_equal(slot_pages(task), 0);
	}
	scope_fini(&scope);
	return 0;
}

/* ---- who wakes it ---- */

static int
case_cancel(void *arg)
{
	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	start(&scope, 0, sleep_long, NULL);
	start(&scope, 1, sleep_long, NULL);
	start(&scope, 2, sleep_long, NULL);
	sweep_to(3);
	task_cancel(&handles[0], -ENOTCONN);
	expect_shrunk(2);
	assert_int_equal(result(0), -ENOTCONN);
	task_wake(handles[1].task);
	expect_shrunk(1);
	/* It was not time yet. */
	assert_int_equal(task_yield(), 0);
	sweep_to(2);
	scope_cancel(&scope, -EINTR);
	assert_int_equal(result(1), -EINTR);
	assert_int_equal(result(2), -EINTR);
	scope_fini(&scope);
	return 0;
}

/* Its timer is of an earlier wait: it is armed again, nothing else. */
static int
lazy(void *arg)
{
	(void)arg;
	assert_int_equal(task_park("nothing", after_ms(50)), 0);
	return task_sleep(duration_ms(500));
}

static int
case_lazy_timer(void *arg)
{
	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	start(&scope, 0, lazy, NULL);
	task_wake(handles[0].task);
	assert_int_equal(task_yield(), 0);
	sweep_to(1);
	assert_int_equal(task_sleep(duration_ms(100)), 0);
	sweep_to(1);
	assert_int_equal(result(0), 0);
	return scope_fini(&scope);
}

/* ---- input and output ---- */

static instant lender_end;

static int
lender(void *arg)
{
	struct pair *pair = arg;
	struct io_lent lent;
	ssize_t r;
	int sum = 0;

	while ((r = io_recv_lend(&pair->io, &lent, lender_end)) > 0) {
		for (size_t i = 0; i < lent.length; i++)
			sum += lent.memory[i];
		io_lent_release(&lent);
	}
	return r < 0 ? (int)r : sum;
}

static int
case_lend(void *arg)
{
	for (size_t i = 0; i < array_count(pairs); i++) {
		struct scope scope;
		struct pair pair;

		(void)arg;
		lender_end = instant_never();
		scope_init(&scope, instant_never());
		pairs[i](&pair);
		start(&scope, 0, lender, &pair);
		for (int k = 0; k < 3; k++) {
			sweep_to(1);
			put(pair.peer, "\1\2");
			settle();
			expect_shrunk(0);
			/* Before anybody looked at its stack. */
			assert_null(handles[0].task->frames);
		}
		sweep_to(1);
		peer_shut(pair.peer);
		assert_int_equal(result(0), 9);
		expect_shrunk(0);
		pair_close(&pair);
		scope_fini(&scope);
	}
	return 0;
}

static int
case_lend_deadline(void *arg)
{
	struct scope scope;
	struct pair pair;

	(void)arg;
	scope_init(&scope, instant_never());
	pair_stream(&pair);
	lender_end = after_ms(500);
	start(&scope, 0, lender, &pair);
	sweep_to(1);
	assert_int_equal(result(0), -ETIMEDOUT);
	lender_end = instant_never();
	start(&scope, 0, lender, &pair);
	sweep_to(1);
	io_close(&pair.io);
	expect_shrunk(0);
	assert_int_equal(result(0), -EBADF);
	pair_close(&pair);
	return scope_fini(&scope) == -ETIMEDOUT ? 0 : -1;
}

static int
receiver(void *arg)
{
	struct pair *pair = arg;
	char bytes[8];
	ssize_t r = io_recv(&pair->io, bytes, sizeof(bytes), instant_never());

	return r == 3 && memcmp(bytes, "abc", 3) == 0 ? 0 : -EIO;
}

/* The bytes go into the stack: not while the kernel may write there. */
static int
case_recv(void *arg)
{
	struct scope scope;
	struct pair pair;
	bool at_kernel;

	(void)arg;
	scope_init(&scope, instant_never());
	pair_stream(&pair);
	at_kernel = strcmp(runtime_backend(), "uring") == 0;
	start(&scope, 0, receiver, &pair);
	sweep_to(at_kernel ? 0 : 1);
	put(pair.peer, "abc");
	assert_int_equal(result(0), 0);
	pair_close(&pair);
	return scope_fini(&scope);
}

static int
wait_in(void *arg)
{
	struct pair *pair = arg;

	return io_wait(&pair->io, IO_IN, instant_never());
}

static int
fill(void *arg)
{
	static char bytes[1 << 16];
	struct pair *pair = arg;
	ssize_t r;

	do {
		r = io_wait(&pair->io, IO_OUT, instant_never());
		if (r > 0)
			r = io_send(&pair->io, bytes, sizeof(bytes), NULL,
			    instant_past());
	} while (r > 0 || r == -ETIMEDOUT);
	return (int)r;
}

/* Two of one descriptor. */
static int
case_both(void *arg)
{
	struct scope scope;
	struct pair pair;

	(void)arg;
	scope_init(&scope, instant_never());
	pair_unix(&pair);
	start(&scope, 0, wait_in, &pair);
	start(&scope, 1, fill, &pair);
	sweep_to(2);
	put(pair.peer, "x");
	assert_int_equal(result(0), IO_IN);
	sweep_to(1);
	io_close(&pair.io);
	assert_int_equal(result(1), -EBADF);
	pair_close(&pair);
	scope_fini(&scope);
	return 0;
}

/* A descriptor that lies on the stack of who waits. */
static int
holder(void *arg)
{
	struct pair pair;
	char byte;
	int r;

	pair_unix(&pair);
	*(int *)arg = pair.peer;
	r = io_wait(&pair.io, IO_IN, instant_never());
	assert_int_equal(r, IO_IN);
	assert_int_equal(io_recv(&pair.io, &byte, 1, instant_never()), 1);
	pair_close(&pair);
	return byte;
}

static int
case_descriptor_on_stack(void *arg)
{
	struct scope scope;
	int peer = -1;

	(void)arg;
	scope_init(&scope, instant_never());
	start(&scope, 0, holder, &peer);
	for (int i = 0; i < 2; i++)
		sweep_to(1);
	put(peer, "x");
	assert_int_equal(result(0), 'x');
	return scope_fini(&scope);
}

/* ---- channels ---- */

static int
getter(void *arg)
{
	int number = 0, sum = 0, r;

	while ((r = chan_recv(arg, &number, instant_never())) == 0)
		sum += number;
	return r == -EPIPE ? sum : r;
}

/* Three in one queue: each is between two others. */
static int
case_channel(void *arg)
{
	struct chan_options options = {.item_bytes = sizeof(int)};
	struct scope scope;
	struct chan *channel;

	(void)arg;
	assert_int_equal(chan_new(&options, &channel), 0);
	scope_init(&scope, instant_never());
	for (unsigned i = 0; i < 3; i++)
		start(&scope, i, getter, channel);
	for (int i = 1; i <= 4; i++) {
		sweep_to(3);
		assert_int_equal(chan_send(channel, &i, instant_never()), 0);
		assert_int_equal(task_yield(), 0);
	}
	sweep_to(3);
	task_cancel(&handles[2], 0);
	assert_int_equal(result(2), -ECANCELED);
	chan_close(channel);
	assert_int_equal(result(0) + result(1), 1 + 4 + 2);
	scope_fini(&scope);
	chan_unref(channel);
	return 0;
}

static int
case_channel_shared(void *arg)
{
	struct chan_options options = {
	    .item_bytes = sizeof(int), .shared = true};
	struct scope scope;
	struct chan *channel;

	(void)arg;
	assert_int_equal(chan_new(&options, &channel), 0);
	scope_init(&scope, instant_never());
	start(&scope, 0, getter, channel);
	sweep_to(0);
	chan_close(channel);
	assert_int_equal(result(0), 0);
	chan_unref(channel);
	return scope_fini(&scope);
}

/* ---- pointers into a stack ---- */

static int
shows(void *arg)
{
	volatile int number = 41;

	*(volatile int **)arg = &number;
	assert_int_equal(task_sleep(duration_s(3600)), -ECANCELED);
	return number;
}

static int
case_pointer(void *arg)
{
	volatile int *number = NULL;
	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	start(&scope, 0, shows, &number);
	sweep_to(1);
	assert_int_equal(*number, 41);
	expect_shrunk(0);
	/* From the first copy, which is still there. */
	sweep_to(1);
	*number = 42;
	expect_shrunk(0);
	sweep_to(1);
	task_cancel(&handles[0], 0);
	assert_int_equal(result(0), 42);
	/* The end of one that was not shrunk again. */
	start(&scope, 0, shows, &number);
	sweep_to(1);
	assert_int_equal(*number, 41);
	task_cancel(&handles[0], 0);
	assert_int_equal(result(0), 41);
	return scope_fini(&scope);
}

static int
run_child(void (*body)(void), char *into, size_t size)
{
	size_t length = 0;
	ssize_t r;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = {0, 0};

		signal(SIGSEGV, SIG_DFL);
		setrlimit(RLIMIT_CORE, &none);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		body();
		_exit(0);
	}
	close(fds[1]);
	while ((r = read(fds[0], into + length, size - 1 - length)) > 0)
		length += (size_t)r;
	into[length] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void *
reads(void *arg)
{
	return (void *)(intptr_t) * (volatile int *)arg;
}

static int
read_elsewhere(void *arg)
{
	volatile int *number = NULL;
	struct scope scope;
	pthread_t thread;

	(void)arg;
	scope_init(&scope, instant_never());
	start(&scope, 0, shows, &number);
	sweep();
	assert_int_equal(
	    pthread_create(&thread, NULL, reads, (void *)number), 0);
	pthread_join(thread, NULL);
	/* Nothing shrinks here. */
	if (!can_shrink())
		fputs("follows a pointer idler spawned", stderr);
	return scope_fini(&scope);
}

static void
child_elsewhere(void)
{
	struct runtime_options options = {.worker_count = 1};

	(void)!runtime_run(&options, read_elsewhere, NULL);
}

static void
test_other_thread(void **state)
{
	static char text[8192];

	(void)state;
	(void)run_child(child_elsewhere, text, sizeof(text));
	assert_non_null(strstr(text, "follows a pointer"));
	assert_non_null(strstr(text, "idler spawned"));
}

/* ---- who stays as it is ---- */

static int
with_scope(void *arg)
{
	struct scope scope;
	int r;

	(void)arg;
	scope_init(&scope, instant_never());
	r = task_sleep(duration_s(3600));
	scope_fini(&scope);
	return r;
}

static int
with_much(void *arg)
{
	volatile char bytes[SHRINK_BYTES];

	(void)arg;
	bytes[0] = 1;
	return task_sleep(duration_s(3600)) * bytes[0];
}

static int
in_park(void *arg)
{
	(void)arg;
	return task_park("something", instant_never());
}

static int
in_surely(void *arg)
{
	task_park_uncancellable(shrink_sleep);
	(void)arg;
	return 0;
}

static bool
deny(void)
{
	return true;
}

static int
case_stays(void *arg)
{
	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	start(&scope, 0, with_scope, NULL);
	start(&scope, 1, with_much, NULL);
	start(&scope, 2, in_park, NULL);
	start(&scope, 3, in_surely, NULL);
	sweep_to(0);
	start(&scope, 4, sleep_long, NULL);
	memory_denied_hook = deny;
	sweep_to(0);
	memory_denied_hook = NULL;
	sweep_to(1);
	task_wake(handles[3].task);
	scope_fini(&scope);
	expect_shrunk(0);
	return 0;
}

/* The sweep comes by itself, in a simulated time. */
static int
sweeps_itself(void *arg)
{
	struct task_options options = {
	    .name = "idler", .shrink_ns = duration_s(3).ns};
	struct scope scope;

	(void)arg;
	for (int i = 0; i < 2; i++) {
		scope_init(&scope, instant_never());
		assert_int_equal(
		    task_start_with(&scope, &options, sleep_long, NULL), 0);
		assert_int_equal(task_sleep(duration_ms(2900)), 0);
		expect_shrunk(0);
		/* A second apart. */
		if (can_shrink())
			assert_true(
			    instant_since(
				worker_here->shrink.sweep.when, runtime_now())
				.ns > duration_ms(50).ns);
		assert_int_equal(task_sleep(duration_ms(1200)), 0);
		expect_shrunk(1);
		scope_fini(&scope);
		/* With nobody left it ends. */
		assert_int_equal(task_sleep(duration_ms(1200)), 0);
		assert_false(timer_armed(&worker_here->shrink.sweep));
	}
	return 0;
}

static void
test_itself(void **state)
{
	struct sim_options sim = {.faults.in_order = true};
	struct runtime_options options = {
	    .worker_count = 1, .backend = "sim", .sim = &sim};

	(void)state;
	assert_int_equal(runtime_run(&options, sweeps_itself, NULL), 0);
}

/* Locked pages cannot be guards. */
static int
case_locked(void *arg)
{
	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	start(&scope, 0, sleep_deep, NULL);
	if (can_shrink() &&
	    mlock(handles[0].task->slot, STACK_SLOT_BYTES) == 0) {
		sweep();
		assert_int_equal(worker_here->shrink.count, 0);
		assert_true(worker_here->shrink.off);
		assert_int_equal(
		    munlock(handles[0].task->slot, STACK_SLOT_BYTES), 0);
		/* From now on nobody does. */
		start(&scope, 1, sleep_deep, NULL);
		sweep();
		assert_int_equal(worker_here->shrink.count, 0);
	}
	scope_fini(&scope);
	return 0;
}

/* ---- many, and what is seen of them ---- */

#define MANY (3 * SHRINK_BATCH + 5)

static int
case_many(void *arg)
{
	struct task_options options = {.name = "idler", .shrink_ns = 1};
	struct scope scope;

	(void)arg;
	for (int round = 0; round < 2; round++) {
		scope_init(&scope, instant_never());
		for (int i = 0; i < MANY; i++)
			assert_int_equal(
			    task_start_with(&scope, &options, sleep_long, NULL),
			    0);
		/* Of slots and shrunk ones alike, the next are ordinary. */
		for (int i = 0; i < MANY; i++)
			assert_int_equal(
			    task_start(&scope, "other", sleep_long, NULL), 0);
		assert_int_equal(task_yield(), 0);
		sweep_to(MANY);
		scope_fini(&scope);
		expect_shrunk(0);
		assert_int_equal(worker_here->shrink.live, 0);
	}
	return 0;
}

static int
case_dump(void *arg)
{
	static char text[16384];
	FILE *file = tmpfile();
	struct scope scope;
	size_t length;

	(void)arg;
	assert_non_null(file);
	scope_init(&scope, instant_never());
	start(&scope, 0, sleep_deep, NULL);
	sweep_to(1);
	assert_int_equal(runtime_dump(fileno(file)), 0);
	expect_shrunk(1);
	rewind(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = '\0';
	fclose(file);
	assert_non_null(strstr(text, "idler"));
	assert_non_null(strstr(text, "waits: sleep"));
	if (can_shrink()) {
		const char *calls = strstr(text, "(shrunk)\n");

		assert_non_null(calls);
		/* What it is in: task_park, task_sleep, five of ours. */
		assert_non_null(strstr(calls, "    #7 "));
	}
	scope_fini(&scope);
	return 0;
}

/* Still there when the runtime ends. */
static int
case_end(void *arg)
{
	(void)arg;
	start(NULL, 0, sleep_long, NULL);
	start(NULL, 1, with_scope, NULL);
	sweep_to(1);
	return 0;
}

static const struct io_case cases[] = {
    {"sleep", case_sleep, true},
    {"pages", case_pages, true},
    {"cancel", case_cancel, true},
    {"a timer that is early", case_lazy_timer, true},
    {"lend", case_lend, true},
    {"lend, deadline and close", case_lend_deadline, true},
    {"recv", case_recv, true},
    {"reader and writer", case_both, true},
    {"a descriptor on the stack", case_descriptor_on_stack, true},
    {"channel", case_channel, true},
    {"shared channel", case_channel_shared, true},
    {"a pointer into the stack", case_pointer, true},
    {"who stays", case_stays, true},
    {"locked memory", case_locked, true},
    {"many", case_many, true},
    {"dump", case_dump, true},
    {"end", case_end, true},
};

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_itself),
	    cmocka_unit_test(test_other_thread),
	};

	return io_test_run(cases, array_count(cases)) +
	    cmocka_run_group_tests(tests, NULL, NULL);
}
