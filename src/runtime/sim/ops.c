/*
 * ops.c - operations that wait for a simulated socket, and who is told of what
 *
 * Everything that becomes ready is told on the loop: a task that sends to
 * another never runs the other's hook. A fault of readiness ("not yet") is a
 * hold on one side of a socket, until whose end no call of that side succeeds.
 */
#include <errno.h>

#include "runtime/sim/sim_inner.h"
#include "runtime/worker.h"

#define HOLD_US_MAX   3000
#define LATE_US_MAX   5000
#define CANCEL_US_MAX 2000

enum { SIDE_IN, SIDE_OUT };

static int
op_side(const struct io_op *op)
{
	if (op->code == IO_OP_WAIT)
		return (op->flags & IO_IN) != 0 ? SIDE_IN : SIDE_OUT;
	return io_code_needs((enum io_code)op->code) == IO_IN ? SIDE_IN
							      : SIDE_OUT;
}

static bool
op_pending(ssize_t result)
{
	return result == -EAGAIN || result == -EINPROGRESS;
}

void
sim_socket_ready_keep(struct sim_socket *s)
{
	s->io->ready = (uint8_t)sim_socket_events(s);
}

/* True: op->result is final. */
static bool
op_try(struct sim_socket *s, struct io_op *op)
{
	ssize_t result;

	if (s->hold[op_side(op)].place != 0)
		return false;
	result = sim_call(s, op);
	sim_socket_ready_keep(s);
	if (op_pending(result))
		return false;
	op->result = result;
	return true;
}

static void
op_try_waiting(struct sim_socket *s, struct io_op *op)
{
	if (op == NULL || op->done || !op_try(s, op))
		return;
	sim_event_cancel(&s->cancel[op_side(op)]);
	sim_trace("completes", s->id, op->code, op->result);
	io_complete(op, op->result);
}

int
sim_socket_submit(struct sim_socket *s, struct io_op *op)
{
	struct sim_event *hold = &s->hold[op_side(op)];

	/* What an operation starts is not put off. */
	if (op->code != IO_OP_CONNECT && hold->place == 0 &&
	    sim_fault(sim_here.options.faults.not_ready_ppm, "not ready"))
		sim_event_after(hold, duration_us(sim_between(1, HOLD_US_MAX)));
	if (op_try(s, op))
		return 1;
	op->done = false;
	return 0;
}

static void
op_cancelled(struct sim_socket *s, struct io_op *op)
{
	sim_trace("cancelled", s->id, op->code, 0);
	op->result = -ECANCELED;
	op->done = true;
}

void
sim_socket_cancel(struct sim_socket *s, struct io_op *op)
{
	struct sim_event *cancel = &s->cancel[op_side(op)];

	/* As a kernel that is asked and answers later; bytes may come first. */
	if (sim_fault(sim_here.options.faults.late_ppm, "late cancel"))
		sim_event_after(
		    cancel, duration_us(sim_between(1, CANCEL_US_MAX)));
	else
		op_cancelled(s, op);
}

static void
op_cancel_end(struct sim_socket *s, int side)
{
	struct io_op *op = s->io == NULL ? NULL
	    : side == SIDE_IN            ? s->io->reader
					 : s->io->writer;

	if (op == NULL || op->done)
		return;
	op_cancelled(s, op);
	task_wake(op->task);
}

static void
cancel_in_run(struct sim_event *event)
{
	op_cancel_end(
	    container_of(event, struct sim_socket, cancel[SIDE_IN]), SIDE_IN);
}

static void
cancel_out_run(struct sim_event *event)
{
	op_cancel_end(
	    container_of(event, struct sim_socket, cancel[SIDE_OUT]), SIDE_OUT);
}

/* ---- telling ---- */

static void
tell_note(struct sim_socket *s, unsigned events)
{
	s->told |= (uint8_t)events;
	if (!list_empty(&s->dirty) || s->fd < 0)
		return;
	if (!sim_here.options.faults.in_order && sim_random(2) == 0)
		list_push_front(&sim_here.dirty, &s->dirty);
	else
		list_push_back(&sim_here.dirty, &s->dirty);
}

void
sim_socket_tell(struct sim_socket *s, unsigned events)
{
	if (s->deferred.place != 0) {
		s->told |= (uint8_t)events;
		return;
	}
	if (s->fd >= 0 && list_empty(&s->dirty) &&
	    sim_fault(sim_here.options.faults.late_ppm, "late")) {
		s->told |= (uint8_t)events;
		sim_event_after(
		    &s->deferred, duration_us(sim_between(1, LATE_US_MAX)));
		return;
	}
	tell_note(s, events);
}

static void
deferred_run(struct sim_event *event)
{
	struct sim_socket *s = container_of(event, struct sim_socket, deferred);

	tell_note(s, s->told);
}

static void
hold_in_run(struct sim_event *event)
{
	tell_note(container_of(event, struct sim_socket, hold[SIDE_IN]), IO_IN);
}

static void
hold_out_run(struct sim_event *event)
{
	tell_note(
	    container_of(event, struct sim_socket, hold[SIDE_OUT]), IO_OUT);
}

void
sim_socket_events_init(struct sim_socket *s)
{
	s->hold[SIDE_IN].run = hold_in_run;
	s->hold[SIDE_OUT].run = hold_out_run;
	s->cancel[SIDE_IN].run = cancel_in_run;
	s->cancel[SIDE_OUT].run = cancel_out_run;
	s->deferred.run = deferred_run;
	s->handshake.run = sim_stream_handshake_run;
}

static void
tell_run(struct sim_socket *s)
{
	struct io_fd *io = s->io;
	unsigned told = s->told;

	s->told = 0;
	if (io == NULL)
		return;
	io_need_waiters(io);
	io->ready = (uint8_t)sim_socket_events(s);
	if ((told & IO_OUT) != 0)
		op_try_waiting(s, io->writer);
	if ((told & IO_IN) == 0)
		return;
	if (io->reader != NULL) {
		op_try_waiting(s, io->reader);
	} else if (io->on_ready != NULL && (io->ready & IO_IN) != 0) {
		sim_trace("watched", s->id, io->ready, 0);
		/* Last: it may close and free @io and @s. */
		io->on_ready(io, io->ready);
	}
}

int
sim_dirty_run(void)
{
	struct list *node;
	int count = 0;

	while ((node = list_pop_front(&sim_here.dirty)) != NULL) {
		tell_run(container_of(node, struct sim_socket, dirty));
		count++;
	}
	return count;
}
