/*
 * io.c - calls that wait, made of operations of the backend
 *
 * A call claims its side of the descriptor (reader, writer) from start to end,
 * also between the operations it consists of: so a second caller is refused,
 * and io_close() finds whoever will look at the descriptor once more and tells
 * it by op->io = NULL.
 */
#include "runtime/io.h"

#include <errno.h>
#include <poll.h>

#include "os/socket_call.h"
#include "runtime/io/call.h"
#include "runtime/io_backend.h"
#include "runtime/worker.h"

/* A call of sendfile(2) may not keep the worker longer than this takes. */
#define IO_SENDFILE_BYTES (1 << 20)

static int
io_attach_as(struct io_fd *io, int fd, uint8_t flags)
{
	struct worker *worker = worker_here;
	int error;

	must(worker != NULL);
	*io = (struct io_fd){.fd = fd, .flags = flags};
	list_init(&io->watched);
	error = io_table_set(io);
	if (error < 0) {
		io->fd = -1;
		return error;
	}
	error = worker->backend->attach(worker, io);
	if (error < 0) {
		io_table_clear(io);
		io->fd = -1;
	}
	return error;
}

int
io_attach(struct io_fd *io, int fd)
{
	return io_attach_as(io, fd, 0);
}

int
io_attach_stream(struct io_fd *io, int fd)
{
	return io_attach_as(io, fd, IO_FD_TYPED | IO_FD_STREAM);
}

int
io_attach_listener(struct io_fd *io, int fd)
{
	return io_attach_as(io, fd, IO_FD_TYPED | IO_FD_LISTENER);
}

void
io_unwatch(struct io_fd *io)
{
	worker_here->watch_count -= io->on_ready != NULL;
	io->on_ready = NULL;
}

static void
io_forget(struct io_fd *io, bool closing)
{
	struct worker *worker = worker_here;

	must_slow(io_table_find(io->fd, io->generation) == io);
	io_need_waiters(io);
	worker->backend->detach(worker, io, closing);
	io_table_clear(io);
	list_remove(&io->watched);
	if (io->reader != NULL)
		io->reader->io = NULL;
	if (io->writer != NULL)
		io->writer->io = NULL;
	io->reader = io->writer = NULL;
	io_unwatch(io);
	io->fd = -1;
}

void
io_close(struct io_fd *io)
{
	int fd = io->fd;

	if (fd < 0)
		return;
	io_forget(io, true);
	socket_close(fd);
}

/* What the backend does for @io unasked comes to its end. */
static void
io_quiet(struct io_fd *io)
{
	struct io_op op = {0};

	must(io_call_start(&op, io, IO_OP_QUIET) == 0);
	if (worker_here->backend->submit(worker_here, &op) == 0) {
		while (!op.done)
			task_park_uncancellable("detach");
	}
	io_call_end(&op);
}

int
io_detach(struct io_fd *io)
{
	int fd = io->fd;

	misuse_unless(io->reader == NULL && io->writer == NULL,
	    "weir_io_detach() while a task waits for the descriptor");
	if (fd < 0)
		return -EBADF;
	if (io->state != 0)
		io_quiet(io);
	if (io->unread.count != 0)
		return -EBUSY;
	io_forget(io, false);
	return fd;
}

void
io_watch(struct io_fd *io, void (*on_ready)(struct io_fd *io, unsigned events))
{
	struct worker *worker = worker_here;

	io_unwatch(io);
	worker->watch_count += on_ready != NULL;
	io->on_ready = on_ready;
	list_remove(&io->watched);
	if (worker->backend->watch != NULL)
		worker->backend->watch(worker, io);
	else if (on_ready != NULL && (io->ready & IO_IN) != 0)
		list_push_back(&worker->watches, &io->watched);
}

/* The bit may be left from bytes that were read since: a read that filled its
 * buffer exactly does not clear it. */
static bool
io_readable(struct io_fd *io)
{
	if (io->unread.count != 0 ||
	    socket_poll(io->fd, POLLIN | POLLRDHUP) != 0)
		return true;
	io->ready &= (uint8_t)~IO_IN;
	return false;
}

/* Only those that were there at the start: a hook may watch again. */
void
io_watches_run(struct worker *worker)
{
	struct list watches;
	struct list *node;

	if (likely(list_empty(&worker->watches)))
		return;
	watches = worker->watches;
	watches.next->prev = &watches;
	watches.prev->next = &watches;
	list_init(&worker->watches);
	while ((node = list_pop_front(&watches)) != NULL) {
		struct io_fd *io = container_of(node, struct io_fd, watched);

		/* A reader has what is there; the hook is for the rest. */
		if (io->on_ready == NULL ||
		    (io->reader != NULL && (io->ready & IO_IN) != 0))
			continue;
		if (io->reader == NULL && io_readable(io))
			io->on_ready(io, io->ready | IO_IN);
		else if (worker->backend->watch != NULL)
			worker->backend->watch(worker, io);
	}
}

static int
io_call_stop(
    struct worker *worker, struct io_op *op, const char *reason, int error)
{
	if (op->done)
		return 0;
	worker->backend->cancel(worker, op);
	while (!op->done)
		task_park_uncancellable(reason);
	return op->result == -ECANCELED ? error : 0;
}

/*
 * The backend has @op until it is done; a deadline or a cancel asks for an
 * early end and waits for it. Bytes that moved meanwhile are the result, and
 * the cancel waits for the next call.
 */
static ssize_t
io_call_wait_done(struct worker *worker, struct io_op *op, const char *reason,
    instant deadline)
{
	struct task *self = op->task;
	int error = 0;

	if (unlikely(self->apart))
		self->op = op;
	while (!op->done && error == 0) {
		error = task_park(reason, deadline);
		if (error < 0)
			error = io_call_stop(worker, op, reason, error);
	}
	if (unlikely(self->apart))
		self->op = NULL;
	return error < 0 ? error : op->result;
}

ssize_t
io_call_step(struct io_op *op, const char *reason, instant deadline)
{
	struct worker *worker = worker_here;
	int error;

	if (unlikely(!worker_op(worker)))
		error = task_yield();
	else
		error = task_stop_error(worker->current, worker->now);
	if (unlikely(error < 0))
		return error;
	if (unlikely(op->io == NULL))
		return -EBADF;
	/* Who does not wait is told what the kernel says, not what the loop
	 * has seen so far. */
	if (unlikely(!instant_before(worker->now, deadline)))
		op->io->ready |= (uint8_t)(op->code == IO_OP_WAIT
			? (unsigned)op->flags
			: io_code_needs((enum io_code)op->code));
	worker_prefetch_next(worker);
	error = worker->backend->submit(worker, op);
	if (error != 0)
		return error < 0 ? error : op->result;
	return io_call_wait_done(worker, op, reason, deadline);
}

/* A call that is one operation. */
static ssize_t
io_call(struct io_op *op, struct io_fd *io, enum io_code code,
    const char *reason, instant deadline)
{
	ssize_t result = io_call_start(op, io, code);

	if (unlikely(result < 0))
		return result;
	result = io_call_step(op, reason, deadline);
	io_call_end(op);
	return result;
}

ssize_t
io_read(struct io_fd *io, void *into, size_t length, instant deadline)
{
	struct io_op op = {.memory = into, .length = length};

	return io_call(&op, io, IO_OP_READ, "read", deadline);
}

ssize_t
io_write(struct io_fd *io, const void *from, size_t length, instant deadline)
{
	struct io_op op = {.memory = (void *)from, .length = length};

	return io_call(&op, io, IO_OP_WRITE, "write", deadline);
}

ssize_t
io_recvmsg(
    struct io_fd *io, struct msghdr *message, int flags, instant deadline)
{
	struct io_op op = {.memory = message, .flags = flags};

	return io_call(&op, io, IO_OP_RECVMSG, "recvmsg", deadline);
}

ssize_t
io_sendmsg(
    struct io_fd *io, const struct msghdr *message, int flags, instant deadline)
{
	struct io_op op = {.memory = (void *)message, .flags = flags};

	return io_call(&op, io, IO_OP_SENDMSG, "sendmsg", deadline);
}

int
io_accept(struct io_fd *io, struct sockaddr *address, socklen_t *length,
    instant deadline)
{
	struct io_op op = {.memory = address, .address_length = length};

	return (int)io_call(&op, io, IO_OP_ACCEPT, "accept", deadline);
}

int
io_connect(struct io_fd *io, const struct sockaddr *address, socklen_t length,
    instant deadline)
{
	struct io_op op = {.memory = (void *)address, .length = length};

	return (int)io_call(&op, io, IO_OP_CONNECT, "connect", deadline);
}

ssize_t
io_sendfile(
    struct io_fd *io, int file, off_t *offset, size_t length, instant deadline)
{
	struct io_op op = {.other_fd = file, .offset = offset};
	ssize_t result = io_call_start(&op, io, IO_OP_SENDFILE);
	size_t sent = 0;

	if (unlikely(result < 0))
		return result;
	while (sent < length) {
		op.length = min_of(length - sent, (size_t)IO_SENDFILE_BYTES);
		result = io_call_step(&op, "sendfile", deadline);
		if (result <= 0)
			break;
		sent += (size_t)result;
	}
	io_call_end(&op);
	return result < 0 ? result : (ssize_t)sent;
}

int
io_wait_start(struct io_op *op, struct io_fd *io, unsigned events)
{
	int error;

	misuse_unless((events & (IO_IN | IO_OUT)) != 0,
	    "a wait for a descriptor that names neither direction");
	*op = (struct io_op){.flags = (int)events, .done = true};
	if (io->fd >= 0 && (events & IO_IN) != 0 && io->reader != NULL)
		return -EBUSY;
	/* It needs IO_OUT by its code; a wait to read takes the other side. */
	if ((events & IO_OUT) != 0) {
		error = io_call_start(op, io, IO_OP_WAIT);
	} else {
		error = io_call_start(op, io, IO_OP_RECV);
		op->code = IO_OP_WAIT;
	}
	if (error == 0 && (events & IO_IN) != 0)
		io->reader = op;
	return error;
}

void
io_wait_end(struct io_op *op)
{
	if (op->io == NULL)
		return;
	if ((op->flags & IO_IN) != 0)
		op->io->reader = NULL;
	if ((op->flags & IO_OUT) != 0)
		op->io->writer = NULL;
}

int
io_wait(struct io_fd *io, unsigned events, instant deadline)
{
	struct io_op op;
	int result = io_wait_start(&op, io, events);

	if (result < 0)
		return result;
	result = (int)io_call_step(&op, "wait", deadline);
	io_wait_end(&op);
	return result;
}
