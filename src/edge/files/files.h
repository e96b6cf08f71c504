/*
 * files.h - static files as the answer of a route
 *
 * Layer      edge/files
 * Threads    each worker has a cache of its own (cache.h), made by its first
 *            request and freed when its thread ends
 * Cost       a small file in the cache: no system call, one answer from memory
 * Sources    RFC 9110 (semantics, conditions, ranges, negotiation)
 *
 * GET, HEAD and OPTIONS; other methods get 405. Paths are opened beneath the
 * root by the kernel (os/file.h); only regular files are served. A change on
 * disk is seen within a second (cache.h, root.h).
 */
#pragma once

#include "edge/files/cache.h"
#include "http/server.h"
#include "runtime/timer.h"

extern const struct feature files_feature;

/* What one worker thread knows of files. */
struct files_worker {
	struct files_cache cache;
	struct list roots;
	struct timer sweep;
};

/* files_feature.handle with the worker and the time given. */
SUSPENDS
MUST_CHECK
int files_answer(struct files_worker *worker, struct exchange *ex, instant now);

void files_worker_init(
    struct files_worker *worker, const struct files_cache_limits *limits);
void files_worker_fini(struct files_worker *worker);
