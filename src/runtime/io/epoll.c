/*
 * epoll.c - the reactor: readiness from epoll(7), completions by ourselves
 *
 * A descriptor is registered once, for both directions, edge-triggered, and
 * never modified: an epoll_ctl per wait would cost 0.42 us. The loop performs
 * the waiting operation when its edge comes, so the task that is woken has its
 * result.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "os/clock.h"
#include "runtime/io/reactor.h"

#define EPOLL_EVENTS_MAX WORKER_POLL_BATCH
#define EPOLL_WAKE       UINT64_MAX

struct epoll_state {
	int epoll;
	int wake; /* eventfd; an edge at every write, so it is never read */
	bool no_pwait2;
	struct epoll_event events[EPOLL_EVENTS_MAX];
};

static int
epoll_add(int epoll, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void
epoll_close(struct worker *worker)
{
	struct epoll_state *state = worker->backend_state;

	if (state->wake >= 0)
		close(state->wake);
	if (state->epoll >= 0)
		close(state->epoll);
	free(state);
	worker->backend_state = NULL;
}

static int
epoll_open(struct worker *worker)
{
	struct epoll_state *state = malloc(sizeof(*state));
	int error;

	if (state == NULL)
		return -ENOMEM;
	worker->backend_state = state;
	state->no_pwait2 = false;
	state->epoll = epoll_create1(EPOLL_CLOEXEC);
	state->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (state->epoll < 0 || state->wake < 0)
		error = -errno;
	else
		error = epoll_add(
		    state->epoll, state->wake, EPOLLIN | EPOLLET, EPOLL_WAKE);
	if (error < 0)
		epoll_close(worker);
	return error;
}

static int
epoll_attach(struct worker *worker, struct io_fd *io)
{
	struct epoll_state *state = worker->backend_state;

	/* Likely writable, unlikely to have been sent anything yet: what the
	 * first edge says otherwise. */
	io->ready = IO_OUT;
	return epoll_add(state->epoll, io->fd,
	    EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
	    (uint64_t)io->generation << 32 | (uint32_t)io->fd);
}

static void
epoll_detach(struct worker *worker, struct io_fd *io, bool closing)
{
	struct epoll_state *state = worker->backend_state;

	reactor_end(io);
	if (!closing)
		epoll_ctl(state->epoll, EPOLL_CTL_DEL, io->fd, NULL);
}

static struct io_fd *
epoll_event_io(const struct epoll_event *event)
{
	if (event->data.u64 == EPOLL_WAKE)
		return NULL;
	return io_table_find(
	    (int)(uint32_t)event->data.u64, (uint32_t)(event->data.u64 >> 32));
}

/* What the next events need comes into the cache while one is served: of the
 * one after the next its descriptor, of the next its operation. */
static void
epoll_events_prefetch(const struct epoll_event *next, int count)
{
	const struct io_fd *io;

	io = count > 1 ? epoll_event_io(&next[1]) : NULL;
	if (io != NULL)
		__builtin_prefetch(io, 1);
	io = count > 0 ? epoll_event_io(next) : NULL;
	if (io != NULL && io->reader != NULL)
		__builtin_prefetch(io->reader, 1);
}

static void
epoll_event_run(struct epoll_event *event)
{
	struct io_fd *io = epoll_event_io(event);

	if (io != NULL)
		reactor_ready(io, reactor_bits(event->events));
}

static int
epoll_wait_until(struct epoll_state *state, instant until, int max)
{
	struct timespec left = {0, 0};
	int64_t ns;
	int count;

	if (until.ns == INSTANT_PAST_NS)
		return epoll_wait(state->epoll, state->events, max, 0);
	if (instant_is_never(until))
		return epoll_wait(state->epoll, state->events, max, -1);
	ns = max_of(instant_since(until, clock_now()).ns, (int64_t)0);
	if (!state->no_pwait2) {
		left.tv_sec = ns / 1000000000;
		left.tv_nsec = ns % 1000000000;
		count =
		    epoll_pwait2(state->epoll, state->events, max, &left, NULL);
		if (count >= 0 || (errno != ENOSYS && errno != EPERM))
			return count;
		/* A sandbox that does not know the call. */
		state->no_pwait2 = true;
	}
	return epoll_wait(state->epoll, state->events, max,
	    (int)min_of((ns + 999999) / 1000000, (int64_t)INT32_MAX));
}

static int
epoll_poll(struct worker *worker, instant until, unsigned batch)
{
	struct epoll_state *state = worker->backend_state;
	int count;

	count = epoll_wait_until(
	    state, until, (int)min_of(batch, (unsigned)EPOLL_EVENTS_MAX));
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	/* Hooks and completions look at the time. */
	worker->now = clock_now();
	for (int i = 0; i < count; i++) {
		epoll_events_prefetch(&state->events[i + 1], count - i - 1);
		epoll_event_run(&state->events[i]);
	}
	return count;
}

static void
epoll_wake(struct worker *worker)
{
	struct epoll_state *state = worker->backend_state;
	uint64_t one = 1;

	/* It fails only at 2^64 - 1 writes. */
	if (write(state->wake, &one, sizeof(one)) < 0)
		(void)never(true);
}

const struct io_backend io_epoll = {
    .name = "epoll",
    .tries = true,
    .open = epoll_open,
    .close = epoll_close,
    .attach = epoll_attach,
    .detach = epoll_detach,
    .submit = reactor_submit,
    .cancel = reactor_cancel,
    .poll = epoll_poll,
    .wake = epoll_wake,
};
