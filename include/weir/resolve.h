/*
 * weir/resolve.h - host names to addresses
 *
 * The library asks the name servers itself: "localhost", the hosts file, then
 * A and AAAA at once over UDP and TCP, by resolv.conf (nameserver, search,
 * domain, options ndots, timeout, attempts, rotate, use-vc, edns0). Both files
 * are read again when they change. Each worker keeps up to 1,024 answers as
 * long as their TTL says, denials too; all who ask for a name while it is
 * looked up share one question.
 */
#ifndef WEIR_RESOLVE_H
#define WEIR_RESOLVE_H

#include <weir/api.h>
#include <weir/net.h>
#include <weir/time.h>

WEIR_BEGIN

/* All zero is a good choice. */
struct weir_resolve_options {
	const char *resolv_conf; /* NULL: /etc/resolv.conf */
	const char *hosts; /* NULL: /etc/hosts */
	/* Ask getaddrinfo(3) on a thread of its pool instead, and so whatever
	 * nsswitch.conf names (mDNS, LDAP); nothing is cached then. */
	bool system;
	uint64_t reserved[4]; /* zero */
};

/* For every worker from its next look-up on; what is cached is forgotten. Any
 * thread. NULL: all zero. Returns 0, -ENAMETOOLONG. */
WEIR_API WEIR_MUST_CHECK int
weir_resolve_configure(const struct weir_resolve_options *options);

/* What was wrong, for people: the name, the server, what it said. */
#define WEIR_RESOLVE_ERROR 512
struct weir_resolve_error {
	char text[WEIR_RESOLVE_ERROR];
};

/*
 * weir_resolve - the addresses of @name, each with @port
 *
 * In an order that does not change from one answer to the next: IPv6 first if
 * there is a way to it, then by value; none twice. What does not fit in @max
 * is left out.
 *
 * @ret_count  written on success, >= 1
 * @ret_error  written on error; may be NULL
 *
 * Suspends unless the answer is known. Returns 0; -ENOENT: the name or its
 * addresses do not exist; -EAGAIN: the name servers fail or are silent, or too
 * many look-ups wait; -ETIMEDOUT: @deadline came; -ENOMEM, -EMFILE; why the
 * task was stopped.
 */
WEIR_API WEIR_MUST_CHECK int weir_resolve(const char *name, uint16_t port,
    struct weir_address *ret_addresses, unsigned max, unsigned *ret_count,
    struct weir_resolve_error *ret_error, weir_time deadline);

/* Where a service is offered (RFC 2782). */
struct weir_service {
	char host[256];
	uint16_t port;
	uint16_t priority;
	uint16_t weight;
};

/* The SRV records of @name ("_imap._tcp.example.com"), in the order in which to
 * try them: by priority, drawn by weight among equal ones. No search domains.
 * Suspends. Returns as weir_resolve() does. */
WEIR_API WEIR_MUST_CHECK int weir_resolve_services(const char *name,
    struct weir_service *ret_services, unsigned max, unsigned *ret_count,
    struct weir_resolve_error *ret_error, weir_time deadline);

WEIR_END

#endif
