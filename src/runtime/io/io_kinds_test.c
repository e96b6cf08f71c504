/*
 * io_kinds_test.c - each kind of operation and of descriptor: alike on every
 * backend
 */
#include <poll.h>
#include <sys/resource.h>

#include "runtime/io/io_test.h"

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
	io_unwatch(io);
	io_close(&other->io);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	if (fds[0] != number) {
		assert_int_equal(dup2(fds[0], number), number);
		fcntl(number, F_SETFL, O_NONBLOCK);
		socket_close(fds[0]);
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

	(void)!socket_option_set(
	    fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
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
	socket_close(file);
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
	socket_close(out.peer);
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
	assert_int_equal(peer_read(out.peer, got, sizeof(got)), 4);
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
	fd = socket_open(AF_INET, SOCK_STREAM, 0);
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
	socket_close(fd);

	fd = socket_open(AF_INET, SOCK_STREAM, 0);
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
	int listener = socket_open(AF_UNIX, SOCK_STREAM, 0);
	socklen_t length = sizeof(address);
	struct io_fd io;
	int fd;

	(void)arg;
	/* An abstract name of the kernel's choice. */
	assert_int_equal(socket_bind(listener, (struct sockaddr *)&address,
			     sizeof(sa_family_t)),
	    0);
	assert_int_equal(socket_listen(listener, 1), 0);
	assert_int_equal(
	    socket_name(listener, (struct sockaddr *)&address, &length), 0);
	fd = socket_open(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(io_attach(&io, fd), 0);
	settle();
	assert_int_equal(
	    io_connect(&io, (struct sockaddr *)&address, length, after_ms(9)),
	    0);
	assert_int_equal(io_send(&io, "at once", 7, NULL, after_ms(50)), 7);
	fd = socket_accept(listener, NULL, NULL);
	put(fd, "answer");
	expect_recv(&io, 64, "answer");
	io_close(&io);
	socket_close(fd);
	socket_close(listener);
	return 0;
}

static void
accept_on(int (*attach)(struct io_fd *io, int fd))
{
	struct sockaddr_in address, peer, own;
	int listener = tcp_listener(&address);
	int clients[5], fd;
	socklen_t length;
	struct io_fd l;

	assert_int_equal(attach(&l, listener), 0);
	assert_int_equal(io_accept(&l, NULL, NULL, after_ms(3)), -ETIMEDOUT);
	for (int i = 0; i < 5; i++) {
		clients[i] = socket_open(AF_INET, SOCK_STREAM, 0);
		fd = socket_connect(
		    clients[i], (struct sockaddr *)&address, sizeof(address));
		assert_true(fd == 0 || fd == -EINPROGRESS);
	}
	for (int i = 0; i < 5; i++) {
		length = sizeof(peer);
		fd = io_accept(
		    &l, (struct sockaddr *)&peer, &length, after_ms(1000));
		assert_true(fd >= 0);
		assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
		assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
		length = sizeof(own);
		assert_int_equal(
		    socket_name(clients[i], (struct sockaddr *)&own, &length),
		    0);
		assert_int_equal(peer.sin_port, own.sin_port);
		socket_close(fd);
	}
	assert_int_equal(io_accept(&l, NULL, NULL, after_ms(3)), -ETIMEDOUT);
	for (int i = 0; i < 5; i++)
		socket_close(clients[i]);
	io_close(&l);
}

static int
t_accept(void *arg)
{
	(void)arg;
	accept_on(io_attach);
	accept_on(io_attach_listener);
	return 0;
}

static int
client_of(const struct sockaddr_in *address)
{
	int fd = socket_open(AF_INET, SOCK_STREAM, 0);
	int r = socket_connect(
	    fd, (const struct sockaddr *)address, sizeof(*address));

	assert_true(r == 0 || r == -EINPROGRESS);
	return fd;
}

static int accept_told;

static void
accept_hook(struct io_fd *io, unsigned events)
{
	(void)io;
	assert_true((events & IO_IN) != 0);
	accept_told++;
}

/* What was accepted before anybody asked: counted, waited for, watched, and
 * closed with the listener. */
static int
t_listener(void *arg)
{
	enum { BURST = IO_ACCEPTED_MAX + 20, CLIENTS = BURST + 20 };
	struct sockaddr_in address;
	int clients[CLIENTS], fd, listener = tcp_listener(&address);
	struct io_fd l;
	char byte;

	(void)arg;
	assert_int_equal(io_attach_listener(&l, listener), 0);
	assert_int_equal(socket_listen(listener, CLIENTS), 0);
	assert_true(io_recv(&l, &byte, 1, after_ms(1000)) < 0);
	for (int i = 0; i < BURST; i++)
		clients[i] = client_of(&address);
	for (int i = 0; i < 3; i++) {
		fd = io_accept(&l, NULL, NULL, after_ms(1000));
		assert_true(fd >= 0);
		socket_close(fd);
	}
	settle();
	/* It is enough: those who come now stay in the backlog. */
	for (int i = BURST; i < CLIENTS; i++)
		clients[i] = client_of(&address);
	settle();
	assert_true(l.unread.count <= BURST - 3);
	assert_true(io_wait(&l, IO_IN, after_ms(1000)) > 0);
	accept_told = 0;
	io_watch(&l, accept_hook);
	settle();
	assert_true(accept_told > 0);
	io_watch(&l, NULL);
	for (int i = 3; i < CLIENTS - 5; i++) {
		fd = io_accept(&l, NULL, NULL, after_ms(1000));
		assert_true(fd >= 0);
		socket_close(fd);
	}
	settle();
	io_close(&l);
	/* The last ones, too: reset or ended, not left open. */
	for (int i = 0; i < CLIENTS; i++) {
		struct pollfd p = {.fd = clients[i], .events = POLLIN};

		assert_int_equal(poll(&p, 1, 1000), 1);
		socket_close(clients[i]);
	}
	/* Nobody holds the address. */
	fd = client_of(&address);
	settle();
	assert_true(socket_poll(fd, POLLIN) != 0);
	socket_close(fd);
	return 0;
}

/* No descriptor is free: an error for a client that waits, and for nobody
 * while none does. */
static int
t_accept_emfile(void *arg)
{
	struct sockaddr_in address;
	int listener = tcp_listener(&address), client, fd;
	struct rlimit limit, low;
	struct io_fd l;

	(void)arg;
	/* poll(2) and select(2) themselves fail above the limit. */
	if (strcmp(runtime_backend(), "uring") != 0 &&
	    strcmp(runtime_backend(), "epoll") != 0) {
		socket_close(listener);
		return 0;
	}
	assert_int_equal(io_attach_listener(&l, listener), 0);
	client = socket_open(AF_INET, SOCK_STREAM, 0);
	settle();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(io_accept(&l, NULL, NULL, after_ms(3)), -ETIMEDOUT);
	(void)!socket_connect(
	    client, (struct sockaddr *)&address, sizeof(address));
	fd = io_accept(&l, NULL, NULL, after_ms(1000));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(fd, -EMFILE);
	fd = io_accept(&l, NULL, NULL, after_ms(1000));
	assert_true(fd >= 0);
	socket_close(fd);
	socket_close(client);
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
		peer_shut(idle.pair.peer);
		settle();
		assert_int_equal(idle.calls, 3);
		assert_true((idle.events & IO_HUP) != 0);
		assert_int_equal(idle.pair.io.fd, -1);
		pair_close(&idle.pair);
	}
	return 0;
}

/* A hook that stays is called also after somebody else has read. */
static int watch_calls;

static void
watch_hook(struct io_fd *io, unsigned events)
{
	(void)io;
	(void)events;
	watch_calls++;
}

static int
watch_reader(void *arg)
{
	struct io_fd *io = arg;
	char byte;

	return (int)io_recv(io, &byte, 1, after_ms(1000)) - 1;
}

static int
t_watch_stays(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < array_count(pairs); i++) {
		struct scope scope;
		struct pair p;

		pairs[i](&p);
		scope_init(&scope, instant_never());
		assert_int_equal(
		    task_start(&scope, "reader", watch_reader, &p.io), 0);
		settle();
		watch_calls = 0;
		io_watch(&p.io, watch_hook);
		settle();
		put(p.peer, "x");
		assert_int_equal(scope_wait(&scope), 0);
		scope_fini(&scope);
		settle();
		watch_calls = 0;
		put(p.peer, "y");
		settle();
		settle();
		assert_true(watch_calls >= 1);
		expect_recv(&p.io, 64, "y");
		pair_close(&p);
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
	socket_close(fds[0]);
	assert_int_equal(io_write(&out, "x", 1, after_ms(100)), -EPIPE);
	io_close(&out);
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
	socket_close(passed);
	io_close(&p.io);
	io_close(&q.io);
	return 0;
}

/* Nobody else is ready: signals reach us through a descriptor. */
static int
t_signals(void *arg)
{
	static const int signals[] = {SIGUSR1, SIGUSR2, 0};
	char info[128];
	struct io_fd io;

	(void)arg;
	/* Here the only thread is ours, so it is not too late. */
	assert_int_equal(io_attach(&io, signals_open(signals)), 0);
	assert_int_equal(
	    io_read(&io, info, sizeof(info), after_ms(2)), -ETIMEDOUT);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	assert_int_equal(io_read(&io, info, sizeof(info), after_ms(100)), 128);
	assert_int_equal(io_read(&io, info, sizeof(info), after_ms(100)), 128);
	io_close(&io);
	return 0;
}

static int
t_lend(void *arg)
{
	struct io_lent lent, second;
	static char block[10000];

	(void)arg;
	for (size_t i = 0; i < array_count(pairs); i++) {
		size_t got = 0;
		struct pair p;

		pairs[i](&p);
		assert_int_equal(
		    io_recv_lend(&p.io, &lent, after_ms(2)), -ETIMEDOUT);
		io_lent_release(&lent); /* nothing was lent */
		put(p.peer, "first");
		assert_int_equal(io_recv_lend(&p.io, &lent, after_ms(100)), 5);
		put(p.peer, "second");
		assert_int_equal(
		    io_recv_lend(&p.io, &second, after_ms(100)), 6);
		assert_int_equal(lent.length, 5);
		assert_memory_equal(lent.memory, "first", 5);
		assert_memory_equal(second.memory, "second", 6);
		io_lent_release(&lent);
		io_lent_release(&lent);
		io_lent_release(&second);
		/* Half into our memory; the other half is lent. */
		put(p.peer, "abcd");
		settle();
		expect_recv(&p.io, 2, "ab");
		assert_int_equal(io_recv_lend(&p.io, &lent, after_ms(100)), 2);
		assert_memory_equal(lent.memory, "cd", 2);
		io_lent_release(&lent);
		/* More than a buffer, in order. */
		for (size_t k = 0; k < sizeof(block); k++)
			block[k] = (char)pattern(k);
		assert_int_equal(
		    peer_write(p.peer, block, sizeof(block)), sizeof(block));
		peer_shut(p.peer);
		while (io_recv_lend(&p.io, &lent, after_ms(100)) > 0) {
			assert_memory_equal(
			    lent.memory, block + got, lent.length);
			got += lent.length;
			io_lent_release(&lent);
		}
		assert_int_equal(got, sizeof(block));
		assert_int_equal(io_recv_lend(&p.io, &lent, after_ms(100)), 0);
		pair_close(&p);
	}
	return 0;
}

/* What was received unasked is still there for whoever asks otherwise. */
static int
t_unread(void *arg)
{
	struct pair p, out;
	struct iovec iov[2];
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
	char buffer[64];
	bool failed;
	int fd;

	(void)arg;
	for (size_t i = 0; i < array_count(pairs); i++) {
		pairs[i](&p);
		pair_unix(&out);
		put(p.peer, "peek and splice");
		settle();
		assert_int_equal(io_peek(&p.io, buffer, 4), 4);
		assert_memory_equal(buffer, "peek", 4);
		assert_int_equal(io_wait(&p.io, IO_IN, after_ms(100)), IO_IN);
		assert_int_equal(
		    io_splice(&p.io, &out.io, 9, &failed, after_ms(100)), 9);
		assert_false(failed);
		assert_int_equal(peer_read(out.peer, buffer, 64), 9);
		assert_memory_equal(buffer, "peek and ", 9);
		iov[0] = (struct iovec){buffer, 2};
		iov[1] = (struct iovec){buffer + 2, 62};
		assert_int_equal(
		    io_recvmsg(&p.io, &message, 0, after_ms(100)), 6);
		assert_memory_equal(buffer, "splice", 6);
		put(p.peer, "the rest");
		assert_int_equal(
		    io_splice(&p.io, &out.io, 64, &failed, after_ms(100)), 8);
		assert_int_equal(peer_read(out.peer, buffer, 64), 8);
		fd = io_detach(&p.io);
		assert_true(fd >= 0);
		put(p.peer, "raw");
		settle();
		assert_int_equal(peer_read(fd, buffer, 64), 3);
		socket_close(fd);
		pair_close(&p);
		pair_close(&out);
	}
	return 0;
}

static const struct io_case cases[] = {
    {"stale event", t_stale_event},
    {"sendfile", t_sendfile},
    {"splice", t_splice},
    {"splice failures", t_splice_failures},
    {"connect", t_connect},
    {"connect unix", t_connect_unix},
    {"accept", t_accept},
    {"listener", t_listener},
    {"accept, no descriptor", t_accept_emfile},
    {"watch", t_watch},
    {"watch stays", t_watch_stays},
    {"watch and close", t_watch_close},
    {"pipe", t_pipe},
    {"sendv", t_sendv},
    {"messages", t_messages},
    {"signals", t_signals},
    {"lend", t_lend},
    {"unread", t_unread},
};

int
main(void)
{
	return io_test_run(cases, array_count(cases));
}
