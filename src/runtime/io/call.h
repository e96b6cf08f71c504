/*
 * call.h - the steps of a call that waits
 *
 * Layer      runtime/io, inside only
 */
#pragma once

#include <errno.h>

#include "runtime/io_backend.h"
#include "runtime/worker.h"

static inline struct io_op **
io_side(struct io_fd *io, unsigned side)
{
	return side == IO_IN ? &io->reader : &io->writer;
}

/* Claim the side of @io that @code needs. 0, -EBADF, -EBUSY. */
MUST_CHECK static inline int
io_call_start(struct io_op *op, struct io_fd *io, enum io_code code)
{
	struct io_op **slot = io_side(io, io_code_needs(code));

	(void)task_required("io call");
	if (unlikely(io->fd < 0))
		return -EBADF;
	if (unlikely(*slot != NULL))
		return -EBUSY;
	must_slow(io_table_find(io->fd, io->generation) == io);
	*slot = op;
	op->code = (uint8_t)code;
	op->done = true;
	op->io = io;
	op->task = worker_here->current;
	return 0;
}

/* One operation: counts it, and waits. After io_close() under it: -EBADF. */
SUSPENDS MUST_CHECK ssize_t io_call_step(
    struct io_op *op, const char *reason, instant deadline);
/* Give the side back, unless the descriptor was closed meanwhile. */
static inline void
io_call_end(struct io_op *op)
{
	if (op->io != NULL)
		*io_side(op->io, io_code_needs((enum io_code)op->code)) = NULL;
}

/* The same for a wait for readiness, which may claim both sides. */
MUST_CHECK int
io_wait_start(struct io_op *op, struct io_fd *io, unsigned events);
void io_wait_end(struct io_op *op);
