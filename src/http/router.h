/*
 * router.h - which site, and which of its routes
 *
 * Layer      http
 * Threads    any; immutable after router_init()
 * Cost       host: one hash look-up, then one per label for wildcards; routes:
 *            in file order, the first that matches wins
 *
 * A host is matched exactly, then by the longest wildcard ("*.example.com"
 * takes every name below example.com), then by the listener's default site.
 */
#pragma once

#include "config/snapshot.h"
#include "wire/http.h"

struct router_host;

struct router_listener {
	struct router_host *hosts; /* open addressing */
	uint32_t mask;
	const struct config_site *fallback; /* or NULL: 421 */
	/* The most that any of its sites allows: what a head may be before its
	 * site is known. */
	struct config_limits limits;
};

struct router {
	struct router_listener *listeners; /* as in the snapshot */
	unsigned listener_count;
};

MUST_CHECK
int router_init(struct router *router, const struct snapshot *snapshot);
void router_fini(struct router *router);

/* @host  lower case, without port; the site, or NULL (E_NO_SITE). */
const struct config_site *
router_site(const struct router *router, unsigned listener, struct bytes host);

struct router_match {
	const struct config_route *route; /* NULL: see the return value */
	struct bytes matched; /* the prefix, or the whole path */
	struct bytes captures[10];
	/* Methods of routes that match but for the method: for Allow. */
	uint32_t allowed;
};
/* Returns 0, E_NO_ROUTE, or E_METHOD_REFUSED (allowed is set). */
int router_route(const struct config_site *site, const struct http_head *head,
    struct router_match *ret_match);
