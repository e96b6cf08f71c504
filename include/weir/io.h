/*
 * weir/io.h - descriptors, and calls that wait for them
 *
 * A descriptor is attached to the worker of the task that attaches it. At most
 * one task reads and one writes; another gets -EBUSY. Every call with a
 * deadline suspends when it cannot complete at once. A call that moved bytes
 * returns them even if the task was stopped meanwhile.
 */
#ifndef WEIR_IO_H
#define WEIR_IO_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <weir/api.h>
#include <weir/time.h>

WEIR_BEGIN

enum {
	WEIR_IN = 1, /* readable, or the peer has shut down its side */
	WEIR_OUT = 2, /* writable */
	WEIR_HUP = 4, /* closed or failed: reads will tell */
};

/* In the caller's memory, in place while it is attached. */
struct weir_io {
	uint64_t opaque[8];
};

/* @fd is non-blocking. On success it is closed by weir_io_close(). Returns 0,
 * -ENOMEM, -ENOSPC, -EMFILE, -EPERM (a regular file). */
WEIR_API WEIR_MUST_CHECK int weir_io_attach(struct weir_io *io, int fd);
/*
 * The same for what is known to be a stream socket, as what weir_accept()
 * returns for TCP: nobody has to ask the kernel. Once it is watched, lends or
 * is received from, bytes may come before anybody asks for them; every call
 * here gives those first, but a read(2) of your own misses them. To read by
 * yourself from then on (a TLS library that is given the descriptor), detach
 * it and attach it again with weir_io_attach().
 */
WEIR_API WEIR_MUST_CHECK int weir_io_attach_stream(struct weir_io *io, int fd);
/*
 * The same for a listening socket from which nobody else accepts. With io_uring
 * connections may be accepted before weir_accept() is called, a whole backlog
 * at once, but no more while 64 have not been taken; weir_io_close() closes
 * those. Not for a socket that another process has, too.
 */
WEIR_API WEIR_MUST_CHECK int
weir_io_attach_listener(struct weir_io *io, int fd);
/* Not attached, so that weir_io_close() does nothing. */
WEIR_API void weir_io_clear(struct weir_io *io);
/* The descriptor, or -1. */
WEIR_API int weir_io_fd(const struct weir_io *io);
/* Detach and close; a task that waits gets -EBADF. @io may be freed. */
WEIR_API void weir_io_close(struct weir_io *io);
/* Detach only. Returns the descriptor; -EBUSY: bytes have come that nobody has
 * read, so it stays attached; -EBADF. Nobody may wait on it. */
WEIR_API WEIR_MUST_CHECK int weir_io_detach(struct weir_io *io);

/*
 * Call @hook on the worker's loop whenever @io becomes readable or is hung up
 * and no task reads; also when it is so already, but not from inside this call.
 * NULL: no more. The hook may start tasks and close @io; it must not suspend.
 * This is how an idle connection costs neither stack nor buffer.
 */
WEIR_API void weir_io_watch(
    struct weir_io *io, void (*hook)(struct weir_io *io, unsigned events));

/* Some bytes (1 to @length, which is not 0), 0 at the end, or -errno. */
WEIR_API WEIR_MUST_CHECK ssize_t weir_recv(
    struct weir_io *io, void *into, size_t length, weir_time deadline);
/*
 * Receive into a buffer of the worker, which is lent until it is released; at
 * most WEIR_LENT_BYTES. Whoever waits here owns no buffer meanwhile. A worker
 * keeps few of them: give them back soon, on the same worker. Of stream
 * sockets. Returns the length, also in @ret_lent; 0 at the end, or -errno:
 * nothing is lent then.
 */
#define WEIR_LENT_BYTES 4096
struct weir_lent {
	char *memory;
	size_t length;
	uint64_t opaque[2];
};
WEIR_API WEIR_MUST_CHECK ssize_t weir_recv_lend(
    struct weir_io *io, struct weir_lent *ret_lent, weir_time deadline);
/* More than once is fine. */
WEIR_API void weir_lent_release(struct weir_lent *lent);

/* All of it. Returns @length or -errno; *@ret_sent (may be NULL) says how much
 * was sent in any case. */
WEIR_API WEIR_MUST_CHECK ssize_t weir_send(struct weir_io *io, const void *from,
    size_t length, size_t *ret_sent, weir_time deadline);
/* All of it; @iov is modified. @flags: 0 or MSG_MORE. */
WEIR_API WEIR_MUST_CHECK ssize_t weir_sendv(struct weir_io *io,
    struct iovec *iov, int count, int flags, size_t *ret_sent,
    weir_time deadline);
/* read(2) and write(2), for pipes and what else can be polled: some bytes. */
WEIR_API WEIR_MUST_CHECK ssize_t weir_read(
    struct weir_io *io, void *into, size_t length, weir_time deadline);
WEIR_API WEIR_MUST_CHECK ssize_t weir_write(
    struct weir_io *io, const void *from, size_t length, weir_time deadline);
/* One message with its ancillary data. */
WEIR_API WEIR_MUST_CHECK ssize_t weir_recvmsg(
    struct weir_io *io, struct msghdr *message, int flags, weir_time deadline);
WEIR_API WEIR_MUST_CHECK ssize_t weir_sendmsg(struct weir_io *io,
    const struct msghdr *message, int flags, weir_time deadline);

/* A new connection, non-blocking and close-on-exec, not attached; @address may
 * be NULL. Returns the descriptor or -errno. */
WEIR_API WEIR_MUST_CHECK int weir_accept(struct weir_io *io,
    struct sockaddr *address, socklen_t *length, weir_time deadline);
WEIR_API WEIR_MUST_CHECK int weir_connect(struct weir_io *io,
    const struct sockaddr *address, socklen_t length, weir_time deadline);

/* All @length bytes of the regular file @file from *@offset; fewer when it is
 * shorter. */
WEIR_API WEIR_MUST_CHECK ssize_t weir_sendfile(struct weir_io *io, int file,
    off_t *offset, size_t length, weir_time deadline);
/*
 * Some bytes, up to @length, from @in to @out inside the kernel. Returns how
 * many reached @out, 0 at the end of @in, or -errno. When *@ret_out_failed is
 * true bytes were lost on the way: @out can only be closed.
 */
WEIR_API WEIR_MUST_CHECK ssize_t weir_splice(struct weir_io *in,
    struct weir_io *out, size_t length, bool *ret_out_failed,
    weir_time deadline);
/* Wait for WEIR_IN, WEIR_OUT. Returns the ready ones (and WEIR_HUP). */
WEIR_API WEIR_MUST_CHECK int
weir_wait(struct weir_io *io, unsigned events, weir_time deadline);

WEIR_END

#endif
