/*
 * weir_busy.c - how long one task waits for its turn beside 1,000 busy ones:
 * LOAD same|own MS
 *
 * LOAD   cpu       each computes for 20 us and yields
 *        io        500 pairs pass 64 bytes back and forth
 *        requests  each sleeps for 143 ms on average and computes for 100 us
 * own    the one task has a worker of its own, on the same CPU
 *
 * For MS it sleeps for 5 ms at a time, and prints the median of how much too
 * long that was, the 99th percentile and the most, in ms.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#define TASKS     1000
#define TICKS_MAX 1000

static struct weir_io ends[TASKS];
static weir_task_fn load;
static bool over;
static int64_t late[TICKS_MAX];
static int64_t lasts_ns;
static unsigned ticks, seed = 1;

static void
compute(int64_t ns)
{
	weir_time end = weir_after(ns);

	while (weir_after(0) < end)
		;
}

static int
load_cpu(void *arg)
{
	(void)arg;
	while (!over && weir_yield() == 0)
		compute(20 * WEIR_MICROSECOND);
	return 0;
}

static int
load_requests(void *arg)
{
	(void)arg;
	while (!over) {
		seed = seed * 1103515245 + 12345;
		if (weir_sleep((seed >> 8) % 286 * WEIR_MILLISECOND) < 0)
			break;
		compute(100 * WEIR_MICROSECOND);
	}
	return 0;
}

static int
load_io(void *arg)
{
	struct weir_io *io = arg;
	char bytes[64] = {0};
	ssize_t r = 1;

	if ((io - ends) % 2 != 0)
		r = weir_send(io, bytes, sizeof(bytes), NULL, WEIR_NEVER);
	while (!over && r > 0) {
		r = weir_recv(io, bytes, sizeof(bytes), WEIR_NEVER);
		if (r > 0)
			r = weir_send(io, bytes, (size_t)r, NULL, WEIR_NEVER);
	}
	return 0;
}

static int
tick(void *arg)
{
	weir_time end = weir_after(lasts_ns), when = weir_after(0);

	(void)arg;
	while (when < end && ticks < TICKS_MAX) {
		when += 5 * WEIR_MILLISECOND;
		if (weir_sleep_until(when) < 0)
			break;
		late[ticks++] = weir_after(0) - when;
		when += late[ticks - 1];
	}
	return 0;
}

static int
compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

static int
start_load(struct weir_scope *scope)
{
	int r = 0;

	for (int i = 0; i < TASKS && r == 0; i += 2)
		r = weir_unix_pair(SOCK_STREAM, &ends[i], &ends[i + 1]);
	for (int i = 0; i < TASKS && r == 0; i++)
		r = weir_task_start(scope, "load", load, &ends[i]);
	return r;
}

static int
root(void *arg)
{
	struct weir_scope scope;
	struct weir_task ticker;
	int r;

	(void)arg;
	weir_scope_init(&scope, WEIR_NEVER);
	r = start_load(&scope);
	if (r == 0)
		r = weir_worker_start_joinable(
		    weir_worker_count() - 1, &ticker, "ticker", tick, NULL);
	if (r == 0)
		r = weir_task_join(&ticker, NULL, WEIR_NEVER);
	over = true;
	weir_scope_fini(&scope);
	for (int i = 0; i < TASKS; i++)
		weir_io_close(&ends[i]);
	if (r < 0 || ticks == 0)
		return r < 0 ? r : -ENODATA;
	qsort(late, ticks, sizeof(late[0]), compare);
	printf("%.3f %.3f %.3f\n", (double)late[ticks / 2] / 1e6,
	    (double)late[ticks * 99 / 100] / 1e6,
	    (double)late[ticks - 1] / 1e6);
	return 0;
}

int
main(int argc, char **argv)
{
	struct weir_options options = {
	    .worker_count = 1, .backend = "epoll", .stall_ns = -1};
	const char *what = argc > 1 ? argv[1] : "";

	load = strcmp(what, "cpu") == 0     ? load_cpu
	    : strcmp(what, "io") == 0       ? load_io
	    : strcmp(what, "requests") == 0 ? load_requests
					    : NULL;
	if (load == NULL || argc != 4)
		return 2;
	if (strcmp(argv[2], "own") == 0)
		options.worker_count = 2;
	lasts_ns = atol(argv[3]) * WEIR_MILLISECOND;
	return weir_run(&options, root, NULL) < 0;
}
