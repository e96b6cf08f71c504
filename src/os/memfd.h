/*
 * memfd.h - bytes handed to another process as a descriptor
 *
 * Layer      os
 */
#pragma once

#include "base/bytes.h"

/* A sealed copy of @text: nobody can change it. Returns the descriptor
 * (close-on-exec) or -errno. */
MUST_CHECK
int memfd_of(const char *name, struct bytes text);

/* All of it, at most @max bytes; *ret_text is malloc'd and has a NUL behind
 * it. Returns 0, -EFBIG, or -errno. */
MUST_CHECK
int memfd_read(int fd, size_t max, char **ret_text, size_t *ret_length);
