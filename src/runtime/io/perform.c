/*
 * perform.c - the system call behind an operation, and what it tells of
 * readiness
 *
 * With edge-triggered events a ready bit may be cleared only when an edge is
 * sure to follow. -EAGAIN is such a proof. So is a short read from a stream
 * socket: it was emptied, and whatever comes now makes an edge. But after the
 * peer's end (IO_HUP) no edge follows any more, so the bit stays; and a short
 * read from anything that keeps messages apart (datagrams, signalfd, inotify)
 * proves nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "runtime/io_backend.h"
#include "runtime/worker.h"

/* Asked for at the first short read, not at attach: most descriptors of a
 * server are accepted and their type costs a system call. */
static bool
io_is_stream(struct io_fd *io)
{
	int type = 0;
	socklen_t length = sizeof(type);

	if ((io->flags & IO_FD_TYPED) == 0) {
		io->flags |= IO_FD_TYPED;
		if (getsockopt(io->fd, SOL_SOCKET, SO_TYPE, &type, &length) ==
			0 &&
		    type == SOCK_STREAM)
			io->flags |= IO_FD_STREAM;
	}
	return (io->flags & IO_FD_STREAM) != 0;
}

/*
 * A connect that is under way is asked about with connect(2) again: it tells
 * success, failure and "not yet" apart, which SO_ERROR does not.
 */
static ssize_t
io_call_connect(struct io_op *op)
{
	if (connect(op->io->fd, op->memory, (socklen_t)op->length) == 0)
		return 0;
	switch (errno) {
	case EISCONN:
		return 0;
	case EINPROGRESS:
	case EALREADY:
		return -EINPROGRESS;
	default:
		return -errno;
	}
}

static ssize_t
io_call_sendv(struct io_op *op)
{
	struct msghdr message = {
	    .msg_iov = op->memory, .msg_iovlen = op->length};

	return sendmsg(op->io->fd, &message, MSG_NOSIGNAL | op->flags);
}

static ssize_t
io_call_wait(struct io_op *op)
{
	struct pollfd p = {.fd = op->io->fd};
	int result = 0;

	if ((op->flags & IO_IN) != 0)
		p.events |= POLLIN | POLLRDHUP;
	if ((op->flags & IO_OUT) != 0)
		p.events |= POLLOUT;
	if (poll(&p, 1, 0) < 0)
		return -1;
	if ((p.revents & (POLLIN | POLLRDHUP)) != 0)
		result |= IO_IN;
	if ((p.revents & POLLOUT) != 0)
		result |= IO_OUT;
	if ((p.revents & (POLLHUP | POLLERR)) != 0)
		result |= op->flags;
	if ((p.revents & (POLLHUP | POLLERR | POLLRDHUP)) != 0)
		result |= IO_HUP;
	errno = EAGAIN;
	return result != 0 ? result : -1;
}

static ssize_t
io_call_lend(struct io_op *op)
{
	struct worker *worker = worker_here;
	struct io_lent *lent = op->memory;
	char *block = io_block_acquire(worker);
	ssize_t result;

	if (block == NULL) {
		errno = ENOMEM;
		return -1;
	}
	result = recv(op->io->fd, block, IO_LENT_BYTES, 0);
	if (result > 0) {
		lent->memory = block;
		lent->length = (size_t)result;
		lent->buffer = IO_LENT_BLOCK;
		return result;
	}
	io_block_release(worker, block);
	return result;
}

static ssize_t
io_call_once(struct io_op *op)
{
	int fd = op->io->fd;

	switch ((enum io_code)op->code) {
	case IO_OP_RECV:
		return recv(fd, op->memory, op->length, 0);
	case IO_OP_LEND:
		return io_call_lend(op);
	case IO_OP_SEND:
		return send(
		    fd, op->memory, op->length, MSG_NOSIGNAL | op->flags);
	case IO_OP_SENDV:
		return io_call_sendv(op);
	case IO_OP_READ:
		return read(fd, op->memory, op->length);
	case IO_OP_WRITE:
		return write(fd, op->memory, op->length);
	case IO_OP_RECVMSG:
		return recvmsg(fd, op->memory, op->flags | MSG_CMSG_CLOEXEC);
	case IO_OP_SENDMSG:
		return sendmsg(fd, op->memory, op->flags | MSG_NOSIGNAL);
	case IO_OP_ACCEPT:
		return accept4(fd, op->memory, op->address_length,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
	case IO_OP_SENDFILE:
		return sendfile(fd, op->other_fd, op->offset, op->length);
	case IO_OP_SPLICE_IN:
		return splice(fd, NULL, op->other_fd, NULL, op->length,
		    SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	case IO_OP_SPLICE_OUT:
		return splice(op->other_fd, NULL, fd, NULL, op->length,
		    SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	case IO_OP_WAIT:
		return io_call_wait(op);
	case IO_OP_QUIET:
		return 0;
	case IO_OP_CONNECT:
		break;
	}
	errno = EINVAL;
	return -1;
}

static ssize_t
io_call(struct io_op *op)
{
	ssize_t result;

	if (op->code == IO_OP_CONNECT)
		return io_call_connect(op);
	do {
		result = io_call_once(op);
		/* A client that was gone before it was accepted is no error
		 * of the listener. */
	} while (result < 0 &&
	    (errno == EINTR ||
		(op->code == IO_OP_ACCEPT && errno == ECONNABORTED)));
	return result < 0 ? -errno : result;
}

static size_t
io_iov_bytes(const struct iovec *iov, size_t count)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

/* Whether @result proves that an edge must come before the next success. */
static bool
io_used_up(struct io_op *op, ssize_t result)
{
	switch ((enum io_code)op->code) {
	case IO_OP_RECV:
		return result > 0 && (size_t)result < op->length &&
		    (op->io->ready & IO_HUP) == 0 && io_is_stream(op->io);
	case IO_OP_LEND:
		return result > 0 && result < IO_LENT_BYTES &&
		    (op->io->ready & IO_HUP) == 0 && io_is_stream(op->io);
	case IO_OP_SEND:
		return result > 0 && (size_t)result < op->length;
	case IO_OP_SENDV:
		return result > 0 &&
		    (size_t)result < io_iov_bytes(op->memory, op->length);
	default:
		return false;
	}
}

bool
io_perform(struct io_op *op)
{
	struct io_fd *io = op->io;
	unsigned needs = io_code_needs((enum io_code)op->code);
	ssize_t result;

	if (op->code == IO_OP_WAIT)
		needs = (unsigned)op->flags;
	result = io_call(op);
	if (op->code == IO_OP_CONNECT ? result == -EINPROGRESS
				      : result == -EAGAIN) {
		io->ready &= (uint8_t)~needs;
		return false;
	}
	if (op->code == IO_OP_CONNECT && result == 0)
		/* When it succeeds at once no edge tells of it. */
		io->ready |= IO_OUT;
	else if (io_used_up(op, result))
		io->ready &= (uint8_t)~needs;
	op->result = result;
	return true;
}

ssize_t
io_try_recv(struct io_fd *io, void *into, size_t length)
{
	ssize_t result = recv(io->fd, into, length, 0);

	if (likely(result > 0)) {
		if ((size_t)result < length && (io->ready & IO_HUP) == 0 &&
		    io_is_stream(io))
			io->ready &= (uint8_t)~IO_IN;
		return result;
	}
	if (result == 0)
		return 0;
	if (errno == EAGAIN)
		io->ready &= (uint8_t)~IO_IN;
	return -errno;
}

ssize_t
io_try_send(struct io_fd *io, const void *from, size_t length)
{
	ssize_t result = send(io->fd, from, length, MSG_NOSIGNAL);

	if (likely(result == (ssize_t)length))
		return result;
	if (result >= 0 || errno == EAGAIN)
		io->ready &= (uint8_t)~IO_OUT;
	return result >= 0 ? result : -errno;
}

void
io_complete(struct io_op *op, ssize_t result)
{
	op->result = result;
	op->done = true;
	task_wake(op->task);
}
