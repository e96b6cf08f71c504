/*
 * dns_fake.h - a name server for tests: answers by a script, also badly
 *
 * Layer      net, tests only
 */
#pragma once

#include "net/net_address.h"
#include "runtime/io.h"
#include "runtime/runtime.h"
#include "wire/dns.h"

enum fake_how {
	FAKE_ANSWER,
	FAKE_NXDOMAIN, /* with an SOA whose minimum is fake_row.ttl */
	FAKE_NODATA, /* the same with NOERROR */
	FAKE_SERVFAIL,
	FAKE_DROP,
	FAKE_DROP_FIRST, /* the first query for the row */
	FAKE_SLOW, /* 100 ms */
	FAKE_TRUNCATE, /* over UDP */
	FAKE_WRONG_ID, /* lies with another id, then answers */
	FAKE_WRONG_QUESTION, /* the same for another name */
	FAKE_WRONG_SOURCE, /* the same from another port */
	FAKE_FLOOD, /* lies with other ids, more than are borne */
	FAKE_LOWER, /* the question in lower case, over UDP */
	FAKE_POISON, /* with records of other names beside the answer */
	FAKE_JUNK, /* octets behind the last record */
	FAKE_NO_EDNS, /* FORMERR to a query with OPT */
};

struct fake_row {
	const char *name;
	uint16_t type; /* DNS_ANY: every type */
	enum fake_how how;
	uint32_t ttl;
	const char *data; /* addresses or a name, separated by blanks; an alias
			     begins with '=': "=other.name" */
	unsigned asked; /* counts */
};

struct fake {
	struct scope scope;
	struct io_fd udp, tcp;
	uint16_t port;
	struct fake_row *rows; /* the first that fits; none: NXDOMAIN */
	unsigned row_count;
	unsigned udp_count, tcp_count;
	bool no_case; /* a query came all in lower case */
	uint16_t ports[64]; /* of the clients, by query */
};

/* Serves until fake_stop(). */
void fake_start(struct fake *fake, struct fake_row *rows, unsigned row_count);
void fake_stop(struct fake *fake);
