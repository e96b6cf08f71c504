/*
 * uring.h - the parts of the io_uring backend
 *
 * Layer      runtime/io, inside only
 * Threads    a ring belongs to its worker; only the eventfd is written by
 *            others
 * Memory     per worker: URING_SQ_ENTRIES * 64 bytes and URING_CQ_ENTRIES * 16
 *            of rings, and URING_BUFFERS * URING_BUFFER_STRIDE for received
 *            bytes, which are touched only as far as they are used
 *
 * Every request carries 64 bits that come back with its completion: the
 * address of a task's operation (which lives until then), or a kind, a
 * descriptor and its generation. A completion for a descriptor that was closed
 * meanwhile finds another generation, and nobody.
 */
#pragma once

#include <linux/io_uring.h>

#include "runtime/io/gather.h"
#include "runtime/io_backend.h"
#include "runtime/worker.h"

/* A turn of a busy worker queues one request per task that ran; a full queue
 * is submitted early. */
#define URING_SQ_ENTRIES 512
/* What can complete between two looks: a send and a receive of each
 * connection that is active at the same time. Beyond it the kernel keeps
 * completions in a list of its own. */
#define URING_CQ_ENTRIES   4096
#define URING_BUFFER_BYTES 4096
/* Small messages fill the beginnings alone. At a multiple of 4,096 bytes they
 * would share a sixteenth of the sets of the second cache. */
#define URING_BUFFER_STRIDE (URING_BUFFER_BYTES + 5 * 64)
#define URING_BUFFERS       512
/* The kernel takes them in turn: few stay in the cache, and more are given as
 * they are used up. */
#define URING_BUFFERS_FIRST 32
/* Bytes of one connection that nobody has read: then it is not received any
 * more until somebody does. */
#define URING_UNREAD_BUFFERS 16

/* Connections that nobody has taken, of all listeners of a worker: what one
 * look finds, and IO_ACCEPTED_MAX of each of 64. Beyond it they are closed. */
#define URING_ACCEPTED (2 * URING_CQ_ENTRIES)

/* io_op.state: where an operation waits. */
enum {
	URING_AT_KERNEL, /* it is a request of its own */
	URING_AT_EDGE, /* performed by us when the descriptor is ready */
	URING_AT_LENT, /* for what an armed receive brings, or its end */
};

/* io_fd.state */
enum {
	URING_ARMED = 1, /* a receive into our buffers is in the kernel */
	URING_DISARMING = 2, /* its cancel was asked for */
	URING_POLLED = 4, /* a poll that tells of edges is in the kernel */
	URING_UNPOLLING = 8,
	URING_ENDED = 16, /* unread.end is valid */
	URING_BULK = 32, /* the last message was larger than a buffer */
	URING_GUARDED = 64, /* a poll for the peer's end is in the kernel */
	URING_HUNGUP = 128, /* it has come */
};
/* io_fd.flags */
enum {
	/* Bytes may be received before they are asked for. The bit is
	 * IO_FD_TOLD of those backends that are asked again and again. */
	URING_AHEAD = IO_FD_TOLD,
	URING_POLLED_ONCE = 16, /* the poll is for IO_IN, and ends with it */
	/* Two bits: how often it was armed. A connection that brought two
	 * messages is likely kept for more. */
	URING_ARMS = 64,
	URING_ARMS_MANY = 2 * URING_ARMS,
};

enum uring_kind {
	URING_OP, /* the rest is the address of an io_op */
	URING_RECV,
	URING_POLL,
	URING_GUARD,
	URING_WAKE,
	URING_ACCEPT,
	URING_NOBODY, /* a cancel: its target tells */
};

struct uring_buffer {
	uint16_t next; /* of the same connection */
	uint16_t at;
	uint16_t end;
};

/* A connection that nobody has taken; like a buffer, in a list of io_fd. */
struct uring_accepted {
	int fd;
	uint16_t next;
};

struct uring {
	int fd;
	int enter_fd; /* @fd, or its index once it is registered */
	unsigned enter_flags;
	int wake; /* eventfd; told of by edges, so it is never read */
	bool started;
	bool wake_armed;
	bool min_wait; /* the kernel can gather */
	struct gather gather;
	unsigned events; /* of this poll, but for sends and cancels */
	uint8_t epoch; /* grows at each submission; io_fd.queued */
	unsigned sq_tail; /* ours; the kernel sees it at the submission */
	unsigned sq_submitted;
	unsigned sq_mask;
	unsigned cq_mask;
	_Atomic unsigned *sq_head_shared;
	_Atomic unsigned *sq_tail_shared;
	_Atomic unsigned *sq_flags;
	_Atomic unsigned *cq_head_shared;
	_Atomic unsigned *cq_tail_shared;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	char *rings;
	size_t rings_bytes;
	size_t sqes_bytes;
	/* Taken from the ring while it had to make room, before those in it. */
	struct io_uring_cqe *backlog;
	unsigned backlog_at;
	unsigned backlog_end;
	unsigned buffer_count; /* that were ever given to the kernel */
	uint8_t buffers_epoch; /* when that was more the last time */
	unsigned buffers_out; /* of them, with bytes that nobody has read */
	struct io_uring_buf_ring *buffer_ring;
	char *buffer_memory;
	struct uring_buffer buffers[URING_BUFFERS];
	unsigned accepted_free; /* first of a list, and one; 0: none */
	unsigned accepted_count; /* that were ever used */
	struct uring_accepted accepted[URING_ACCEPTED];
};

static inline struct uring *
uring_of(struct worker *worker)
{
	return worker->backend_state;
}

static inline uint64_t
uring_tag(enum uring_kind kind, const struct io_fd *io)
{
	return (uint64_t)kind << 60 |
	    (uint64_t)(io->generation & IO_GENERATION_MASK) << 32 |
	    (uint32_t)io->fd;
}

static inline char *
uring_buffer_memory(struct uring *u, unsigned buffer)
{
	return u->buffer_memory + (size_t)buffer * URING_BUFFER_STRIDE;
}

/* ---- uring_ring.c ---- */

/* 0 or -errno; 1: with waits that gather. */
int uring_ring_probe(void);
MUST_CHECK int uring_ring_open(struct uring *u);
void uring_ring_close(struct uring *u);
/* A cleared request, or NULL: the kernel takes no more now. */
struct io_uring_sqe *uring_sqe(struct uring *u);
/* Submit what is queued and let completions come; does not wait. */
void uring_flush(struct uring *u);
/*
 * The same, and wait for one completion until @until at most; with @gather, for
 * more of them during its window, unless some are there already.
 * Returns 1: it gathered; 0 or -errno.
 */
int uring_wait(struct uring *u, instant until, bool gather);
/* Take the oldest completion. */
bool uring_cqe(struct uring *u, struct io_uring_cqe *ret);
/* The same, of the request with @tag, before its turn. Looks at all. */
bool uring_cqe_of(struct uring *u, uint64_t tag, struct io_uring_cqe *ret);
/* Ask for the end of the request with @tag. */
void uring_cancel_tag(struct uring *u, uint64_t tag);

/* ---- uring_lend.c ---- */

/* Give the kernel as many buffers again, once a turn. */
void uring_buffers_grow(struct uring *u);
void uring_buffer_release(struct uring *u, unsigned buffer);
void uring_unread_drop(struct uring *u, struct io_fd *io);
void uring_arm(struct uring *u, struct io_fd *io);
/* Is a plain receive better answered from a buffer of ours? Counts it. */
bool uring_ahead(struct io_fd *io);
void uring_disarm(struct uring *u, struct io_fd *io);
/* Answer @op, which reads, from what was received: true, or nothing was. */
bool uring_unread_take(struct uring *u, struct io_op *op);
/* As peek of the backend. */
ssize_t
uring_unread_peek(struct uring *u, struct io_fd *io, char *into, size_t length);
void uring_recv_done(struct uring *u, const struct io_uring_cqe *cqe);
void uring_listen(struct uring *u, struct io_fd *io, bool no_buffers);
void uring_guard_done(struct uring *u, const struct io_uring_cqe *cqe);

/* ---- uring_accept.c: listeners of io_attach_listener() ---- */

int uring_submit_listener(struct uring *u, struct io_op *op);
void uring_accept_done(struct uring *u, const struct io_uring_cqe *cqe);
void uring_accepted_drop(struct uring *u, struct io_fd *io);

/* ---- uring.c ---- */

/* A poll that tells of all edges. False: the kernel takes no more now. */
bool uring_poll_edges(struct uring *u, struct io_fd *io);
/* For a hook: a poll that tells of all edges. */
void uring_poll_arm(struct uring *u, struct io_fd *io);
void uring_watch_later(struct io_fd *io);
/* One that tells of IO_IN once, also if it is so already. */
void uring_poll_once(struct uring *u, struct io_fd *io);
/* After a receive: is the stream's next message worth a buffer of ours? */
static inline void
uring_note_size(struct io_fd *io, int bytes)
{
	if (bytes < URING_BUFFER_BYTES) {
		io->state &= (uint8_t)~URING_BULK;
		return;
	}
	io->state |= URING_BULK;
	io->flags &= URING_ARMS - 1;
}
/* Perform @op now, or when its descriptor is ready: as submit. */
int uring_at_edge(struct uring *u, struct io_op *op);
/* Queue a request for @op: as submit. */
int uring_at_kernel(struct uring *u, struct io_op *op);
