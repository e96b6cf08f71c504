/*
 * origin_for_test.h - a server that answers as it is told, on loopback
 *
 * Tests only. It serves one connection after the other.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/io.h"
#include "runtime/runtime.h"

struct origin {
	uint16_t port;
	unsigned hits; /* connections so far */
	char request[2048]; /* the last one, as text */
	/* The answer, NULL-terminated; NULL: it closes at once. */
	const char *const *parts;
	int pause_ms; /* before each part but the first; < 0: before all */
	bool lingers; /* half-closes, then waits for the end of the client */
	/* May choose the parts for this connection. */
	void (*before)(struct origin *origin);
	struct io_fd listener;
};

static void
origin_request(struct origin *origin, struct io_fd *io)
{
	size_t length = 0;
	ssize_t got = 1;

	while (got > 0 && length < sizeof(origin->request) - 1) {
		origin->request[length] = '\0';
		if (strstr(origin->request, "\r\n\r\n") != NULL)
			return;
		got = io_recv(io, origin->request + length,
		    sizeof(origin->request) - 1 - length, instant_never());
		length += got > 0 ? (size_t)got : 0;
	}
}

static void
origin_answer(struct origin *origin, struct io_fd *io)
{
	const char *const *parts = origin->parts;
	int pause_ms = origin->pause_ms;
	bool lingers = origin->lingers;
	char drained[256];

	if (parts == NULL)
		return;
	origin_request(origin, io);
	for (unsigned i = 0; parts[i] != NULL; i++) {
		size_t length = strlen(parts[i]);

		/* Whoever waits no longer has hung up. */
		if (pause_ms != 0 && (i > 0 || pause_ms < 0) &&
		    io_wait(io, IO_IN,
			instant_after(runtime_now(),
			    duration_ms(abs(pause_ms)))) != -ETIMEDOUT)
			return;
		if (io_send(io, parts[i], length, NULL, instant_never()) < 0)
			return;
	}
	if (!lingers)
		return;
	shutdown(io->fd, SHUT_WR);
	while (io_recv(io, drained, sizeof(drained), instant_never()) > 0)
		;
}

static int
origin_serve(void *arg)
{
	struct origin *origin = arg;
	struct io_fd io;
	int fd;

	while ((fd = io_accept(
		    &origin->listener, NULL, NULL, instant_never())) >= 0) {
		must(io_attach(&io, fd) == 0);
		if (origin->before != NULL)
			origin->before(origin);
		origin->hits++;
		origin_answer(origin, &io);
		io_close(&io);
	}
	io_close(&origin->listener);
	return 0;
}

/* It serves until @scope is cancelled. */
static void
origin_start(struct origin *origin, struct scope *scope)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	must(fd >= 0);
	must(bind(fd, (struct sockaddr *)&address, length) == 0);
	must(listen(fd, 64) == 0);
	must(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
	must(io_attach(&origin->listener, fd) == 0);
	origin->port = ntohs(address.sin_port);
	must(task_start(scope, "origin", origin_serve, origin) == 0);
}
