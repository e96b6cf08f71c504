/*
 * uring_lend.c - receives into buffers of the worker, armed while nobody waits
 *
 * An idle stream has a receive in the kernel and no buffer: the kernel takes
 * one of the worker's when bytes come, and they come with the completion.
 * Until somebody reads them they belong to the descriptor (io->unread), in
 * order. The receive goes on by itself (multishot) while messages are small.
 * One that fills its buffer is followed by more: then it is ended, and the
 * task that reads gets the rest straight into its own memory. The same happens
 * when too much is unread, which closes the window of the peer.
 *
 * A plain receive of a stream that has brought two small messages is answered
 * in the same way: to copy a message costs less than a request for each.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "runtime/io/uring.h"

#define URING_GROUP 0
#ifndef URING_MULTISHOT
#	define URING_MULTISHOT 1
#endif

static void
uring_buffer_give(struct uring *u, unsigned buffer)
{
	struct io_uring_buf_ring *ring = u->buffer_ring;
	uint16_t tail = ring->tail;
	struct io_uring_buf *slot = &ring->bufs[tail & (URING_BUFFERS - 1)];

	slot->addr = (uintptr_t)uring_buffer_memory(u, buffer);
	slot->len = URING_BUFFER_BYTES;
	slot->bid = (uint16_t)buffer;
	__atomic_store_n(&ring->tail, (uint16_t)(tail + 1), __ATOMIC_RELEASE);
}

void
uring_buffers_grow(struct uring *u)
{
	unsigned count = min_of(
	    u->buffer_count == 0 ? URING_BUFFERS_FIRST : 2 * u->buffer_count,
	    (unsigned)URING_BUFFERS);

	/* Many may have found none before those of this turn were given. */
	if (u->buffers_epoch == u->epoch)
		return;
	u->buffers_epoch = u->epoch;
	while (u->buffer_count < count)
		uring_buffer_give(u, u->buffer_count++);
}

void
uring_buffer_release(struct uring *u, unsigned buffer)
{
	must(u->buffers_out > 0);
	u->buffers_out--;
	uring_buffer_give(u, buffer);
}

static void
uring_unread_push(
    struct uring *u, struct io_fd *io, unsigned buffer, unsigned bytes)
{
	u->buffers[buffer] = (struct uring_buffer){.end = (uint16_t)bytes};
	if (io->unread.count++ == 0)
		io->unread.first = (uint16_t)buffer;
	else
		u->buffers[io->unread.last].next = (uint16_t)buffer;
	io->unread.last = (uint16_t)buffer;
	io->ready |= IO_IN;
}

static unsigned
uring_unread_pop(struct uring *u, struct io_fd *io)
{
	unsigned buffer = io->unread.first;

	io->unread.first = u->buffers[buffer].next;
	if (--io->unread.count == 0 && (io->state & URING_ENDED) == 0)
		io->ready &= (uint8_t)~IO_IN;
	return buffer;
}

void
uring_unread_drop(struct uring *u, struct io_fd *io)
{
	while (io->unread.count != 0)
		uring_buffer_release(u, uring_unread_pop(u, io));
}

/*
 * A multishot receive reads once for all wake-ups that came between two looks,
 * and when bytes and the end come so, the end is never told. A poll for the
 * end alone, which costs nothing while there is none, tells of it.
 */
static bool
uring_guard(struct uring *u, struct io_fd *io)
{
	struct io_uring_sqe *sqe;

	if ((io->state & URING_GUARDED) != 0)
		return true;
	sqe = uring_sqe(u);
	if (unlikely(sqe == NULL))
		return false;
	sqe->opcode = IORING_OP_POLL_ADD;
	sqe->fd = io->fd;
	sqe->poll32_events = EPOLLRDHUP;
	sqe->user_data = uring_tag(URING_GUARD, io);
	io->state |= URING_GUARDED;
	return true;
}

void
uring_guard_done(struct uring *u, const struct io_uring_cqe *cqe)
{
	struct io_fd *io = io_table_find(
	    (int)(uint32_t)cqe->user_data, (uint32_t)(cqe->user_data >> 32));

	if (io == NULL)
		return;
	io->state &= (uint8_t)~URING_GUARDED;
	if (cqe->res <= 0)
		return;
	io->state |= URING_HUNGUP;
	io->ready |= IO_HUP;
	/* Whoever waits, or the hook, asks anew, and gets the end. */
	uring_disarm(u, io);
}

static bool
uring_many(struct uring *u, struct io_fd *io)
{
	if (io->flags < URING_ARMS_MANY) {
		io->flags += URING_ARMS;
		return false;
	}
	return URING_MULTISHOT &&
	    (io->state & (URING_BULK | URING_HUNGUP)) == 0 &&
	    uring_guard(u, io);
}

bool
uring_ahead(struct io_fd *io)
{
	if (!URING_MULTISHOT || (io->flags & URING_AHEAD) == 0 ||
	    (io->state & (URING_BULK | URING_HUNGUP)) != 0)
		return false;
	if (io->flags >= URING_ARMS_MANY)
		return true;
	io->flags += URING_ARMS;
	return false;
}

void
uring_arm(struct uring *u, struct io_fd *io)
{
	bool many = uring_many(u, io);
	struct io_uring_sqe *sqe = uring_sqe(u);

	if (unlikely(sqe == NULL))
		return;
	sqe->opcode = IORING_OP_RECV;
	sqe->fd = io->fd;
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->buf_group = URING_GROUP;
	/* Idle: to try at once would be in vain. */
	sqe->ioprio = IORING_RECVSEND_POLL_FIRST;
	if (many)
		sqe->ioprio |= IORING_RECV_MULTISHOT;
	sqe->user_data = uring_tag(URING_RECV, io);
	io->state |= URING_ARMED;
	io->queued = u->epoch;
}

void
uring_disarm(struct uring *u, struct io_fd *io)
{
	if ((io->state & (URING_ARMED | URING_DISARMING)) != URING_ARMED)
		return;
	io->state |= URING_DISARMING;
	uring_cancel_tag(u,
	    uring_tag(
		(io->flags & IO_FD_LISTENER) != 0 ? URING_ACCEPT : URING_RECV,
		io));
}

static size_t
uring_unread_copy(struct uring *u, struct io_fd *io, char *into, size_t length)
{
	size_t copied = 0;

	while (copied < length && io->unread.count != 0) {
		unsigned index = io->unread.first;
		struct uring_buffer *buffer = &u->buffers[index];
		size_t part =
		    min_of(length - copied, (size_t)(buffer->end - buffer->at));

		memcpy(into + copied,
		    uring_buffer_memory(u, index) + buffer->at, part);
		copied += part;
		buffer->at += (uint16_t)part;
		if (buffer->at == buffer->end)
			uring_buffer_release(u, uring_unread_pop(u, io));
	}
	return copied;
}

static size_t
uring_unread_scatter(
    struct uring *u, struct io_fd *io, const struct msghdr *message)
{
	size_t copied = 0;

	for (size_t i = 0; i < message->msg_iovlen; i++)
		copied += uring_unread_copy(u, io, message->msg_iov[i].iov_base,
		    message->msg_iov[i].iov_len);
	return copied;
}

bool
uring_unread_take(struct uring *u, struct io_op *op)
{
	struct io_fd *io = op->io;

	if (op->code == IO_OP_QUIET)
		return false;
	if (io->unread.count == 0) {
		if ((io->state & URING_ENDED) == 0)
			return false;
		op->result = io->unread.end;
		if (op->code == IO_OP_WAIT)
			op->result = IO_HUP | (op->flags & (IO_IN | IO_OUT));
		return true;
	}
	switch ((enum io_code)op->code) {
	case IO_OP_RECV:
	case IO_OP_READ:
		op->result =
		    (ssize_t)uring_unread_copy(u, io, op->memory, op->length);
		return true;
	case IO_OP_RECVMSG: {
		struct msghdr *message = op->memory;

		op->result = (ssize_t)uring_unread_scatter(u, io, message);
		message->msg_controllen = message->msg_namelen = 0;
		message->msg_flags = 0;
		return true;
	}
	case IO_OP_LEND: {
		struct io_lent *lent = op->memory;
		unsigned index = uring_unread_pop(u, io);
		struct uring_buffer *buffer = &u->buffers[index];

		lent->memory = uring_buffer_memory(u, index) + buffer->at;
		lent->length = (size_t)(buffer->end - buffer->at);
		lent->buffer = index;
		op->result = (ssize_t)lent->length;
		return true;
	}
	case IO_OP_WAIT:
		op->result = IO_IN | (io->ready & IO_HUP);
		return true;
	case IO_OP_SPLICE_IN:
		op->result = IO_UNREAD;
		return true;
	default:
		return false;
	}
}

ssize_t
uring_unread_peek(struct uring *u, struct io_fd *io, char *into, size_t length)
{
	size_t copied = 0;
	unsigned index = io->unread.first;

	if (io->unread.count == 0)
		return (io->state & URING_ENDED) != 0 ? io->unread.end
						      : -EAGAIN;
	for (unsigned i = 0; i < io->unread.count && copied < length; i++) {
		struct uring_buffer *buffer = &u->buffers[index];
		size_t part =
		    min_of(length - copied, (size_t)(buffer->end - buffer->at));

		memcpy(into + copied,
		    uring_buffer_memory(u, index) + buffer->at, part);
		copied += part;
		index = buffer->next;
	}
	return (ssize_t)copied;
}

/* What the completion says, into @io. */
static void
uring_recv_note(
    struct uring *u, struct io_fd *io, const struct io_uring_cqe *cqe)
{
	bool more = (cqe->flags & IORING_CQE_F_MORE) != 0;

	if (!more)
		io->state &= (uint8_t) ~(URING_ARMED | URING_DISARMING);
	if (cqe->res > 0) {
		uring_unread_push(u, io, cqe->flags >> IORING_CQE_BUFFER_SHIFT,
		    (unsigned)cqe->res);
		uring_note_size(io, cqe->res);
		if (more &&
		    (cqe->res == URING_BUFFER_BYTES ||
			io->unread.count >= URING_UNREAD_BUFFERS))
			uring_disarm(u, io);
		return;
	}
	if (cqe->res == -ECANCELED || cqe->res == -ENOBUFS ||
	    cqe->res == -ENOENT || cqe->res == -EINTR || cqe->res == -EAGAIN)
		return;
	io->state |= URING_ENDED;
	io->unread.end = (int16_t)cqe->res;
	io->ready |= IO_IN | IO_HUP;
}

/* Nothing came, and nothing is armed any more: the reader asks by itself. */
static void
uring_recv_again(struct uring *u, struct io_op *op, int why)
{
	int r;

	if (op->code == IO_OP_RECV && why != -ENOBUFS)
		r = uring_at_kernel(u, op);
	else
		r = uring_at_edge(u, op);
	if (r != 0)
		io_complete(op, r < 0 ? r : op->result);
}

/* Its hook is to be called at the next bytes: by a receive, or a poll. */
void
uring_listen(struct uring *u, struct io_fd *io, bool no_buffers)
{
	if (no_buffers || (io->state & URING_BULK) != 0 ||
	    io->unread.count >= URING_UNREAD_BUFFERS) {
		uring_poll_once(u, io);
		return;
	}
	uring_arm(u, io);
	if (unlikely((io->state & URING_ARMED) == 0))
		uring_watch_later(io);
}

static void
uring_recv_deliver(
    struct uring *u, struct io_fd *io, struct io_op *reader, int why)
{
	if (!reader->done && reader->state != URING_AT_KERNEL) {
		if (uring_unread_take(u, reader))
			io_complete(reader, reader->result);
		else if (reader->state == URING_AT_LENT &&
		    (io->state & URING_ARMED) == 0)
			uring_recv_again(u, reader, why);
	}
	/* A hook that stays is for what comes after that reader. */
	if (io->on_ready != NULL && (io->state & URING_ARMED) == 0)
		uring_poll_arm(u, io);
}

/* The usual one: a plain receive waits, and has room for it. */
static bool
uring_recv_straight(
    struct uring *u, struct io_fd *io, const struct io_uring_cqe *cqe)
{
	unsigned buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	struct io_op *reader = io->reader;

	if (reader == NULL || reader->done || reader->code != IO_OP_RECV ||
	    reader->state != URING_AT_LENT || cqe->res <= 0 ||
	    cqe->res >= URING_BUFFER_BYTES ||
	    (size_t)cqe->res > reader->length ||
	    (cqe->flags & IORING_CQE_F_MORE) == 0)
		return false;
	memcpy(
	    reader->memory, uring_buffer_memory(u, buffer), (size_t)cqe->res);
	uring_buffer_release(u, buffer);
	io_complete(reader, cqe->res);
	return true;
}

void
uring_recv_done(struct uring *u, const struct io_uring_cqe *cqe)
{
	uint32_t generation = (uint32_t)(cqe->user_data >> 32);
	int fd = (int)(uint32_t)cqe->user_data;
	struct io_fd *io = io_table_find(fd, generation);

	if ((cqe->flags & IORING_CQE_F_BUFFER) != 0) {
		u->buffers_out++;
		/* Closed meanwhile, or the end: nobody will read it. */
		if (io == NULL || cqe->res <= 0)
			uring_buffer_release(
			    u, cqe->flags >> IORING_CQE_BUFFER_SHIFT);
	}
	if (cqe->res == -ENOBUFS || u->buffers_out > u->buffer_count / 2)
		uring_buffers_grow(u);
	if (io == NULL)
		return;
	io_need_waiters(io);
	if (uring_recv_straight(u, io, cqe))
		return;
	uring_recv_note(u, io, cqe);
	if (io->reader != NULL) {
		uring_recv_deliver(u, io, io->reader, cqe->res);
		return;
	}
	if (io->on_ready == NULL)
		return;
	if ((io->ready & IO_IN) != 0)
		io->on_ready(io, io->ready);
	/* It may have closed and freed @io, or wants to hear more of it. */
	io = io_table_find(fd, generation);
	if (io != NULL && io->on_ready != NULL && io->reader == NULL &&
	    (io->state & (URING_ARMED | URING_ENDED)) == 0)
		uring_listen(u, io, cqe->res == -ENOBUFS);
}
