/*
 * stream.c - the calls that move bytes of a socket
 *
 * With a reactor most of them need no operation: a socket takes what is sent,
 * and what is known to be readable has bytes. These are one system call, tried
 * before anything is claimed or written down. What has to wait is a function of
 * its own, called last: while a task is parked its stack holds the frames of
 * that way alone, and each line of a parked stack is one that is in no cache
 * when the task goes on.
 */
#include "runtime/io.h"

#include <errno.h>
#include <limits.h>

#include "os/socket_call.h"
#include "runtime/io/call.h"
#include "runtime/io_backend.h"
#include "runtime/worker.h"

/* May the calling task try what @needs says, as the first operation of its
 * slice that is left? What is refused here is refused again by the operation,
 * which says why. */
static inline bool
stream_may_try(struct worker *worker, struct io_fd *io, unsigned needs)
{
	return worker->backend->tries && (io->ready & needs) != 0 &&
	    io->fd >= 0 && *io_side(io, needs) == NULL &&
	    worker->ops_left > 0 &&
	    task_stop_error(worker->current, worker->now) == 0;
}

/* Was @result told by the kernel, and not that it must be asked again? */
static inline bool
stream_told(ssize_t result)
{
	return result != -EAGAIN && result != -EINTR;
}

static NOINLINE ssize_t
stream_recv_wait(struct io_fd *io, void *into, size_t length, instant deadline)
{
	struct io_op op = {.memory = into, .length = length};
	ssize_t result = io_call_start(&op, io, IO_OP_RECV);

	if (unlikely(result < 0))
		return result;
	result = io_call_step(&op, "recv", deadline);
	io_call_end(&op);
	return result;
}

ssize_t
io_recv(struct io_fd *io, void *into, size_t length, instant deadline)
{
	struct worker *worker;
	ssize_t result;

	(void)task_required("io call");
	worker = worker_here;
	must(length > 0);
	if (stream_may_try(worker, io, IO_IN)) {
		worker_prefetch_next(worker);
		result = io_try_recv(io, into, length);
		if (likely(stream_told(result))) {
			(void)worker_op(worker);
			return result;
		}
	}
	return stream_recv_wait(io, into, length, deadline);
}

ssize_t
io_peek(struct io_fd *io, void *into, size_t length)
{
	struct worker *worker = worker_here;
	ssize_t result = -EAGAIN;

	if (io->fd < 0)
		return -EBADF;
	if (worker->backend->peek != NULL)
		result = worker->backend->peek(worker, io, into, length);
	if (result != -EAGAIN)
		return result;
	do {
		result = socket_recv_bytes(io->fd, into, length, MSG_PEEK);
	} while (result == -EINTR);
	return result;
}

/* The first @sent bytes are sent. */
static NOINLINE ssize_t
stream_send_wait(struct io_fd *io, const void *from, size_t length, size_t sent,
    size_t *ret_sent, instant deadline)
{
	struct io_op op = {0};
	ssize_t result = io_call_start(&op, io, IO_OP_SEND);

	while (result >= 0 && sent < length) {
		op.memory = (char *)from + sent;
		op.length = length - sent;
		result = io_call_step(&op, "send", deadline);
		if (result >= 0)
			sent += (size_t)result;
	}
	io_call_end(&op);
	if (ret_sent != NULL)
		*ret_sent = sent;
	return result < 0 ? result : (ssize_t)length;
}

ssize_t
io_send(struct io_fd *io, const void *from, size_t length, size_t *ret_sent,
    instant deadline)
{
	struct worker *worker;
	ssize_t result;
	size_t sent = 0;

	(void)task_required("io call");
	worker = worker_here;
	if (likely(length > 0) && stream_may_try(worker, io, IO_OUT)) {
		worker_prefetch_next(worker);
		result = io_try_send(io, from, length);
		if (likely(stream_told(result))) {
			(void)worker_op(worker);
			sent = result > 0 ? (size_t)result : 0;
			if (result < 0 || sent == length) {
				if (ret_sent != NULL)
					*ret_sent = sent;
				return result;
			}
		}
	}
	return stream_send_wait(io, from, length, sent, ret_sent, deadline);
}

void
io_iov_skip(struct iovec **iov, int *count, size_t bytes)
{
	while (*count > 0 && bytes >= (*iov)->iov_len) {
		bytes -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (*count > 0) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + bytes;
		(*iov)->iov_len -= bytes;
	}
}

ssize_t
io_sendv(struct io_fd *io, struct iovec *iov, int count, int flags,
    size_t *ret_sent, instant deadline)
{
	struct msghdr message;
	struct io_op op = {.flags = flags, .message = &message};
	ssize_t result = io_call_start(&op, io, IO_OP_SENDV);
	size_t sent = 0;

	if (ret_sent != NULL)
		*ret_sent = 0;
	if (unlikely(result < 0))
		return result;
	io_iov_skip(&iov, &count, 0);
	while (count > 0) {
		op.memory = iov;
		op.length = (size_t)min_of(count, IOV_MAX);
		result = io_call_step(&op, "send", deadline);
		if (result < 0)
			break;
		sent += (size_t)result;
		io_iov_skip(&iov, &count, (size_t)result);
	}
	io_call_end(&op);
	if (ret_sent != NULL)
		*ret_sent = sent;
	return result < 0 ? result : (ssize_t)sent;
}
