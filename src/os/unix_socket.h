/*
 * unix_socket.h - Unix sockets of every type
 *
 * Layer      os
 */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "base/cc.h"

/* "@name": abstract. Returns the length of the address, or -ENAMETOOLONG,
 * -EINVAL (empty). */
MUST_CHECK
int unix_address(const char *path, struct sockaddr_un *ret_address);

/* Non-blocking and close-on-exec. Returns the descriptor or -errno. */
MUST_CHECK
int unix_socket(int type);
MUST_CHECK
int unix_pair(int type, int ret_ends[2]);
/* Bind @fd, and listen unless @type is SOCK_DGRAM. Returns 0 or -errno. */
MUST_CHECK
int unix_listen(int fd, int type, const char *path);
/* SO_PEERCRED. Returns 0 or -errno. */
MUST_CHECK
int unix_credentials(int fd, struct ucred *ret_credentials);
