/*
 * io_many_test.c - many descriptors at once, hooks that stay, and descriptors
 * that are closed by somebody else: alike on every backend
 */
#include <sys/resource.h>

#include "runtime/io/io_test.h"

/* Beyond FD_SETSIZE, and more than two batches of the loop. */
#define MANY_PAIRS 700
#define MANY_FD    1024

struct many {
	struct io_fd in;
	int out;
	int got;
	bool echo;
};
static struct many many[MANY_PAIRS];

static int
many_reader(void *arg)
{
	struct many *m = arg;
	char bytes[8];

	while (io_recv(&m->in, bytes, sizeof(bytes), instant_never()) > 0) {
		m->got++;
		/* At once something for the next turn. */
		if (m->echo)
			put(m->out, "x");
	}
	return 0;
}

static void
many_open(struct scope *scope, bool echo)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int i = 0; i < MANY_PAIRS; i++) {
		int fds[2];

		assert_int_equal(
		    socketpair(AF_UNIX,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
		    0);
		many[i] = (struct many){.out = fds[1], .echo = echo};
		assert_int_equal(io_attach(&many[i].in, fds[0]), 0);
		assert_int_equal(
		    task_start(scope, "many", many_reader, &many[i]), 0);
	}
	assert_true(many[MANY_PAIRS - 1].out > MANY_FD);
}

static void
many_close(struct scope *scope)
{
	scope_fini(scope);
	for (int i = 0; i < MANY_PAIRS; i++) {
		io_close(&many[i].in);
		socket_close(many[i].out);
	}
}

static void
many_await(int total)
{
	for (int ms = 0; ms < 5000; ms++) {
		int got = 0;

		for (int i = 0; i < MANY_PAIRS; i++)
			got += many[i].got;
		if (got >= total)
			break;
		assert_int_equal(task_sleep(duration_ms(1)), 0);
	}
}

static int
t_many(void *arg)
{
	const int few = (MANY_PAIRS + 96) / 97;

	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	many_open(&scope, false);
	settle();
	/* One of many, wherever it stands. */
	for (int i = 0; i < MANY_PAIRS; i += 97)
		put(many[i].out, "x");
	many_await(few);
	for (int i = 0; i < MANY_PAIRS; i++)
		assert_int_equal(many[i].got, i % 97 == 0);
	/* Some leave, from the middle; the others are still heard. */
	for (int i = 0; i < MANY_PAIRS; i += 2)
		io_close(&many[i].in);
	for (int i = 1; i < MANY_PAIRS; i += 2)
		put(many[i].out, "x");
	many_await(few + MANY_PAIRS / 2);
	for (int i = 1; i < MANY_PAIRS; i += 2)
		assert_int_equal(many[i].got, 1 + (i % 97 == 0));
	many_close(&scope);
	return 0;
}

/* All are ready at every turn, more than a batch holds: each gets its share. */
static int
t_many_ready(void *arg)
{
	struct scope scope;
	int low = 0, high = 0;

	(void)arg;
	scope_init(&scope, instant_never());
	many_open(&scope, true);
	for (int i = 0; i < MANY_PAIRS; i++)
		put(many[i].out, "x");
	for (int turn = 0; turn < 5000 && low < 10; turn++) {
		assert_int_equal(task_yield(), 0);
		low = INT32_MAX;
		for (int i = 0; i < MANY_PAIRS; i++)
			low = min_of(low, many[i].got);
	}
	for (int i = 0; i < MANY_PAIRS; i++)
		high = max_of(high, many[i].got);
	assert_true(low >= 10);
	assert_true(high <= 2 * low);
	many_close(&scope);
	return 0;
}

static struct stays {
	struct pair pair;
	int calls;
	unsigned events;
	bool reads;
} stays;

static void
stays_hook(struct io_fd *io, unsigned events)
{
	char c[8];

	stays.calls++;
	stays.events = events;
	while (stays.reads && read(io->fd, c, sizeof(c)) > 0)
		;
}

/* A hook that leaves bytes unread does not keep the worker busy, and is told
 * of the end all the same; one that reads by itself is told of all. */
static int
t_hook_stays(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < array_count(pairs); i++) {
		memset(&stays, 0, sizeof(stays));
		pairs[i](&stays.pair);
		io_watch(&stays.pair.io, stays_hook);
		put(stays.pair.peer, "unread");
		assert_int_equal(task_sleep(duration_ms(30)), 0);
		assert_true(stays.calls >= 1 && stays.calls <= 10);
		assert_int_equal(stays.events & IO_HUP, 0);
		peer_shut(stays.pair.peer);
		assert_int_equal(task_sleep(duration_ms(30)), 0);
		assert_true((stays.events & IO_HUP) != 0);
		pair_close(&stays.pair);

		memset(&stays, 0, sizeof(stays));
		stays.reads = true;
		pairs[i](&stays.pair);
		io_watch(&stays.pair.io, stays_hook);
		for (int k = 0; k < 5; k++) {
			int before = stays.calls;

			put(stays.pair.peer, "read");
			for (int ms = 0; ms < 100 && stays.calls == before;
			     ms++)
				assert_int_equal(task_sleep(duration_ms(1)), 0);
			assert_true(stays.calls > before);
		}
		pair_close(&stays.pair);
	}
	return 0;
}

static int
stays_closed_reader(void *arg)
{
	char c;

	return (int)io_recv(arg, &c, 1, after_ms(2000));
}

/* Somebody closed the number of a descriptor without a word. epoll forgets it
 * silently; whoever hands the kernel a set must get past it. */
static int
t_closed_behind(void *arg)
{
	struct scope scope;
	struct pair bad, good;

	(void)arg;
	if (strcmp(runtime_backend(), "poll") != 0 &&
	    strcmp(runtime_backend(), "select") != 0)
		return 0;
	pair_unix(&bad);
	pair_unix(&good);
	scope_init(&scope, instant_never());
	assert_int_equal(
	    task_start(&scope, "bad", stays_closed_reader, &bad.io), 0);
	settle();
	socket_close(bad.io.fd);
	put(good.peer, "good");
	expect_recv(&good.io, 64, "good");
	assert_int_equal(scope_wait(&scope), -EBADF);
	scope_fini(&scope);
	/* Only the number is left of it. */
	assert_true(io_detach(&bad.io) >= 0);
	pair_close(&bad);
	pair_close(&good);
	return 0;
}

static const struct io_case cases[] = {
    {"many descriptors", t_many},
    {"many ready", t_many_ready, true},
    {"hook stays", t_hook_stays},
    {"closed behind our back", t_closed_behind},
};

int
main(void)
{
	return io_test_run(cases, array_count(cases));
}
