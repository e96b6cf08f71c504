#include "runtime/io/reactor.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

#include "os/clock.h"

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT &&
	EPOLLRDHUP == POLLRDHUP && EPOLLHUP == POLLHUP && EPOLLERR == POLLERR,
    "one translation for both");

static NOINLINE int
reactor_submit_try(struct io_op *op)
{
	/* Readiness is asked of the kernel, and a connect starts something:
	 * both are tried whatever the bits say. */
	if (op->code == IO_OP_CONNECT)
		op->io->ready = 0;
	if (io_perform(op))
		return 1;
	op->done = false;
	return 0;
}

int
reactor_submit(struct worker *worker, struct io_op *op)
{
	unsigned needs = io_code_needs((enum io_code)op->code);

	(void)worker;
	if ((op->io->ready & needs) != 0 || op->code == IO_OP_WAIT ||
	    op->code == IO_OP_CONNECT)
		return reactor_submit_try(op);
	op->done = false;
	return 0;
}

void
reactor_cancel(struct worker *worker, struct io_op *op)
{
	(void)worker;
	op->result = -ECANCELED;
	op->done = true;
}

void
reactor_end(struct io_fd *io)
{
	if (io->reader != NULL && !io->reader->done)
		io_complete(io->reader, -EBADF);
	if (io->writer != NULL && !io->writer->done)
		io_complete(io->writer, -EBADF);
}

static void
reactor_try(struct io_op *op)
{
	if (op == NULL || op->done)
		return;
	__builtin_prefetch(op->task, 1);
	if (io_perform(op))
		io_complete(op, op->result);
}

void
reactor_ready(struct io_fd *io, uint8_t ready)
{
	io_need_waiters(io);
	io->ready |= ready;
	if ((ready & IO_OUT) != 0)
		reactor_try(io->writer);
	if ((ready & IO_IN) == 0)
		return;
	if (io->reader != NULL)
		reactor_try(io->reader);
	else if (io->on_ready != NULL)
		/* Last: it may close and free @io. */
		io->on_ready(io, io->ready);
}

uint8_t
reactor_bits(uint32_t events)
{
	uint8_t ready = 0;

	if ((events & EPOLLIN) != 0)
		ready |= IO_IN;
	if ((events & EPOLLOUT) != 0)
		ready |= IO_OUT;
	/* The peer's end: reads return it, also after what is still there. */
	if ((events & EPOLLRDHUP) != 0)
		ready |= IO_IN | IO_HUP;
	if ((events & (EPOLLHUP | EPOLLERR)) != 0)
		ready |= IO_IN | IO_OUT | IO_HUP;
	return ready;
}

const struct timespec *
reactor_left(instant until, struct timespec *left)
{
	int64_t ns = 0;

	if (instant_is_never(until))
		return NULL;
	if (until.ns != INSTANT_PAST_NS)
		ns = max_of(instant_since(until, clock_now()).ns, (int64_t)0);
	left->tv_sec = ns / 1000000000;
	left->tv_nsec = ns % 1000000000;
	return left;
}
