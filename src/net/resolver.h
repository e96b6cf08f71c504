/*
 * resolver.h - a worker's own: the two files as it read them last, its cache
 *
 * Layer      net
 * Threads    each worker has one, which ends with it
 * Memory     16 KB and what the files and the cache hold
 */
#pragma once

#include "net/resolve_cache.h"

struct resolver {
	bool system; /* the C library is asked instead */
	struct resolv_conf conf;
	struct hosts hosts;
	struct resolve_cache cache;
};

/* This worker's, up to date: the files are looked at once a second at most.
 * NULL: no memory. */
struct resolver *resolver_here(void);
