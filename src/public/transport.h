/*
 * transport.h - a connection whose protocol is in push form
 *
 * One task at most reads and makes all calls of the protocol but lost(); one
 * task or call at most sends. Whoever will look at the transport once more
 * counts as busy; the last of them buries a dead one.
 */
#pragma once

#include <weir/protocol.h>

#include "base/list.h"

struct output {
	unsigned char *bytes;
	size_t length;
	size_t room;
};

struct transport_group {
	struct weir_scope scope;
	struct list transports;
	unsigned count;
	bool waits; /* for @gone */
	struct weir_event gone;
	int error; /* of the last that was lost */
};

struct weir_transport {
	struct weir_io io; /* first: its hook gets its address */
	const struct weir_protocol *protocol;
	void *user;
	struct transport_group *group;
	struct list of_group;
	struct weir_timer idle;
	weir_time heard;
	unsigned char *input; /* not taken yet; NULL: nothing */
	size_t input_length;
	size_t input_room;
	size_t looked; /* bytes of it without a border */
	struct output waiting; /* written, behind what is being sent */
	struct output sending;
	size_t sent; /* of it */
	unsigned busy;
	int error; /* for lost() */
	bool made; /* was told, and lost() has not been */
	bool reading;
	bool writing;
	bool paused;
	bool unfinished; /* input is left that was not offered in full */
	bool refused; /* a write; drained() is owed */
	bool stalled; /* not reading because of what is to be sent */
	bool ended; /* by the peer */
	bool closing;
	bool dead;
};

size_t transport_output(const struct weir_transport *transport);
size_t transport_high(const struct weir_transport *transport);

/* See that the reading task looks at the transport. */
void transport_look(struct weir_transport *transport);
/* Close; lost() when nobody is busy. The first @error counts. */
void transport_kill(struct weir_transport *transport, int error);
void transport_leave(struct weir_transport *transport);
void transport_output_free(struct weir_transport *transport);
