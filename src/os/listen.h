/*
 * listen.h - listening sockets
 *
 * Layer      os
 */
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include "base/cc.h"

struct listen_options {
	const struct sockaddr *address; /* IPv4, IPv6 or Unix */
	socklen_t length;
	int backlog;
	mode_t unix_mode; /* of a Unix socket's file, as 0600 */
	/* Make the folder of a Unix socket, where that alone is missing. */
	bool unix_folder;
	/* We listen on an address that overlaps this one (0.0.0.0:80 and
	 * 127.0.0.1:80): do not look whether somebody else does. */
	bool overlaps;
};

/*
 * listen_open - @count sockets that share one address, non-blocking and
 * close-on-exec; the kernel spreads connections over them (SO_REUSEPORT)
 *
 * An address that somebody else listens on is refused, also where the kernel
 * would let us share it. A Unix socket's file nobody listens on is replaced;
 * of a Unix address only the first socket is opened, the others are -1.
 *
 * Returns 0 or -errno (-EADDRINUSE); then none is open.
 */
MUST_CHECK
int
listen_open(const struct listen_options *options, int *ret_fds, unsigned count);

/* Another backlog for a socket that listens already. */
void listen_backlog_set(int fd, int backlog);
