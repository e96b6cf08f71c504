/*
 * net_address.h - addresses of sockets: IPv4, IPv6 with scope, Unix, abstract
 *
 * Layer      net
 * Threads    any
 * Memory     136 bytes in the caller's struct
 */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/bytes.h"

struct net_address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		struct sockaddr_storage storage;
	};
	socklen_t length; /* 0: none */
};

/* "unix:" and a path; or [], scope and port of IPv6. */
#define NET_ADDRESS_TEXT_BYTES 128

/*
 * net_address_parse - "192.0.2.1:80", "[2001:db8::1]:80", "[fe80::1%eth0]:80",
 *                     "unix:/run/x.sock", "unix:@abstract"
 *
 * Without a port it is 0, and IPv6 needs no brackets. Names are not looked up.
 * Returns 0; -EINVAL; -ENODEV (no interface of that name), -ENAMETOOLONG.
 */
MUST_CHECK
int net_address_parse(struct bytes text, struct net_address *ret_address);

/* A literal address without port, "fe80::1%2" as well. 0, -EINVAL, -ENODEV. */
MUST_CHECK
int net_address_literal(
    struct bytes text, uint16_t port, struct net_address *ret_address);

/* From octets as they stand in a DNS record. */
struct net_address net_address_ipv4(const uint8_t octets[4], uint16_t port);
struct net_address net_address_ipv6(const uint8_t octets[16], uint16_t port);

/* As net_address_parse() reads it, with the port; "-" for none. */
void net_address_format(const struct net_address *a, struct appender *into);

/* A copy of what accept(2) and its like returned. 0, -EINVAL: too long. */
MUST_CHECK
int net_address_from(const struct sockaddr *from, socklen_t length,
    struct net_address *ret_address);

/* Family, address, port and scope. */
bool
net_address_equal(const struct net_address *a, const struct net_address *b);

/* 0 of Unix addresses. */
uint16_t net_address_port(const struct net_address *a);
void net_address_port_set(struct net_address *a, uint16_t port);
