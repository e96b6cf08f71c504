/*
 * child_pipe.h - a child's end of a socket pair, with blocking calls
 *
 * Layer      os
 */
#pragma once

#include "base/cc.h"

/* Blocking and close-on-exec, whatever it was. */
void child_pipe_open(int fd);
/* All of it. Returns 0; -EPIPE at the end; -errno. */
MUST_CHECK
int child_pipe_read(int fd, void *into, size_t length);
MUST_CHECK
int child_pipe_write(int fd, const void *from, size_t length);
