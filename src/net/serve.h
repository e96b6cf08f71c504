/*
 * serve.h - sockets that listen, and a task for each connection
 *
 * Layer      net
 * Threads    the worker that calls
 * Limits     options.connections_max at a time; while they are reached nobody
 *            is accepted, and the kernel's backlog fills
 */
#pragma once

#include "net/net_address.h"
#include "runtime/io.h"
#include "runtime/task.h"

struct serve_listen_options {
	int backlog; /* 0: 1024; the kernel cuts it to net.core.somaxconn */
	bool reuse_port; /* several sockets share the address */
	bool v6_only; /* of [::]: no IPv4 beside it */
	bool nodelay_off; /* TCP_NODELAY is set unless this is */
};

/*
 * serve_listen - a listening socket, attached
 *
 * A Unix socket's file must not be there. @io  not attached; on success it is
 * Returns 0 or -errno (-EADDRINUSE, -EACCES, -EADDRNOTAVAIL).
 */
MUST_CHECK
int serve_listen(struct io_fd *io, const struct net_address *address,
    const struct serve_listen_options *options);

/* The address of a socket: with the port that the kernel chose. */
MUST_CHECK
int serve_address(const struct io_fd *io, struct net_address *ret_address);

struct serve_options {
	unsigned connections_max; /* 0: 1024 */
	/* The conversation with one client, on a task of its own; @io is closed
	 * after it. Its result is not looked at. */
	int (*conversation)(
	    struct io_fd *io, const struct net_address *from, void *arg);
	void *arg;
};

/*
 * serve - accept until the task is stopped or @deadline
 *
 * The conversations run in @scope (NULL: detached). Without descriptors or
 * memory it pauses 100 ms instead of turning in circles; what waits in the
 * backlog is served later.
 *
 * Suspends
 * Returns    -ETIMEDOUT, the cancel error, or an error of the listener
 */
SUSPENDS
int serve(struct io_fd *listener, struct scope *scope,
    const struct serve_options *options, instant deadline);
