/*
 * uring_accept.c - one request for all connections of a listener
 *
 * A listener that is ours alone (io_attach_listener) has a multishot accept in
 * the kernel from its first io_accept() on, which takes all that is in the
 * backlog at a time. What nobody waits for is queued on the descriptor, in
 * order; at IO_ACCEPTED_MAX the request is ended, and who comes later stays in
 * the backlog until somebody asks. The kernel tells no address this way, so
 * getpeername(2) is asked for whoever wants it (docs/benchmarks.md).
 */
#include <errno.h>
#include <poll.h>

#include "os/socket_call.h"
#include "runtime/io/uring.h"

static bool
uring_accepted_push(struct uring *u, struct io_fd *io, int fd)
{
	unsigned index = u->accepted_free;

	if (index != 0)
		u->accepted_free = u->accepted[index - 1].next;
	else if (u->accepted_count < URING_ACCEPTED)
		index = ++u->accepted_count;
	else
		return false;
	u->accepted[index - 1] = (struct uring_accepted){.fd = fd};
	if (io->unread.count++ == 0)
		io->unread.first = (uint16_t)index;
	else
		u->accepted[io->unread.last - 1].next = (uint16_t)index;
	io->unread.last = (uint16_t)index;
	io->ready |= IO_IN;
	return true;
}

static int
uring_accepted_pop(struct uring *u, struct io_fd *io)
{
	unsigned index = io->unread.first;
	struct uring_accepted *accepted = &u->accepted[index - 1];

	io->unread.first = accepted->next;
	if (--io->unread.count == 0)
		io->ready &= (uint8_t)~IO_IN;
	accepted->next = (uint16_t)u->accepted_free;
	u->accepted_free = index;
	return accepted->fd;
}

void
uring_accepted_drop(struct uring *u, struct io_fd *io)
{
	while (io->unread.count != 0)
		socket_close(uring_accepted_pop(u, io));
}

/* Answer @op from the queue: true, or it is empty. A client that was reset
 * meanwhile has no address, and is no error of the listener. */
static bool
uring_accepted_take(struct uring *u, struct io_op *op)
{
	struct io_fd *io = op->io;

	if (op->code == IO_OP_QUIET)
		return false;
	if (op->code == IO_OP_WAIT && io->unread.count != 0) {
		op->result = IO_IN;
		return true;
	}
	while (io->unread.count != 0) {
		int fd = uring_accepted_pop(u, io);

		if (op->memory == NULL ||
		    getpeername(fd, op->memory, op->address_length) == 0) {
			op->result = fd;
			return true;
		}
		socket_close(fd);
	}
	return false;
}

static bool
uring_accept_arm(struct uring *u, struct io_fd *io)
{
	struct io_uring_sqe *sqe = uring_sqe(u);

	if (unlikely(sqe == NULL))
		return false;
	sqe->opcode = IORING_OP_ACCEPT;
	sqe->fd = io->fd;
	sqe->ioprio = IORING_ACCEPT_MULTISHOT;
	sqe->accept_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
	sqe->user_data = uring_tag(URING_ACCEPT, io);
	io->state |= URING_ARMED;
	io->queued = u->epoch;
	return true;
}

/* The request is being ended. */
static int
uring_accept_quiet(struct uring *u, struct io_op *op)
{
	if ((op->io->state & URING_ARMED) == 0) {
		op->result = 0;
		return 1;
	}
	uring_disarm(u, op->io);
	op->done = false;
	op->state = URING_AT_LENT;
	return 0;
}

/* The queue, then the kernel. As submit. */
int
uring_submit_listener(struct uring *u, struct io_op *op)
{
	struct io_fd *io = op->io;

	if (op->code == IO_OP_QUIET)
		return uring_accept_quiet(u, op);
	if (op->code != IO_OP_ACCEPT &&
	    (op->code != IO_OP_WAIT || (op->flags & IO_IN) == 0))
		return io_perform(op) ? 1 : uring_at_edge(u, op);
	if (uring_accepted_take(u, op))
		return 1;
	/* A wait alone takes nothing out of the backlog. */
	if ((io->state & URING_ARMED) == 0 && op->code == IO_OP_WAIT)
		return uring_at_edge(u, op);
	if ((io->state & URING_ARMED) == 0 && !uring_accept_arm(u, io))
		return uring_at_edge(u, op);
	op->done = false;
	op->state = URING_AT_LENT;
	return 0;
}

/*
 * The kernel looks for a free descriptor before it looks for a connection:
 * without one that waits, its lack is nobody's error yet.
 */
static void
uring_accept_again(struct uring *u, struct io_op *reader, int why)
{
	struct io_fd *io = reader->io;
	int r;

	if (reader->code == IO_OP_QUIET) {
		io_complete(reader, 0);
		return;
	}
	if ((why == -EMFILE || why == -ENFILE) &&
	    socket_poll(io->fd, POLLIN) == 0) {
		reader->state = URING_AT_EDGE;
		if (uring_poll_edges(u, io))
			return;
		r = -ENOMEM;
	} else if (why == -ECANCELED || why == -ENOENT || why >= 0 ||
	    why == -ECONNABORTED || why == -EINTR || why == -EAGAIN) {
		r = uring_submit_listener(u, reader);
	} else {
		r = why;
	}
	if (r != 0)
		io_complete(reader, r < 0 ? r : reader->result);
}

void
uring_accept_done(struct uring *u, const struct io_uring_cqe *cqe)
{
	struct io_fd *io = io_table_find(
	    (int)(uint32_t)cqe->user_data, (uint32_t)(cqe->user_data >> 32));
	struct io_op *reader;

	/* Nobody's any more, or no room: the client sees the end. */
	if (cqe->res >= 0 &&
	    (io == NULL || !uring_accepted_push(u, io, cqe->res)))
		socket_close(cqe->res);
	if (io == NULL)
		return;
	if ((cqe->flags & IORING_CQE_F_MORE) == 0)
		io->state &= (uint8_t) ~(URING_ARMED | URING_DISARMING);
	else if (io->unread.count >= IO_ACCEPTED_MAX)
		uring_disarm(u, io);
	reader = io->reader;
	if (reader == NULL) {
		/* Last: it may close and free @io. */
		if (io->on_ready != NULL && io->unread.count != 0)
			io->on_ready(io, io->ready);
		return;
	}
	if (reader->done || reader->state != URING_AT_LENT)
		return;
	if (uring_accepted_take(u, reader))
		io_complete(reader, reader->result);
	else if ((io->state & URING_ARMED) == 0)
		uring_accept_again(u, reader, cqe->res);
}
