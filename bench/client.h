/*
 * client.h - the connections of the load generator
 *
 * Closed loop: each connection has one request under way, always. Open loop:
 * requests are due at fixed intervals, whatever the server does; one that
 * finds no free connection waits, and its latency counts from the moment it
 * was due. Bodies are thrown away in the kernel (MSG_TRUNC).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hist.h"

struct client_options {
	const char *path;
	int port;
	unsigned connections;
	double rate; /* requests a second; 0: closed loop */
	bool close; /* one request per connection */
	bool idle; /* one request per connection, then keep it idle */
};

/* Counted since the window began. */
struct client_tally {
	uint64_t answers; /* whole, status 200-299 */
	uint64_t body_bytes;
	uint64_t opened; /* connections */
	uint64_t announced; /* closed after "Connection: close" in an answer,
			       though we had asked to keep it */
	uint64_t closed_idle; /* closed by the server between two requests */
	/* Failed requests, by how. */
	uint64_t refused; /* the connection */
	uint64_t unanswered; /* closed after a request, before any byte */
	uint64_t cut; /* closed within an answer */
	uint64_t status; /* whole, another status */
	uint64_t unreadable; /* not HTTP/1.1 with a Content-Length */
};

enum conn_state {
	CONN_UNUSED,
	CONN_CONNECTING,
	CONN_IDLE,
	CONN_HEAD, /* request sent, answer's head awaited */
	CONN_BODY,
	CONN_CLOSING, /* answer read, end of connection awaited */
};

struct conn {
	int fd;
	enum conn_state state;
	unsigned served;
	bool close_after;
	int status;
	uint64_t since_ns; /* latency counts from here */
	uint64_t body_left;
	size_t head_length;
	char head[1024];
};

struct client {
	const struct client_options *options;
	int epoll;
	struct conn *all;
	unsigned started; /* of options->connections */
	unsigned busy; /* connecting or with a request under way */
	struct conn **free; /* open loop: may take a request */
	unsigned free_count;
	uint64_t origin_ns,
	    issued; /* open loop: due = origin + issued / rate */
	bool stopping;
	size_t request_length;
	char request[512];
	struct client_tally tally;
	struct hist latency;
};

void client_init(struct client *cl, const struct client_options *options);

/* Wait for at most 20 ms and do what is to be done. */
void client_turn(struct client *cl);

/* Forget what was counted so far: the window begins. */
void client_reset(struct client *cl);

/* Every connection has had its one answer and is idle (idle mode). */
bool client_settled(const struct client *cl);

/* Requests of the open loop that are due and not sent. */
uint64_t client_backlog(const struct client *cl);

/* Requests under way for more than @ns. */
unsigned client_stuck(const struct client *cl, uint64_t ns);
