#include "os/child_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

void
child_pipe_open(int fd)
{
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

int
child_pipe_read(int fd, void *into, size_t length)
{
	char *at = into;

	while (length > 0) {
		ssize_t got = read(fd, at, length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == ECONNRESET ? -EPIPE : -errno;
		if (got == 0)
			return -EPIPE;
		at += got;
		length -= (size_t)got;
	}
	return 0;
}

int
child_pipe_write(int fd, const void *from, size_t length)
{
	const char *at = from;

	while (length > 0) {
		ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		at += sent;
		length -= (size_t)sent;
	}
	return 0;
}
