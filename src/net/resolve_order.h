/*
 * resolve_order.h - in which order addresses and services are tried
 *
 * Layer      net, inside of the resolver
 */
#pragma once

#include "net/resolve_cache.h"

/* IPv6 before IPv4 unless there is no way to its first address and one to
 * that of IPv4; inside a family by value, none twice. Returns their number. */
unsigned resolve_order(struct net_address *addresses, unsigned count);

/* RFC 2782: by priority, then drawn by weight. */
void resolve_order_services(struct resolve_srv *services, unsigned count);
