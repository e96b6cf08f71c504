/*
 * splice.c - bytes from one descriptor to another inside the kernel
 *
 * A pipe is the buffer between them. Idle ones are kept by the worker; one
 * that holds bytes which could not be delivered is closed with them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/socket_call.h"
#include "runtime/io/call.h"
#include "runtime/worker.h"

/* Enough for a burst at 10 Gbit/s and a turn of 200 us; half of it is what an
 * unprivileged user gets 256 of. */
#define IO_PIPE_BYTES     (256 << 10)
#define IO_PIPES_IDLE_MAX 64
/* So many times the time to the deadline, while @out goes on taking bytes:
 * a pipe of 256 KiB may take 8 minutes when 30 s are given for each step. */
#define IO_SPLICE_STEPS 16
/* On the task's stack: there are a few kilobytes of it at most. */
#define IO_UNREAD_STEP 2048

struct io_pipe {
	struct io_pipe *next;
	int read_fd;
	int write_fd;
	size_t bytes;
};

static void
io_pipe_free(struct io_pipe *pipe)
{
	close(pipe->read_fd);
	close(pipe->write_fd);
	free(pipe);
}

static struct io_pipe *
io_pipe_new(int *ret_error)
{
	struct io_pipe *pipe = malloc(sizeof(*pipe));
	int fds[2], size;

	*ret_error = -ENOMEM;
	if (pipe == NULL)
		return NULL;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		*ret_error = -errno;
		free(pipe);
		return NULL;
	}
	pipe->read_fd = fds[0];
	pipe->write_fd = fds[1];
	/* Beyond the user's share of pipe memory it stays what it is. */
	size = fcntl(fds[1], F_SETPIPE_SZ, IO_PIPE_BYTES);
	if (size < 0)
		size = fcntl(fds[1], F_GETPIPE_SZ);
	pipe->bytes = size > 0 ? (size_t)size : 4096;
	return pipe;
}

static struct io_pipe *
io_pipe_acquire(struct worker *worker, int *ret_error)
{
	struct io_pipe *pipe = worker->pipes;

	if (pipe == NULL)
		return io_pipe_new(ret_error);
	worker->pipes = pipe->next;
	worker->pipe_count--;
	return pipe;
}

static void
io_pipe_release(struct worker *worker, struct io_pipe *pipe, size_t left)
{
	if (left > 0 || worker->pipe_count == IO_PIPES_IDLE_MAX) {
		io_pipe_free(pipe);
		return;
	}
	pipe->next = worker->pipes;
	worker->pipes = pipe;
	worker->pipe_count++;
}

void
io_pipes_free(struct worker *worker)
{
	while (worker->pipes != NULL) {
		struct io_pipe *pipe = worker->pipes;

		worker->pipes = pipe->next;
		io_pipe_free(pipe);
	}
	worker->pipe_count = 0;
}

/*
 * Whether the peer has taken something of what was sent since *@queued, -1 at
 * first, was written. A socket tells of room only when a third of its buffer
 * is free, which may take a slow peer long.
 */
static bool
io_out_moves(const struct io_op *op, int *queued)
{
	int before = *queued;

	if (op->io == NULL)
		return false;
	*queued = socket_queued(op->io->fd);
	return *queued >= 0 && (before < 0 || *queued < before);
}

/* All of *@left, the bytes in @op's pipe, to the other end. 0 or -errno. */
static ssize_t
io_splice_out(struct io_op *op, size_t *left, instant deadline)
{
	int64_t patience = min_of(instant_since(deadline, worker_here->now).ns,
	    INT64_MAX / IO_SPLICE_STEPS);
	instant end = instant_after(deadline,
	    duration_ns(max_of(patience, (int64_t)0) * (IO_SPLICE_STEPS - 1)));
	int queued = -1;

	while (*left > 0) {
		ssize_t result;

		op->length = *left;
		result = io_call_step(op, "splice out", deadline);
		if (result == -ETIMEDOUT && io_out_moves(op, &queued) &&
		    instant_before(worker_here->now, end))
			result = 0;
		else if (result <= 0)
			return result < 0 ? result : -EPIPE;
		*left -= (size_t)result;
		if (op->code == IO_OP_WRITE)
			op->memory = (char *)op->memory + result;
		if (patience > 0)
			deadline = instant_earlier(end,
			    instant_after(
				worker_here->now, duration_ns(patience)));
	}
	return 0;
}

/* What was received before anybody asked for it goes first, by a copy. */
static ssize_t
io_splice_unread(
    struct io_op *in, struct io_op *out, bool *ret_out_failed, instant deadline)
{
	char part[IO_UNREAD_STEP];
	ssize_t moved, error;
	size_t left;

	in->code = IO_OP_RECV;
	in->memory = part;
	in->length = min_of(in->length, sizeof(part));
	moved = io_call_step(in, "recv", deadline);
	if (moved <= 0)
		return moved;
	out->code = IO_OP_WRITE;
	out->memory = part;
	left = (size_t)moved;
	error = io_splice_out(out, &left, deadline);
	*ret_out_failed = error < 0;
	return error < 0 ? error : moved;
}

/* Both sides are claimed: nobody can get between the two steps. */
static ssize_t
io_splice_through(struct io_pipe *pipe, struct io_op *in, struct io_op *out,
    size_t *left, bool *ret_out_failed, instant deadline)
{
	ssize_t moved, error;

	in->length = min_of(in->length, pipe->bytes);
	in->other_fd = pipe->write_fd;
	out->other_fd = pipe->read_fd;
	moved = io_call_step(in, "splice in", deadline);
	if (moved == IO_UNREAD)
		return io_splice_unread(in, out, ret_out_failed, deadline);
	if (moved <= 0)
		return moved;
	*left = (size_t)moved;
	error = io_splice_out(out, left, deadline);
	*ret_out_failed = error < 0;
	return error < 0 ? error : moved;
}

ssize_t
io_splice(struct io_fd *in, struct io_fd *out, size_t length,
    bool *ret_out_failed, instant deadline)
{
	struct worker *worker = worker_here;
	struct io_op in_op = {.length = length}, out_op = {0};
	struct io_pipe *pipe;
	size_t left = 0;
	ssize_t result;
	int error;

	*ret_out_failed = false;
	must(length > 0);
	error = io_call_start(&in_op, in, IO_OP_SPLICE_IN);
	if (error < 0)
		return error;
	result = io_call_start(&out_op, out, IO_OP_SPLICE_OUT);
	if (result < 0)
		goto out_in;
	pipe = io_pipe_acquire(worker, &error);
	result = error;
	if (pipe == NULL)
		goto out_both;
	result = io_splice_through(
	    pipe, &in_op, &out_op, &left, ret_out_failed, deadline);
	io_pipe_release(worker, pipe, left);
out_both:
	io_call_end(&out_op);
out_in:
	io_call_end(&in_op);
	return result;
}
