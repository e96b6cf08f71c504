/*
 * resolve_answer.h - what of an answer belongs to the question
 *
 * Layer      net, inside of the resolver
 *
 * Only records whose owner is the name asked for, or what its aliases lead to,
 * are looked at; the rest of a message, helpful or malign, is passed over.
 */
#pragma once

#include "net/resolve_cache.h"

enum resolve_outcome {
	RESOLVE_FOUND,
	RESOLVE_FOLLOW, /* *name is an alias that leads out of the message */
	RESOLVE_NONE, /* the name has no such records, or does not exist */
	RESOLVE_BROKEN,
	RESOLVE_TOO_MANY, /* aliases */
	RESOLVE_NO_MEMORY,
};

/*
 * resolve_answer_take - the records of @entry->type for *@name
 *
 * @name    moved along aliases; @aliases counts them
 * @ttl     in seconds, lowered to the smallest met; on RESOLVE_NONE to what the
 *          SOA allows, RESOLVE_FAILURE_S without one
 */
enum resolve_outcome resolve_answer_take(struct resolve_entry *entry,
    const struct dns_answer *answer, struct dns_name *name, unsigned *aliases,
    uint32_t *ttl);
