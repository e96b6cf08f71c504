/*
 * edition.h - one version of the configuration, with all that it opens
 *
 * Layer      main
 * Threads    the manager's only one
 * Memory     on the heap; at most two at a time: the current one, and the one
 *            that a reload prepares
 * Invariant  an edition is whole or it is not there: text, snapshot, logs,
 *            sockets, places in the verdict table
 */
#pragma once

#include <stdio.h>

#include "config/snapshot.h"
#include "main/listening.h"

struct edition {
	uint64_t version;
	const char *path;
	struct snapshot *snapshot;
	int text_fd; /* sealed memfd: what the roles read */
	int error_log;
	int access_log; /* -1: off */
	struct listening **listeners; /* by snapshot->listeners */
	struct listening *admin_unix; /* or NULL */
	struct listening *admin_loopback; /* or NULL */
	int *slots; /* of its servers in the verdict table */
	unsigned slot_count;
};

/*
 * edition_load - read the file at @path (borrowed) and check it
 *
 * @why  gets every mistake, and warnings
 * Returns 0, E_CONFIG_INVALID, or -errno.
 */
MUST_CHECK
int edition_load(
    const char *path, uint64_t version, FILE *why, struct edition **ret);

/*
 * edition_open - its logs, its sockets, its places in the verdict table
 *
 * @threads  of the worker: the sockets of each address
 * @why      gets every reason why it is not possible
 * Returns 0 or -errno; then it is to be closed all the same.
 */
MUST_CHECK
int edition_open(struct edition *edition, struct listening_set *set,
    unsigned threads, FILE *why);

/* The threads that a configuration asks for: runtime.threads, or the CPUs
 * this process may use. */
unsigned edition_threads(const struct snapshot *snapshot);

/* Let go of it all, but for the places of servers that @staying (may be NULL)
 * has too: those keep their verdicts. */
void edition_close(struct edition *edition, const struct edition *staying);

/* Open its logs again (rotation): both or none.
 * Returns 0 or -errno; @why says of which file. */
MUST_CHECK
int edition_logs_reopen(struct edition *edition, FILE *why);
