/*
 * datagram.h - options of UDP sockets, and several datagrams in one call
 *
 * Layer      os
 *
 * Every call returns 0 or -errno unless it says otherwise.
 */
#pragma once

#include <sys/socket.h>

#include "base/cc.h"

MUST_CHECK
int datagram_broadcast(int fd);
/* Tell to which of our addresses a datagram came (IP_PKTINFO). */
MUST_CHECK
int datagram_pktinfo(int fd, int family);
/* Let the kernel join datagrams of one sender (UDP_GRO). */
MUST_CHECK
int datagram_gro(int fd);
/* Nothing is fragmented: what is larger than the path takes is -EMSGSIZE. */
MUST_CHECK
int datagram_dont_fragment(int fd, int family);
/* The path's MTU in bytes, of a connected socket. */
MUST_CHECK
int datagram_mtu(int fd, int family);

/* @interface  its index; 0: the kernel chooses by the routes */
MUST_CHECK
int datagram_join(int fd, const struct sockaddr *group, socklen_t length,
    unsigned interface, bool join);
/* Of what is sent to groups: interface (0: as it is), hops (-1: as it is), and
 * whether this machine's own members hear it. */
MUST_CHECK
int
datagram_multicast(int fd, int family, unsigned interface, int hops, bool loop);

/* recvmmsg(2), sendmmsg(2) without waiting: how many, or -errno when the first
 * one failed. */
MUST_CHECK
int datagram_recv_many(int fd, struct mmsghdr *messages, unsigned count);
MUST_CHECK
int datagram_send_many(int fd, struct mmsghdr *messages, unsigned count);
