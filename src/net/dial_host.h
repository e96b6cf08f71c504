/*
 * dial_host.h - a connection to whichever address of a host answers first
 *
 * Layer      net
 * Threads    the worker that calls
 * Memory     about 8 KB while it runs, and a task for each attempt under way
 * Limits     DIAL_HOST_ADDRESSES_MAX addresses of a family
 * Sources    RFC 8305, Happy Eyeballs version 2
 *
 * Both families are looked up at once. IPv6 is begun with; when only IPv4 is
 * known yet, IPv6 has the resolution delay to appear. Then an attempt starts
 * whenever the attempt delay has passed or one has failed, the families in
 * turn. The first connection wins, the others are closed.
 */
#pragma once

#include "net/dial.h"
#include "net/net_address.h"

#define DIAL_HOST_ADDRESSES_MAX 8

struct dial_host_options {
	duration resolution_delay; /* 0: 50 ms */
	duration attempt_delay; /* 0: 250 ms */
	duration attempt_timeout; /* of one address; 0: none of its own */
	const struct net_address *from; /* only its family is tried; NULL */
};

/* Each address with its error, or why there was none. */
#define DIAL_HOST_ERROR_BYTES 1024
struct dial_host_error {
	char text[DIAL_HOST_ERROR_BYTES];
	int os_error; /* errno of the last attempt, or 0 */
};

/*
 * dial_host - connect to @host, a name or a literal address
 *
 * @io           not attached; on success it is
 * @ret_address  which one it is; may be NULL
 * @ret_error    written on error; may be NULL
 *
 * Suspends
 * Returns    0; those of dial() and resolve_name(), of the last attempt;
 *            E_CONNECT_TIMEOUT when @deadline came
 */
SUSPENDS MUST_CHECK int dial_host(struct io_fd *io, struct bytes host,
    uint16_t port, const struct dial_host_options *options, instant deadline,
    struct net_address *ret_address, struct dial_host_error *ret_error);
