/*
 * sim_case.h - a workload that runs in the simulation, once per seed
 *
 * A case is the root task of a simulated runtime. It asks sim_random() for
 * everything that it decides, checks its invariants by itself (a broken one
 * ends the process through expect()), and leaves nothing behind: no task, no
 * socket, no descriptor.
 */
#pragma once

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "os/clock.h"
#include "os/socket_call.h"
#include "runtime/io.h"
#include "runtime/runtime.h"
#include "runtime/sim/sim.h"

struct sim_case {
	const char *name;
	task_fn root;
	void (*start)(void); /* before all seeds; may be NULL */
	/* What it tests ends with its process: each run has one. */
	bool forked;
};

extern const struct sim_case sim_case_streams;
extern const struct sim_case sim_case_tasks;
extern const struct sim_case sim_case_http;
extern const struct sim_case sim_case_names;
extern const struct sim_case sim_case_client;
extern const struct sim_case sim_case_protocol;

/* As must(), with what was seen. */
#define expect(x, format, ...)                                                 \
	do {                                                                   \
		if (!(x)) {                                                    \
			fprintf(stderr, "sim: " format "\n", __VA_ARGS__);     \
			must_failed(#x, __FILE__, __LINE__, __func__);         \
		}                                                              \
	} while (0)

static inline instant
in_ms(int64_t ms)
{
	return instant_after(runtime_now(), duration_ms(ms));
}

/* True once in @n times. */
static inline bool
one_in(uint64_t n)
{
	return sim_random(n) == 0;
}

/* In [low, high]. */
static inline int
between(int low, int high)
{
	return low + (int)sim_random((uint64_t)(high - low) + 1);
}

static inline struct sockaddr_in
host(unsigned number, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(0x0a000000 + number),
	    .sin_port = htons(port)};
}

/* A socket that listens on @at, attached; faults are waited out. */
static inline void
listen_surely(struct io_fd *io, const struct sockaddr_in *at)
{
	int fd;

	while ((fd = socket_open(AF_INET, SOCK_STREAM, 0)) < 0)
		;
	must(socket_bind(fd, (const struct sockaddr *)at, sizeof(*at)) == 0);
	must(socket_listen(fd, 64) == 0);
	must(io_attach(io, fd) == 0);
}

/* Start @fn(descriptor) in @scope for each connection, until the task is
 * stopped. Faults are waited out; without room for a task it is closed. */
static inline void
accept_all(struct io_fd *listener, struct scope *scope, task_fn fn)
{
	int fd;

	do {
		fd = io_accept(listener, NULL, NULL, instant_never());
		if (fd >= 0 &&
		    task_start(scope, "server", fn, (void *)(intptr_t)fd) < 0)
			socket_close(fd);
		if (fd < 0 && fd != -ECANCELED &&
		    task_sleep(duration_ms(20)) < 0)
			break;
	} while (fd != -ECANCELED);
}
