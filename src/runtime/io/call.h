/*
 * call.h - the steps of a call that waits
 *
 * Layer      runtime/io, inside only
 */
#pragma once

#include "runtime/io_backend.h"

/* Claim the side of @io that @code needs. 0, -EBADF, -EBUSY. */
MUST_CHECK int
io_call_start(struct io_op *op, struct io_fd *io, enum io_code code);
/* One operation: counts it, and waits. After io_close() under it: -EBADF. */
SUSPENDS MUST_CHECK ssize_t io_call_step(
    struct io_op *op, const char *reason, instant deadline);
/* Give the side back, unless the descriptor was closed meanwhile. */
void io_call_end(struct io_op *op);

/* The same for a wait for readiness, which may claim both sides. */
MUST_CHECK int
io_wait_start(struct io_op *op, struct io_fd *io, unsigned events);
void io_wait_end(struct io_op *op);
