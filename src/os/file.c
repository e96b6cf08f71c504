#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* openat2() says EAGAIN when a rename raced with "..": worth a few tries. */
#define FILE_OPEN_TRIES 4

int
file_root_open(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int
file_open_beneath(int root, const char *path, unsigned flags)
{
	struct open_how how = {
	    .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	if (flags & FILE_LOOK)
		how.flags = O_PATH | O_CLOEXEC;
	if (flags & FILE_LIST)
		how.flags |= O_DIRECTORY;
	if (!(flags & FILE_FOLLOW))
		how.resolve |= RESOLVE_NO_SYMLINKS;
	for (int i = 0; i < FILE_OPEN_TRIES; i++) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

int
file_beneath_check(void)
{
	int fd = file_open_beneath(AT_FDCWD, ".", FILE_LOOK);

	/* Any other error still shows that the call is there. */
	if (fd == -ENOSYS)
		return -ENOSYS;
	file_close(fd);
	return 0;
}

static void
file_stat_fill(const struct stat *st, struct file_stat *ret_stat)
{
	*ret_stat = (struct file_stat){
	    .kind = S_ISREG(st->st_mode) ? FILE_REGULAR
		: S_ISDIR(st->st_mode)   ? FILE_DIRECTORY
		: S_ISLNK(st->st_mode)   ? FILE_LINK
					 : FILE_SPECIAL,
	    .device = st->st_dev,
	    .inode = st->st_ino,
	    .size = (uint64_t)st->st_size,
	    .modified_ns =
		(int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
	    .changed_ns =
		(int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
	};
}

int
file_stat_get(int fd, struct file_stat *ret_stat)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	file_stat_fill(&st, ret_stat);
	return 0;
}

int
file_stat_entry(int fd, const char *name, struct file_stat *ret_stat)
{
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	file_stat_fill(&st, ret_stat);
	return 0;
}

int
file_stat_path(const char *path, struct file_stat *ret_stat)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	file_stat_fill(&st, ret_stat);
	return 0;
}

ssize_t
file_read_at(int fd, void *into, size_t length, off_t offset)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = pread(fd, (char *)into + done, length - done,
		    offset + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

void
file_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* struct file_dir is a DIR: the name keeps dirent.h out of the callers. */
struct file_dir *
file_dir_open(int fd_take)
{
	DIR *dir = fdopendir(fd_take);

	if (dir == NULL)
		file_close(fd_take);
	return (struct file_dir *)dir;
}

int
file_dir_fd(struct file_dir *dir)
{
	return dirfd((DIR *)dir);
}

int
file_dir_next(struct file_dir *dir, const char **ret_name)
{
	struct dirent *entry;

	do {
		errno = 0;
		entry = readdir((DIR *)dir);
		if (entry == NULL)
			return -errno;
	} while (strcmp(entry->d_name, ".") == 0 ||
	    strcmp(entry->d_name, "..") == 0);
	*ret_name = entry->d_name;
	return 1;
}

void
file_dir_close(struct file_dir *dir)
{
	closedir((DIR *)dir);
}

int
file_duplicate(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : copy;
}
