#include "os/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int
memfd_of(const char *name, struct bytes text)
{
	const int seals =
	    F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ssize_t written = 0;
	int r = 0;

	if (fd < 0)
		return -errno;
	for (size_t at = 0; at < text.length && r == 0; at += (size_t)written) {
		written = write(fd, text.at + at, text.length - at);
		if (written < 0)
			r = -errno;
	}
	if (r == 0 && fcntl(fd, F_ADD_SEALS, seals) < 0)
		r = -errno;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

int
memfd_read(int fd, size_t max, char **ret_text, size_t *ret_length)
{
	struct stat status;
	size_t length, at = 0;
	ssize_t got = 1;
	char *text;
	int r;

	if (fstat(fd, &status) < 0)
		return -errno;
	if ((size_t)status.st_size > max)
		return -EFBIG;
	length = (size_t)status.st_size;
	text = malloc(length + 1);
	if (text == NULL)
		return -ENOMEM;
	while (at < length && got > 0) {
		got = pread(fd, text + at, length - at, (off_t)at);
		at += got > 0 ? (size_t)got : 0;
	}
	if (got < 0) {
		r = -errno;
		free(text);
		return r;
	}
	text[at] = '\0';
	*ret_text = text;
	*ret_length = at;
	return 0;
}
