/*
 * uring_test.c - the limits of the ring: queues that are full, buffers that
 * are used up, a kernel that says no
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "runtime/io/io_test.h"
#include "runtime/io/uring.h"

static bool denied;

static void
run(task_fn root)
{
	struct runtime_options options = {
	    .worker_count = 1, .backend = "io_uring"};

	if (denied)
		skip();
	assert_int_equal(runtime_run(&options, root, NULL), 0);
	assert_string_equal(runtime_backend(), "uring");
}

/* ---- more at once than a queue holds ---- */

enum { CROWD = URING_SQ_ENTRIES + 200 };

static int crowd_ended;

static int
crowd_task(void *arg)
{
	char byte;

	assert_int_equal(io_recv(arg, &byte, 1, after_ms(20000)), 1);
	crowd_ended++;
	return 0;
}

static int
crowd_root(void *arg)
{
	static struct pair crowd[CROWD];
	struct scope scope;

	(void)arg;
	crowd_ended = 0;
	scope_init(&scope, instant_never());
	for (int i = 0; i < CROWD; i++) {
		pair_unix(&crowd[i]);
		assert_int_equal(
		    task_start(&scope, "crowd", crowd_task, &crowd[i].io), 0);
	}
	settle();
	assert_int_equal(crowd_ended, 0);
	for (int i = 0; i < CROWD; i++)
		put(crowd[i].peer, "x");
	assert_int_equal(scope_wait(&scope), 0);
	scope_fini(&scope);
	assert_int_equal(crowd_ended, CROWD);
	for (int i = 0; i < CROWD; i++)
		pair_close(&crowd[i]);
	return 0;
}

static void
t_submissions_full(void **state)
{
	(void)state;
	run(crowd_root);
}

enum { EDGES = URING_CQ_ENTRIES + 1000 };

static struct edge {
	struct io_fd io;
	int told;
} * edges;
static int edges_told;

static void
edge_hook(struct io_fd *io, unsigned events)
{
	struct edge *edge = container_of(io, struct edge, io);

	assert_true((events & IO_IN) != 0);
	if (edge->told++ == 0)
		edges_told++;
}

static int
edges_root(void *arg)
{
	instant end = after_ms(20000);
	uint64_t one = 1;

	(void)arg;
	edges = calloc(EDGES, sizeof(*edges));
	edges_told = 0;
	for (int i = 0; i < EDGES; i++) {
		int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

		assert_int_equal(io_attach(&edges[i].io, fd), 0);
		io_watch(&edges[i].io, edge_hook);
	}
	settle();
	for (int i = 0; i < EDGES; i++)
		assert_int_equal(write(edges[i].io.fd, &one, 8), 8);
	while (edges_told < EDGES && instant_before(clock_now(), end))
		settle();
	assert_int_equal(edges_told, EDGES);
	/* A poll that the flood ended was started anew. */
	for (int i = 0; i < EDGES; i++)
		assert_int_equal(write(edges[i].io.fd, &one, 8), 8);
	for (int i = 0; i < EDGES; i++) {
		while (edges[i].told < 2 && instant_before(clock_now(), end))
			settle();
		assert_true(edges[i].told >= 2);
		io_close(&edges[i].io);
	}
	free(edges);
	return 0;
}

static void
t_completions_full(void **state)
{
	(void)state;
	run(edges_root);
}

/* ---- buffers ---- */

static void
hook_of_nothing(struct io_fd *io, unsigned events)
{
	(void)io;
	(void)events;
}

/* What nobody reads is not received for ever, and nothing is lost of it. */
static int
unread_root(void *arg)
{
	static char block[1 << 20];
	size_t sent = 0, got = 0;
	struct pair p;
	ssize_t n;

	(void)arg;
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)(i * 7 + (i >> 8));
	pair_stream(&p);
	io_watch(&p.io, hook_of_nothing);
	/* Small messages: a receive that fills its buffer ends by itself. */
	for (int turn = 0; turn < 100; turn++) {
		for (int i = 0; i < 100; i++) {
			n = write(p.peer, block + sent, 100);
			sent += n > 0 ? (size_t)n : 0;
		}
		assert_int_equal(task_yield(), 0);
		assert_true(p.io.unread.count <= URING_UNREAD_BUFFERS + 1);
	}
	settle();
	while (got < sent) {
		char part[999];

		n = io_recv(&p.io, part, sizeof(part), after_ms(1000));
		assert_true(n > 0);
		assert_memory_equal(part, block + got, (size_t)n);
		got += (size_t)n;
	}
	assert_int_equal(io_recv(&p.io, block, 1, instant_past()), -ETIMEDOUT);
	pair_close(&p);
	return 0;
}

static void
t_unread_bounded(void **state)
{
	(void)state;
	run(unread_root);
}

static void
until_readable(struct io_fd *io)
{
	instant end = after_ms(10000);

	while ((io->ready & IO_IN) == 0 && instant_before(clock_now(), end))
		settle();
	assert_true((io->ready & IO_IN) != 0);
}

/* Everybody is told, also those for whom no buffer is left. */
static int
starved_root(void *arg)
{
	enum { STREAMS = URING_BUFFERS + 100 };
	static struct starved {
		struct pair pair;
	} s[STREAMS];
	char text[16], got[16];

	(void)arg;
	for (int i = 0; i < STREAMS; i++) {
		pair_stream(&s[i].pair);
		io_watch(&s[i].pair.io, hook_of_nothing);
	}
	settle();
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < STREAMS; i++) {
			snprintf(text, sizeof(text), "%d", i);
			put(s[i].pair.peer, text);
		}
		for (int i = 0; i < STREAMS; i++) {
			struct io_lent lent;
			ssize_t n;

			snprintf(text, sizeof(text), "%d", i);
			until_readable(&s[i].pair.io);
			if (round == 0) {
				n = io_recv(&s[i].pair.io, got, sizeof(got),
				    after_ms(1000));
			} else {
				n = io_recv_lend(
				    &s[i].pair.io, &lent, after_ms(1000));
				memcpy(got, lent.memory, (size_t)n);
				io_lent_release(&lent);
			}
			assert_int_equal(n, strlen(text));
			assert_memory_equal(got, text, (size_t)n);
			io_watch(&s[i].pair.io, hook_of_nothing);
		}
		settle();
	}
	for (int i = 0; i < STREAMS; i++)
		pair_close(&s[i].pair);
	return 0;
}

static void
t_buffers_used_up(void **state)
{
	(void)state;
	run(starved_root);
}

/* ---- a sandbox ---- */

static int
nothing_root(void *arg)
{
	(void)arg;
	return strcmp(runtime_backend(), "epoll") == 0 ? 7 : 8;
}

static int
denied_child(int error)
{
	struct sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					   offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K,
		SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA)),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {array_count(filter), filter};
	struct runtime_options options = {
	    .worker_count = 1, .backend = "uring"};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return 9;
	return runtime_run(&options, nothing_root, NULL);
}

static void
t_denied(void **state)
{
	static const int errors[] = {EPERM, ENOSYS, ENOMEM};

	(void)state;
	for (size_t i = 0; i < array_count(errors); i++) {
		int status = 0;
		pid_t pid = fork();

		if (pid == 0)
			_exit(denied_child(errors[i]));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 7);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(t_submissions_full),
	    cmocka_unit_test(t_completions_full),
	    cmocka_unit_test(t_unread_bounded),
	    cmocka_unit_test(t_buffers_used_up),
	    cmocka_unit_test(t_denied),
	};

	denied = uring_ring_probe() < 0;
	return cmocka_run_group_tests_name("uring", tests, NULL, NULL);
}
