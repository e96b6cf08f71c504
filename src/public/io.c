/*
 * public/io.c - <weir/io.h> over the runtime
 */
#include <weir/io.h>

#include "public/inner.h"

_Static_assert(
    WEIR_IN == (int)IO_IN && WEIR_OUT == (int)IO_OUT && WEIR_HUP == (int)IO_HUP,
    "");
_Static_assert(WEIR_LENT_BYTES == IO_LENT_BYTES &&
	sizeof(struct io_lent) <= sizeof(struct weir_lent) &&
	offsetof(struct io_lent, length) == offsetof(struct weir_lent, length),
    "");

int
weir_io_attach(struct weir_io *io, int fd)
{
	(void)worker_required(__func__);
	return io_attach(inner_io(io), fd);
}

int
weir_io_attach_stream(struct weir_io *io, int fd)
{
	(void)worker_required(__func__);
	return io_attach_stream(inner_io(io), fd);
}

int
weir_io_attach_listener(struct weir_io *io, int fd)
{
	(void)worker_required(__func__);
	return io_attach_listener(inner_io(io), fd);
}

void
weir_io_clear(struct weir_io *io)
{
	*inner_io(io) = IO_FD_NONE;
}

int
weir_io_fd(const struct weir_io *io)
{
	return ((const struct io_fd *)io)->fd;
}

void
weir_io_close(struct weir_io *io)
{
	io_close(inner_io(io));
}

int
weir_io_detach(struct weir_io *io)
{
	return io_detach(inner_io(io));
}

void
weir_io_watch(
    struct weir_io *io, void (*hook)(struct weir_io *io, unsigned events))
{
	(void)worker_required(__func__);
	/* A struct weir_io is a struct io_fd and room for more. */
	io_watch(
	    inner_io(io), (void (*)(struct io_fd *, unsigned))(void *)hook);
}

ssize_t
weir_recv(struct weir_io *io, void *into, size_t length, weir_time deadline)
{
	(void)task_required(__func__);
	return io_recv(inner_io(io), into, length, inner_time(deadline));
}

ssize_t
weir_recv_lend(
    struct weir_io *io, struct weir_lent *ret_lent, weir_time deadline)
{
	(void)task_required(__func__);
	return io_recv_lend(
	    inner_io(io), (struct io_lent *)ret_lent, inner_time(deadline));
}

void
weir_lent_release(struct weir_lent *lent)
{
	if (lent->memory != NULL)
		(void)worker_required(__func__);
	io_lent_release((struct io_lent *)lent);
}

ssize_t
weir_send(struct weir_io *io, const void *from, size_t length, size_t *ret_sent,
    weir_time deadline)
{
	(void)task_required(__func__);
	return io_send(
	    inner_io(io), from, length, ret_sent, inner_time(deadline));
}

ssize_t
weir_sendv(struct weir_io *io, struct iovec *iov, int count, int flags,
    size_t *ret_sent, weir_time deadline)
{
	(void)task_required(__func__);
	return io_sendv(
	    inner_io(io), iov, count, flags, ret_sent, inner_time(deadline));
}

ssize_t
weir_read(struct weir_io *io, void *into, size_t length, weir_time deadline)
{
	(void)task_required(__func__);
	return io_read(inner_io(io), into, length, inner_time(deadline));
}

ssize_t
weir_write(
    struct weir_io *io, const void *from, size_t length, weir_time deadline)
{
	(void)task_required(__func__);
	return io_write(inner_io(io), from, length, inner_time(deadline));
}

ssize_t
weir_recvmsg(
    struct weir_io *io, struct msghdr *message, int flags, weir_time deadline)
{
	(void)task_required(__func__);
	return io_recvmsg(inner_io(io), message, flags, inner_time(deadline));
}

ssize_t
weir_sendmsg(struct weir_io *io, const struct msghdr *message, int flags,
    weir_time deadline)
{
	(void)task_required(__func__);
	return io_sendmsg(inner_io(io), message, flags, inner_time(deadline));
}

int
weir_accept(struct weir_io *io, struct sockaddr *address, socklen_t *length,
    weir_time deadline)
{
	(void)task_required(__func__);
	return io_accept(inner_io(io), address, length, inner_time(deadline));
}

int
weir_connect(struct weir_io *io, const struct sockaddr *address,
    socklen_t length, weir_time deadline)
{
	(void)task_required(__func__);
	return io_connect(inner_io(io), address, length, inner_time(deadline));
}

ssize_t
weir_sendfile(struct weir_io *io, int file, off_t *offset, size_t length,
    weir_time deadline)
{
	(void)task_required(__func__);
	return io_sendfile(
	    inner_io(io), file, offset, length, inner_time(deadline));
}

ssize_t
weir_splice(struct weir_io *in, struct weir_io *out, size_t length,
    bool *ret_out_failed, weir_time deadline)
{
	(void)task_required(__func__);
	return io_splice(inner_io(in), inner_io(out), length, ret_out_failed,
	    inner_time(deadline));
}

int
weir_wait(struct weir_io *io, unsigned events, weir_time deadline)
{
	(void)task_required(__func__);
	return io_wait(inner_io(io), events, inner_time(deadline));
}
