/*
 * io.h - descriptors of a worker, and the calls that wait on them
 *
 * Layer      runtime
 * Threads    a descriptor belongs to the worker that attached it
 * Memory     struct io_fd in the caller's struct, 64 bytes at most; an
 *            operation lives on the stack of the task that waits for it
 * Cost       nothing beyond the system call when it completes at once; with
 *            epoll a descriptor is registered once (edge-triggered, both
 *            directions) and readiness is remembered, so a read that is known
 *            to fail is not tried
 * Invariant  at most one task reads and one writes; a second gets -EBUSY.
 *            A call that moved bytes returns them even if it was cancelled
 *            meanwhile: the cancel is delivered by the next call.
 *
 * Every call with a deadline suspends when the operation cannot complete at
 * once, returns -ETIMEDOUT past the deadline (or its scope's, if earlier) and
 * the cancel error of the task's scope, and counts against the operation
 * budget of the task's slice (32), after which it yields.
 */
#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/cc.h"
#include "base/list.h"
#include "base/time.h"

enum {
	IO_IN = 1, /* readable, or the peer has shut down its side */
	IO_OUT = 2, /* writable */
	IO_HUP = 4, /* closed or failed: reads will tell */
};

struct io_op;

struct io_fd {
	int fd; /* -1: not attached */
	uint32_t generation;
	uint8_t ready; /* IO_* not yet known to be used up */
	uint8_t flags; /* IO_FD_* of io_backend.h */
	uint8_t state; /* of the backend, as the next two */
	uint8_t queued;
	struct io_unread {
		uint16_t first; /* buffers, oldest first; count 0: none */
		uint16_t last;
		uint16_t count;
		int16_t end; /* 0 or -errno, once the stream has ended */
	} unread;
	struct io_op *reader; /* of the call that reads now, or NULL */
	struct io_op *writer;
	struct list watched; /* on the worker's list after io_watch() */
	/*
	 * When not NULL and no reader waits, called on the loop as @fd becomes
	 * readable or is hung up. It may start or wake tasks, stop timers and
	 * io_close() this descriptor; it must not suspend. This is how an idle
	 * connection costs neither stack nor buffer. Set by io_watch() alone.
	 */
	void (*on_ready)(struct io_fd *io, unsigned events);
};
_Static_assert(sizeof(struct io_fd) <= 64,
    "fd, generation, bits, unread, two operations, a list node, a hook");

/* Not attached: io_close() does nothing. */
#define IO_FD_NONE ((struct io_fd){.fd = -1})

/*
 * io_attach - make @fd (non-blocking) a descriptor of this worker
 * On error @fd stays the caller's. On success io_close() closes it.
 * Returns 0, -ENOMEM, -ENOSPC, -EPERM (a regular file).
 */
MUST_CHECK int io_attach(struct io_fd *io, int fd);

/*
 * The same for what is known to be a stream socket, as what accept returned:
 * nobody has to ask the kernel. Once it is watched, lends or is received from,
 * bytes may be received before anybody asks for them; every call here gives
 * those first, but a read(2) of the caller's own misses them, and descriptors
 * that came with them (SCM_RIGHTS) are closed. Who goes on to read by himself
 * detaches it and attaches it again with io_attach().
 */
MUST_CHECK
int io_attach_stream(struct io_fd *io, int fd);

/*
 * The same for a listening stream socket from which nobody else accepts: with
 * io_uring connections may be accepted before anybody asks, a whole backlog at
 * once, but no more while IO_ACCEPTED_MAX have not been taken; io_close()
 * closes those. Where the socket is shared with another process, or lives on
 * in one, use io_attach().
 */
#define IO_ACCEPTED_MAX 64
MUST_CHECK int io_attach_listener(struct io_fd *io, int fd);

/* Detach and close. A task that waits on it gets -EBADF from its call; the
 * memory of @io may be freed at once. Never suspends with epoll. Idempotent
 * once @io was attached or is IO_FD_NONE. */
SUSPENDS void io_close(struct io_fd *io);

/* Detach and give the descriptor back, still open. Nobody may wait on it.
 * -EBUSY: bytes were received already that nobody has read; they would be
 * lost, so it stays attached. */
SUSPENDS int io_detach(struct io_fd *io);

/*
 * io_watch - set on_ready; NULL: as io_unwatch()
 *
 * Edges that came before count too: if @io is readable or hung up already,
 * the hook is called on the next turn of the loop, never from inside this
 * call. It stays set, and is called at every later edge, until it is replaced;
 * a hook that starts a task to read ends that first: io_unwatch(). With poll
 * and select one that leaves bytes unread is called for them again, every 10
 * ms.
 */
void
io_watch(struct io_fd *io, void (*on_ready)(struct io_fd *io, unsigned events));
/* Nobody is told any more; also for what is not watched. */
void io_unwatch(struct io_fd *io);

/* Some bytes (1..length), 0 at the end of the stream, or -errno. */
SUSPENDS MUST_CHECK ssize_t io_recv(
    struct io_fd *io, void *into, size_t length, instant deadline);
/*
 * io_recv_lend - receive into a buffer of the worker, lent until released
 *
 * Some bytes of a stream socket; IO_LENT_BYTES at most. Whoever waits here
 * owns no buffer meanwhile. A worker has a bounded number of buffers for its
 * idle connections: give them back soon.
 * Returns    the length, also in @ret; 0 at the end, or -errno: nothing is lent
 */
#define IO_LENT_BYTES 4096
struct io_lent {
	char *memory;
	size_t length;
	uint32_t buffer; /* of the backend, or IO_LENT_BLOCK */
	uint32_t worker; /* that lent it */
};
SUSPENDS MUST_CHECK ssize_t io_recv_lend(
    struct io_fd *io, struct io_lent *ret, instant deadline);
/* On the worker that lent it. Idempotent. */
void io_lent_release(struct io_lent *lent);

/* As recv with MSG_PEEK|MSG_DONTWAIT; never suspends. -EAGAIN: nothing. */
MUST_CHECK ssize_t io_peek(struct io_fd *io, void *into, size_t length);

/* All of it: returns @length, or -errno. After an error some of it may have
 * been sent; @ret_sent (may be NULL) says how much. */
SUSPENDS MUST_CHECK ssize_t io_send(struct io_fd *io, const void *from,
    size_t length, size_t *ret_sent, instant deadline);
/* @iov is modified. @flags: 0 or MSG_MORE. */
SUSPENDS MUST_CHECK ssize_t io_sendv(struct io_fd *io, struct iovec *iov,
    int count, int flags, size_t *ret_sent, instant deadline);

/* Take @bytes off the front of the *@count parts at *@iov, and what is empty
 * behind them. */
void io_iov_skip(struct iovec **iov, int *count, size_t bytes);

/* read(2), write(2) for pipes, eventfds, signalfds: some bytes. */
SUSPENDS MUST_CHECK ssize_t io_read(
    struct io_fd *io, void *into, size_t length, instant deadline);
SUSPENDS MUST_CHECK ssize_t io_write(
    struct io_fd *io, const void *from, size_t length, instant deadline);

/* One message with its ancillary data: recvmsg(2), sendmsg(2). */
SUSPENDS MUST_CHECK ssize_t io_recvmsg(
    struct io_fd *io, struct msghdr *message, int flags, instant deadline);
SUSPENDS MUST_CHECK ssize_t io_sendmsg(struct io_fd *io,
    const struct msghdr *message, int flags, instant deadline);

/* A new connection, non-blocking and close-on-exec, not attached.
 * @address  may be NULL; @*length as for accept4(2)
 * Returns the descriptor, or -errno; -EMFILE and -ENFILE are returned, the
 * caller pauses. */
SUSPENDS MUST_CHECK int io_accept(struct io_fd *io, struct sockaddr *address,
    socklen_t *length, instant deadline);

/* connect(2) on an attached socket. Returns 0 or -errno. */
SUSPENDS MUST_CHECK int io_connect(struct io_fd *io,
    const struct sockaddr *address, socklen_t length, instant deadline);

/* Bytes of the regular file @file from *@offset to @io by sendfile(2), all
 * @length of them. Returns @length; fewer when the file is shorter; -errno. */
SUSPENDS MUST_CHECK ssize_t io_sendfile(
    struct io_fd *io, int file, off_t *offset, size_t length, instant deadline);

/*
 * Up to @length bytes from @in to @out through a pipe of the worker's pool,
 * never through user memory. Returns after *some* progress: the bytes that
 * reached @out (>= 1), 0 at the end of @in, or -errno. Bytes that left @in are
 * never lost while both ends live: they are in @out before it returns. When
 * it fails with bytes under way (an error of @out, a deadline or a cancel
 * while @out would not take them) *@ret_out_failed is true, and what @out
 * carries has a hole: it can only be closed. Once bytes are under way, @out has
 * as long again while its peer goes on taking some, 16 times as long in all.
 */
SUSPENDS MUST_CHECK ssize_t io_splice(struct io_fd *in, struct io_fd *out,
    size_t length, bool *ret_out_failed, instant deadline);

/*
 * Wait for readiness; IO_IN, IO_OUT. Returns the ready events (IO_HUP among
 * them when it is hung up), or -errno. It asks the kernel, so it is true also
 * for callers that read and write with system calls of their own.
 */
SUSPENDS MUST_CHECK int
io_wait(struct io_fd *io, unsigned events, instant deadline);
