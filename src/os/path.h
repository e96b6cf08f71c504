/*
 * path.h - paths of the operator's files
 *
 * Layer      os
 * Threads    any
 */
#pragma once

#include "base/bytes.h"

/* The current directory. Returns 0, -errno; -ENAMETOOLONG. */
MUST_CHECK
int path_current(struct appender *into);

/* 0 when @path is a directory; -ENOTDIR, -errno. */
MUST_CHECK
int path_folder_check(const char *path);

/*
 * path_read - a whole file; *ret_text is malloc'd, with a NUL behind it
 *
 * @regular  refuse pipes and devices, which might never end
 * Returns   0 or -errno; -EFBIG over @max bytes, -EINVAL: not @regular
 */
MUST_CHECK
int path_read(const char *path, size_t max, bool regular, char **ret_text,
    size_t *ret_length);
