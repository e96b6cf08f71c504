/*
 * poll.c - the reactor on poll(2)
 *
 * The array that the kernel is handed is dense and lasts from call to call:
 * a new interest is put at its end, the last one takes the place of one that
 * is gone, and place[fd] tells where a descriptor stands. Nothing is built
 * anew, but the kernel looks at every entry: a turn costs about 0.15 us for
 * each connection that waits. For few descriptors, and where there is no
 * epoll.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"
#include "runtime/io/reactor.h"

#define POLL_FDS_AT_FIRST 64

struct poll_state {
	struct level level; /* first: it is worker->backend_state */
	struct pollfd *fds; /* [0] is the wake */
	uint32_t *place; /* of a descriptor in fds; 0: it is not there */
	uint32_t count;
	uint32_t capacity; /* of both; descriptors are below it */
	uint32_t next; /* where the next look begins: nobody starves */
};

static void
poll_interest(struct level *level, int fd, unsigned events)
{
	struct poll_state *state = (struct poll_state *)level;
	uint32_t place = state->place[fd];

	if (events == 0) {
		struct pollfd *last;

		if (place == 0)
			return;
		last = &state->fds[--state->count];
		state->fds[place] = *last;
		state->place[last->fd] = place;
		state->place[fd] = 0;
		return;
	}
	if (place == 0) {
		place = state->count++;
		state->place[fd] = place;
	}
	state->fds[place] = (struct pollfd){.fd = fd,
	    .events = (short)(((events & IO_IN) != 0 ? POLLIN | POLLRDHUP : 0) |
		((events & IO_OUT) != 0 ? POLLOUT : 0))};
}

static int
poll_grow(struct poll_state *state, int fd)
{
	uint32_t capacity = max_of(state->capacity, POLL_FDS_AT_FIRST);
	struct pollfd *fds;
	uint32_t *place;

	if ((uint32_t)fd < state->capacity)
		return 0;
	while (capacity <= (uint32_t)fd)
		capacity *= 2;
	/* One descriptor is the wake: there is always room for the others. */
	fds = realloc(state->fds, capacity * sizeof(*fds));
	if (fds == NULL)
		return -ENOMEM;
	state->fds = fds;
	place = realloc(state->place, capacity * sizeof(*place));
	if (place == NULL)
		return -ENOMEM;
	state->place = place;
	memset(place + state->capacity, 0,
	    (capacity - state->capacity) * sizeof(*place));
	state->capacity = capacity;
	return 0;
}

static void
poll_close(struct worker *worker)
{
	struct poll_state *state = worker->backend_state;

	level_close(&state->level);
	free(state->fds);
	free(state->place);
	free(state);
	worker->backend_state = NULL;
}

static int
poll_open(struct worker *worker)
{
	struct poll_state *state = calloc(1, sizeof(*state));
	int error;

	if (state == NULL)
		return -ENOMEM;
	worker->backend_state = state;
	error = level_open(&state->level, poll_interest);
	if (error == 0)
		error = poll_grow(state, state->level.wake);
	if (error < 0) {
		poll_close(worker);
		return error;
	}
	state->fds[0] =
	    (struct pollfd){.fd = state->level.wake, .events = POLLIN};
	state->count = 1;
	return 0;
}

static int
poll_attach(struct worker *worker, struct io_fd *io)
{
	int error = level_check(io->fd);

	if (error == 0)
		error = poll_grow(worker->backend_state, io->fd);
	io->ready = IO_OUT;
	return error;
}

/* A descriptor that was closed behind our back: the call on it will tell. */
static uint8_t
poll_bits(short events)
{
	return (events & POLLNVAL) != 0 ? IO_IN | IO_OUT | IO_HUP
					: reactor_bits((uint16_t)events);
}

static void
poll_note(struct poll_state *state, unsigned left, unsigned batch)
{
	uint32_t at = state->next < state->count ? state->next : 0;

	for (uint32_t i = 0; i < state->count && left > 0; i++) {
		const struct pollfd *p = &state->fds[at];

		if (p->revents != 0) {
			left--;
			if (!level_note(&state->level, p->fd,
				poll_bits(p->revents), batch))
				break;
		}
		at = at + 1 < state->count ? at + 1 : 0;
	}
	state->next = at;
}

static int
poll_poll(struct worker *worker, instant until, unsigned batch)
{
	struct poll_state *state = worker->backend_state;
	struct timespec left;
	int count;

	count =
	    ppoll(state->fds, state->count, reactor_left(until, &left), NULL);
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	/* Hooks and completions look at the time. */
	worker->now = clock_now();
	poll_note(
	    state, (unsigned)count, min_of(batch, (unsigned)WORKER_POLL_BATCH));
	return level_run(worker);
}

const struct io_backend io_poll = {
    .name = "poll",
    .tries = true,
    .open = poll_open,
    .close = poll_close,
    .attach = poll_attach,
    .detach = level_detach,
    .submit = level_submit,
    .cancel = level_cancel,
    .watch = level_watch,
    .poll = poll_poll,
    .wake = level_wake,
};
