/*
 * io_test.c - waiting, deadlines, cancel and close: alike on every backend
 */
#include "runtime/io/io_test.h"

/* A task that does one call; the result is looked at when it has ended. */
struct caller {
	struct io_fd *io;
	char buffer[64];
	size_t length;
	instant deadline;
	ssize_t result;
	ssize_t next;
	bool ended;
};

static int
caller_recv(void *arg)
{
	struct caller *c = arg;

	c->result = io_recv(c->io, c->buffer, sizeof(c->buffer), c->deadline);
	c->ended = true;
	return 0;
}

static int
caller_recv_twice(void *arg)
{
	struct caller *c = arg;

	c->result = io_recv(c->io, c->buffer, sizeof(c->buffer), c->deadline);
	c->next = io_recv(c->io, c->buffer, sizeof(c->buffer), c->deadline);
	c->ended = true;
	return 0;
}

static int
caller_flood(void *arg)
{
	struct caller *c = arg;
	char *block = calloc(1, 8 << 20);

	c->result = io_send(c->io, block, 8 << 20, &c->length, c->deadline);
	c->ended = true;
	free(block);
	return 0;
}

static void
start(struct scope *scope, task_fn fn, struct caller *c, struct io_fd *io)
{
	*c = (struct caller){.io = io, .deadline = instant_never()};
	assert_int_equal(task_start(scope, "caller", fn, c), 0);
	assert_int_equal(task_yield(), 0);
}

static int
t_partial_reads(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < array_count(pairs); i++) {
		struct caller c;
		struct scope scope;
		struct pair p;

		pairs[i](&p);
		put(p.peer, "0123456789");
		expect_recv(&p.io, 4, "0123");
		expect_recv(&p.io, 4, "4567");
		expect_recv(&p.io, 4, "89"); /* short: used up */
		scope_init(&scope, instant_never());
		start(&scope, caller_recv, &c, &p.io);
		settle();
		assert_false(c.ended);
		put(p.peer, "more");
		assert_int_equal(scope_wait(&scope), 0);
		assert_int_equal(c.result, 4);
		scope_fini(&scope);
		/* A read that fills its buffer exactly, then nothing. */
		put(p.peer, "abcd");
		expect_recv(&p.io, 4, "abcd");
		assert_int_equal(
		    io_recv(&p.io, c.buffer, 4, instant_past()), -ETIMEDOUT);
		pair_close(&p);
	}
	return 0;
}

/* The end comes with, after, or before the reading of the last bytes; it is
 * never lost, whatever edge told of it. */
static int
t_end_of_stream(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < array_count(pairs); i++) {
		for (int when = 0; when < 3; when++) {
			struct pair p;

			pairs[i](&p);
			put(p.peer, "last words");
			if (when == 0)
				peer_shut(p.peer);
			settle();
			if (when == 1)
				peer_shut(p.peer);
			expect_recv(&p.io, 4, "last");
			expect_recv(&p.io, 64, " words");
			if (when == 2)
				peer_shut(p.peer);
			expect_recv(&p.io, 64, "");
			expect_recv(&p.io, 64, "");
			/* Half-closed: the other way is open. */
			assert_int_equal(
			    io_send(&p.io, "x", 1, NULL, after_ms(100)), 1);
			pair_close(&p);
		}
	}
	return 0;
}

static int
t_reset(void *arg)
{
	struct linger linger = {1, 0};
	struct pair p;
	char c;

	(void)arg;
	pair_tcp(&p);
	(void)!socket_option_set(
	    p.peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	socket_close(p.peer);
	p.peer = -1;
	assert_int_equal(io_recv(&p.io, &c, 1, after_ms(1000)), -ECONNRESET);
	assert_int_equal(io_send(&p.io, "x", 1, NULL, after_ms(1000)), -EPIPE);
	pair_close(&p);
	return 0;
}

static struct scope *cancel_scope;

static void
cancel_fire(struct timer *timer)
{
	(void)timer;
	scope_cancel(cancel_scope, 0);
}

/* Bytes and a cancel come in the same turn: the bytes first. */
static int
t_cancel_keeps_bytes(void *arg)
{
	struct timer timer;
	struct scope scope;
	struct caller c;
	struct pair p;

	(void)arg;
	pair_unix(&p);
	scope_init(&scope, instant_never());
	start(&scope, caller_recv_twice, &c, &p.io);
	put(p.peer, "kept");
	cancel_scope = &scope;
	timer_init(&timer, cancel_fire);
	timer_start(&timer, instant_past());
	assert_int_equal(scope_wait(&scope), 0);
	assert_int_equal(c.result, 4);
	assert_memory_equal(c.buffer, "kept", 4);
	assert_int_equal(c.next, -ECANCELED);
	scope_fini(&scope);

	/* A cancelled read takes nothing: the next one has it. */
	scope_init(&scope, instant_never());
	start(&scope, caller_recv, &c, &p.io);
	settle();
	scope_fini(&scope);
	assert_int_equal(c.result, -ECANCELED);
	put(p.peer, "later");
	expect_recv(&p.io, 64, "later");
	pair_close(&p);
	return 0;
}

static int
t_deadline(void *arg)
{
	struct pair p;
	instant before;
	char c;

	(void)arg;
	pair_unix(&p);
	before = clock_now();
	assert_int_equal(io_recv(&p.io, &c, 1, after_ms(5)), -ETIMEDOUT);
	assert_true(instant_since(clock_now(), before).ns >= 5000000);
	assert_int_equal(io_recv(&p.io, &c, 1, instant_past()), -ETIMEDOUT);
	/* It asks the kernel: the loop has not seen this yet. */
	put(p.peer, "ab");
	assert_int_equal(io_recv(&p.io, &c, 1, instant_past()), 1);
	expect_recv(&p.io, 1, "b");
	pair_close(&p);
	pair_unix(&p);
	put(p.peer, "c");
	assert_int_equal(io_read(&p.io, &c, 1, instant_past()), 1);
	pair_close(&p);
	return 0;
}

/* Also of what is received ahead of the reader. */
static int
t_deadline_past(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < array_count(pairs); i++) {
		struct io_lent lent;
		struct pair p;
		char c;

		/* On a simulated network bytes take their time. */
		if (pairs[i] == pair_tcp)
			continue;
		pairs[i](&p);
		for (int turn = 0; turn < 3; turn++) {
			assert_int_equal(
			    io_recv(&p.io, &c, 1, instant_past()), -ETIMEDOUT);
			put(p.peer, "ab");
			assert_int_equal(
			    io_recv(&p.io, &c, 1, instant_past()), 1);
			assert_int_equal(c, 'a');
			expect_recv(&p.io, 4, "b");
			put(p.peer, "c");
			assert_int_equal(
			    io_recv_lend(&p.io, &lent, instant_past()), 1);
			assert_int_equal(lent.memory[0], 'c');
			io_lent_release(&lent);
			put(p.peer, "d");
			assert_int_equal(
			    io_wait(&p.io, IO_IN, instant_past()), IO_IN);
			expect_recv(&p.io, 1, "d");
		}
		pair_close(&p);
	}
	return 0;
}

/* How much of a send that timed out has left is told. */
static int
t_send_deadline(void *arg)
{
	static char block[4 << 20];
	struct pair p;
	size_t sent = 0, got = 0;
	ssize_t r;

	(void)arg;
	pair_unix(&p);
	assert_int_equal(
	    io_send(&p.io, block, sizeof(block), &sent, after_ms(5)),
	    -ETIMEDOUT);
	assert_true(sent > 0 && sent < sizeof(block));
	while ((r = peer_read(p.peer, block, sizeof(block))) > 0)
		got += (size_t)r;
	assert_int_equal(got, sent);
	pair_close(&p);
	return 0;
}

static int
t_busy(void *arg)
{
	struct caller reader, writer;
	struct iovec iov = {(void *)"x", 1};
	struct scope scope;
	struct pair p;
	char c;

	(void)arg;
	pair_unix(&p);
	scope_init(&scope, instant_never());
	start(&scope, caller_recv, &reader, &p.io);
	start(&scope, caller_flood, &writer, &p.io);
	settle();
	assert_int_equal(io_recv(&p.io, &c, 1, instant_never()), -EBUSY);
	assert_int_equal(io_wait(&p.io, IO_IN, instant_never()), -EBUSY);
	assert_int_equal(io_send(&p.io, "x", 1, NULL, instant_never()), -EBUSY);
	assert_int_equal(
	    io_sendv(&p.io, &iov, 1, 0, NULL, instant_never()), -EBUSY);
	scope_fini(&scope);
	assert_int_equal(reader.result, -ECANCELED);
	assert_int_equal(writer.result, -ECANCELED);
	/* Free again. */
	put(p.peer, "y");
	expect_recv(&p.io, 1, "y");
	pair_close(&p);
	return 0;
}

/* Both waiters learn of it, and the memory is gone when they do. */
static int
t_close_wakes(void *arg)
{
	struct pair *p = malloc(sizeof(*p));
	struct caller reader, writer;
	struct scope scope;

	(void)arg;
	pair_unix(p);
	scope_init(&scope, instant_never());
	start(&scope, caller_recv, &reader, &p->io);
	start(&scope, caller_flood, &writer, &p->io);
	settle();
	pair_close(p);
	io_close(&p->io); /* idempotent */
	explicit_bzero(p, sizeof(*p));
	free(p);
	assert_int_equal(scope_wait(&scope), 0);
	assert_int_equal(reader.result, -EBADF);
	assert_int_equal(writer.result, -EBADF);
	scope_fini(&scope);
	return 0;
}

/* Closed and cancelled in one breath: what is in flight ends once. */
static int
t_close_and_cancel(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < array_count(pairs); i++) {
		struct caller reader, writer;
		struct scope scope;
		struct pair p;

		pairs[i](&p);
		scope_init(&scope, instant_never());
		start(&scope, caller_recv, &reader, &p.io);
		start(&scope, caller_flood, &writer, &p.io);
		settle();
		pair_close(&p);
		scope_cancel(&scope, 0);
		scope_fini(&scope);
		assert_true(
		    reader.result == -EBADF || reader.result == -ECANCELED);
		assert_true(
		    writer.result == -EBADF || writer.result == -ECANCELED);
		memset(&reader, 0xff, sizeof(reader));
		settle();
	}
	return 0;
}

/* Closed after a step of a send was completed, before its task ran again. */
static int
t_close_between_steps(void *arg)
{
	static char sink[1 << 20];
	struct caller writer;
	struct scope scope;
	struct pair p;

	(void)arg;
	pair_unix(&p);
	scope_init(&scope, instant_never());
	start(&scope, caller_flood, &writer, &p.io);
	settle();
	assert_false(p.io.writer->done);
	while (peer_read(p.peer, sink, sizeof(sink)) > 0)
		;
	while (!p.io.writer->done)
		assert_int_equal(task_yield(), 0);
	assert_false(writer.ended);
	/* The same memory is the next connection: it must not get the rest. */
	pair_close(&p);
	pair_unix(&p);
	assert_int_equal(scope_wait(&scope), 0);
	assert_int_equal(writer.result, -EBADF);
	assert_true(writer.length > 0);
	assert_true(peer_read(p.peer, sink, sizeof(sink)) < 0);
	pair_close(&p);
	scope_fini(&scope);
	return 0;
}

/* A short read of a message tells nothing about the next message. */
static int
t_datagrams(void *arg)
{
	static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};

	(void)arg;
	for (size_t i = 0; i < array_count(types); i++) {
		struct pair p;
		int fds[2];

		assert_int_equal(
		    socketpair(AF_UNIX, types[i] | SOCK_NONBLOCK, 0, fds), 0);
		assert_int_equal(io_attach(&p.io, fds[0]), 0);
		p.peer = fds[1];
		put(p.peer, "first");
		put(p.peer, "second");
		put(p.peer, "third");
		expect_recv(&p.io, 64, "first");
		expect_recv(&p.io, 64, "second");
		expect_recv(&p.io, 64, "third");
		pair_close(&p);
	}
	return 0;
}

/* The caller reads by itself; a wait must be right after any of it. */
static int
t_wait(void *arg)
{
	static char block[1 << 20];
	struct pair p;
	char c[8];

	(void)arg;
	pair_unix(&p);
	assert_int_equal(io_wait(&p.io, IO_OUT, instant_never()), IO_OUT);
	assert_int_equal(io_wait(&p.io, IO_IN, after_ms(2)), -ETIMEDOUT);
	put(p.peer, "abc");
	assert_int_equal(io_wait(&p.io, IO_IN, after_ms(100)), IO_IN);
	assert_int_equal(read(p.io.fd, c, 1), 1);
	/* Half read: still ready, though no edge comes. */
	assert_int_equal(io_wait(&p.io, IO_IN, after_ms(100)), IO_IN);
	assert_int_equal(read(p.io.fd, c, 8), 2);
	assert_int_equal(io_wait(&p.io, IO_IN, after_ms(2)), -ETIMEDOUT);
	assert_int_equal(io_wait(&p.io, IO_IN | IO_OUT, after_ms(100)), IO_OUT);
	while (write(p.io.fd, block, sizeof(block)) > 0)
		;
	assert_int_equal(
	    io_wait(&p.io, IO_IN | IO_OUT, after_ms(2)), -ETIMEDOUT);
	put(p.peer, "d");
	assert_int_equal(io_wait(&p.io, IO_IN | IO_OUT, after_ms(100)), IO_IN);
	while (peer_read(p.peer, block, sizeof(block)) > 0)
		;
	assert_int_equal(io_wait(&p.io, IO_OUT, after_ms(100)), IO_OUT);
	socket_close(p.peer);
	p.peer = -1;
	assert_int_equal(io_wait(&p.io, IO_IN, after_ms(100)), IO_IN | IO_HUP);
	pair_close(&p);
	return 0;
}

static int
t_peek(void *arg)
{
	struct pair p;
	char c[8];

	(void)arg;
	pair_unix(&p);
	assert_int_equal(io_peek(&p.io, c, 8), -EAGAIN);
	put(p.peer, "ab");
	assert_int_equal(io_peek(&p.io, c, 8), 2);
	expect_recv(&p.io, 64, "ab");
	peer_shut(p.peer);
	assert_int_equal(io_peek(&p.io, c, 8), 0);
	pair_close(&p);
	assert_int_equal(io_peek(&p.io, c, 8), -EBADF);
	return 0;
}

/* 32 operations, then the neighbour. */
static int
budget_flood(void *arg)
{
	struct io_fd io;
	uint64_t one = 1;

	assert_int_equal(io_attach(&io, eventfd(0, EFD_NONBLOCK)), 0);
	for (int i = 0; i < 3200; i++)
		assert_int_equal(io_write(&io, &one, 8, instant_never()), 8);
	io_close(&io);
	*(bool *)arg = true;
	return 0;
}

static int
t_budget(void *arg)
{
	bool ended = false;
	int turns = 0;

	(void)arg;
	assert_int_equal(task_start(NULL, "flood", budget_flood, &ended), 0);
	while (!ended) {
		assert_int_equal(task_yield(), 0);
		turns++;
	}
	assert_true(turns >= 90 && turns <= 110);
	return 0;
}

/* The same for what needs no operation of the backend. */
static int
budget_stream(void *arg)
{
	static char block[1600];
	struct pair p;
	char byte;

	pair_stream(&p);
	for (int i = 1; i <= 1600; i++) {
		assert_int_equal(
		    io_send(&p.io, "x", 1, NULL, instant_never()), 1);
		/* So many a socket takes. */
		if (i % 100 == 0)
			assert_int_equal(
			    peer_read(p.peer, block, sizeof(block)), 100);
	}
	assert_int_equal(peer_write(p.peer, block, sizeof(block)), 1600);
	for (int i = 0; i < 1600; i++)
		assert_int_equal(io_recv(&p.io, &byte, 1, instant_never()), 1);
	pair_close(&p);
	*(bool *)arg = true;
	return 0;
}

static int
t_budget_stream(void *arg)
{
	bool ended = false;
	int turns = 0;

	(void)arg;
	assert_int_equal(task_start(NULL, "flood", budget_stream, &ended), 0);
	while (!ended) {
		assert_int_equal(task_yield(), 0);
		turns++;
	}
	assert_true(turns >= 130);
	return 0;
}

static int
t_attach(void *arg)
{
	int file = memfd_create("file", MFD_CLOEXEC);
	struct io_fd io = IO_FD_NONE;
	struct pair p;
	char c;

	(void)arg;
	io_close(&io);
	assert_int_equal(io_recv(&io, &c, 1, instant_never()), -EBADF);
	assert_int_equal(io_attach(&io, file), -EPERM);
	assert_int_equal(io.fd, -1);
	socket_close(file);
	pair_unix(&p);
	file = p.io.fd;
	assert_int_equal(io_detach(&p.io), file);
	assert_int_equal(io_detach(&p.io), -EBADF);
	put(p.peer, "open");
	assert_int_equal(read(file, &c, 1), 1);
	assert_int_equal(io_attach(&p.io, file), 0);
	expect_recv(&p.io, 64, "pen");
	pair_close(&p);
	return 0;
}

static const struct io_case cases[] = {
    {"partial reads", t_partial_reads, true},
    {"end of stream", t_end_of_stream},
    {"reset", t_reset},
    {"cancel keeps bytes", t_cancel_keeps_bytes},
    {"deadline", t_deadline},
    {"deadline in the past", t_deadline_past, true},
    {"send deadline", t_send_deadline},
    {"busy", t_busy},
    {"close wakes", t_close_wakes},
    {"close and cancel", t_close_and_cancel},
    {"close between steps", t_close_between_steps, true},
    {"datagrams", t_datagrams},
    {"wait", t_wait},
    {"peek", t_peek},
    {"budget", t_budget, true},
    {"budget of a stream", t_budget_stream, true},
    {"attach", t_attach},
};

int
main(void)
{
	return io_test_run(cases, array_count(cases));
}
