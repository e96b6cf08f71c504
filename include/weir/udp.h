/*
 * weir/udp.h - datagrams: unicast, broadcast, multicast, one or many at a time
 */
#ifndef WEIR_UDP_H
#define WEIR_UDP_H

#include <weir/api.h>
#include <weir/io.h>
#include <weir/net.h>
#include <weir/time.h>

WEIR_BEGIN

#define WEIR_UDP_BATCH   32 /* datagrams of a batch */
#define WEIR_UDP_PAYLOAD 65507 /* bytes that IPv4 can carry in one */

/* All zero is a good choice. */
struct weir_udp_options {
	bool reuse_port; /* several sockets share the address */
	bool reuse_address; /* of a group's port, by all its members */
	bool v6_only;
	bool broadcast; /* allow sending to broadcast addresses */
	bool local_address; /* fill .local and .interface of what is received */
	bool join; /* let the kernel join datagrams of one sender (GRO) */
	bool dont_fragment;
	unsigned recv_bytes; /* the kernel's buffers; 0: as they are */
	unsigned send_bytes;
	uint64_t reserved[4]; /* zero */
};

/* Zero what is not used. */
struct weir_datagram {
	void *at; /* the payload, the caller's */
	size_t length; /* in: room, or bytes to send; out: bytes received */
	struct weir_address peer; /* sender, or receiver unless connected */
	/* To which address it came, ours, a group's or the broadcast one, with
	 * option local_address. To send: from which of ours, all zero as the
	 * kernel chooses. */
	struct weir_address local;
	unsigned interface; /* its index; 0: not known, any */
	/* The payload is several datagrams of so many bytes, the last may be
	 * shorter: sent so by one call (GSO), received so by option join. */
	uint16_t segment;
	bool truncated; /* received only in part, the rest is lost */
	uint64_t reserved[2]; /* zero */
};

/* A socket bound to @local, attached; port 0: the kernel chooses, and
 * weir_local_address() tells. @options  NULL: all zero. Returns 0 or -errno
 * (-EADDRINUSE, -EACCES). */
WEIR_API WEIR_MUST_CHECK int weir_udp_open(struct weir_io *io,
    const struct weir_address *local, const struct weir_udp_options *options);

/* Send to and receive from @peer only; errors that come back from it
 * (-ECONNREFUSED) are told by the next call. Returns 0 or -errno. */
WEIR_API WEIR_MUST_CHECK int
weir_udp_connect(struct weir_io *io, const struct weir_address *peer);

/* The next datagram. Suspends. Returns its length, which may be 0, or -errno.
 */
WEIR_API WEIR_MUST_CHECK ssize_t weir_udp_recv(
    struct weir_io *io, struct weir_datagram *datagram, weir_time deadline);
/* Suspends. Returns 0 or -errno; -EMSGSIZE: larger than the path takes or UDP
 * can; -EACCES: a broadcast address without the option. */
WEIR_API WEIR_MUST_CHECK int weir_udp_send(struct weir_io *io,
    const struct weir_datagram *datagram, weir_time deadline);

/* What is there, one at least and WEIR_UDP_BATCH at most; waits for the first
 * only. Suspends. Returns how many, or -errno. */
WEIR_API WEIR_MUST_CHECK int weir_udp_recv_batch(struct weir_io *io,
    struct weir_datagram *datagrams, unsigned count, weir_time deadline);
/* All of them in their order. *@ret_sent (may be NULL) is how many went out,
 * also after an error. Suspends. Returns 0 or -errno. */
WEIR_API WEIR_MUST_CHECK int
weir_udp_send_batch(struct weir_io *io, const struct weir_datagram *datagrams,
    unsigned count, unsigned *ret_sent, weir_time deadline);

/* @interface  its index (if_nametoindex(3)); 0: by the routes. Returns 0 or
 * -errno (-ENODEV, -EADDRINUSE: joined already, -EADDRNOTAVAIL: no member). */
WEIR_API WEIR_MUST_CHECK int weir_udp_join(
    struct weir_io *io, const struct weir_address *group, unsigned interface);
WEIR_API WEIR_MUST_CHECK int weir_udp_leave(
    struct weir_io *io, const struct weir_address *group, unsigned interface);
/* Of what is sent to groups: from which interface (0: as it is), over how many
 * hops (-1: as it is, 1 at first), whether members on this machine hear it (as
 * they do at first). */
WEIR_API WEIR_MUST_CHECK int
weir_udp_multicast(struct weir_io *io, unsigned interface, int hops, bool loop);

/* Bytes that the path of a connected socket takes, headers included. */
WEIR_API WEIR_MUST_CHECK int weir_udp_path_mtu(const struct weir_io *io);

WEIR_END

#endif
