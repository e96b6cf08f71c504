/*
 * public/ring.c - <weir/ring.h>: the ring of os/ring.h, and how tasks wait
 */
#include <weir/ring.h>

#include <errno.h>

#include "os/pipe.h"
#include "os/ring.h"
#include "public/inner.h"

struct ring_side {
	struct ring ring;
	struct io_fd socket;
	bool puts;
	bool waits; /* a task does */
	uint8_t streak; /* messages since it let others run */
};
_Static_assert(sizeof(struct ring_side) <= sizeof(struct weir_ring), "");

static struct ring_side *
inner_side(struct weir_ring *ring)
{
	return (struct ring_side *)ring;
}

int
weir_ring_create(size_t bytes, struct weir_ring_ends *ret_ends)
{
	int memory = ring_memory_create(bytes);
	int ends[2], r;

	if (memory < 0)
		return memory;
	r = ring_sockets_create(ends);
	if (r < 0) {
		fd_close(memory);
		return r;
	}
	*ret_ends = (struct weir_ring_ends){
	    .memory = memory, .put = ends[0], .get = ends[1]};
	return 0;
}

static int
ring_side_open(struct weir_ring *ring, int memory, int socket, bool puts)
{
	struct ring_side *side = inner_side(ring);
	int r;

	*side = (struct ring_side){.socket = IO_FD_NONE, .puts = puts};
	r = ring_open(&side->ring, memory, puts);
	if (r < 0)
		return r;
	r = io_attach_stream(&side->socket, socket);
	if (r < 0) {
		side->ring.memory = -1;
		ring_close(&side->ring);
	}
	return r;
}

int
weir_ring_open_put(struct weir_ring *ring, int memory, int put)
{
	(void)worker_required(__func__);
	return ring_side_open(ring, memory, put, true);
}

int
weir_ring_open_get(struct weir_ring *ring, int memory, int get)
{
	(void)worker_required(__func__);
	return ring_side_open(ring, memory, get, false);
}

void
weir_ring_close(struct weir_ring *ring)
{
	io_close(&inner_side(ring)->socket);
	ring_close(&inner_side(ring)->ring);
}

size_t
weir_ring_message_max(const struct weir_ring *ring)
{
	return ring_message_max(&((const struct ring_side *)ring)->ring);
}

/* A busy ring never waits: its task must let the others run by itself. Returns
 * 0 or why the task was stopped. */
static int
ring_side_turn(struct ring_side *side)
{
	if (side->waits)
		return -EBUSY;
	return ++side->streak == 0 ? task_yield() : task_cancelled();
}

/* Not as an operation of the task: a cancel would lose the wake-up. */
static int
ring_side_wake(struct ring_side *side)
{
	if (!ring_must_wake(&side->ring, side->puts))
		return 0;
	return ring_wake(side->socket.fd);
}

/* Returns 0: try again; -EPIPE: the other side is gone. */
static int
ring_side_wait(struct ring_side *side, instant deadline)
{
	char bytes[16];
	ssize_t got;

	side->waits = true;
	got = io_recv(&side->socket, bytes, sizeof(bytes), deadline);
	side->waits = false;
	if (got > 0)
		return 0;
	return got == 0 || got == -ECONNRESET ? -EPIPE : (int)got;
}

int
weir_ring_put(
    struct weir_ring *ring, const void *data, size_t length, weir_time deadline)
{
	struct ring_side *side = inner_side(ring);
	int wait = 0;
	int r = ring_side_turn(side);

	(void)task_required(__func__);
	if (r < 0)
		return r;
	r = ring_put(&side->ring, data, length);
	while (r == -EAGAIN && wait == 0) {
		ring_sleep_begin(&side->ring, true);
		r = ring_put(&side->ring, data, length);
		if (r == -EAGAIN)
			wait = ring_side_wait(side, inner_time(deadline));
		ring_sleep_end(&side->ring, true);
		if (r == -EAGAIN && wait == 0)
			r = ring_put(&side->ring, data, length);
	}
	if (r == -EAGAIN)
		return wait;
	return r < 0 ? r : ring_side_wake(side);
}

ssize_t
weir_ring_get(
    struct weir_ring *ring, void *into, size_t capacity, weir_time deadline)
{
	struct ring_side *side = inner_side(ring);
	int wait = 0;
	ssize_t r = ring_side_turn(side);

	(void)task_required(__func__);
	if (r < 0)
		return r;
	r = ring_get(&side->ring, into, capacity);
	while (r == -EAGAIN && wait == 0) {
		ring_sleep_begin(&side->ring, false);
		r = ring_get(&side->ring, into, capacity);
		if (r == -EAGAIN)
			wait = ring_side_wait(side, inner_time(deadline));
		ring_sleep_end(&side->ring, false);
		/* Also after the end of the other side: what it left. */
		if (r == -EAGAIN)
			r = ring_get(&side->ring, into, capacity);
	}
	if (r == -EAGAIN)
		return wait == -EPIPE ? 0 : wait;
	/* A putter that is gone needs no room. */
	if (r > 0)
		(void)ring_side_wake(side);
	return r;
}
