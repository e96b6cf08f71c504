/*
 * runtime.c - what the runtime's own operations cost, in CPU time
 *
 *   runtime            yield, spawn, timers, parked tasks
 *   runtime echo N     an echo of 200 bytes, N times, over one TCP connection
 *                      on one worker (for strace -c -f and perf stat)
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/io.h"
#include "runtime/runtime.h"
#include "runtime/timer.h"

#define ECHO_BYTES 200

static double
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void
report(const char *what, double start, double count)
{
	printf("%-32s %8.1f ns\n", what, (cpu_ns() - start) / count);
}

static int
yielder(void *arg)
{
	for (long i = 0; i < *(long *)arg; i++) {
		if (task_yield() < 0)
			return -ECANCELED;
	}
	return 0;
}

static int
bench_yield(unsigned tasks)
{
	long turns = 4000000 / tasks;
	struct scope scope;
	double start = cpu_ns();
	char name[64];
	int error = 0;

	scope_init(&scope, instant_never());
	for (unsigned i = 0; i < tasks && error == 0; i++)
		error = task_start(&scope, "yield", yielder, &turns);
	if (error == 0)
		error = scope_wait(&scope);
	scope_fini(&scope);
	snprintf(name, sizeof(name), "yield, %u tasks", tasks);
	report(name, start, (double)turns * tasks);
	return error;
}

static int
nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int
bench_spawn(void)
{
	const int count = 2000000;
	struct scope scope;
	double start = cpu_ns();
	int error = 0;

	scope_init(&scope, instant_never());
	for (int i = 0; i < count && error == 0; i++) {
		error = task_start(&scope, "nothing", nothing, NULL);
		if (error == 0)
			error = scope_wait(&scope);
	}
	scope_fini(&scope);
	report("spawn, run, join", start, count);
	return error;
}

static void
ignore(struct timer *timer)
{
	(void)timer;
}

static int
bench_timers(void)
{
	const int count = 1000000;
	struct timer *timers = malloc((size_t)count * sizeof(*timers));
	instant now = runtime_now();
	double start;

	if (timers == NULL)
		return -ENOMEM;
	for (int i = 0; i < count; i++)
		timer_init(&timers[i], ignore);
	start = cpu_ns();
	for (int i = 0; i < count; i++)
		timer_start(&timers[i],
		    instant_after(now, duration_ms(1000 + i % 59000)));
	report("timer start, a million live", start, count);
	start = cpu_ns();
	for (int i = 0; i < count; i++)
		timer_start(&timers[i % 64],
		    instant_after(now, duration_ms(1000 + i % 59000)));
	report("timer move, 64 hot", start, count);
	start = cpu_ns();
	for (int i = 0; i < count; i++)
		timer_stop(&timers[i]);
	report("timer stop", start, count);
	free(timers);
	return 0;
}

static int
root_all(void *arg)
{
	int error;

	(void)arg;
	error = bench_yield(1);
	if (error == 0)
		error = bench_yield(2);
	if (error == 0)
		error = bench_yield(1000);
	if (error == 0)
		error = bench_spawn();
	if (error == 0)
		error = bench_timers();
	return error;
}

struct echo {
	long count;
	int listener;
	struct sockaddr_in address;
};

/* The other end: a plain thread with blocking calls. */
static void *
echo_client(void *arg)
{
	const struct echo *echo = arg;
	char block[ECHO_BYTES] = {0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)&echo->address,
		sizeof(echo->address)) < 0)
		abort();
	for (long i = 0; i < echo->count; i++) {
		if (send(fd, block, sizeof(block), 0) != sizeof(block) ||
		    recv(fd, block, sizeof(block), MSG_WAITALL) !=
			sizeof(block))
			abort();
	}
	close(fd);
	return NULL;
}

static int
echo_serve(struct io_fd *io)
{
	char block[4096];
	ssize_t r;

	for (;;) {
		instant deadline = instant_after(runtime_now(), duration_s(60));

		r = io_recv(io, block, sizeof(block), deadline);
		if (r <= 0)
			return (int)r;
		r = io_send(io, block, (size_t)r, NULL, deadline);
		if (r < 0)
			return (int)r;
	}
}

static int
root_echo(void *arg)
{
	struct echo *echo = arg;
	struct io_fd listener, io;
	pthread_t client;
	double start = cpu_ns();
	int fd, error;

	error = io_attach(&listener, echo->listener);
	if (error < 0 || pthread_create(&client, NULL, echo_client, echo) != 0)
		return error;
	fd = io_accept(&listener, NULL, NULL, instant_never());
	if (fd < 0)
		return fd;
	error = io_attach(&io, fd);
	if (error == 0)
		error = echo_serve(&io);
	io_close(&io);
	io_close(&listener);
	pthread_join(client, NULL);
	report("echo, both ends", start, (double)echo->count);
	return error;
}

static int
run_echo(long count)
{
	struct runtime_options options = {.worker_count = 1};
	struct echo echo = {.count = count,
	    .address = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof(echo.address);

	echo.listener =
	    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(echo.listener, (struct sockaddr *)&echo.address, length) < 0 ||
	    listen(echo.listener, 16) < 0 ||
	    getsockname(
		echo.listener, (struct sockaddr *)&echo.address, &length) < 0)
		return 1;
	return runtime_run(&options, root_echo, &echo) < 0;
}

int
main(int argc, char **argv)
{
	struct runtime_options options = {.worker_count = 1};

	if (argc == 3 && strcmp(argv[1], "echo") == 0)
		return run_echo(atol(argv[2]));
	return runtime_run(&options, root_all, NULL) < 0;
}
