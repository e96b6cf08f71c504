#include "os/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/socket_call.h"

#define LISTEN_FOLDER_MODE 0755

static int
listen_socket(int family)
{
	return socket_open(family, SOCK_STREAM, 0);
}

static int
listen_option_set(int fd, int level, int option)
{
	const int on = 1;

	return socket_option_set(fd, level, option, &on, sizeof(on));
}

static int
listen_inet_bind(const struct listen_options *options, bool shared)
{
	int family = options->address->sa_family;
	int fd = listen_socket(family);
	int r;

	if (fd < 0)
		return fd;
	r = listen_option_set(fd, SOL_SOCKET, SO_REUSEADDR);
	if (r == 0 && shared)
		r = listen_option_set(fd, SOL_SOCKET, SO_REUSEPORT);
	/* Accepted sockets inherit it. */
	if (r == 0)
		r = listen_option_set(fd, IPPROTO_TCP, TCP_NODELAY);
	/* [::]:80 beside 0.0.0.0:80, whatever the system's default is. */
	if (r == 0 && family == AF_INET6)
		r = listen_option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	if (r == 0)
		r = socket_bind(fd, options->address, options->length);
	if (r == 0)
		return fd;
	socket_close(fd);
	return r;
}

/* Without SO_REUSEPORT the kernel says whether somebody listens. */
static int
listen_inet_probe(const struct listen_options *options)
{
	int fd = listen_inet_bind(options, false);

	if (fd < 0)
		return fd;
	socket_close(fd);
	return 0;
}

static int
listen_inet_open(const struct listen_options *options, int *ret_fd)
{
	int fd = listen_inet_bind(options, true);
	int r;

	if (fd < 0)
		return fd;
	r = socket_listen(fd, options->backlog);
	if (r < 0) {
		socket_close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

/* A file that is a socket nobody listens on may go; anything else stays. */
static int
listen_unix_clear(const struct listen_options *options)
{
	const struct sockaddr_un *un = (const void *)options->address;
	struct stat status;
	int fd, r;

	if (un->sun_path[0] == '\0' || lstat(un->sun_path, &status) < 0)
		return 0;
	if (!S_ISSOCK(status.st_mode))
		return -EADDRINUSE;
	fd = listen_socket(AF_UNIX);
	if (fd < 0)
		return fd;
	r = socket_connect(fd, options->address, options->length);
	socket_close(fd);
	if (r != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(un->sun_path) < 0 ? -errno : 0;
}

/* The last folder of the path only: a wrong path stays an error. */
static void
listen_unix_folder_make(const struct listen_options *options)
{
	const struct sockaddr_un *un = (const void *)options->address;
	char folder[sizeof(un->sun_path)];
	char *slash;

	memcpy(folder, un->sun_path, sizeof(folder));
	slash = memrchr(folder, '/', strnlen(folder, sizeof(folder)));
	if (slash == NULL || slash == folder)
		return;
	*slash = '\0';
	(void)mkdir(folder, LISTEN_FOLDER_MODE);
}

static int
listen_unix_open(const struct listen_options *options, int *ret_fd)
{
	mode_t mask;
	int fd, r;

	r = listen_unix_clear(options);
	if (r < 0)
		return r;
	if (options->unix_folder)
		listen_unix_folder_make(options);
	fd = listen_socket(AF_UNIX);
	if (fd < 0)
		return fd;
	/* The mode holds from the file's first moment. */
	mask = umask(0777 & ~options->unix_mode);
	r = socket_bind(fd, options->address, options->length);
	umask(mask);
	if (r == 0)
		r = socket_listen(fd, options->backlog);
	if (r < 0) {
		socket_close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int
listen_open(const struct listen_options *options, int *ret_fds, unsigned count)
{
	unsigned opened = 0;
	int r;

	must(count > 0);
	for (unsigned i = 0; i < count; i++)
		ret_fds[i] = -1;
	if (options->address->sa_family == AF_UNIX)
		return listen_unix_open(options, &ret_fds[0]);
	r = options->overlaps ? 0 : listen_inet_probe(options);
	while (r == 0 && opened < count) {
		r = listen_inet_open(options, &ret_fds[opened]);
		if (r == 0)
			opened++;
	}
	while (r < 0 && opened > 0) {
		socket_close(ret_fds[--opened]);
		ret_fds[opened] = -1;
	}
	return r;
}

void
listen_backlog_set(int fd, int backlog)
{
	(void)!socket_listen(fd, backlog);
}
