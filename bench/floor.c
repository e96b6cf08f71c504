/*
 * floor.c - the least that a program on epoll can do: the figure beside which
 * the servers' figures stand
 *
 *   bench-floor proxy PORT ORIGIN_PORT   a request at a time to the origin
 *   bench-floor memory PORT              answers from memory, one send(2)
 *   bench-floor sendfile PORT ROOT       answers by sendfile(2) from files
 *
 * The proxy finds the end of the request's head, sends it as it is over a
 * kept connection, reads the answer's Content-Length, copies it, and keeps
 * the connection for the next: recv, send, recv, send and a share of an
 * epoll_wait. It checks nothing, has no deadlines, and rewrites no field.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "responder.h"
#include "tool.h"

#define EVENTS_MAX  256
#define ACCEPTS_MAX 64
#define REQUEST_MAX 4096
#define ANSWER_MAX  32768

enum role { ROLE_DOWNSTREAM, ROLE_UPSTREAM };

struct upstream;

struct downstream {
	enum role role;
	int fd; /* -1: closed */
	bool closing; /* the request said "Connection: close" */
	struct upstream *upstream; /* works for us, or NULL */
	struct downstream *dead_next;
	size_t length;
	char request[REQUEST_MAX];
};

struct upstream {
	enum role role;
	int fd;
	bool head_seen;
	size_t left; /* bytes of the answer still to come */
	struct downstream *downstream; /* NULL: in the pool */
	struct upstream *pool_next;
	char answer[ANSWER_MAX];
};

static int epoll, origin_port;
static struct upstream *pool;
/* Freed after the turn, in which an event of theirs may still come. */
static struct downstream *dead;

static void *
allocate(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		die("calloc");
	return p;
}

/* Waits in poll(2) when the socket is full: the scenarios never fill it. */
static bool
send_all(int fd, const char *bytes, size_t length)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	ssize_t n;

	while (length) {
		n = send(fd, bytes, length, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n < 0) {
			poll(&room, 1, -1);
			continue;
		}
		bytes += n;
		length -= (size_t)n;
	}
	return true;
}

static struct upstream *
upstream_acquire(struct downstream *for_whom)
{
	struct upstream *u = pool;

	if (u) {
		pool = u->pool_next;
	} else {
		u = allocate(sizeof(*u));
		u->role = ROLE_UPSTREAM;
		u->fd = connect_local(origin_port);
		watch(epoll, u->fd, EPOLLIN, u, false);
	}
	u->downstream = for_whom;
	u->head_seen = false;
	u->left = 0;
	for_whom->upstream = u;
	return u;
}

static void
upstream_release(struct upstream *u)
{
	u->downstream->upstream = NULL;
	u->downstream = NULL;
	u->pool_next = pool;
	pool = u;
}

static void
downstream_close(struct downstream *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	/* With an answer still to come, its end frees us. */
	if (!d->upstream) {
		d->dead_next = dead;
		dead = d;
	}
}

static void
downstream_forward(struct downstream *d)
{
	char *end = memmem(d->request, d->length, "\r\n\r\n", 4);
	char *close_field;
	size_t length;

	if (!end || d->upstream)
		return;
	length = (size_t)(end + 4 - d->request);
	close_field = memmem(d->request, length, "Connection: close", 17);
	d->closing = close_field != NULL;
	if (close_field) /* the origin's connection stays open */
		memcpy(close_field, "X-Was-Here", 10);
	if (!send_all(upstream_acquire(d)->fd, d->request, length))
		die("the origin closed a connection");
	memmove(d->request, d->request + length, d->length - length);
	d->length -= length;
}

static void
downstream_event(struct downstream *d)
{
	ssize_t n;

	if (d->fd < 0)
		return;
	n = recv(d->fd, d->request + d->length, REQUEST_MAX - d->length, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		downstream_close(d);
		return;
	}
	d->length += (size_t)n;
	downstream_forward(d);
}

static void
upstream_read_head(struct upstream *u, size_t length)
{
	char *end = memmem(u->answer, length, "\r\n\r\n", 4);
	char *size = memmem(u->answer, length, "Content-Length: ", 16);

	if (!end || !size)
		die("the origin's answer has no length");
	u->head_seen = true;
	u->left = (size_t)(end + 4 - u->answer) + strtoul(size + 16, NULL, 10);
}

static void
upstream_event(struct upstream *u)
{
	struct downstream *d = u->downstream;
	ssize_t n;

	n = recv(u->fd, u->answer, ANSWER_MAX, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || !d)
		die("the origin closed a connection");
	if (!u->head_seen)
		upstream_read_head(u, (size_t)n);
	u->left -= (size_t)n;
	if (d->fd >= 0 && !send_all(d->fd, u->answer, (size_t)n)) {
		close(d->fd);
		d->fd = -1;
	}
	if (u->left)
		return;
	upstream_release(u);
	if (d->closing || d->fd < 0)
		downstream_close(d);
	else if (d->length)
		downstream_forward(d);
}

static void
proxy_accept(int listener)
{
	struct downstream *d;
	int fd, i;

	for (i = 0; i < ACCEPTS_MAX; i++) {
		fd = accept_local(listener);
		if (fd < 0)
			return;
		d = allocate(sizeof(*d));
		d->role = ROLE_DOWNSTREAM;
		d->fd = fd;
		watch(epoll, fd, EPOLLIN, d, false);
	}
}

static void
proxy_bury(void)
{
	struct downstream *d;

	while ((d = dead)) {
		dead = d->dead_next;
		free(d);
	}
}

static void __attribute__((noreturn)) proxy_run(int port)
{
	struct epoll_event events[EVENTS_MAX];
	int listener = listen_local(port);
	enum role *role;
	int i, n;

	raise_descriptor_limit();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(epoll, listener, EPOLLIN, NULL, false);
	for (;;) {
		n = epoll_wait(epoll, events, EVENTS_MAX, -1);
		for (i = 0; i < n; i++) {
			role = events[i].data.ptr;
			if (!role)
				proxy_accept(listener);
			else if (*role == ROLE_DOWNSTREAM)
				downstream_event((struct downstream *)role);
			else
				upstream_event((struct upstream *)role);
		}
		proxy_bury();
	}
}

int
main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "proxy")) {
		origin_port = atoi(argv[3]);
		proxy_run(atoi(argv[2]));
	}
	if (argc == 3 && !strcmp(argv[1], "memory"))
		responder_run(atoi(argv[2]), NULL);
	if (argc == 4 && !strcmp(argv[1], "sendfile"))
		responder_run(atoi(argv[2]), argv[3]);
	die("usage: bench-floor proxy PORT ORIGIN_PORT | memory PORT | "
	    "sendfile PORT ROOT");
}
