/*
 * io_test.h - pairs of connected descriptors, and cases run on every backend
 */
#pragma once

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

/* Known to be a stream. */
static void
pair_stream(struct pair *pair)
{
	int fd;

	pair_unix(pair);
	fd = io_detach(&pair->io);
	assert_true(fd >= 0);
	assert_int_equal(io_attach_stream(&pair->io, fd), 0);
}

static void
ignore(struct io_fd *io, unsigned events)
{
	(void)io;
	(void)events;
}

/* One that was watched before: a proactor receives unasked. */
static void
pair_lending(struct pair *pair)
{
	pair_stream(pair);
	io_watch(&pair->io, ignore);
	assert_int_equal(task_yield(), 0);
	io_watch(&pair->io, NULL);
}

static void (*const pairs[])(struct pair *) = {
    pair_unix, pair_tcp, pair_stream, pair_lending};

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

static __attribute__((unused)) void
expect_recv(struct io_fd *io, size_t room, const char *text)
{
	char buffer[64];
	ssize_t length;

	assert_true(room <= sizeof(buffer));
	length = io_recv(io, buffer, room, after_ms(1000));
	assert_int_equal(length, strlen(text));
	assert_memory_equal(buffer, text, (size_t)length);
}

struct io_case {
	const char *name;
	task_fn root;
};

struct io_run {
	const char *backend;
	const struct io_case *test;
};

static void
io_test_case(void **state)
{
	const struct io_run *run = *state;
	struct runtime_options options = {
	    .worker_count = 1, .backend = run->backend};

	assert_int_equal(runtime_run(&options, run->test->root, NULL), 0);
	/* Not to be had here: then it was another run on epoll. */
	if (strcmp(run->backend, "uring") == 0 && io_uring.probe() < 0)
		skip();
	assert_string_equal(runtime_backend(), run->backend);
}

/* Every case on every backend. */
static __attribute__((unused)) int
io_test_run(const struct io_case *cases, size_t case_count)
{
	static const char *const backends[] = {
	    "epoll", "uring", "poll", "select"};
	static struct io_run runs[64 * array_count(backends)];
	static struct CMUnitTest tests[array_count(runs)];
	size_t count = 0;

	for (size_t b = 0; b < array_count(backends); b++) {
		for (size_t c = 0; c < case_count; c++) {
			runs[count] = (struct io_run){backends[b], &cases[c]};
			tests[count] =
			    (struct CMUnitTest){.name = cases[c].name,
				.test_func = io_test_case,
				.initial_state = &runs[count]};
			must(++count < array_count(runs));
		}
	}
	return _cmocka_run_group_tests("io", tests, count, NULL, NULL);
}
