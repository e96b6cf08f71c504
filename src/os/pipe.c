#include "os/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int
pipe_open(int ret_ends[2])
{
	return pipe2(ret_ends, O_CLOEXEC) < 0 ? -errno : 0;
}

int
seqpacket_pair_open(int ret_ends[2])
{
	const int type = SOCK_SEQPACKET | SOCK_CLOEXEC;

	return socketpair(AF_UNIX, type, 0, ret_ends) < 0 ? -errno : 0;
}

int
fd_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int
null_open(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void
fd_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

int
fifo_create(const char *path, mode_t mode)
{
	int r;

	if (mkfifo(path, mode) < 0)
		return -errno;
	if (chmod(path, mode) == 0)
		return 0;
	r = -errno;
	(void)unlink(path);
	return r;
}

int
fifo_open(const char *path, bool to_write)
{
	const int how = to_write ? O_WRONLY : O_RDONLY;
	int fd = open(path, how | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat status;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode))
		return fd;
	close(fd);
	return -EINVAL;
}
