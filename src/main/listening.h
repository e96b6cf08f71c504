/*
 * listening.h - the listening sockets that the manager keeps
 *
 * Layer      main
 * Threads    the manager's only one
 * Invariant  one struct per address; editions that use it count. The last one
 *            to let go closes the sockets (and removes a Unix socket's file).
 *
 * The manager never accepts. It holds the sockets so that a worker's death
 * loses none, nor a connection that waits in one: the next worker gets the
 * same ones.
 */
#pragma once

#include <sys/socket.h>

#include "base/bytes.h"
#include "base/list.h"
#include "config/snapshot.h"

struct listening_set {
	struct list all;
};

enum listening_use { LISTENING_SITE, LISTENING_ADMIN };

struct listening {
	struct list node;
	unsigned refs;
	enum listening_use use;
	struct sockaddr_storage address;
	socklen_t length;
	unsigned count;
	int fds[]; /* count of them; -1: none (Unix, beyond the first) */
};

void listening_set_init(struct listening_set *set);

/*
 * listening_acquire - the sockets of @address, opened if they are new
 * @count  of sockets, when they are opened now
 * Returns 0 or -errno (-EADDRINUSE, -EACCES: a port below 1024, ...).
 */
MUST_CHECK
int listening_acquire(struct listening_set *set,
    const struct config_address *address, enum listening_use use,
    unsigned backlog, unsigned count, struct listening **ret);
/* A place without sockets: an address that may be missing, and is. */
MUST_CHECK
int listening_acquire_none(struct listening_set *set,
    const struct config_address *address, unsigned count,
    struct listening **ret);
void listening_release(struct listening *listening);

/* Close without removing anything: nobody is to connect any more while what
 * waits is served by others who hold the sockets. */
void listening_set_shut(struct listening_set *set);
