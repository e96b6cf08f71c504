/*
 * resolve_cache.h - one worker's names, known or being asked for
 *
 * Layer      net, inside of the resolver
 * Threads    the worker's own
 * Memory     entries by hash, the least recently used one is dropped when there
 *            are RESOLVE_CACHE_MAX; those in use are never dropped
 * Invariant  an entry is pending exactly while its question's task runs
 */
#pragma once

#include "base/list.h"
#include "net/dns_ask.h"
#include "net/resolve.h"

struct resolve_srv {
	uint16_t priority, weight, port;
	struct dns_name target;
};

struct resolve_entry {
	struct list bucket;
	struct list used; /* the least recently used first */
	unsigned refs;
	bool pending;
	bool dropped; /* no longer in the table */
	uint16_t type;
	int result; /* 0, E_NO_ADDRESS, E_RESOLVER_*, -errno */
	bool name_exists; /* E_NO_ADDRESS: other types may have data */
	instant expires;
	struct list waiters;
	unsigned count; /* of records */
	void *records; /* 4 or 16 octets each, or struct resolve_srv */
	struct dns_failure failure;
	struct dns_name name; /* in lower case */
};

#define RESOLVE_BUCKETS 512

struct resolve_cache {
	struct list buckets[RESOLVE_BUCKETS];
	struct list used;
	unsigned count;
	unsigned pending_count;
	uint64_t seed;
	unsigned server_next; /* options rotate */
};

void resolve_cache_init(struct resolve_cache *cache);
/* Nothing of it is in use any more. */
void resolve_cache_fini(struct resolve_cache *cache);
/* Forget what is known; what is in use is dropped when it no longer is. */
void resolve_cache_clear(struct resolve_cache *cache);

/*
 * resolve_cache_begin - the entry of a name, asked for if it is not known
 *
 * @name  compared without case
 * @conf  copied for the question
 *
 * Returns 0, and then resolve_cache_release() must follow; -EAGAIN, -ENOMEM
 */
MUST_CHECK
int resolve_cache_begin(struct resolve_cache *cache,
    const struct resolv_conf *conf, const struct dns_name *name, uint16_t type,
    struct resolve_entry **ret_entry);

/* Until it is known. 0, -ETIMEDOUT, the cancel error. */
SUSPENDS MUST_CHECK int
resolve_cache_wait(struct resolve_entry *entry, instant deadline);

void
resolve_cache_release(struct resolve_cache *cache, struct resolve_entry *entry);
