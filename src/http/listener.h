/*
 * listener.h - one listening socket of one worker
 *
 * Layer      http, inside only
 * Threads    the worker it was started on
 * Invariant  the id names the address for as long as the process lives, so
 *            that a connection finds its listener in any later configuration
 */
#pragma once

#include "base/bytes.h"
#include "base/list.h"
#include "runtime/io.h"

struct listener {
	struct io_fd io;
	struct list node;
	int id;
	unsigned refs; /* connections, and the accepting task */
	bool stopped;
};

/* Start accepting on @fd (taken, closed on failure). On the loop or a task.
 * Returns 0 or -errno. */
MUST_CHECK
int listener_start(int id, int fd);
/* Stop accepting; the connections stay. */
void listener_stop(struct listener *listener);
/* This worker's, or NULL. */
struct listener *listener_find(int id);
void listener_stop_all(void);

static inline struct listener *
listener_ref(struct listener *listener)
{
	listener->refs++;
	return listener;
}
void listener_unref(struct listener *listener);
