/*
 * sim_test.c - the simulation itself: time, links, ends, and that a seed says
 * everything
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/clock.h"
#include "os/random.h"
#include "os/socket_call.h"
#include "runtime/io.h"
#include "runtime/runtime.h"
#include "runtime/sim/sim.h"

static struct sim_options options;

static int
run(task_fn root, void *arg)
{
	struct runtime_options runtime = {.backend = "sim", .sim = &options};

	return runtime_run(&runtime, root, arg);
}

static instant
after_ms(int64_t ms)
{
	return instant_after(clock_now(), duration_ms(ms));
}

static struct sockaddr_in
host(const char *text, uint16_t port)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
	return address;
}

static void
listens(struct io_fd *io, const struct sockaddr_in *at)
{
	int fd = socket_open(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(
	    socket_bind(fd, (const struct sockaddr *)at, sizeof(*at)), 0);
	assert_int_equal(socket_listen(fd, 16), 0);
	assert_int_equal(io_attach(io, fd), 0);
}

static int
connects(struct io_fd *io, const struct sockaddr_in *to, instant deadline)
{
	int r;

	r = io_attach(io, socket_open(AF_INET, SOCK_STREAM, 0));
	assert_int_equal(r, 0);
	return io_connect(
	    io, (const struct sockaddr *)to, sizeof(*to), deadline);
}

/* Both ends of a connection. */
static void
pair_open(struct io_fd ends[2], const char *at)
{
	struct sockaddr_in address = host(at, 80);
	struct io_fd listener;

	listens(&listener, &address);
	assert_int_equal(connects(&ends[0], &address, after_ms(60000)), 0);
	assert_int_equal(
	    io_attach(&ends[1], io_accept(&listener, NULL, NULL, after_ms(9))),
	    0);
	io_close(&listener);
}

static int64_t
since_ms(instant start)
{
	return duration_to_ms(instant_since(clock_now(), start));
}

static void
link_is(const struct sim_link *link)
{
	assert_int_equal(sim_link_set(NULL, NULL, link), 0);
}

/* ---- time ---- */

static int
r_time(void *arg)
{
	instant start = clock_now();
	int64_t wall = clock_wall_ns();

	(void)arg;
	assert_int_equal(wall, SIM_WALL_NS + start.ns - SIM_START_NS);
	assert_int_equal(task_sleep(duration_s(3600)), 0);
	assert_in_range(since_ms(start), 3600000, 3600002);
	assert_int_equal(
	    clock_wall_ns() - wall, instant_since(clock_now(), start).ns);
	return 0;
}

static void
t_time(void **state)
{
	instant real = clock_now();

	(void)state;
	assert_int_equal(run(r_time, NULL), 0);
	/* An hour in much less, and the real clock is back. */
	assert_in_range(since_ms(real), 0, 60000);
}

static int
r_one(void *arg)
{
	(void)arg;
	return 0;
}

static void
t_one_worker(void **state)
{
	struct runtime_options two = {.backend = "sim", .worker_count = 2};

	(void)state;
	assert_int_equal(runtime_run(&two, r_one, NULL), -EINVAL);
	assert_int_equal(run(r_one, NULL), 0);
}

/* ---- links ---- */

static int
r_latency(void *arg)
{
	struct sim_link link = {.latency = duration_ms(40)};
	struct io_fd ends[2];
	instant start;
	char c;

	(void)arg;
	link_is(&link);
	start = clock_now();
	pair_open(ends, "10.0.0.1");
	/* There and back. */
	assert_in_range(since_ms(start), 80, 82);
	start = clock_now();
	assert_int_equal(io_send(&ends[0], "x", 1, NULL, after_ms(9)), 1);
	assert_in_range(since_ms(start), 0, 1);
	assert_int_equal(io_recv(&ends[1], &c, 1, after_ms(1000)), 1);
	assert_in_range(since_ms(start), 40, 42);
	io_close(&ends[0]);
	io_close(&ends[1]);
	return 0;
}

struct flood {
	struct io_fd *io;
	size_t length;
	ssize_t result;
};

static int
flood_task(void *arg)
{
	struct flood *f = arg;
	char *block = malloc(f->length);

	for (size_t i = 0; i < f->length; i++)
		block[i] = (char)(i * 7 + (i >> 8));
	f->result = io_send(f->io, block, f->length, NULL, instant_never());
	free(block);
	io_close(f->io);
	return 0;
}

/* All of it, in order. Returns how many milliseconds that took. */
static int64_t
flood_through(const struct sim_link *link, size_t length)
{
	struct io_fd ends[2];
	struct flood f = {.io = &ends[0], .length = length};
	struct scope scope;
	instant start;
	size_t got = 0;
	char block[700];
	ssize_t r;

	link_is(link);
	pair_open(ends, "10.0.0.2");
	start = clock_now();
	scope_init(&scope, instant_never());
	assert_int_equal(task_start(&scope, "flood", flood_task, &f), 0);
	while ((r = io_recv(&ends[1], block, sizeof(block), instant_never())) >
	    0) {
		for (ssize_t i = 0; i < r; i++, got++)
			assert_int_equal(
			    (char)(got * 7 + (got >> 8)), block[i]);
	}
	assert_int_equal(r, 0);
	assert_int_equal(got, length);
	assert_int_equal(scope_wait(&scope), 0);
	scope_fini(&scope);
	io_close(&ends[1]);
	return since_ms(start);
}

static int
r_bandwidth(void *arg)
{
	struct sim_link link = {
	    .latency = duration_ms(1), .bytes_per_second = 1000000};
	struct sim_link lossy = {.latency = duration_ms(1), .loss_ppm = 100000};

	(void)arg;
	/* With the headers of each packet. */
	assert_in_range(flood_through(&link, 1000000), 1000, 1100);
	/* A loss costs a retransmission, never a byte. */
	assert_in_range(flood_through(&lossy, 300000), 1000, 60000);
	return 0;
}

static int
r_partition(void *arg)
{
	struct sim_link up = {.latency = duration_ms(1)};
	struct sim_link silent = {.state = SIM_SILENT};
	struct sockaddr_in address = host("10.0.0.3", 80);
	struct io_fd ends[2], io;
	instant start;
	char c;

	(void)arg;
	link_is(&up);
	pair_open(ends, "10.0.0.3");
	link_is(&silent);
	assert_int_equal(io_send(&ends[0], "x", 1, NULL, after_ms(9)), 1);
	assert_int_equal(io_recv(&ends[1], &c, 1, after_ms(500)), -ETIMEDOUT);
	link_is(&up);
	assert_int_equal(io_recv(&ends[1], &c, 1, after_ms(2000)), 1);
	/* For too long: the sender is told. */
	link_is(&silent);
	start = clock_now();
	assert_int_equal(io_send(&ends[0], "x", 1, NULL, after_ms(9)), 1);
	assert_int_equal(io_recv(&ends[0], &c, 1, instant_never()), -ETIMEDOUT);
	assert_in_range(since_ms(start), 60000, 300000);
	io_close(&ends[0]);
	io_close(&ends[1]);
	/* The kernel gives up at last. */
	assert_int_equal(connects(&io, &address, instant_never()), -ETIMEDOUT);
	io_close(&io);
	return 0;
}

static int
r_refusals(void *arg)
{
	struct sim_link unreachable = {.state = SIM_UNREACHABLE};
	struct sockaddr_in nobody = host("10.0.0.4", 80);
	struct sockaddr_in there = host("10.0.0.5", 80);
	struct io_fd io;

	(void)arg;
	assert_int_equal(connects(&io, &nobody, after_ms(99)), -ECONNREFUSED);
	io_close(&io);
	assert_int_equal(
	    sim_link_set(NULL, (struct sockaddr *)&there, &unreachable), 0);
	assert_int_equal(connects(&io, &there, after_ms(99)), -EHOSTUNREACH);
	io_close(&io);
	return 0;
}

/* ---- datagrams ---- */

static void
datagrams(struct io_fd *io, const struct sockaddr_in *at)
{
	int fd = socket_open(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(
	    socket_bind(fd, (const struct sockaddr *)at, sizeof(*at)), 0);
	assert_int_equal(io_attach(io, fd), 0);
}

static void
datagram_send(struct io_fd *io, const struct sockaddr_in *to, int number)
{
	struct iovec iov = {&number, sizeof(number)};
	struct msghdr message = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_name = (void *)to,
	    .msg_namelen = sizeof(*to)};

	assert_int_equal(
	    io_sendmsg(io, &message, 0, after_ms(100)), sizeof(number));
}

static int
r_datagrams(void *arg)
{
	struct sim_link link = {.latency = duration_ms(5),
	    .loss_ppm = 200000,
	    .duplicate_ppm = 200000,
	    .reorder_ppm = 200000};
	struct sockaddr_in a = host("10.1.0.1", 53), b = host("10.1.0.2", 53);
	unsigned seen[1000] = {0}, lost = 0, twice = 0, late = 0;
	struct io_fd from, to;
	int number, highest = -1;

	(void)arg;
	link_is(&link);
	datagrams(&from, &a);
	datagrams(&to, &b);
	for (int i = 0; i < 1000; i++) {
		datagram_send(&from, &b, i);
		assert_int_equal(task_sleep(duration_ms(1)), 0);
		while (io_recv(&to, &number, sizeof(number), instant_past()) ==
		    sizeof(number)) {
			seen[number]++;
			late += number < highest;
			highest = max_of(highest, number);
		}
	}
	for (int i = 0; i < 900; i++) {
		lost += seen[i] == 0;
		twice += seen[i] > 1;
	}
	assert_in_range(lost, 90, 270);
	assert_in_range(twice, 70, 270);
	assert_in_range(late, 90, 400);
	io_close(&from);
	io_close(&to);
	return 0;
}

/* Members of the group hear it, once each; others do not. */
static int
r_group(void *arg)
{
	struct sockaddr_in any = host("0.0.0.0", 5353);
	struct sockaddr_in group = host("239.1.2.3", 5353);
	struct group_req request = {0};
	struct io_fd io[3];
	int number, on = 1, fd;

	(void)arg;
	memcpy(&request.gr_group, &group, sizeof(group));
	for (int i = 0; i < 3; i++) {
		fd = socket_open(AF_INET, SOCK_DGRAM, 0);
		assert_int_equal(socket_option_set(fd, SOL_SOCKET, SO_REUSEADDR,
				     &on, sizeof(on)),
		    0);
		assert_int_equal(
		    socket_bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
		if (i > 0)
			assert_int_equal(
			    socket_option_set(fd, IPPROTO_IP, MCAST_JOIN_GROUP,
				&request, sizeof(request)),
			    0);
		assert_int_equal(io_attach(&io[i], fd), 0);
	}
	datagram_send(&io[0], &group, 7);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    io_recv(&io[i], &number, sizeof(number), after_ms(5)),
		    i > 0 ? (int)sizeof(number) : -ETIMEDOUT);
		assert_int_equal(
		    io_recv(&io[i], &number, sizeof(number), after_ms(5)),
		    -ETIMEDOUT);
		io_close(&io[i]);
	}
	return 0;
}

/* ---- sockets of the program's own ---- */

static int
r_adopted(void *arg)
{
	struct sockaddr_in address = host("127.0.0.1", 0);
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct io_fd listener, client;
	instant start = clock_now();
	struct sim_link link = {.latency = duration_s(1)};

	(void)arg;
	link_is(&link);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(
	    getsockname(fd, (struct sockaddr *)&address, &length), 0);
	assert_int_equal(io_attach(&listener, fd), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(io_attach(&client, fd), 0);
	assert_int_equal(io_connect(&client, (struct sockaddr *)&address,
			     sizeof(address), after_ms(5000)),
	    0);
	assert_in_range(since_ms(start), 2000, 2002);
	io_close(&client);
	io_close(&listener);
	return 0;
}

static int
r_leak(void *arg)
{
	struct sockaddr_in address = host("127.0.0.1", 80);
	struct io_fd ends[2];

	(void)arg;
	(void)address;
	pair_open(ends, "127.0.0.1");
	io_close(&ends[0]);
	*(int *)arg = io_detach(&ends[1]);
	return 0;
}

static void
t_leak(void **state)
{
	int fd = -1;

	(void)state;
	assert_int_equal(run(r_leak, &fd), 0);
	assert_int_equal(sim_socket_count(), 1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(run(r_one, NULL), 0);
	assert_int_equal(sim_socket_count(), 0);
}

/* ---- one seed ---- */

static int
blocking_job(void *arg)
{
	*(int *)arg = 7;
	return 3;
}

static int
r_offload(void *arg)
{
	int value = 0;

	(void)arg;
	assert_int_equal(
	    offload_run(blocking_job, &value, NULL, after_ms(100)), 3);
	assert_int_equal(value, 7);
	return 0;
}

static int
worker_of_order(void *arg)
{
	unsigned *order = arg;

	for (int i = 0; i < 5; i++) {
		*order = *order * 31 + (unsigned)i;
		if (task_yield() < 0)
			break;
	}
	return 0;
}

static int
r_seeded(void *arg)
{
	struct sim_link link = {.latency = duration_ms(2),
	    .jitter = duration_ms(3),
	    .loss_ppm = 50000};
	struct scope scope;
	unsigned order = 0;

	(void)arg;
	scope_init(&scope, instant_never());
	for (int i = 0; i < 6; i++)
		(void)!task_start(&scope, "order", worker_of_order, &order);
	(void)scope_wait(&scope);
	scope_fini(&scope);
	options.faults.reset_ppm = 0;
	sim_faults_set(&(struct sim_faults){
	    .short_ppm = 100000, .not_ready_ppm = 50000, .late_ppm = 50000});
	(void)flood_through(&link, 50000);
	*(uint64_t *)arg = random_u64();
	return 0;
}

static void
t_seed(void **state)
{
	uint64_t hash[20], value[20];

	(void)state;
	for (int i = 0; i < 20; i++) {
		options = (struct sim_options){.seed = (uint64_t)(i / 2 + 1)};
		assert_int_equal(run(r_seeded, &value[i]), 0);
		hash[i] = sim_trace_hash();
		assert_int_equal(sim_seed(), options.seed);
	}
	options = (struct sim_options){0};
	for (int i = 0; i < 20; i += 2) {
		assert_true(hash[i] == hash[i + 1]);
		assert_true(value[i] == value[i + 1]);
		assert_true(i == 0 || hash[i] != hash[i - 2]);
	}
}

#define CASE(name)                                                             \
	static void t_##name(void **state)                                     \
	{                                                                      \
		(void)state;                                                   \
		assert_int_equal(run(r_##name, NULL), 0);                      \
		assert_int_equal(sim_socket_count(), 0);                       \
	}
CASE(latency)
CASE(bandwidth)
CASE(partition)
CASE(refusals)
CASE(datagrams)
CASE(adopted)
CASE(group)
CASE(offload)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(t_time),
	    cmocka_unit_test(t_one_worker),
	    cmocka_unit_test(t_latency),
	    cmocka_unit_test(t_bandwidth),
	    cmocka_unit_test(t_partition),
	    cmocka_unit_test(t_refusals),
	    cmocka_unit_test(t_datagrams),
	    cmocka_unit_test(t_adopted),
	    cmocka_unit_test(t_group),
	    cmocka_unit_test(t_leak),
	    cmocka_unit_test(t_offload),
	    cmocka_unit_test(t_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
