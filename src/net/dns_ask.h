/*
 * dns_ask.h - a question to the name servers, and an answer that is to be
 * believed
 *
 * Layer      net
 * Threads    the worker that calls
 * Memory     the answer, malloc'd: what the server sent, 64 KB at most
 * Limits     DNS_STRAYS_MAX answers that are not ours before TCP is used;
 *            attempts times servers times timeout
 * Sources    RFC 5452 (forged answers), 7766 (TCP), 6891 (EDNS0)
 *
 * Each try has a socket of its own, so a random port, a random id and random
 * case of the letters; the kernel passes only what comes from the server's
 * address and port. An answer that repeats id and question in another case is
 * not believed: the server is asked over TCP.
 */
#pragma once

#include "net/resolv_conf.h"
#include "wire/dns.h"

#define DNS_STRAYS_MAX 16

struct dns_answer {
	uint8_t *message; /* free() */
	size_t length;
	unsigned rcode; /* DNS_NOERROR or DNS_NXDOMAIN */
	struct net_address server;
};

/* Which server did what. */
#define DNS_FAILURE_BYTES 160
struct dns_failure {
	char text[DNS_FAILURE_BYTES];
};

/*
 * dns_ask - ask the servers of @conf in turn, beginning with @first
 *
 * The next server is asked when one is silent for the time-out, refuses, fails
 * or answers nonsense; another round is made only when one was silent.
 *
 * @ret_answer   the caller frees its message
 * @ret_failure  written on error
 *
 * Suspends
 * Returns    0 (also for NXDOMAIN); E_RESOLVER_TIMEOUT (none answered),
 *            E_RESOLVER_FAILED; -ENOMEM, -EMFILE, -ENFILE; the cancel error
 */
SUSPENDS MUST_CHECK int dns_ask(const struct resolv_conf *conf, unsigned first,
    const struct dns_question *question, struct dns_answer *ret_answer,
    struct dns_failure *ret_failure);
