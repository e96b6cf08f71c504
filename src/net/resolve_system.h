/*
 * resolve_system.h - names by the C library's resolver
 *
 * Layer      net, inside of the resolver
 * Threads    any worker; getaddrinfo(3) runs on the offload pool, since it
 *            blocks and needs more stack than a task has
 */
#pragma once

#include "net/resolve.h"

/* @family  AF_UNSPEC, AF_INET, AF_INET6. As resolve_addresses(), unordered. */
SUSPENDS MUST_CHECK int resolve_system(struct bytes name, int family,
    struct net_address *addresses, unsigned max, unsigned *ret_count,
    struct resolve_error *ret_error, instant deadline);
