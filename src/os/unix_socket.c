#include "os/unix_socket.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

int
unix_address(const char *path, struct sockaddr_un *ret_address)
{
	size_t length = strlen(path);
	const size_t most = sizeof(ret_address->sun_path);

	if (length == 0)
		return -EINVAL;
	/* A file's name ends with a NUL, an abstract one begins with it. */
	if (length > (path[0] == '@' ? most : most - 1))
		return -ENAMETOOLONG;
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret_address->sun_path, path, length);
	if (path[0] == '@')
		ret_address->sun_path[0] = '\0';
	else
		length++;
	return (int)(offsetof(struct sockaddr_un, sun_path) + length);
}

int
unix_socket(int type)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

int
unix_pair(int type, int ret_ends[2])
{
	const int how = type | SOCK_NONBLOCK | SOCK_CLOEXEC;

	return socketpair(AF_UNIX, how, 0, ret_ends) < 0 ? -errno : 0;
}

int
unix_listen(int fd, int type, const char *path)
{
	struct sockaddr_un address;
	int length = unix_address(path, &address);

	if (length < 0)
		return length;
	if (bind(fd, (struct sockaddr *)&address, (socklen_t)length) < 0)
		return -errno;
	if (type != SOCK_DGRAM && listen(fd, SOMAXCONN) < 0)
		return -errno;
	return 0;
}

int
unix_credentials(int fd, struct ucred *ret_credentials)
{
	socklen_t length = sizeof(*ret_credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_credentials, &length) <
	    0)
		return -errno;
	/* Nobody has connected. */
	return ret_credentials->pid == 0 ? -ENOTCONN : 0;
}
