/*
 * io_test.c - what every backend must do alike
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/clock.h"
#include "runtime/io.h"
#include "runtime/io_backend.h"
#include "runtime/runtime.h"
#include "runtime/timer.h"

static const char *const backends[] = {"epoll"};

static instant
after_ms(int64_t ms)
{
	return instant_after(clock_now(), duration_ms(ms));
}

/* Two ends, ours attached, the peer's plain (and non-blocking). */
struct pair {
	struct io_fd io;
	int peer;
};

static void
pair_unix(struct pair *pair)
{
	int fds[2];

	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
	assert_int_equal(io_attach(&pair->io, fds[0]), 0);
	pair->peer = fds[1];
}

static int
tcp_listener(struct sockaddr_in *ret_address)
{
	socklen_t length = sizeof(*ret_address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*ret_address = (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_true(fd >= 0);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)ret_address, sizeof(*ret_address)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(
	    getsockname(fd, (struct sockaddr *)ret_address, &length), 0);
	return fd;
}

static void
pair_tcp(struct pair *pair)
{
	struct sockaddr_in address;
	int listener = tcp_listener(&address);
	struct io_fd l;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(io_attach(&l, listener), 0);
	assert_int_equal(io_attach(&pair->io, fd), 0);
	assert_int_equal(io_connect(&pair->io, (struct sockaddr *)&address,
			     sizeof(address), after_ms(1000)),
	    0);
	pair->peer = io_accept(&l, NULL, NULL, after_ms(1000));
	assert_true(pair->peer >= 0);
	io_close(&l);
}

static void
pair_close(struct pair *pair)
{
	io_close(&pair->io);
	if (pair->peer >= 0)
		close(pair->peer);
	pair->peer = -1;
}

static void (*const pairs[])(struct pair *) = {pair_unix, pair_tcp};

/* Let the loop poll, so that edges become ready bits. */
static void
settle(void)
{
	assert_int_equal(task_sleep(duration_ms(3)), 0);
}

static void
put(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void
expect_recv(struct io_fd *io, size_t room, const char *text)
{
	char buffer[64];
	ssize_t length;

	assert_true(room <= sizeof(buffer));
	length = io_recv(io, buffer, room, after_ms(1000));
	assert_int_equal(length, strlen(text));
	assert_memory_equal(buffer, text, (size_t)length);
}

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
				shutdown(p.peer, SHUT_WR);
			settle();
			if (when == 1)
				shutdown(p.peer, SHUT_WR);
			expect_recv(&p.io, 4, "last");
			expect_recv(&p.io, 64, " words");
			if (when == 2)
				shutdown(p.peer, SHUT_WR);
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
	setsockopt(p.peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(p.peer);
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
	put(p.peer, "ab");
	settle();
	assert_int_equal(io_recv(&p.io, &c, 1, instant_past()), 1);
	expect_recv(&p.io, 1, "b");
	pair_close(&p);
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
	while ((r = read(p.peer, block, sizeof(block))) > 0)
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
	while (read(p.peer, sink, sizeof(sink)) > 0)
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
	assert_true(read(p.peer, sink, sizeof(sink)) < 0);
	pair_close(&p);
	scope_fini(&scope);
	return 0;
}

/*
 * Two descriptors are ready in the same batch. The hook of whichever comes
 * first closes the other and opens a new one with its number: the event that
 * is still in the batch must not reach it.
 */
static struct reuse {
	struct pair pair[2];
	struct pair fresh;
	int calls;
	int fresh_calls;
} reuse;

static void
reuse_fresh_hook(struct io_fd *io, unsigned events)
{
	(void)io;
	(void)events;
	reuse.fresh_calls++;
}

static void
reuse_hook(struct io_fd *io, unsigned events)
{
	struct pair *other = &reuse.pair[io == &reuse.pair[0].io];
	int number = other->io.fd;
	int fds[2];

	assert_true((events & IO_IN) != 0);
	reuse.calls++;
	io->on_ready = NULL;
	io_close(&other->io);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	if (fds[0] != number) {
		assert_int_equal(dup2(fds[0], number), number);
		fcntl(number, F_SETFL, O_NONBLOCK);
		close(fds[0]);
	}
	assert_int_equal(io_attach(&reuse.fresh.io, number), 0);
	io_watch(&reuse.fresh.io, reuse_fresh_hook);
	reuse.fresh.peer = fds[1];
}

static int
t_stale_event(void *arg)
{
	(void)arg;
	memset(&reuse, 0, sizeof(reuse));
	for (int i = 0; i < 2; i++) {
		pair_unix(&reuse.pair[i]);
		io_watch(&reuse.pair[i].io, reuse_hook);
	}
	settle();
	put(reuse.pair[0].peer, "a");
	put(reuse.pair[1].peer, "b");
	settle();
	assert_int_equal(reuse.calls, 1);
	assert_int_equal(reuse.fresh_calls, 0);
	put(reuse.fresh.peer, "c");
	settle();
	assert_int_equal(reuse.fresh_calls, 1);
	pair_close(&reuse.pair[0]);
	pair_close(&reuse.pair[1]);
	pair_close(&reuse.fresh);
	return 0;
}

/* Deterministic content, so that a hole or a repetition shows. */
static uint8_t
pattern(size_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

struct drain {
	int fd;
	size_t length;
	bool failed;
	bool slow;
};

static int
drain_task(void *arg)
{
	struct drain *d = arg;
	uint8_t block[4096];
	struct io_fd io;
	ssize_t r;

	assert_int_equal(io_attach(&io, d->fd), 0);
	while ((r = io_recv(&io, block, sizeof(block), after_ms(2000))) > 0) {
		for (ssize_t i = 0; i < r; i++)
			d->failed |= block[i] != pattern(d->length + (size_t)i);
		d->length += (size_t)r;
		if (d->slow && d->length % 7 == 0 &&
		    task_sleep(duration_ms(1)) < 0)
			break;
	}
	io_close(&io);
	return (int)r;
}

static void
small_buffer(int fd)
{
	int bytes = 4096;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static int
pattern_file(size_t length)
{
	int fd = memfd_create("pattern", MFD_CLOEXEC);
	uint8_t *memory = malloc(length);

	for (size_t i = 0; i < length; i++)
		memory[i] = pattern(i);
	assert_int_equal(write(fd, memory, length), length);
	free(memory);
	return fd;
}

static int
t_sendfile(void *arg)
{
	const size_t length = 300000;
	int file = pattern_file(length);
	struct drain d = {.slow = true};
	struct scope scope;
	off_t offset = 0;
	struct pair p;

	(void)arg;
	pair_tcp(&p);
	small_buffer(p.io.fd);
	d.fd = p.peer;
	p.peer = -1;
	scope_init(&scope, instant_never());
	assert_int_equal(task_start(&scope, "drain", drain_task, &d), 0);
	assert_int_equal(
	    io_sendfile(&p.io, file, &offset, 100000, after_ms(2000)), 100000);
	assert_int_equal(offset, 100000);
	/* More than there is: what there is. */
	assert_int_equal(
	    io_sendfile(&p.io, file, &offset, 1000000, after_ms(2000)), 200000);
	assert_int_equal(
	    io_sendfile(&p.io, file, &offset, 1, after_ms(2000)), 0);
	io_close(&p.io);
	assert_int_equal(scope_wait(&scope), 0);
	assert_int_equal(d.length, length);
	assert_false(d.failed);
	scope_fini(&scope);
	close(file);
	return 0;
}

/* Source and sink in their own tasks, the splicing in ours. */
struct source {
	int fd;
	size_t length;
};

static int
source_task(void *arg)
{
	struct source *s = arg;
	uint8_t *memory = malloc(s->length);
	struct io_fd io;
	ssize_t r;

	for (size_t i = 0; i < s->length; i++)
		memory[i] = pattern(i);
	assert_int_equal(io_attach(&io, s->fd), 0);
	r = io_send(&io, memory, s->length, NULL, after_ms(5000));
	io_close(&io);
	free(memory);
	return r < 0 ? (int)r : 0;
}

static int
t_splice(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < array_count(pairs); i++) {
		struct source s = {.length = 700001};
		struct drain d = {.slow = true};
		struct scope scope;
		struct pair in, out;
		bool failed;
		ssize_t r;

		pairs[i](&in);
		pairs[i](&out);
		small_buffer(out.io.fd);
		s.fd = in.peer;
		d.fd = out.peer;
		in.peer = out.peer = -1;
		scope_init(&scope, instant_never());
		assert_int_equal(
		    task_start(&scope, "drain", drain_task, &d), 0);
		assert_int_equal(
		    task_start(&scope, "source", source_task, &s), 0);
		while ((r = io_splice(&in.io, &out.io, 1 << 20, &failed,
			    after_ms(5000))) > 0)
			;
		assert_int_equal(r, 0);
		assert_false(failed);
		pair_close(&in);
		pair_close(&out);
		assert_int_equal(scope_wait(&scope), 0);
		assert_int_equal(d.length, s.length);
		assert_false(d.failed);
		scope_fini(&scope);
	}
	return 0;
}

static int
t_splice_failures(void *arg)
{
	struct pair in, out;
	bool failed;
	char got[8];

	(void)arg;
	pair_unix(&in);
	pair_unix(&out);
	/* Nothing came: nobody's fault. */
	assert_int_equal(
	    io_splice(&in.io, &out.io, 100, &failed, after_ms(2)), -ETIMEDOUT);
	assert_false(failed);
	close(out.peer);
	out.peer = -1;
	put(in.peer, "lost");
	assert_int_equal(
	    io_splice(&in.io, &out.io, 100, &failed, after_ms(100)), -EPIPE);
	assert_true(failed);
	pair_close(&out);
	/* The pipe with the lost bytes is not used again. */
	pair_unix(&out);
	put(in.peer, "next");
	assert_int_equal(
	    io_splice(&in.io, &out.io, 100, &failed, after_ms(100)), 4);
	assert_false(failed);
	assert_int_equal(read(out.peer, got, sizeof(got)), 4);
	assert_memory_equal(got, "next", 4);
	pair_close(&in);
	pair_close(&out);
	return 0;
}

static int
t_connect(void *arg)
{
	struct sockaddr_in address;
	int listener = tcp_listener(&address);
	struct io_fd io, l;
	int fd;

	(void)arg;
	/* Attached a while before it connects: an unconnected socket counts as
	 * hung up. */
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(io_attach(&io, fd), 0);
	settle();
	assert_int_equal(io_connect(&io, (struct sockaddr *)&address,
			     sizeof(address), after_ms(1000)),
	    0);
	assert_int_equal(io_attach(&l, listener), 0);
	fd = io_accept(&l, NULL, NULL, after_ms(1000));
	assert_true(fd >= 0);
	assert_int_equal(io.ready & IO_HUP, 0);
	put(fd, "hello");
	expect_recv(&io, 64, "hello");
	assert_int_equal(io_recv(&io, &(char){0}, 1, after_ms(2)), -ETIMEDOUT);
	io_close(&io);
	io_close(&l);
	close(fd);

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(io_attach(&io, fd), 0);
	assert_int_equal(io_connect(&io, (struct sockaddr *)&address,
			     sizeof(address), after_ms(1000)),
	    -ECONNREFUSED);
	io_close(&io);
	return 0;
}

static int
t_connect_unix(void *arg)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	socklen_t length = sizeof(address);
	struct io_fd io;
	int fd;

	(void)arg;
	/* An abstract name of the kernel's choice. */
	assert_int_equal(
	    bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)),
	    0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(
	    getsockname(listener, (struct sockaddr *)&address, &length), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(io_attach(&io, fd), 0);
	settle();
	assert_int_equal(
	    io_connect(&io, (struct sockaddr *)&address, length, after_ms(9)),
	    0);
	assert_int_equal(io_send(&io, "at once", 7, NULL, after_ms(50)), 7);
	fd = accept(listener, NULL, NULL);
	put(fd, "answer");
	expect_recv(&io, 64, "answer");
	io_close(&io);
	close(fd);
	close(listener);
	return 0;
}

static int
t_accept(void *arg)
{
	struct sockaddr_in address, peer, own;
	int listener = tcp_listener(&address);
	int clients[5], fd;
	socklen_t length;
	struct io_fd l;

	(void)arg;
	assert_int_equal(io_attach(&l, listener), 0);
	assert_int_equal(io_accept(&l, NULL, NULL, after_ms(3)), -ETIMEDOUT);
	for (int i = 0; i < 5; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(
		    connect(clients[i], (struct sockaddr *)&address,
			sizeof(address)),
		    0);
	}
	for (int i = 0; i < 5; i++) {
		length = sizeof(peer);
		fd = io_accept(
		    &l, (struct sockaddr *)&peer, &length, after_ms(1000));
		assert_true(fd >= 0);
		assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
		assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
		length = sizeof(own);
		getsockname(clients[i], (struct sockaddr *)&own, &length);
		assert_int_equal(peer.sin_port, own.sin_port);
		close(fd);
	}
	assert_int_equal(io_accept(&l, NULL, NULL, after_ms(3)), -ETIMEDOUT);
	for (int i = 0; i < 5; i++)
		close(clients[i]);
	io_close(&l);
	return 0;
}

/* What an idle connection does: no task until bytes come. */
static struct idle {
	struct pair pair;
	int calls;
	unsigned events;
	char got[64];
	bool close_it;
} idle;

static int
idle_serve(void *arg)
{
	ssize_t r = io_recv(
	    &idle.pair.io, idle.got, sizeof(idle.got) - 1, after_ms(100));

	(void)arg;
	idle.got[r > 0 ? r : 0] = '\0';
	return 0;
}

static void
idle_hook(struct io_fd *io, unsigned events)
{
	idle.calls++;
	idle.events = events;
	io_watch(io, NULL);
	if (idle.close_it)
		io_close(io);
	else
		assert_int_equal(
		    task_start(NULL, "serve", idle_serve, NULL), 0);
}

static int
t_watch(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < array_count(pairs); i++) {
		memset(&idle, 0, sizeof(idle));
		pairs[i](&idle.pair);
		io_watch(&idle.pair.io, idle_hook);
		settle();
		assert_int_equal(idle.calls, 0);
		put(idle.pair.peer, "request");
		settle();
		assert_int_equal(idle.calls, 1);
		assert_string_equal(idle.got, "request");
		/* Bytes that were there before: known at once, called later. */
		put(idle.pair.peer, "early");
		settle();
		io_watch(&idle.pair.io, idle_hook);
		assert_int_equal(idle.calls, 1);
		settle();
		assert_int_equal(idle.calls, 2);
		assert_string_equal(idle.got, "early");
		/* A read that ends exactly with the data: no false call. */
		put(idle.pair.peer, "1234");
		expect_recv(&idle.pair.io, 4, "1234");
		io_watch(&idle.pair.io, idle_hook);
		settle();
		assert_int_equal(idle.calls, 2);
		/* The peer leaves, and the hook closes. */
		idle.close_it = true;
		shutdown(idle.pair.peer, SHUT_WR);
		settle();
		assert_int_equal(idle.calls, 3);
		assert_true((idle.events & IO_HUP) != 0);
		assert_int_equal(idle.pair.io.fd, -1);
		pair_close(&idle.pair);
	}
	return 0;
}

/* Watched and closed in one breath: the hook must not see it. */
static int
t_watch_close(void *arg)
{
	struct pair *p = malloc(sizeof(*p));

	(void)arg;
	memset(&idle, 0, sizeof(idle));
	pair_unix(p);
	put(p->peer, "x");
	settle();
	io_watch(&p->io, idle_hook);
	pair_close(p);
	explicit_bzero(p, sizeof(*p));
	free(p);
	settle();
	assert_int_equal(idle.calls, 0);
	return 0;
}

static int
t_pipe(void *arg)
{
	struct io_fd in, out;
	char buffer[64];
	int fds[2];

	(void)arg;
	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(io_attach(&in, fds[0]), 0);
	assert_int_equal(io_attach(&out, fds[1]), 0);
	assert_int_equal(io_read(&in, buffer, 64, after_ms(2)), -ETIMEDOUT);
	assert_int_equal(io_write(&out, "one", 3, instant_never()), 3);
	assert_int_equal(io_write(&out, "two", 3, instant_never()), 3);
	assert_int_equal(io_read(&in, buffer, 64, after_ms(100)), 6);
	io_close(&out);
	assert_int_equal(io_read(&in, buffer, 64, after_ms(100)), 0);
	io_close(&in);

	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(io_attach(&out, fds[1]), 0);
	close(fds[0]);
	assert_int_equal(io_write(&out, "x", 1, after_ms(100)), -EPIPE);
	io_close(&out);
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
	while (read(p.peer, block, sizeof(block)) > 0)
		;
	assert_int_equal(io_wait(&p.io, IO_OUT, after_ms(100)), IO_OUT);
	close(p.peer);
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
	shutdown(p.peer, SHUT_WR);
	assert_int_equal(io_peek(&p.io, c, 8), 0);
	pair_close(&p);
	assert_int_equal(io_peek(&p.io, c, 8), -EBADF);
	return 0;
}

static int
t_sendv(void *arg)
{
	enum { PIECES = 3000, PIECE = 101 };
	static uint8_t memory[PIECES * PIECE];
	static struct iovec iov[PIECES + 2];
	struct drain d = {.slow = true};
	struct scope scope;
	size_t sent = 0;
	struct pair p;

	(void)arg;
	for (size_t i = 0; i < sizeof(memory); i++)
		memory[i] = pattern(i);
	iov[0] = (struct iovec){NULL, 0};
	for (size_t i = 0; i < PIECES; i++)
		iov[i + 1] = (struct iovec){memory + i * PIECE, PIECE};
	iov[PIECES + 1] = (struct iovec){memory, 0};
	pair_unix(&p);
	small_buffer(p.io.fd);
	d.fd = p.peer;
	p.peer = -1;
	scope_init(&scope, instant_never());
	assert_int_equal(task_start(&scope, "drain", drain_task, &d), 0);
	assert_int_equal(
	    io_sendv(&p.io, iov, PIECES + 2, 0, &sent, after_ms(2000)),
	    sizeof(memory));
	assert_int_equal(sent, sizeof(memory));
	io_close(&p.io);
	assert_int_equal(scope_wait(&scope), 0);
	assert_int_equal(d.length, sizeof(memory));
	assert_false(d.failed);
	scope_fini(&scope);
	return 0;
}

static int
t_messages(void *arg)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char text[8];
	struct iovec iov = {(void *)"fd", 2};
	struct msghdr message = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	struct pair p, q;
	int passed;

	(void)arg;
	pair_unix(&p);
	assert_int_equal(io_attach(&q.io, p.peer), 0);
	p.peer = -1;
	control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
	    .cmsg_type = SCM_RIGHTS,
	    .cmsg_len = CMSG_LEN(sizeof(int))};
	memcpy(CMSG_DATA(&control.header), &p.io.fd, sizeof(int));
	assert_int_equal(io_sendmsg(&p.io, &message, 0, after_ms(100)), 2);
	iov = (struct iovec){text, sizeof(text)};
	memset(&control, 0, sizeof(control));
	message.msg_controllen = sizeof(control);
	assert_int_equal(io_recvmsg(&q.io, &message, 0, after_ms(100)), 2);
	memcpy(&passed, CMSG_DATA(&control.header), sizeof(int));
	assert_true((fcntl(passed, F_GETFD) & FD_CLOEXEC) != 0);
	close(passed);
	io_close(&p.io);
	io_close(&q.io);
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
	close(file);
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

/* Nobody else is ready: signals reach us through a descriptor. */
static int
t_signals(void *arg)
{
	char info[128];
	struct io_fd io;

	assert_int_equal(io_attach(&io, *(int *)arg), 0);
	assert_int_equal(
	    io_read(&io, info, sizeof(info), after_ms(2)), -ETIMEDOUT);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	assert_int_equal(io_read(&io, info, sizeof(info), after_ms(100)), 128);
	assert_int_equal(io_read(&io, info, sizeof(info), after_ms(100)), 128);
	io_close(&io);
	return 0;
}

static const struct io_case {
	const char *name;
	task_fn root;
} cases[] = {
    {"partial reads", t_partial_reads},
    {"end of stream", t_end_of_stream},
    {"reset", t_reset},
    {"cancel keeps bytes", t_cancel_keeps_bytes},
    {"deadline", t_deadline},
    {"send deadline", t_send_deadline},
    {"busy", t_busy},
    {"close wakes", t_close_wakes},
    {"close between steps", t_close_between_steps},
    {"stale event", t_stale_event},
    {"sendfile", t_sendfile},
    {"splice", t_splice},
    {"splice failures", t_splice_failures},
    {"connect", t_connect},
    {"connect unix", t_connect_unix},
    {"accept", t_accept},
    {"watch", t_watch},
    {"watch and close", t_watch_close},
    {"pipe", t_pipe},
    {"datagrams", t_datagrams},
    {"wait", t_wait},
    {"peek", t_peek},
    {"sendv", t_sendv},
    {"messages", t_messages},
    {"budget", t_budget},
    {"attach", t_attach},
    {"signals", t_signals},
};

struct io_run {
	const char *backend;
	const struct io_case *test;
};

static void
test_case(void **state)
{
	static const int signals[] = {SIGUSR1, SIGUSR2, 0};
	const struct io_run *run = *state;
	struct runtime_options options = {
	    .worker_count = 1, .backend = run->backend};
	int signal_fd = -1;

	if (run->test->root == t_signals) {
		signal_fd = signals_open(signals);
		assert_true(signal_fd >= 0);
	}
	assert_int_equal(runtime_run(&options, run->test->root, &signal_fd), 0);
	assert_string_equal(runtime_backend(), run->backend);
}

int
main(void)
{
	static struct io_run runs[array_count(backends) * array_count(cases)];
	static struct CMUnitTest tests[array_count(runs)];
	size_t count = 0;

	for (size_t b = 0; b < array_count(backends); b++) {
		for (size_t c = 0; c < array_count(cases); c++) {
			runs[count] = (struct io_run){backends[b], &cases[c]};
			tests[count] =
			    (struct CMUnitTest){.name = cases[c].name,
				.test_func = test_case,
				.initial_state = &runs[count]};
			count++;
		}
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
