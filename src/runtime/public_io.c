/*
 * public_io.c - <weir/io.h> over the runtime
 */
#include <weir/io.h>

#include "runtime/io.h"

_Static_assert(sizeof(struct io_fd) <= sizeof(struct weir_io), "");
_Static_assert(
    WEIR_IN == (int)IO_IN && WEIR_OUT == (int)IO_OUT && WEIR_HUP == (int)IO_HUP,
    "");

static struct io_fd *
inner(struct weir_io *io)
{
	return (struct io_fd *)io;
}

static instant
at(weir_time t)
{
	return (instant){t};
}

int
weir_io_attach(struct weir_io *io, int fd)
{
	return io_attach(inner(io), fd);
}

void
weir_io_clear(struct weir_io *io)
{
	*inner(io) = IO_FD_NONE;
}

int
weir_io_fd(const struct weir_io *io)
{
	return ((const struct io_fd *)io)->fd;
}

void
weir_io_close(struct weir_io *io)
{
	io_close(inner(io));
}

int
weir_io_detach(struct weir_io *io)
{
	return io_detach(inner(io));
}

void
weir_io_watch(
    struct weir_io *io, void (*hook)(struct weir_io *io, unsigned events))
{
	/* A struct weir_io is a struct io_fd and room for more. */
	io_watch(inner(io), (void (*)(struct io_fd *, unsigned))(void *)hook);
}

ssize_t
weir_recv(struct weir_io *io, void *into, size_t length, weir_time deadline)
{
	return io_recv(inner(io), into, length, at(deadline));
}

ssize_t
weir_send(struct weir_io *io, const void *from, size_t length, size_t *ret_sent,
    weir_time deadline)
{
	return io_send(inner(io), from, length, ret_sent, at(deadline));
}

ssize_t
weir_sendv(struct weir_io *io, struct iovec *iov, int count, int flags,
    size_t *ret_sent, weir_time deadline)
{
	return io_sendv(inner(io), iov, count, flags, ret_sent, at(deadline));
}

ssize_t
weir_read(struct weir_io *io, void *into, size_t length, weir_time deadline)
{
	return io_read(inner(io), into, length, at(deadline));
}

ssize_t
weir_write(
    struct weir_io *io, const void *from, size_t length, weir_time deadline)
{
	return io_write(inner(io), from, length, at(deadline));
}

ssize_t
weir_recvmsg(
    struct weir_io *io, struct msghdr *message, int flags, weir_time deadline)
{
	return io_recvmsg(inner(io), message, flags, at(deadline));
}

ssize_t
weir_sendmsg(struct weir_io *io, const struct msghdr *message, int flags,
    weir_time deadline)
{
	return io_sendmsg(inner(io), message, flags, at(deadline));
}

int
weir_accept(struct weir_io *io, struct sockaddr *address, socklen_t *length,
    weir_time deadline)
{
	return io_accept(inner(io), address, length, at(deadline));
}

int
weir_connect(struct weir_io *io, const struct sockaddr *address,
    socklen_t length, weir_time deadline)
{
	return io_connect(inner(io), address, length, at(deadline));
}

ssize_t
weir_sendfile(struct weir_io *io, int file, off_t *offset, size_t length,
    weir_time deadline)
{
	return io_sendfile(inner(io), file, offset, length, at(deadline));
}

ssize_t
weir_splice(struct weir_io *in, struct weir_io *out, size_t length,
    bool *ret_out_failed, weir_time deadline)
{
	return io_splice(
	    inner(in), inner(out), length, ret_out_failed, at(deadline));
}

int
weir_wait(struct weir_io *io, unsigned events, weir_time deadline)
{
	return io_wait(inner(io), events, at(deadline));
}
