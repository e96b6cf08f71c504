/*
 * uring_test.c - the limits of the ring: queues that are full, buffers that
 * are used up, a kernel that says no
 */
#include <dlfcn.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/counters.h"
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

/* ---- plain receives that are answered ahead ---- */

static void
ahead_turns(struct pair *p, int turns)
{
	for (int i = 0; i < turns; i++) {
		put(p->peer, "hello");
		expect_recv(&p->io, 64, "hello");
	}
}

static int
ahead_root(void *arg)
{
	struct pair p;
	char bytes[8];
	int fd;

	(void)arg;
	pair_stream(&p);
	ahead_turns(&p, 2);
	assert_true((p.io.state & URING_ARMED) == 0);
	ahead_turns(&p, 1);
	assert_true((p.io.state & URING_ARMED) != 0);
	/* Nobody asks, and a part is taken at a time. */
	put(p.peer, "first");
	settle();
	assert_int_equal(p.io.unread.count, 1);
	expect_recv(&p.io, 2, "fi");
	expect_recv(&p.io, 64, "rst");
	assert_int_equal(
	    io_recv(&p.io, bytes, sizeof(bytes), instant_past()), -ETIMEDOUT);

	/* Attached anew as what it need not be, it is left alone. */
	fd = io_detach(&p.io);
	assert_true(fd >= 0);
	assert_int_equal(io_attach(&p.io, fd), 0);
	ahead_turns(&p, 8);
	put(p.peer, "mine");
	settle();
	assert_int_equal(read(fd, bytes, sizeof(bytes)), 4);
	pair_close(&p);
	return 0;
}

static void
t_ahead(void **state)
{
	(void)state;
	run(ahead_root);
}

/* A completion has the bytes, and the loop has not had its turn. */
static int
ahead_told_root(void *arg)
{
	struct pair p, other;
	char byte;

	(void)arg;
	pair_stream(&p);
	ahead_turns(&p, 3);
	pair_unix(&other);
	io_watch(&other.io, hook_of_nothing);
	settle();
	put(p.peer, "x");
	/* What it has in the kernel is ended at once. */
	pair_close(&other);
	assert_int_equal(p.io.unread.count, 0);
	assert_int_equal(io_recv(&p.io, &byte, 1, instant_past()), 1);
	pair_close(&p);
	return 0;
}

static void
t_ahead_told(void **state)
{
	(void)state;
	run(ahead_told_root);
}

/* As many messages at once as there are streams: so many buffers, not all. */
static int
ahead_buffers_root(void *arg)
{
	enum { STREAMS = 2 * URING_BUFFERS_FIRST };
	static struct pair p[STREAMS];

	(void)arg;
	for (int i = 0; i < STREAMS; i++) {
		pair_stream(&p[i]);
		ahead_turns(&p[i], 3);
	}
	/* Half of the first are out; more come at once than are left. */
	for (int i = 0; i < STREAMS; i++) {
		put(p[i].peer, "hello");
		if (i == URING_BUFFERS_FIRST / 2 - 1)
			settle();
	}
	settle();
	for (int i = 0; i < STREAMS; i++)
		expect_recv(&p[i].io, 64, "hello");
	assert_true(uring_of(worker_here)->buffer_count <= 2 * STREAMS);
	for (int i = 0; i < STREAMS; i++)
		pair_close(&p[i]);
	return 0;
}

static void
t_ahead_buffers(void **state)
{
	(void)state;
	run(ahead_buffers_root);
}

/* Messages of all sizes, each kind for a while: bulk is received into the
 * caller's memory, and what is small ahead again after that. */
static int
ahead_bulk_root(void *arg)
{
	static const size_t sizes[] = {10, URING_BUFFER_BYTES - 1,
	    URING_BUFFER_BYTES, URING_BUFFER_BYTES + 1, 60000, 100};
	static unsigned char out[60000], in[60000];
	struct pair p;
	uint32_t at = 0;

	(void)arg;
	pair_stream(&p);
	for (int turn = 0; turn < 60; turn++) {
		size_t size = sizes[turn / 5 % array_count(sizes)], got = 0;

		for (size_t i = 0; i < size; i++)
			out[i] = (unsigned char)(at++ * 2654435761u >> 24);
		assert_int_equal(peer_write(p.peer, out, size), size);
		while (got < size) {
			ssize_t n = io_recv(
			    &p.io, in + got, sizeof(in) - got, after_ms(1000));

			assert_true(n > 0);
			got += (size_t)n;
		}
		assert_memory_equal(in, out, size);
		if (turn % 5 == 4)
			assert_int_equal((p.io.state & URING_ARMED) != 0,
			    size < URING_BUFFER_BYTES);
	}
	pair_close(&p);
	return 0;
}

static void
t_ahead_bulk(void **state)
{
	(void)state;
	run(ahead_bulk_root);
}

/* ---- a kernel that takes no requests for a while ---- */

/* How many rings more can be made; the next one is refused. */
static int rings_left = INT_MAX;
static bool refuses;
static unsigned sync_cancels;
/* Of the first call that waited since this was 0. */
static long waited_for;
static uint32_t waited_us;

/* In front of the C library's. */
long
syscall(long number, ...)
{
	static long (*real)(long number, ...);
	long a[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	if (number == SYS_io_uring_enter && refuses && a[1] != 0) {
		errno = EAGAIN;
		return -1;
	}
	if (number == SYS_io_uring_setup && rings_left-- == 0) {
		errno = ENOMEM;
		return -1;
	}
	if (number == SYS_io_uring_enter && a[2] != 0 && waited_for == 0) {
		waited_for = a[2];
		waited_us = ((uint32_t *)a[4])[3];
	}
	if (number == SYS_io_uring_register &&
	    a[1] == IORING_REGISTER_SYNC_CANCEL)
		sync_cancels++;
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

struct refused {
	struct pair pair;
	instant deadline;
	ssize_t result;
	bool ended;
};

static int
refused_task(void *arg)
{
	struct refused *r = arg;
	char byte;

	r->result = io_recv(&r->pair.io, &byte, 1, r->deadline);
	r->ended = true;
	return 0;
}

static void
refused_start(struct scope *scope, struct refused *r, int ms)
{
	pair_unix(&r->pair);
	r->deadline = after_ms(ms);
	assert_int_equal(task_start(scope, "refused", refused_task, r), 0);
}

static struct refused before, queue[URING_SQ_ENTRIES], beyond;

/* The queue is full and stays so. */
static void
refused_fill(struct scope *scope)
{
	refused_start(scope, &before, 40);
	settle();
	refuses = true;
	for (size_t i = 0; i < array_count(queue); i++)
		refused_start(scope, &queue[i], i == 0 ? 40 : 20000);
	assert_int_equal(task_yield(), 0);
	refused_start(scope, &beyond, 20000);
	assert_int_equal(task_yield(), 0);
	assert_true(beyond.ended);
	assert_int_equal(beyond.result, -ENOMEM);
	assert_false(before.ended || queue[0].ended);
}

static unsigned refused_told;

static void
refused_hook(struct io_fd *io, unsigned events)
{
	assert_true((events & IO_IN) != 0);
	io_unwatch(io);
	refused_told++;
}

/* Whoever cannot be told of an edge is told so, or is looked after by the
 * loop; nobody is forgotten. */
static void
refused_edges(void)
{
	struct pair stream, other, late[2];
	struct io_lent lent;
	char byte;

	pair_stream(&stream);
	pair_unix(&other);
	pair_stream(&late[0]);
	pair_unix(&late[1]);
	assert_int_equal(
	    io_read(&other.io, &byte, 1, after_ms(20000)), -ENOMEM);
	assert_int_equal(
	    io_recv_lend(&stream.io, &lent, after_ms(20000)), -ENOMEM);
	put(stream.peer, "lent");
	assert_int_equal(io_recv_lend(&stream.io, &lent, after_ms(20000)), 4);
	io_lent_release(&lent);
	refused_told = 0;
	io_watch(&stream.io, refused_hook);
	io_watch(&other.io, refused_hook);
	io_watch(&late[0].io, refused_hook);
	io_watch(&late[1].io, refused_hook);
	settle();
	assert_int_equal(refused_told, 0);
	put(stream.peer, "x");
	put(other.peer, "x");
	settle();
	assert_int_equal(refused_told, 2);
	/* On a busy machine both deadlines may be late in the same turn. */
	assert_int_equal(task_sleep(duration_ms(60)), 0);
	for (int i = 0; i < 1000 && sync_cancels == 0; i++)
		assert_int_equal(task_sleep(duration_ms(5)), 0);
	refuses = false;
	settle();
	put(late[0].peer, "x");
	put(late[1].peer, "x");
	settle();
	assert_int_equal(refused_told, 4);
	pair_close(&stream);
	pair_close(&other);
	pair_close(&late[0]);
	pair_close(&late[1]);
}

static int
refused_root(void *arg)
{
	struct scope scope;

	(void)arg;
	sync_cancels = 0;
	scope_init(&scope, instant_never());
	refused_fill(&scope);
	refused_edges();
	/* One was the kernel's, one still ours. */
	assert_int_equal(sync_cancels, 1);
	for (size_t i = 1; i < array_count(queue); i++)
		put(queue[i].pair.peer, "x");
	assert_int_equal(scope_wait(&scope), 0);
	scope_fini(&scope);
	assert_int_equal(before.result, -ETIMEDOUT);
	assert_int_equal(queue[0].result, -ETIMEDOUT);
	pair_close(&before.pair);
	pair_close(&beyond.pair);
	for (size_t i = 0; i < array_count(queue); i++) {
		assert_int_equal(queue[i].result, i == 0 ? -ETIMEDOUT : 1);
		pair_close(&queue[i].pair);
	}
	return 0;
}

static void
t_refused(void **state)
{
	(void)state;
	run(refused_root);
}

/* ---- ends of a request that are not the end of its operation ---- */

/* As from the kernel: instead of the request of @op, which it does not have
 * yet, its completion. */
static void
completes_with(struct uring *u, struct io_op *op, int result)
{
	struct io_uring_sqe *last = &u->sqes[(u->sq_tail - 1) & u->sq_mask];

	assert_true(u->sq_tail != u->sq_submitted);
	assert_true(last->user_data == (uintptr_t)op);
	*last = (struct io_uring_sqe){.opcode = IORING_OP_NOP,
	    .fd = -1,
	    .user_data = (uint64_t)URING_NOBODY << 60};
	u->backlog[u->backlog_end++] =
	    (struct io_uring_cqe){.user_data = (uintptr_t)op, .res = result};
}

static int
interrupted_root(void *arg)
{
	static const int results[] = {-EINTR, -ECANCELED, -EAGAIN};
	struct uring *u = uring_of(worker_here);
	struct refused r = {0};
	struct scope scope;

	(void)arg;
	for (size_t i = 0; i < array_count(results); i++) {
		/* Nobody asked for its end: it goes on. */
		scope_init(&scope, instant_never());
		r.ended = false;
		refused_start(&scope, &r, 20000);
		while (r.pair.io.reader == NULL)
			assert_int_equal(task_yield(), 0);
		completes_with(u, r.pair.io.reader, results[i]);
		settle();
		assert_false(r.ended);
		put(r.pair.peer, "x");
		assert_int_equal(scope_wait(&scope), 0);
		assert_int_equal(scope_fini(&scope), 0);
		assert_int_equal(r.result, 1);
		pair_close(&r.pair);
	}
	return 0;
}

static void
t_interrupted(void **state)
{
	(void)state;
	run(interrupted_root);
}

/* ---- waits that gather ---- */

enum { WINDOW_US = 1000, SLEEP_MS = 5 };

/* What the loop asks of the kernel while its only task sleeps; @news: something
 * is there already. */
static void
gathers(int64_t window_ns, bool news)
{
	struct uring *u = uring_of(worker_here);
	struct pair pair;

	pair_stream(&pair);
	io_watch(&pair.io, hook_of_nothing);
	settle();
	waited_for = 0;
	worker_here->now = clock_now();
	u->gather.window_ns = window_ns;
	u->gather.dense = true;
	u->gather.pause = 0;
	u->gather.run_since = worker_here->now;
	if (news)
		put(pair.peer, "x");
	assert_int_equal(task_sleep(duration_ms(SLEEP_MS)), 0);
	pair_close(&pair);
}

static int
gather_root(void *arg)
{
	struct uring *u = uring_of(worker_here);
	uint64_t gathered = counters_here->waits_gathered;

	(void)arg;
	if (!u->min_wait)
		return 0;
	gathers(WINDOW_US * 1000, false);
	assert_int_equal(waited_for, GATHER_ENOUGH);
	assert_int_equal(waited_us, WINDOW_US);
	/* Nothing came, in its window and after it. */
	assert_int_equal(counters_here->waits_gathered, gathered);
	gathers(WINDOW_US * 1000, true);
	assert_int_equal(waited_for, 1);
	/* A timer is not late for it. */
	gathers(20 * SLEEP_MS * INT64_C(1000000), false);
	assert_int_equal(waited_for, GATHER_ENOUGH);
	assert_in_range(waited_us, 1, 2 * SLEEP_MS * 1000);
	return 0;
}

static void
t_gathers(void **state)
{
	struct runtime_options options = {.worker_count = 1,
	    .backend = "io_uring",
	    .gather_ns = WINDOW_US * 1000};

	(void)state;
	if (denied)
		skip();
	assert_int_equal(runtime_run(&options, gather_root, NULL), 0);
}

/* ---- the backend that is chosen ---- */

static int
name_root(void *arg)
{
	*(const char **)arg = runtime_backend();
	return 0;
}

static const char *
chosen(const char *asked, unsigned workers)
{
	struct runtime_options options = {
	    .worker_count = workers, .backend = asked};
	const char *name = NULL;

	assert_int_equal(runtime_run(&options, name_root, &name), 0);
	return name;
}

/* io_uring, where its waits gather. */
static void
t_auto(void **state)
{
	int probed = uring_ring_probe();

	(void)state;
	assert_string_equal(chosen("auto", 1), probed == 1 ? "uring" : "epoll");
	assert_int_equal(runtime_backend_error(), min_of(probed, 0));
	assert_string_equal(chosen(NULL, 1), "epoll");
	assert_int_equal(runtime_backend_error(), 0);
}

/* Enough for the probe and a worker, but not for all. */
static void
t_rings_used_up(void **state)
{
	(void)state;
	if (denied)
		skip();
	rings_left = 2;
	assert_string_equal(chosen("uring", 3), "epoll");
	assert_int_equal(runtime_backend_error(), -ENOMEM);
	rings_left = INT_MAX;
	assert_string_equal(chosen("uring", 3), "uring");
	assert_int_equal(runtime_backend_error(), 0);
}

/* ---- a sandbox ---- */

static int
nothing_root(void *arg)
{
	(void)arg;
	return strcmp(runtime_backend(), "epoll") == 0 ? 7 : 8;
}

static int
denied_child(const char *asked, int error)
{
	struct sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					   offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K,
		SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA)),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {array_count(filter), filter};
	struct runtime_options options = {.worker_count = 1, .backend = asked};
	int result;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return 9;
	result = runtime_run(&options, nothing_root, NULL);
	return runtime_backend_error() == -error ? result : 10;
}

static void
t_denied(void **state)
{
	static const int errors[] = {EPERM, ENOSYS, ENOMEM};

	(void)state;
	for (size_t i = 0; i < 2 * array_count(errors); i++) {
		int status = 0;
		pid_t pid = fork();

		if (pid == 0)
			_exit(denied_child(
			    i % 2 == 0 ? "uring" : "auto", errors[i / 2]));
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
	    cmocka_unit_test(t_ahead),
	    cmocka_unit_test(t_ahead_told),
	    cmocka_unit_test(t_ahead_buffers),
	    cmocka_unit_test(t_ahead_bulk),
	    cmocka_unit_test(t_refused),
	    cmocka_unit_test(t_interrupted),
	    cmocka_unit_test(t_gathers),
	    cmocka_unit_test(t_auto),
	    cmocka_unit_test(t_rings_used_up),
	    cmocka_unit_test(t_denied),
	};

	denied = uring_ring_probe() < 0;
	return cmocka_run_group_tests_name("uring", tests, NULL, NULL);
}
