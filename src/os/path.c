#include "os/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_READ_BYTES 65536 /* the first buffer; it doubles */

int
path_current(struct appender *into)
{
	char folder[PATH_MAX];

	if (getcwd(folder, sizeof(folder)) == NULL)
		return -errno;
	append_text(into, folder);
	return into->overflowed ? -ENAMETOOLONG : 0;
}

int
path_folder_check(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return -errno;
	return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

/* Until the end: a pipe (/dev/stdin) has no size to ask for. */
static int
path_read_all(int fd, size_t max, char **text, size_t *length)
{
	size_t capacity = 0;

	for (;;) {
		ssize_t n;

		if (*length + 1 >= capacity) {
			char *larger;

			capacity =
			    max_of(2 * capacity, (size_t)PATH_READ_BYTES);
			larger = realloc(*text, capacity);
			if (larger == NULL)
				return -ENOMEM;
			*text = larger;
		}
		n = read(fd, *text + *length, capacity - 1 - *length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		*length += (size_t)n;
		if (*length > max)
			return -EFBIG;
		if (n == 0) {
			(*text)[*length] = '\0';
			return 0;
		}
	}
}

static int
path_regular_check(int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	return S_ISREG(status.st_mode) ? 0 : -EINVAL;
}

int
path_read(const char *path, size_t max, bool regular, char **ret_text,
    size_t *ret_length)
{
	/* Opening a pipe would wait for its other end. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | (regular ? O_NONBLOCK : 0));
	char *text = NULL;
	size_t length = 0;
	int r;

	if (fd < 0)
		return -errno;
	r = regular ? path_regular_check(fd) : 0;
	if (r == 0)
		r = path_read_all(fd, max, &text, &length);
	close(fd);
	if (r < 0) {
		free(text);
		return r;
	}
	*ret_text = text;
	*ret_length = length;
	return 0;
}
