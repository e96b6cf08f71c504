/*
 * udp.h - datagrams: unicast, broadcast, multicast, one or many at a time
 *
 * Layer      net
 * Threads    the worker that opened the socket; one task reads, one writes
 * Memory     payloads in the caller's; a batch has its headers on the stack,
 *            5 KB
 * Cost       a call moves one datagram. Of 1,200 bytes on loopback, CPU a
 *            datagram: in batches 0.8 of that to send and 0.65 to receive, as
 *            segments 0.2 to send, and joined on the way in 0.04 and 0.06
 */
#pragma once

#include "net/net_address.h"
#include "runtime/io.h"

#define UDP_BATCH_MAX 32
/* What IPv4 can carry; one read of joined datagrams needs as much. */
#define UDP_PAYLOAD_MAX 65507

struct udp_options {
	bool reuse_port; /* several sockets share the address */
	bool reuse_address; /* of a group's port, by all its members */
	bool v6_only;
	bool broadcast; /* allow sending to broadcast addresses */
	bool local_address; /* fill udp_datagram.local and .interface */
	bool join; /* let the kernel join datagrams (GRO) */
	bool dont_fragment;
	unsigned recv_bytes, send_bytes; /* the kernel's buffers; 0: as is */
};

struct udp_datagram {
	void *at;
	size_t length; /* in: room to receive, bytes to send; out: received */
	struct net_address peer; /* sender, receiver; length 0: connected */
	/*
	 * Received: to which address (port 0), ours, a group's or the
	 * broadcast one, with option local_address. To send: from which of
	 * ours; length 0 as the kernel chooses.
	 */
	struct net_address local;
	unsigned interface; /* index; 0: not known, as the kernel chooses */
	/* It holds datagrams of so many bytes each, but for the last: when
	 * sending asked for (GSO), when received by option join. 0: just one */
	uint16_t segment;
	bool truncated; /* the rest of it is lost */
	uint64_t reserved[2]; /* as in <weir/udp.h> */
};

/*
 * udp_open - a socket bound to @local, attached; port 0: the kernel chooses
 *
 * @io  not attached; on success it is
 * Returns 0 or -errno (-EADDRINUSE, -EACCES, -ENOPROTOOPT)
 */
MUST_CHECK
int udp_open(struct io_fd *io, const struct net_address *local,
    const struct udp_options *options);

/* Send to and receive from @peer only; errors that come back (-ECONNREFUSED)
 * are told by the next call. Returns 0 or -errno. */
MUST_CHECK
int udp_connect(struct io_fd *io, const struct net_address *peer);

/* The next datagram. Returns its length (which may be 0), or -errno. */
SUSPENDS MUST_CHECK ssize_t udp_recv(
    struct io_fd *io, struct udp_datagram *datagram, instant deadline);

/* Returns 0 or -errno; -EMSGSIZE: larger than the path takes, or than UDP can;
 * -EACCES: a broadcast address without the option. */
SUSPENDS MUST_CHECK int udp_send(
    struct io_fd *io, const struct udp_datagram *datagram, instant deadline);

/* What is there, one at least; waits for the first only.
 * @count  UDP_BATCH_MAX at most. Returns how many, or -errno. */
SUSPENDS MUST_CHECK int udp_recv_batch(struct io_fd *io,
    struct udp_datagram *datagrams, unsigned count, instant deadline);

/*
 * udp_send_batch - all of them, in their order
 *
 * @ret_sent  may be NULL; written in any case: after an error the one with
 *            this index failed and those behind it were not tried
 * Returns    0 or -errno
 */
SUSPENDS MUST_CHECK int
udp_send_batch(struct io_fd *io, const struct udp_datagram *datagrams,
    unsigned count, unsigned *ret_sent, instant deadline);

/* @interface  index, 0: by the routes. Returns 0, -errno (-ENODEV,
 * -EADDRINUSE: joined already, -EADDRNOTAVAIL: not a member). */
MUST_CHECK
int
udp_join(struct io_fd *io, const struct net_address *group, unsigned interface);
MUST_CHECK
int udp_leave(
    struct io_fd *io, const struct net_address *group, unsigned interface);
/* Of what is sent to groups: from which interface (0: as it is), over how many
 * hops (-1: as it is, 1 at first), whether members on this machine hear it (as
 * they do at first). */
MUST_CHECK
int udp_multicast(struct io_fd *io, unsigned interface, int hops, bool loop);

/* What the path of a connected socket takes, headers included, or -errno. */
MUST_CHECK
int udp_path_mtu(const struct io_fd *io);
