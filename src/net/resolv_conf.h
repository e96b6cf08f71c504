/*
 * resolv_conf.h - what resolv.conf(5) and hosts(5) say
 *
 * Layer      net
 * Threads    one: each worker's resolver reads its own
 * Memory     resolv.conf about 2 KB; hosts 48 bytes an entry and the text
 * Limits     RESOLV_SERVERS_MAX, RESOLV_SEARCH_MAX (what is more is left out,
 *            as other resolvers do); RESOLV_FILE_BYTES_MAX a file, a larger
 *            one is not read
 */
#pragma once

#include "base/time.h"
#include "net/net_address.h"
#include "wire/dns_name.h"

#define RESOLV_SERVERS_MAX    3
#define RESOLV_SEARCH_MAX     6
#define RESOLV_FILE_BYTES_MAX (8 << 20)

struct resolv_conf {
	struct net_address servers[RESOLV_SERVERS_MAX];
	unsigned server_count; /* >= 1 */
	struct dns_name search[RESOLV_SEARCH_MAX];
	unsigned search_count;
	unsigned ndots; /* names with fewer dots: search domains first */
	duration timeout; /* of one try */
	unsigned attempts;
	bool rotate;
	bool use_tcp; /* use-vc */
	bool edns0;
};

/*
 * resolv_conf_parse - the text of the file; empty text gives the defaults
 *
 * nameserver (also as "[192.0.2.53]:5353", as OpenBSD has it), search, domain,
 * options ndots, timeout, attempts, rotate, use-vc, edns0. What is not known is
 * passed over. Without a name server it is 127.0.0.1. The local domain is not
 * made from the machine's name.
 */
void resolv_conf_parse(struct bytes text, struct resolv_conf *ret_conf);

struct hosts_entry {
	uint64_t hash;
	uint32_t name_at; /* in the text, in lower case */
	uint32_t name_length;
	uint32_t order; /* of the line in the file */
	uint8_t family; /* AF_INET, AF_INET6 */
	uint8_t octets[16];
	uint32_t scope;
};

struct hosts {
	char *text;
	struct hosts_entry *entries; /* by hash, then by place in the file */
	size_t count;
};

/* @text_take  malloc'd; owned by *ret_hosts also after an error.
 * Returns 0, -ENOMEM (then it is empty). */
MUST_CHECK
int hosts_parse(char *text_take, size_t length, struct hosts *ret_hosts);
void hosts_free(struct hosts *hosts);

/* The addresses of @name (any case), up to @max, with port 0, in the order of
 * the file. Returns their number. */
unsigned hosts_find(const struct hosts *hosts, struct bytes name,
    struct net_address *addresses, unsigned max);
