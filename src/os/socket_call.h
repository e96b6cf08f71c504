/*
 * socket_call.h - the system calls on sockets, in one place
 *
 * Layer      os
 *
 * Everything that makes, names, connects or closes a socket of the network
 * (IPv4, IPv6, Unix) goes through here, so that a simulated network can stand
 * in for the kernel's (runtime/sim/). A simulated socket has a descriptor of
 * its own, so that numbers are unique; what is called on another descriptor
 * goes to the kernel.
 *
 * Calls return what the system call returns, or -errno; none waits.
 */
#pragma once

#include <sys/socket.h>

#include "base/cc.h"

/* Non-blocking and close-on-exec. @type  SOCK_STREAM, SOCK_DGRAM, ... */
MUST_CHECK
int socket_open(int family, int type, int protocol);
MUST_CHECK
int socket_bind(int fd, const struct sockaddr *address, socklen_t length);
MUST_CHECK
int socket_listen(int fd, int backlog);
/* 0, or -EINPROGRESS, after which it is asked again: -EALREADY, -EISCONN, or
 * why it failed. */
MUST_CHECK
int socket_connect(int fd, const struct sockaddr *address, socklen_t length);
/* The new socket is non-blocking and close-on-exec. @address may be NULL. */
MUST_CHECK
int socket_accept(int fd, struct sockaddr *address, socklen_t *length);
/* getsockname(2), getpeername(2) */
MUST_CHECK
int socket_name(int fd, struct sockaddr *ret_address, socklen_t *length);
MUST_CHECK
int socket_peer(int fd, struct sockaddr *ret_address, socklen_t *length);
MUST_CHECK
int socket_option_get(
    int fd, int level, int option, void *ret_value, socklen_t *length);
MUST_CHECK
int socket_option_set(
    int fd, int level, int option, const void *value, socklen_t length);
/* @how  SHUT_RD, SHUT_WR, SHUT_RDWR */
MUST_CHECK
int socket_shutdown(int fd, int how);
/* sendmsg(2), recvmsg(2); MSG_DONTWAIT and MSG_NOSIGNAL are added. */
MUST_CHECK
ssize_t socket_send(int fd, const struct msghdr *message, int flags);
MUST_CHECK
ssize_t socket_recv(int fd, struct msghdr *message, int flags);
/* Of one buffer. */
MUST_CHECK
ssize_t socket_send_bytes(int fd, const void *from, size_t length, int flags);
MUST_CHECK
ssize_t socket_recv_bytes(int fd, void *into, size_t length, int flags);
/* The poll(2) events of @events that hold now (POLLHUP and POLLERR too). */
MUST_CHECK
int socket_poll(int fd, int events);
/* Bytes that were sent and that the peer has not taken yet. */
MUST_CHECK
int socket_queued(int fd);
/* For a descriptor that no io_fd owns; also of what is no socket. */
void socket_close(int fd);

/*
 * The network that stands in for the kernel's while it is set. @owns says
 * whether it made a descriptor; it is asked before each call but open. @open
 * returns -EAFNOSUPPORT for what it leaves to the kernel.
 */
struct socket_network {
	bool (*owns)(int fd);
	int (*open)(int family, int type, int protocol);
	int (*bind)(int fd, const struct sockaddr *address, socklen_t length);
	int (*listen)(int fd, int backlog);
	int (*connect)(
	    int fd, const struct sockaddr *address, socklen_t length);
	int (*accept)(int fd, struct sockaddr *address, socklen_t *length);
	int (*name)(int fd, struct sockaddr *ret_address, socklen_t *length);
	int (*peer)(int fd, struct sockaddr *ret_address, socklen_t *length);
	int (*option_get)(
	    int fd, int level, int option, void *ret_value, socklen_t *length);
	int (*option_set)(
	    int fd, int level, int option, const void *value, socklen_t length);
	int (*shutdown)(int fd, int how);
	ssize_t (*send)(int fd, const struct msghdr *message, int flags);
	ssize_t (*recv)(int fd, struct msghdr *message, int flags);
	int (*poll)(int fd, int events);
	int (*queued)(int fd);
	/* The descriptor is closed by the caller. */
	void (*close)(int fd);
};

/* Whether @fd is not the kernel's. */
bool socket_simulated(int fd);

/* NULL: the kernel's. Set while no other thread uses sockets. */
void socket_network_set(const struct socket_network *network);
