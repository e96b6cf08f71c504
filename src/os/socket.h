/*
 * socket.h - sockets that connect or send datagrams, and their options
 *
 * Layer      os
 *
 * Every socket is non-blocking and close-on-exec. Listening sockets are
 * listen.h's.
 */
#pragma once

#include <sys/socket.h>

#include "base/cc.h"
#include "os/socket_call.h"

/* @family  AF_INET, AF_INET6, AF_UNIX. Returns the descriptor or -errno. */
MUST_CHECK
int socket_stream(int family);

MUST_CHECK
int socket_datagram(int family);

/* The index of an interface of this machine, 0 when there is none. */
unsigned socket_interface_index(const char *name);

/* Whether there is a way to @address; nothing is sent. */
bool socket_reachable(const struct sockaddr *address, socklen_t length);

/* Send small segments at once (TCP_NODELAY). */
MUST_CHECK
int socket_nodelay(int fd);

/* Connect from @address; a port of 0 is chosen by connect(2), so that one
 * port can serve connections to different servers.
 * Returns 0 or -errno. */
MUST_CHECK
int
socket_bind_source(int fd, const struct sockaddr *address, socklen_t length);

/* TCP only: hold back what does not fill a segment until it is let go. */
void socket_cork(int fd, bool on);

/* Half-close: the other side reads the end. Returns 0 or -errno. */
int socket_shutdown_write(int fd);

/* Descriptors this process may have: the soft RLIMIT_NOFILE. */
uint64_t socket_fd_limit(void);
