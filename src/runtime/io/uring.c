/*
 * uring.c - the proactor: operations are requests of io_uring(7)
 *
 * Receives and sends of sockets are handed to the kernel with the caller's
 * memory and complete there. What the kernel would give to a thread of its own
 * (splice, sendfile, reads of pipes) is performed by us, as by a reactor, when
 * a poll that stays in the kernel tells of an edge.
 *
 * A turn of the loop makes one system call: it submits what the tasks have
 * queued and takes what has completed. A descriptor is closed only after the
 * requests that name it were submitted, so that none can meet the next
 * descriptor of that number.
 */
#include "runtime/io/uring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/counters.h"
#include "os/clock.h"
#include "runtime/io/reactor.h"

/* io_op.state, with URING_AT_KERNEL: the end was asked for. */
#define URING_CANCELLED 128

static int
uring_open(struct worker *worker)
{
	struct uring *u = calloc(1, sizeof(*u));
	int error;

	if (u == NULL)
		return -ENOMEM;
	u->fd = u->wake = -1;
	error = uring_ring_open(u);
	if (error < 0) {
		uring_ring_close(u);
		free(u);
		return error;
	}
	gather_init(
	    &u->gather, u->min_wait ? runtime_here.gather_ns : 0, worker->now);
	worker->backend_state = u;
	return 0;
}

static void
uring_close(struct worker *worker)
{
	uring_ring_close(uring_of(worker));
	free(worker->backend_state);
	worker->backend_state = NULL;
}

static int
uring_attach(struct worker *worker, struct io_fd *io)
{
	(void)worker;
	io->ready = IO_OUT;
	if ((io->flags & IO_FD_STREAM) == 0)
		return level_check(io->fd);
	io->flags |= URING_AHEAD;
	return 0;
}

/* ---- requests of an operation ---- */

static void
uring_prepare(struct io_uring_sqe *sqe, struct io_op *op)
{
	sqe->fd = op->io->fd;
	sqe->user_data = (uintptr_t)op;
	sqe->addr = (uintptr_t)op->memory;
	sqe->len = (uint32_t)min_of(op->length, (size_t)1 << 30);
	switch ((enum io_code)op->code) {
	case IO_OP_RECV:
		sqe->opcode = IORING_OP_RECV;
		break;
	case IO_OP_SEND:
		sqe->opcode = IORING_OP_SEND;
		sqe->msg_flags = MSG_NOSIGNAL | (uint32_t)op->flags;
		break;
	case IO_OP_SENDV:
		sqe->opcode = IORING_OP_SENDMSG;
		sqe->msg_flags = MSG_NOSIGNAL | (uint32_t)op->flags;
		*op->message = (struct msghdr){
		    .msg_iov = op->memory, .msg_iovlen = op->length};
		sqe->addr = (uintptr_t)op->message;
		sqe->len = 1;
		break;
	case IO_OP_RECVMSG:
		sqe->opcode = IORING_OP_RECVMSG;
		sqe->msg_flags = MSG_CMSG_CLOEXEC | (uint32_t)op->flags;
		sqe->len = 1;
		break;
	case IO_OP_SENDMSG:
		sqe->opcode = IORING_OP_SENDMSG;
		sqe->msg_flags = MSG_NOSIGNAL | (uint32_t)op->flags;
		sqe->len = 1;
		break;
	default:
		must(false);
	}
}

int
uring_at_kernel(struct uring *u, struct io_op *op)
{
	struct io_uring_sqe *sqe = uring_sqe(u);

	if (unlikely(sqe == NULL))
		return -ENOMEM;
	uring_prepare(sqe, op);
	op->done = false;
	op->state = URING_AT_KERNEL;
	op->io->queued = u->epoch;
	return 0;
}

static bool
uring_poll_add(struct uring *u, struct io_fd *io, unsigned events, unsigned how)
{
	struct io_uring_sqe *sqe = uring_sqe(u);

	if (unlikely(sqe == NULL))
		return false;
	sqe->opcode = IORING_OP_POLL_ADD;
	sqe->fd = io->fd;
	sqe->len = how;
	sqe->poll32_events = events;
	sqe->user_data = uring_tag(URING_POLL, io);
	io->state |= URING_POLLED;
	io->queued = u->epoch;
	return true;
}

static void
uring_unpoll(struct uring *u, struct io_fd *io)
{
	if ((io->state & (URING_POLLED | URING_UNPOLLING)) != URING_POLLED)
		return;
	io->state |= URING_UNPOLLING;
	uring_cancel_tag(u, uring_tag(URING_POLL, io));
}

bool
uring_poll_edges(struct uring *u, struct io_fd *io)
{
	if ((io->state & URING_POLLED) == 0)
		return uring_poll_add(u, io, EPOLLIN | EPOLLOUT | EPOLLRDHUP,
		    IORING_POLL_ADD_MULTI);
	if ((io->flags & URING_POLLED_ONCE) != 0)
		/* Its end arms the other, for those who wait by then. */
		uring_unpoll(u, io);
	return true;
}

/* Nothing in the kernel tells the hook: the loop looks, and asks again. */
void
uring_watch_later(struct io_fd *io)
{
	list_remove(&io->watched);
	list_push_back(&worker_here->watches, &io->watched);
}

void
uring_poll_arm(struct uring *u, struct io_fd *io)
{
	if (unlikely(!uring_poll_edges(u, io)))
		uring_watch_later(io);
}

void
uring_poll_once(struct uring *u, struct io_fd *io)
{
	if ((io->state & URING_POLLED) != 0)
		return;
	if (unlikely(!uring_poll_add(u, io, EPOLLIN | EPOLLRDHUP, 0)))
		uring_watch_later(io);
	else
		io->flags |= URING_POLLED_ONCE;
}

/* Until it is polled nothing is known of its readiness. */
int
uring_at_edge(struct uring *u, struct io_op *op)
{
	struct io_fd *io = op->io;
	unsigned needs = io_code_needs((enum io_code)op->code);

	if (op->code == IO_OP_CONNECT)
		io->ready = 0;
	if (((io->state & URING_POLLED) == 0 ||
		(io->flags & URING_POLLED_ONCE) != 0 ||
		(io->ready & needs) != 0 || op->code == IO_OP_WAIT ||
		op->code == IO_OP_CONNECT) &&
	    io_perform(op))
		return 1;
	if (unlikely(!uring_poll_edges(u, io)))
		return -ENOMEM;
	op->done = false;
	op->state = URING_AT_EDGE;
	return 0;
}

/* ---- the backend's calls ---- */

/*
 * Whoever does not wait asks for what has come by now, which the loop may not
 * have seen: first what completions hold, then the socket. An armed receive
 * takes nothing from it meanwhile, it goes on only in a call of ours.
 */
static bool
uring_look(struct uring *u, struct io_op *op)
{
	struct io_fd *io = op->io;
	struct io_uring_cqe cqe;

	if (op->code == IO_OP_SPLICE_IN || op->code == IO_OP_QUIET)
		return false;
	/* No hook is called: there is a reader. */
	while (uring_cqe_of(u, uring_tag(URING_RECV, io), &cqe))
		uring_recv_done(u, &cqe);
	return uring_unread_take(u, op) || io_perform(op);
}

/* Readers of a stream that may have bytes in our buffers, or will. */
static int
uring_submit_reader(struct uring *u, struct io_op *op)
{
	struct io_fd *io = op->io;

	if (uring_unread_take(u, op))
		return 1;
	if (unlikely((io->ready & IO_IN) != 0) &&
	    (op->code == IO_OP_LEND || (io->flags & URING_AHEAD) != 0 ||
		(io->state & URING_ARMED) != 0) &&
	    uring_look(u, op))
		return 1;
	if ((io->state & URING_ARMED) != 0) {
		if (op->code == IO_OP_WAIT && (op->flags & IO_OUT) != 0)
			return uring_at_edge(u, op);
		if (op->code != IO_OP_RECV && op->code != IO_OP_LEND &&
		    op->code != IO_OP_WAIT)
			uring_disarm(u, io);
		op->done = false;
		op->state = URING_AT_LENT;
		return 0;
	}
	if ((op->code == IO_OP_LEND && (io->flags & IO_FD_STREAM) != 0) ||
	    (op->code == IO_OP_RECV && uring_ahead(io))) {
		uring_arm(u, io);
		if (unlikely((io->state & URING_ARMED) == 0))
			return uring_at_edge(u, op);
		op->done = false;
		op->state = URING_AT_LENT;
		return 0;
	}
	if (op->code == IO_OP_RECV || op->code == IO_OP_RECVMSG)
		return uring_at_kernel(u, op);
	/* No bytes are on their way to us; a poll ends with the detach. */
	if (op->code == IO_OP_QUIET) {
		op->result = 0;
		return 1;
	}
	return uring_at_edge(u, op);
}

static int
uring_submit(struct worker *worker, struct io_op *op)
{
	struct uring *u = uring_of(worker);

	if ((op->io->flags & IO_FD_LISTENER) != 0)
		return uring_submit_listener(u, op);
	switch ((enum io_code)op->code) {
	case IO_OP_RECV:
	case IO_OP_LEND:
	case IO_OP_READ:
	case IO_OP_RECVMSG:
	case IO_OP_SPLICE_IN:
	case IO_OP_QUIET:
		return uring_submit_reader(u, op);
	case IO_OP_WAIT:
		return (op->flags & IO_IN) != 0 ? uring_submit_reader(u, op)
						: uring_at_edge(u, op);
	case IO_OP_SEND:
	case IO_OP_SENDV:
	case IO_OP_SENDMSG:
		/* Bytes that wait for more in the socket's queue make no
		 * segment; a request and a switch would cost more. */
		if ((op->flags & MSG_MORE) != 0 &&
		    (op->io->ready & IO_OUT) != 0 && io_perform(op))
			return 1;
		return uring_at_kernel(u, op);
	default:
		return uring_at_edge(u, op);
	}
}

static void
uring_cancel(struct worker *worker, struct io_op *op)
{
	if (op->state == URING_AT_KERNEL) {
		op->state = URING_CANCELLED;
		uring_cancel_tag(uring_of(worker), (uintptr_t)op);
	}
	/* Closed under the call, it was cancelled before. */
	if (op->state == URING_CANCELLED)
		return;
	/* What an armed receive brings is for the next reader. */
	op->result = -ECANCELED;
	op->done = true;
}

static bool
uring_detach_op(struct uring *u, struct io_op *op)
{
	if (op == NULL || op->done)
		return false;
	if (op->state == URING_AT_KERNEL) {
		op->state = URING_CANCELLED;
		uring_cancel_tag(u, (uintptr_t)op);
		return true;
	}
	if (op->state == URING_CANCELLED)
		return true;
	io_complete(op, -EBADF);
	return false;
}

/*
 * What waits in the kernel holds the file until it is cancelled: at the end of
 * this turn for a connection, whose peer sees the end then; at once for
 * everything else, so that its address is free when we return. The memory of a
 * task's operation is in use until its completion comes, and the task waits for
 * that.
 */
static void
uring_detach(struct worker *worker, struct io_fd *io, bool closing)
{
	struct uring *u = uring_of(worker);
	bool held = (io->state & (URING_ARMED | URING_POLLED | URING_GUARDED));
	bool queued = u->sq_tail != u->sq_submitted && io->queued == u->epoch;

	held |= uring_detach_op(u, io->reader);
	held |= uring_detach_op(u, io->writer);
	uring_disarm(u, io);
	uring_unpoll(u, io);
	if ((io->state & URING_GUARDED) != 0)
		uring_cancel_tag(u, uring_tag(URING_GUARD, io));
	if ((io->flags & IO_FD_LISTENER) != 0)
		uring_accepted_drop(u, io);
	else
		uring_unread_drop(u, io);
	if (queued ||
	    (held &&
		(!closing || worker->stopping ||
		    (io->flags & IO_FD_STREAM) == 0)))
		uring_flush(u);
}

static void
uring_watch(struct worker *worker, struct io_fd *io)
{
	struct uring *u = uring_of(worker);

	if (io->on_ready == NULL)
		return;
	if ((io->ready & IO_IN) != 0) {
		list_push_back(&worker->watches, &io->watched);
		return;
	}
	/* Beside a reader a receive of ours would take its bytes. */
	if ((io->flags & IO_FD_STREAM) == 0 || io->reader != NULL ||
	    (io->state & URING_ENDED) != 0) {
		uring_poll_arm(u, io);
		return;
	}
	if ((io->state & URING_ARMED) != 0)
		return;
	if ((io->state & URING_BULK) == 0 ||
	    (io->flags & URING_POLLED_ONCE) == 0)
		uring_unpoll(u, io);
	uring_listen(u, io, false);
}

static ssize_t
uring_peek(struct worker *worker, struct io_fd *io, void *into, size_t length)
{
	if ((io->flags & IO_FD_LISTENER) != 0)
		return -EAGAIN;
	return uring_unread_peek(uring_of(worker), io, into, length);
}

static void
uring_lent_release(struct worker *worker, uint32_t buffer)
{
	uring_buffer_release(uring_of(worker), buffer);
}

static bool
uring_holds(const struct io_op *op)
{
	return op->state == URING_AT_KERNEL || op->state == URING_CANCELLED;
}

/* ---- completions ---- */

static void
uring_op_done(struct uring *u, struct io_op *op, int result)
{
	int r = 0;

	/* Taken back before the kernel had it. */
	if (result == -ENOENT && op->state == URING_CANCELLED)
		result = -ECANCELED;
	if (op->io == NULL) {
		/* Closed under the call. */
		io_complete(op, result == -ECANCELED ? -EBADF : result);
		return;
	}
	if (op->code == IO_OP_RECV && result > 0)
		uring_note_size(op->io, result);
	if (result == -EAGAIN)
		r = uring_at_edge(u, op);
	else if (result == -EINTR ||
	    (result == -ECANCELED && op->state == URING_AT_KERNEL))
		r = uring_at_kernel(u, op);
	else
		r = 1, op->result = result;
	if (r != 0)
		io_complete(op, r < 0 ? r : op->result);
}

static void
uring_try(struct io_op *op)
{
	if (op != NULL && !op->done && op->state == URING_AT_EDGE &&
	    io_perform(op))
		io_complete(op, op->result);
}

static bool
uring_edge_waiter(const struct io_op *op)
{
	return op != NULL && !op->done && op->state == URING_AT_EDGE;
}

static void
uring_edge_fail(struct io_op *op)
{
	if (uring_edge_waiter(op))
		io_complete(op, -ENOMEM);
}

/* A poll is over. */
static void
uring_poll_ended(struct uring *u, struct io_fd *io)
{
	io->state &= (uint8_t) ~(URING_POLLED | URING_UNPOLLING);
	io->flags &= (uint8_t)~URING_POLLED_ONCE;
	if ((uring_edge_waiter(io->reader) || uring_edge_waiter(io->writer)) &&
	    unlikely(!uring_poll_edges(u, io))) {
		uring_edge_fail(io->reader);
		uring_edge_fail(io->writer);
	}
}

/* The hook of @io, last: it may close and free it. */
static void
uring_poll_hook(struct uring *u, struct io_fd *io, uint8_t ready)
{
	uint32_t generation = io->generation;
	int fd = io->fd;

	if (ready != 0)
		io->on_ready(io, io->ready | ready);
	io = io_table_find(fd, generation);
	if (io == NULL || io->on_ready == NULL || io->reader != NULL ||
	    (io->state & (URING_POLLED | URING_ARMED)) != 0)
		return;
	if (ready == 0 && (io->flags & IO_FD_STREAM) != 0)
		uring_listen(u, io, false);
	else
		/* It stays: of edges from now on, not of what it left. */
		uring_poll_arm(u, io);
}

static void
uring_poll_done(struct uring *u, const struct io_uring_cqe *cqe)
{
	struct io_fd *io = io_table_find(
	    (int)(uint32_t)cqe->user_data, (uint32_t)(cqe->user_data >> 32));
	uint8_t ready = 0;
	bool once;

	if (io == NULL)
		return;
	io_need_waiters(io);
	once = (io->flags & URING_POLLED_ONCE) != 0;
	if (cqe->res > 0)
		ready = reactor_bits((unsigned)cqe->res);
	if ((cqe->flags & IORING_CQE_F_MORE) == 0)
		uring_poll_ended(u, io);
	/* What was polled once is asked again before it is believed. */
	io->ready |= once ? ready & IO_HUP : ready;
	if ((ready & IO_OUT) != 0)
		uring_try(io->writer);
	if (io->reader != NULL) {
		if ((ready & IO_IN) != 0)
			uring_try(io->reader);
	} else if (io->on_ready != NULL && (io->state & URING_ARMED) == 0) {
		uring_poll_hook(u, io, ready & (IO_IN | IO_HUP));
	}
}

static void
uring_wake_arm(struct uring *u)
{
	struct io_uring_sqe *sqe = uring_sqe(u);

	if (sqe == NULL)
		return;
	sqe->opcode = IORING_OP_POLL_ADD;
	sqe->fd = u->wake;
	sqe->len = IORING_POLL_ADD_MULTI;
	sqe->poll32_events = EPOLLIN;
	sqe->user_data = (uint64_t)URING_WAKE << 60;
	u->wake_armed = true;
}

/* Sends end when they are submitted, as a rule: nobody waits for that. */
static bool
uring_is_event(const struct io_uring_cqe *cqe)
{
	const struct io_op *op = (struct io_op *)(uintptr_t)cqe->user_data;
	enum uring_kind kind = (enum uring_kind)(cqe->user_data >> 60);

	if (kind == URING_OP)
		return op->code == IO_OP_RECV || op->code == IO_OP_RECVMSG;
	return kind != URING_NOBODY;
}

static void
uring_completed(struct uring *u, const struct io_uring_cqe *cqe)
{
	u->events += uring_is_event(cqe);
	switch ((enum uring_kind)(cqe->user_data >> 60)) {
	case URING_OP:
		uring_op_done(
		    u, (struct io_op *)(uintptr_t)cqe->user_data, cqe->res);
		break;
	case URING_RECV:
		uring_recv_done(u, cqe);
		break;
	case URING_POLL:
		uring_poll_done(u, cqe);
		break;
	case URING_GUARD:
		uring_guard_done(u, cqe);
		break;
	case URING_ACCEPT:
		uring_accept_done(u, cqe);
		break;
	case URING_WAKE:
		if ((cqe->flags & IORING_CQE_F_MORE) == 0)
			u->wake_armed = false;
		break;
	case URING_NOBODY:
		break;
	}
}

static int
uring_poll(struct worker *worker, instant until, unsigned batch)
{
	struct uring *u = uring_of(worker);
	struct io_uring_cqe cqe;
	unsigned count = 0;
	int result;

	if (unlikely(!u->wake_armed)) {
		uring_wake_arm(u);
		/* Nobody could end the wait. */
		if (!u->wake_armed)
			until = instant_past();
	}
	result = uring_wait(u, until, gather_wanted(&u->gather, worker->now));
	if (result < 0)
		return result;
	/* Hooks and completions look at the time. */
	worker->now = clock_now();
	u->events = 0;
	while (count < batch && uring_cqe(u, &cqe)) {
		uring_completed(u, &cqe);
		count++;
	}
	counters_here->waits_gathered += (unsigned)result;
	gather_note(&u->gather, result > 0, u->events, worker->now);
	return (int)count;
}

static void
uring_wake(struct worker *worker)
{
	uint64_t one = 1;

	/* It fails only at 2^64 - 1 writes. */
	if (write(uring_of(worker)->wake, &one, sizeof(one)) < 0)
		(void)never(true);
}

const struct io_backend io_uring = {
    .name = "uring",
    .probe = uring_ring_probe,
    .open = uring_open,
    .close = uring_close,
    .attach = uring_attach,
    .detach = uring_detach,
    .submit = uring_submit,
    .cancel = uring_cancel,
    .holds = uring_holds,
    .poll = uring_poll,
    .wake = uring_wake,
    .watch = uring_watch,
    .peek = uring_peek,
    .lent_release = uring_lent_release,
};
