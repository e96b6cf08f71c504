/*
 * weir_wake.c - what a wake-up costs beside idle descriptors:
 * BACKEND IDLE COUNT
 *
 * Two tasks hand a token to each other through two eventfds; each hand-over is
 * a wait of the loop. The idle descriptors are watched and never ready.
 */
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <weir/weir.h>

#include "cost.h"

static struct wake {
	long idle;
	long count;
	struct weir_io *ios;
	struct weir_io ends[2];
} wake;

static int
wake_open(struct weir_io *io)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = weir_io_attach(io, fd);
	if (r < 0)
		close(fd);
	return r;
}

static void
wake_idle(struct weir_io *io, unsigned events)
{
	(void)io;
	(void)events;
	abort();
}

/* One side: wait for the token, hand it on. */
static int
wake_side(void *arg)
{
	struct weir_io *mine = arg;
	struct weir_io *other = &wake.ends[mine == &wake.ends[0]];
	uint64_t token;

	for (long i = 0; i < wake.count / 2; i++) {
		ssize_t r = weir_read(mine, &token, sizeof(token), WEIR_NEVER);

		if (r == (ssize_t)sizeof(token))
			r = weir_write(
			    other, &token, sizeof(token), WEIR_NEVER);
		if (r != (ssize_t)sizeof(token))
			return r < 0 ? (int)r : -EPROTO;
	}
	return 0;
}

static int
wake_measure(void)
{
	struct weir_scope scope;
	uint64_t token = 1;
	double start;
	int r;

	weir_scope_init(&scope, WEIR_NEVER);
	r = weir_task_start(&scope, "left", wake_side, &wake.ends[0]);
	if (r == 0)
		r = weir_task_start(&scope, "right", wake_side, &wake.ends[1]);
	if (r == 0)
		r = weir_sleep(WEIR_MILLISECOND);
	start = cost_cpu_ns();
	if (r == 0 &&
	    weir_write(&wake.ends[0], &token, sizeof(token), WEIR_NEVER) < 0)
		r = -EPROTO;
	if (r == 0)
		r = weir_scope_wait(&scope);
	cost_print(start, (double)wake.count);
	weir_scope_fini(&scope);
	return r;
}

static int
root(void *arg)
{
	struct weir_info info;
	int r = 0;

	/* A backend that the kernel refuses is replaced silently. */
	weir_info_get(&info);
	if (strcmp(info.backend, arg) != 0)
		return -ENOTSUP;
	for (long i = 0; i < wake.idle && r == 0; i++) {
		r = wake_open(&wake.ios[i]);
		if (r == 0)
			weir_io_watch(&wake.ios[i], wake_idle);
	}
	/* Last: the highest numbers, the worst place for select. */
	for (int i = 0; i < 2 && r == 0; i++)
		r = wake_open(&wake.ends[i]);
	if (r == 0)
		r = wake_measure();
	/* The process ends: nobody closes them one by one. */
	if (r < 0)
		fprintf(stderr, "weir-wake: %s\n", strerror(-r));
	fflush(stdout);
	_exit(r < 0);
}

int
main(int argc, char **argv)
{
	struct weir_options options = {.worker_count = 1, .stall_ns = -1};
	struct rlimit limit;

	if (argc != 4)
		return 2;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	options.backend = argv[1];
	wake.idle = strtol(argv[2], NULL, 10);
	wake.count = strtol(argv[3], NULL, 10);
	wake.ios = calloc((size_t)wake.idle + 1, sizeof(*wake.ios));
	/* -EINVAL: this library, or this kernel, has no such backend. */
	return wake.ios == NULL || weir_run(&options, root, argv[1]) < 0 ? 3
									 : 0;
}
