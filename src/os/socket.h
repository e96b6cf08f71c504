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

MUST_CHECK
int socket_nodelay_set(int fd, bool on);
/* Probes after @idle_s seconds of silence, every @every_s, and the end when
 * @count were not answered; idle_s 0: none. The kernel wants 1 to 32767 (127
 * for the count). Returns 0 or -errno. */
MUST_CHECK
int socket_keepalive(int fd, unsigned idle_s, unsigned every_s, unsigned count);
/* The kernel's buffers, in bytes; it doubles what is given, for its own needs,
 * and cuts it to net.core.rmem_max and wmem_max. 0: as it is. */
MUST_CHECK
int socket_buffers(int fd, unsigned recv_bytes, unsigned send_bytes);

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
