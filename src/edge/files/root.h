/*
 * root.h - the directories that a worker thread serves files from
 *
 * Layer      edge/files
 * Threads    one: each worker has descriptors of its own
 * Memory     a small block per files action in use
 * Limits     one root per files action of the configuration; dropped when it
 *            was not used for FILES_IDLE_S (cache.h)
 *
 * A root is often a link that a deployment moves ("current"), so its path is
 * looked up again every FILES_ROOT_CHECK_MS.
 */
#pragma once

#include "base/list.h"
#include "base/time.h"
#include "config/snapshot.h"
#include "os/file.h"

#define FILES_ROOT_CHECK_MS 200

struct files_root {
	struct list node;
	uint64_t instance; /* of the config_files */
	int fd;
	struct file_stat stat;
	instant checked;
};

/* The descriptor of @config's root, borrowed until the caller suspends; or
 * -errno when it cannot be opened (any more). */
MUST_CHECK
int files_root_get(
    struct list *roots, const struct config_files *config, instant now);
void files_roots_sweep(struct list *roots, instant now);
void files_roots_fini(struct list *roots);
