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
#include "os/socket_call.h"
#include "runtime/io.h"
#include "runtime/io_backend.h"
#include "runtime/runtime.h"
#include "runtime/sim/sim.h"
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
	int fd = socket_open(AF_INET, SOCK_STREAM, 0);

	*ret_address = (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_true(fd >= 0);
	assert_int_equal(socket_bind(fd, (struct sockaddr *)ret_address,
			     sizeof(*ret_address)),
	    0);
	assert_int_equal(socket_listen(fd, 64), 0);
	assert_int_equal(
	    socket_name(fd, (struct sockaddr *)ret_address, &length), 0);
	return fd;
}

static void
pair_tcp(struct pair *pair)
{
	struct sockaddr_in address;
	int listener = tcp_listener(&address);
	struct io_fd l;
	int fd = socket_open(AF_INET, SOCK_STREAM, 0);

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
		socket_close(pair->peer);
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

/* One that brought a message already: more are expected. */
static void
pair_kept(struct pair *pair)
{
	char byte;

	pair_lending(pair);
	assert_int_equal(write(pair->peer, "x", 1), 1);
	assert_int_equal(io_recv(&pair->io, &byte, 1, after_ms(1000)), 1);
	io_watch(&pair->io, ignore);
	assert_int_equal(task_yield(), 0);
	io_watch(&pair->io, NULL);
}

/* Read in straight lines: a proactor receives ahead of the reader. */
static void
pair_ahead(struct pair *pair)
{
	char byte;

	pair_stream(pair);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(write(pair->peer, "x", 1), 1);
		assert_int_equal(
		    io_recv(&pair->io, &byte, 1, after_ms(1000)), 1);
	}
}

static void (*const pairs[])(struct pair *) = {
    pair_unix, pair_tcp, pair_stream, pair_lending, pair_kept, pair_ahead};

/* Let the loop poll, so that edges become ready bits. */
static void
settle(void)
{
	assert_int_equal(task_sleep(duration_ms(3)), 0);
}

/* The peer may be simulated, or no socket at all. */
static ssize_t
peer_write(int fd, const void *from, size_t length)
{
	ssize_t r = socket_send_bytes(fd, from, length, 0);

	return r == -ENOTSOCK ? write(fd, from, length) : r;
}

static void
put(int fd, const char *text)
{
	assert_int_equal(peer_write(fd, text, strlen(text)), strlen(text));
}

__attribute__((unused)) static ssize_t
peer_read(int fd, void *into, size_t length)
{
	ssize_t r = socket_recv_bytes(fd, into, length, 0);

	return r == -ENOTSOCK ? read(fd, into, length) : r;
}

__attribute__((unused)) static void
peer_shut(int fd)
{
	assert_int_equal(socket_shutdown(fd, SHUT_WR), 0);
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
	/* It counts turns, or looks between two steps of another task. */
	bool in_order;
};

struct io_run {
	const char *backend;
	const struct io_case *test;
	uint64_t seed; /* of a simulation with faults; 0: none, in order */
};

static void
io_test_case(void **state)
{
	const struct io_run *run = *state;
	struct sim_options sim = {.seed = run->seed,
	    .link.latency = duration_us(20),
	    .faults.in_order = true};
	struct runtime_options options = {
	    .worker_count = 1, .backend = run->backend, .sim = &sim};

	if (run->seed != 0)
		sim.faults = (struct sim_faults){.not_ready_ppm = 100000,
		    .late_ppm = 100000,
		    .timer_ppm = 100000};
	assert_int_equal(runtime_run(&options, run->test->root, NULL), 0);
	/* Not to be had here: then it was another run on epoll. */
	if (strcmp(run->backend, "uring") == 0 && io_uring.probe() < 0)
		skip();
	assert_string_equal(runtime_backend(), run->backend);
}

#define IO_SIM_SEEDS 4

static struct io_run io_runs[512];
static struct CMUnitTest io_tests[array_count(io_runs)];
static size_t io_test_count;

static void
io_test_add(const char *backend, const struct io_case *test, uint64_t seed)
{
	struct io_run *run = &io_runs[io_test_count];

	must(io_test_count < array_count(io_runs));
	*run = (struct io_run){backend, test, seed};
	io_tests[io_test_count++] = (struct CMUnitTest){.name = test->name,
	    .test_func = io_test_case,
	    .initial_state = run};
}

/* Every case on every backend. */
static __attribute__((unused)) int
io_test_run(const struct io_case *cases, size_t case_count)
{
	static const char *const backends[] = {
	    "epoll", "uring", "poll", "select", "sim"};

	for (size_t b = 0; b < array_count(backends); b++) {
		for (size_t c = 0; c < case_count; c++)
			io_test_add(backends[b], &cases[c], 0);
	}
	for (size_t c = 0; c < case_count; c++) {
		for (uint64_t seed = 1; seed <= IO_SIM_SEEDS; seed++) {
			if (!cases[c].in_order)
				io_test_add("sim", &cases[c], seed);
		}
	}
	return _cmocka_run_group_tests(
	    "io", io_tests, io_test_count, NULL, NULL);
}
