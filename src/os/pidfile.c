#include "os/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIDFILE_TRIES 10

static bool
pidfile_is_at(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 &&
	    ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static pid_t
pidfile_pid_of(int fd)
{
	char text[16];
	ssize_t length = pread(fd, text, sizeof(text) - 1, 0);

	if (length <= 0)
		return 0;
	text[length] = '\0';
	return (pid_t)strtol(text, NULL, 10);
}

static int
pidfile_lock(int fd, pid_t *ret_other)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return -errno;
	*ret_other = pidfile_pid_of(fd);
	return -EEXIST;
}

/* A locked file with our pid in it, under a name of its own. */
static int
pidfile_write_new(const char *path)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	int fd, r = 0;

	(void)unlink(path);
	fd = open(
	    path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		r = -errno;
	else if (write(fd, text, (size_t)length) != length)
		r = -EIO;
	if (r == 0)
		return fd;
	(void)unlink(path);
	close(fd);
	return r;
}

/* While we hold the lock of the file that is there, replace it. */
static int
pidfile_replace(const char *path)
{
	char new_path[PATH_MAX];
	int fd;

	if (snprintf(new_path, sizeof(new_path), "%s.new", path) >=
	    (int)sizeof(new_path))
		return -ENAMETOOLONG;
	fd = pidfile_write_new(new_path);
	if (fd >= 0 && rename(new_path, path) < 0) {
		int r = -errno;

		(void)unlink(new_path);
		close(fd);
		return r;
	}
	return fd;
}

int
pidfile_create(const char *path, pid_t *ret_other)
{
	*ret_other = 0;
	for (int i = 0; i < PIDFILE_TRIES; i++) {
		int old, r;

		old =
		    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (old < 0)
			return -errno;
		r = pidfile_lock(old, ret_other);
		/* Another instance may have renamed its file over this one
		 * between our open and our lock. */
		if (r == 0 && pidfile_is_at(old, path))
			r = pidfile_replace(path);
		else if (r == 0)
			r = -EAGAIN;
		close(old);
		if (r != -EAGAIN)
			return r;
	}
	return -EAGAIN;
}

void
pidfile_remove(const char *path, int fd)
{
	if (pidfile_is_at(fd, path))
		(void)unlink(path);
	close(fd);
}
