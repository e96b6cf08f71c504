#include "net/dial.h"

#include <errno.h>

#include "os/socket.h"
#include "runtime/task.h"

/* A lack of our own, not a fault of the server. EADDRNOTAVAIL: every port to
 * that server is in use. */
static bool
dial_local(int error)
{
	switch (error) {
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -ENOBUFS:
	case -ENOSPC:
	case -EADDRNOTAVAIL:
		return true;
	default:
		return false;
	}
}

static int
dial_error(int error, int *ret_os_error)
{
	int cancelled = task_cancelled();

	if (cancelled < 0)
		return cancelled;
	if (dial_local(error))
		return error;
	if (ret_os_error != NULL)
		*ret_os_error = -error;
	return error == -ETIMEDOUT ? E_CONNECT_TIMEOUT : E_CONNECT_FAILED;
}

static int
dial_prepare(
    struct io_fd *io, int fd, int family, const struct dial_options *options)
{
	int r = 0;

	if (family != AF_UNIX)
		r = socket_nodelay(fd);
	if (r == 0 && options->from != NULL)
		r = socket_bind_source(fd, options->from, options->from_length);
	if (r == 0)
		r = io_attach_stream(io, fd);
	return r;
}

int
dial(struct io_fd *io, const struct sockaddr *address, socklen_t length,
    const struct dial_options *options, instant deadline, int *ret_os_error)
{
	int fd, r;

	fd = socket_stream(address->sa_family);
	if (fd < 0)
		return dial_error(fd, ret_os_error);
	r = dial_prepare(io, fd, address->sa_family, options);
	if (r < 0) {
		socket_close(fd);
		return dial_error(r, ret_os_error);
	}
	r = io_connect(io, address, length, deadline);
	if (r < 0) {
		io_close(io);
		return dial_error(r, ret_os_error);
	}
	return 0;
}
