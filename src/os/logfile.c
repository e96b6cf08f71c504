/*
 * logfile.c - each kind of file has its own way of not blocking
 */
#include "os/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int
logfile_open_again(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(
	    path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int
logfile_prepare(int fd_take, enum logfile_kind *ret_kind)
{
	struct stat status;
	int again;

	if (fstat(fd_take, &status) < 0)
		return -errno;
	if (S_ISREG(status.st_mode) || S_ISSOCK(status.st_mode)) {
		*ret_kind =
		    S_ISREG(status.st_mode) ? LOGFILE_REGULAR : LOGFILE_SOCKET;
		return fd_take;
	}
	/* Fails when the pipe belongs to another user or /proc is hidden. */
	again = logfile_open_again(fd_take);
	*ret_kind = again >= 0 ? LOGFILE_STREAM : LOGFILE_SHARED;
	if (again < 0)
		return fd_take;
	close(fd_take);
	return again;
}

int
logfile_replace(int fd, int fd_take)
{
	int r = dup3(fd_take, fd, O_CLOEXEC);

	r = r < 0 ? -errno : 0;
	close(fd_take);
	return r;
}

ssize_t
logfile_write(int fd, enum logfile_kind kind, struct bytes lines)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	ssize_t n;

	/* A pipe that has room takes LOGFILE_PIECE_BYTES without waiting,
	 * unless another writer comes between; then we wait for its reader. */
	if (kind == LOGFILE_SHARED && poll(&ready, 1, 0) != 1)
		return -EAGAIN;
	do {
		if (kind == LOGFILE_SOCKET)
			n = send(fd, lines.at, lines.length,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
		else
			n = write(fd, lines.at, lines.length);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

void
logfile_close(int fd)
{
	close(fd);
}
