/*
 * resolve.h - host names to addresses
 *
 * Layer      net
 * Threads    any worker; each has its own cache and asks by itself
 * Memory     a worker's cache: RESOLVE_CACHE_MAX names, about 0.5 KB each and
 *            up to 1 KB of addresses
 * Limits     RESOLVE_NAME_BYTES for the name; RESOLVE_ADDRESSES_MAX addresses
 *            of a family, RESOLVE_CNAMES_MAX aliases, RESOLVE_PENDING_MAX
 *            questions under way, RESOLVE_RECORDS_MAX records of an answer;
 *            @max addresses, the rest is left out
 * Sources    RFC 1034, 2308 (negative caching), 6724 (order), 6761 (special
 *            names), 9520 (failures are cached too); resolv.conf(5), hosts(5)
 *
 * The files are looked at again once a second and read when they changed. All
 * who ask for one name while it is looked up share the question; whoever
 * leaves early leaves it to the others and to the cache.
 */
#pragma once

#include <sys/socket.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/time.h"
#include "net/net_address.h"

#define RESOLVE_NAME_BYTES    255
#define RESOLVE_ADDRESSES_MAX 64
#define RESOLVE_CNAMES_MAX    16
#define RESOLVE_RECORDS_MAX   512
#define RESOLVE_CACHE_MAX     1024
#define RESOLVE_PENDING_MAX   256
/* An answer is kept as long as its TTL says, within these bounds. */
#define RESOLVE_TTL_MIN_S      1
#define RESOLVE_TTL_MAX_S      86400
#define RESOLVE_NEGATIVE_MAX_S 300
/* A failure, and a denial that names no time. */
#define RESOLVE_FAILURE_S 5

/* What was wrong, for people: name, server, reason. */
#define RESOLVE_ERROR_BYTES 512
struct resolve_error {
	char text[RESOLVE_ERROR_BYTES];
};

struct resolve_options {
	const char *resolv_conf; /* NULL: /etc/resolv.conf */
	const char *hosts; /* NULL: /etc/hosts */
	/* Ask getaddrinfo(3) on the offload pool instead, and so whatever
	 * nsswitch.conf names (mDNS, LDAP); nothing is cached, services are
	 * still asked of the name servers. */
	bool system;
};

/* For every worker from its next look-up on; caches start anew. Any thread.
 * Returns 0, -ENAMETOOLONG. */
MUST_CHECK
int resolve_configure(const struct resolve_options *options);

/*
 * resolve_name - the addresses of @name, each with @port
 *
 * A numeric address is read without asking anybody; then come "localhost", the
 * hosts file, and the name servers, for A and AAAA at once. Addresses come in
 * an order that does not change from one answer to the next though the servers
 * rotate them: IPv6 first if there is a way to it (RFC 6724), then by value;
 * none twice.
 *
 * @addresses  room for @max (at most RESOLVE_ADDRESSES_MAX)
 * @ret_count  written on success, >= 1
 *
 * Suspends   unless the answer is known
 * Returns    0; E_NO_ADDRESS (the name or its addresses do not exist);
 *            E_RESOLVER_FAILED, E_RESOLVER_TIMEOUT; -ETIMEDOUT; the cancel
 *            error; -EAGAIN (too many look-ups wait), -ENOMEM, -EMFILE, -ENFILE
 */
SUSPENDS
MUST_CHECK
int resolve_name(struct bytes name, uint16_t port,
    struct sockaddr_storage *addresses, unsigned max, unsigned *ret_count,
    instant deadline);

/* The length that connect(2) wants for an address of its family. */
socklen_t resolve_address_length(const struct sockaddr_storage *address);

/* The same with the addresses' lengths. @ret_error is written on error; may be
 * NULL. */
SUSPENDS MUST_CHECK int resolve_addresses(struct bytes name, uint16_t port,
    struct net_address *addresses, unsigned max, unsigned *ret_count,
    struct resolve_error *ret_error, instant deadline);

/*
 * resolve_family - the addresses of one family, AF_INET or AF_INET6
 *
 * The other family is asked too, since both are of the first name of the
 * search list that exists in either.
 */
SUSPENDS MUST_CHECK int resolve_family(struct bytes name, int family,
    uint16_t port, struct net_address *addresses, unsigned max,
    unsigned *ret_count, struct resolve_error *ret_error, instant deadline);

/* Where a service is offered (RFC 2782). */
struct resolve_service {
	char host[RESOLVE_NAME_BYTES + 1];
	uint16_t port, priority, weight;
};

/*
 * resolve_services - the SRV records of @name ("_imap._tcp.example.com")
 *
 * In the order in which to try them: by priority, and among equal ones drawn
 * by weight, anew at each call. The name is absolute: no search domains.
 */
SUSPENDS MUST_CHECK int resolve_services(struct bytes name,
    struct resolve_service *services, unsigned max, unsigned *ret_count,
    struct resolve_error *ret_error, instant deadline);
