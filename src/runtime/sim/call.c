/*
 * call.c - operations of tasks on simulated sockets, made of those of network.c
 */
#include <errno.h>
#include <unistd.h>

#include "os/socket_call.h"
#include "runtime/sim/sim_inner.h"
#include "runtime/worker.h"

/* Of a file or a pipe, in one operation. */
#define CALL_COPY_BYTES (16 << 10)

/* There is one worker, and a task's stack is small. */
static char call_block[CALL_COPY_BYTES];

static ssize_t
call_sendfile(struct sim_socket *s, struct io_op *op)
{
	struct iovec iov = {call_block, min_of(op->length, sizeof(call_block))};
	ssize_t got, sent;

	if ((sim_stream_events(s) & IO_OUT) == 0)
		return -EAGAIN;
	got = op->offset != NULL
	    ? pread(op->other_fd, call_block, iov.iov_len, *op->offset)
	    : pread(op->other_fd, call_block, iov.iov_len,
		  lseek(op->other_fd, 0, SEEK_CUR));
	if (got <= 0)
		return got < 0 ? -errno : 0;
	iov.iov_len = (size_t)got;
	sent = sim_stream_send(s, &iov, 1, false);
	if (sent > 0 && op->offset != NULL)
		*op->offset += sent;
	else if (sent > 0)
		(void)lseek(op->other_fd, sent, SEEK_CUR);
	return sent;
}

/* To a pipe: what it takes is taken from the socket. */
static ssize_t
call_splice_in(struct sim_socket *s, struct io_op *op)
{
	struct iovec iov = {call_block, min_of(op->length, sizeof(call_block))};
	ssize_t got = sim_stream_recv(s, &iov, 1, MSG_PEEK);
	ssize_t put;

	if (got <= 0)
		return got;
	put = write(op->other_fd, call_block, (size_t)got);
	if (put < 0)
		return -errno;
	iov.iov_len = (size_t)put;
	sim_stream_take(s, (size_t)put);
	return put;
}

static ssize_t
call_splice_out(struct sim_socket *s, struct io_op *op)
{
	size_t room;
	struct iovec iov = {call_block, 0};
	ssize_t got;

	if ((sim_stream_events(s) & IO_OUT) == 0)
		return -EAGAIN;
	/* An error is told before anything leaves the pipe. */
	room = s->state == SIM_CONNECTED && s->peer != NULL && !s->reset
	    ? sim_stream_room(s)
	    : 0;
	if (room == 0)
		return sim_stream_send(
		    s, &(struct iovec){call_block, 1}, 1, false);
	room = min_of(room, sizeof(call_block));
	got = read(op->other_fd, call_block, min_of(op->length, room));
	if (got <= 0)
		return got < 0 ? -errno : 0;
	iov.iov_len = (size_t)got;
	/* What has left the pipe must not be lost. */
	return sim_stream_send(s, &iov, 1, true);
}

static ssize_t
call_lend(struct sim_socket *s, struct io_op *op)
{
	struct io_lent *lent = op->memory;
	struct iovec iov = {io_block_acquire(worker_here), IO_LENT_BYTES};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t result;

	if (iov.iov_base == NULL)
		return -ENOMEM;
	result = sim_socket_recv(s, &message, 0);
	if (result > 0)
		*lent = (struct io_lent){
		    iov.iov_base, (size_t)result, IO_LENT_BLOCK};
	else
		io_block_release(worker_here, iov.iov_base);
	return result;
}

static ssize_t
call_wait(const struct sim_socket *s, const struct io_op *op)
{
	unsigned now = sim_socket_events(s);
	unsigned result = now & (unsigned)op->flags;

	if ((now & IO_HUP) != 0)
		result |= IO_HUP | ((unsigned)op->flags & now);
	return result != 0 ? (ssize_t)result : -EAGAIN;
}

static ssize_t
call_connect(struct sim_socket *s, const struct io_op *op)
{
	int r = socket_connect(s->fd, op->memory, (socklen_t)op->length);

	if (r == -EISCONN)
		return 0;
	return r == -EALREADY ? -EINPROGRESS : r;
}

ssize_t
sim_call(struct sim_socket *s, struct io_op *op)
{
	struct iovec iov = {op->memory, op->length};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	switch ((enum io_code)op->code) {
	case IO_OP_RECV:
	case IO_OP_READ:
		return sim_socket_recv(s, &message, 0);
	case IO_OP_SEND:
	case IO_OP_WRITE:
		return sim_socket_send(s, &message);
	case IO_OP_SENDV:
		message.msg_iov = op->memory;
		message.msg_iovlen = op->length;
		return sim_socket_send(s, &message);
	case IO_OP_RECVMSG:
		return sim_socket_recv(s, op->memory, op->flags);
	case IO_OP_SENDMSG:
		return sim_socket_send(s, op->memory);
	case IO_OP_ACCEPT:
		return sim_stream_accept(s, op->memory, op->address_length);
	case IO_OP_CONNECT:
		return call_connect(s, op);
	case IO_OP_SENDFILE:
		return call_sendfile(s, op);
	case IO_OP_SPLICE_IN:
		return call_splice_in(s, op);
	case IO_OP_SPLICE_OUT:
		return call_splice_out(s, op);
	case IO_OP_WAIT:
		return call_wait(s, op);
	case IO_OP_LEND:
		return call_lend(s, op);
	case IO_OP_QUIET:
		return 0;
	}
	return -EINVAL;
}
