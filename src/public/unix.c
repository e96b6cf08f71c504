/*
 * public/unix.c - <weir/unix.h>
 */
#include <weir/unix.h>

#include <errno.h>
#include <stdlib.h>

#include "os/fdpass.h"
#include "os/pipe.h"
#include "os/unix_socket.h"
#include "public/inner.h"

_Static_assert(WEIR_UNIX_FDS_MAX == FDPASS_MAX, "");

int
weir_unix_pair(int type, struct weir_io *one, struct weir_io *other)
{
	int ends[2], r;

	(void)worker_required(__func__);
	r = unix_pair(type, ends);
	if (r < 0)
		return r;
	r = io_attach(inner_io(one), ends[0]);
	if (r < 0) {
		fd_close(ends[0]);
		fd_close(ends[1]);
		return r;
	}
	r = io_attach(inner_io(other), ends[1]);
	if (r < 0) {
		io_close(inner_io(one));
		fd_close(ends[1]);
	}
	return r;
}

int
weir_unix_listen(struct weir_io *io, int type, const char *path)
{
	int fd = unix_socket(type);
	int r;

	(void)worker_required(__func__);
	if (fd < 0)
		return fd;
	r = unix_listen(fd, type, path);
	if (r == 0)
		r = io_attach(inner_io(io), fd);
	if (r < 0)
		fd_close(fd);
	return r;
}

int
weir_unix_connect(
    struct weir_io *io, int type, const char *path, weir_time deadline)
{
	struct sockaddr_un address;
	int length = unix_address(path, &address);
	int fd, r;

	(void)task_required(__func__);
	if (length < 0)
		return length;
	fd = unix_socket(type);
	if (fd < 0)
		return fd;
	r = io_attach(inner_io(io), fd);
	if (r < 0) {
		fd_close(fd);
		return r;
	}
	r = io_connect(inner_io(io), (struct sockaddr *)&address,
	    (socklen_t)length, inner_time(deadline));
	if (r < 0)
		io_close(inner_io(io));
	return r;
}

int
weir_unix_peer(const struct weir_io *io, struct weir_unix_peer *ret_peer)
{
	struct ucred peer;
	int r;

	r = unix_credentials(((const struct io_fd *)io)->fd, &peer);
	if (r == 0)
		*ret_peer = (struct weir_unix_peer){
		    .pid = peer.pid, .uid = peer.uid, .gid = peer.gid};
	return r;
}

ssize_t
weir_unix_send_fds(struct weir_io *io, const void *data, size_t length,
    const int *fds, unsigned fd_count, weir_time deadline)
{
	struct fdpass pass;

	(void)task_required(__func__);
	if (fd_count > FDPASS_MAX || length == 0)
		return -EINVAL;
	fdpass_send_init(&pass, data, length, fds, fd_count);
	return io_sendmsg(inner_io(io), &pass.message, 0, inner_time(deadline));
}

/* Returns how many, or -EMSGSIZE. */
static int
unix_fds_take(struct fdpass *pass, int *ret_fds, unsigned fd_max)
{
	int fds[FDPASS_MAX];
	int count = fdpass_recv_take(pass, fds);

	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		if ((unsigned)count <= fd_max)
			ret_fds[i] = fds[i];
		else
			fd_close(fds[i]);
	}
	return (unsigned)count <= fd_max ? count : -EMSGSIZE;
}

ssize_t
weir_unix_recv_fds(struct weir_io *io, void *into, size_t capacity,
    int *ret_fds, unsigned fd_max, unsigned *ret_fd_count, weir_time deadline)
{
	struct fdpass pass;
	ssize_t length;
	int count;

	(void)task_required(__func__);
	fdpass_recv_init(&pass, into, capacity);
	length =
	    io_recvmsg(inner_io(io), &pass.message, 0, inner_time(deadline));
	if (length < 0)
		return length;
	count = unix_fds_take(&pass, ret_fds, fd_max);
	if (count < 0)
		return count;
	*ret_fd_count = (unsigned)count;
	return length;
}
