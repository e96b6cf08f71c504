/*
 * file.h - files opened beneath a directory and nowhere else
 *
 * Layer      os
 * Threads    any
 * Memory     none, but for a directory stream
 * Cost       one openat2() for an open, one fstat() for a look
 * Invariant  a path is resolved by the kernel with RESOLVE_BENEATH and
 *            RESOLVE_NO_MAGICLINKS: neither "..", nor an absolute link, nor a
 *            link through /proc can leave the directory
 * Sources    openat2(2), Linux 5.6
 */
#pragma once

#include <sys/types.h>

#include "base/cc.h"

enum file_kind { FILE_REGULAR, FILE_DIRECTORY, FILE_LINK, FILE_SPECIAL };

struct file_stat {
	enum file_kind kind;
	uint64_t device;
	uint64_t inode;
	uint64_t size;
	int64_t modified_ns; /* since 1970 */
	int64_t changed_ns; /* of the inode */
};

/* Flags of file_open_beneath(). */
enum {
	FILE_FOLLOW = 1, /* follow links that stay beneath the directory */
	FILE_LOOK = 2, /* only to stat it: opening has no effect of its own */
	FILE_LIST = 4, /* a directory, to be read by file_dir_open() */
};

/* A directory to open files beneath. Returns the descriptor or -errno. */
MUST_CHECK
int file_root_open(const char *path);

/*
 * file_open_beneath - open @path, relative to and beneath @root, for reading
 *
 * Never waits for a peer (a FIFO is opened without one); never becomes the
 * controlling terminal. The caller looks at the kind before it reads.
 *
 * Returns a descriptor or -errno: -ENOENT, -ENOTDIR, -EXDEV (it would leave
 * @root), -ELOOP (a link, and FILE_FOLLOW is not set; or too many),
 * -ENXIO (a socket), -ENOSYS (Linux before 5.6).
 */
MUST_CHECK
int file_open_beneath(int root, const char *path, unsigned flags);

/* 0, or -ENOSYS when the kernel cannot keep an open beneath a directory. */
MUST_CHECK
int file_beneath_check(void);

MUST_CHECK
int file_stat_get(int fd, struct file_stat *ret_stat);
/* An entry of the directory @fd; a link is not followed. */
MUST_CHECK
int file_stat_entry(int fd, const char *name, struct file_stat *ret_stat);

/* What @path leads to; links are followed. 0 or -errno. */
MUST_CHECK
int file_stat_path(const char *path, struct file_stat *ret_stat);

/* Bytes from @offset until @length or the end of the file: their number, or
 * -errno. */
MUST_CHECK
ssize_t file_read_at(int fd, void *into, size_t length, off_t offset);

/* Closes what is not -1; errors of close(2) mean nothing on a reader. */
void file_close(int fd);

/* The names in a directory, without "." and "..". */
struct file_dir;
/* @fd_take  from FILE_LIST; closed in every case. NULL: out of memory. */
struct file_dir *file_dir_open(int fd_take);
int file_dir_fd(struct file_dir *dir);
/* 1 and *@ret_name (valid until the next call), 0 at the end, or -errno. */
MUST_CHECK
int file_dir_next(struct file_dir *dir, const char **ret_name);
void file_dir_close(struct file_dir *dir);

/* Another descriptor for the same file, or -errno. */
MUST_CHECK
int file_duplicate(int fd);
