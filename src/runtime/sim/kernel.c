/*
 * kernel.c - descriptors of the kernel in a simulated runtime
 *
 * They are served by the epoll backend, which is asked without waiting as long
 * as anything is to happen in the simulation. Faults are put in front of it:
 * an operation is handed over a moment later, or for fewer bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "os/socket_call.h"
#include "runtime/sim/sim_inner.h"
#include "runtime/worker.h"

#define HELD_US_MAX 3000
/* Threads of the program have so long to wake a simulation that has come to
 * its end. */
#define OUTSIDE_WAIT duration_s(10)

/* A descriptor on which any number of bytes may move; of io_fd.flags. */
#define IO_FD_SHORT 128

/* An edge may complete the operation before its time: whoever waited is gone
 * with its stack then, and the descriptor tells. */
struct held {
	struct list node;
	struct sim_event event;
	struct io_op *op;
	int fd;
	uint32_t generation;
};

static struct list held_all = {&held_all, &held_all};
static unsigned kernel_count;

unsigned
sim_kernel_count(void)
{
	return kernel_count;
}

int
sim_kernel_open(struct worker *worker)
{
	kernel_count = 0;
	return io_epoll.open(worker);
}

void
sim_kernel_close(struct worker *worker)
{
	io_epoll.close(worker);
}

static bool
kernel_stream(int fd)
{
	int type;
	socklen_t length = sizeof(type);
	struct stat status;

	if (socket_option_get(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0)
		return type == SOCK_STREAM;
	return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

int
sim_kernel_attach(struct worker *worker, struct io_fd *io)
{
	int error = io_epoll.attach(worker, io);

	if (error < 0)
		return error;
	if (kernel_stream(io->fd))
		io->flags |= IO_FD_SHORT;
	kernel_count++;
	return 0;
}

static void
held_free(struct held *held)
{
	sim_event_cancel(&held->event);
	list_remove(&held->node);
	free(held);
}

static struct held *
held_find(const struct io_op *op)
{
	list_each (node, &held_all) {
		struct held *held = container_of(node, struct held, node);

		if (held->op == op)
			return held;
	}
	return NULL;
}

static void
held_drop(const struct io_op *op)
{
	struct held *held = op != NULL ? held_find(op) : NULL;

	if (held != NULL)
		held_free(held);
}

void
sim_kernel_detach(struct worker *worker, struct io_fd *io, bool closing)
{
	held_drop(io->reader);
	held_drop(io->writer);
	kernel_count--;
	io_epoll.detach(worker, io, closing);
}

static void
held_run(struct sim_event *event)
{
	struct held *held = container_of(event, struct held, event);
	struct io_op *op = held->op;
	const struct io_fd *io = io_table_find(held->fd, held->generation);
	int r;

	held_free(held);
	if (io == NULL || (io->reader != op && io->writer != op) || op->done)
		return;
	r = io_epoll.submit(worker_here, op);
	if (r != 0)
		io_complete(op, r < 0 ? r : op->result);
}

static bool
kernel_hold(struct io_op *op)
{
	struct held *held;

	if (op->code == IO_OP_CONNECT ||
	    !sim_fault(sim_here.options.faults.not_ready_ppm, "not ready"))
		return false;
	held = malloc(sizeof(*held));
	must(held != NULL);
	*held = (struct held){.event.run = held_run,
	    .op = op,
	    .fd = op->io->fd,
	    .generation = op->io->generation};
	list_push_back(&held_all, &held->node);
	sim_event_after(&held->event, duration_us(sim_between(1, HELD_US_MAX)));
	op->done = false;
	return true;
}

static bool
kernel_may_be_short(const struct io_op *op)
{
	switch ((enum io_code)op->code) {
	case IO_OP_RECV:
	case IO_OP_SEND:
	case IO_OP_READ:
	case IO_OP_WRITE:
		return (op->io->flags & IO_FD_SHORT) != 0 && op->length > 1;
	default:
		return false;
	}
}

int
sim_kernel_submit(struct worker *worker, struct io_op *op)
{
	if (kernel_may_be_short(op) &&
	    sim_fault(sim_here.options.faults.short_ppm, "short"))
		op->length = (size_t)sim_between(1, (int64_t)op->length);
	if (kernel_hold(op))
		return 0;
	return io_epoll.submit(worker, op);
}

void
sim_kernel_cancel(struct worker *worker, struct io_op *op)
{
	struct held *held = held_find(op);

	if (held == NULL) {
		io_epoll.cancel(worker, op);
		return;
	}
	held_free(held);
	op->result = -ECANCELED;
	op->done = true;
}

int
sim_kernel_poll(struct worker *worker, bool wait, unsigned batch)
{
	instant until = instant_past();
	int count;

	if (!wait && kernel_count == 0)
		return 0;
	if (wait)
		until = kernel_count > 0
		    ? instant_never()
		    : instant_after(sim_here.now, OUTSIDE_WAIT);
	count = io_epoll.poll(worker, until, batch);
	return max_of(count, 0);
}

void
sim_kernel_wake(struct worker *worker)
{
	io_epoll.wake(worker);
}
