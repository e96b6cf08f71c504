#include "responder.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool.h"

#define ANSWERS_MAX 16 /* sizes asked for in one run */
#define BODY_MAX    (64L << 20)
#define INPUT_MAX   4096
#define CORK_MIN    (1 << 20)
#define EVENTS_MAX  256
#define ACCEPTS_MAX 64 /* connections taken in one turn */

struct answer {
	long body_length;
	size_t head_length, length; /* length: head and body */
	char *bytes; /* head, and the body when file < 0 */
	int file;
};

struct conn {
	int fd;
	bool closing, blocked; /* blocked: waits for room to send */
	const struct answer *answer; /* being sent, or NULL */
	size_t sent;
	size_t input_length;
	char input[INPUT_MAX];
};

static struct answer answers[ANSWERS_MAX];
static unsigned answer_count;
static const char *file_root;
static int epoll;

static void
answer_open_file(struct answer *a)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/s%ld", file_root, a->body_length);
	a->file = open(path, O_RDONLY | O_CLOEXEC);
	if (a->file < 0)
		die("%s", path);
}

static void
answer_init(struct answer *a, long body_length)
{
	char head[256];
	size_t room;

	a->body_length = body_length;
	a->head_length = (size_t)snprintf(head, sizeof(head),
	    "HTTP/1.1 200 OK\r\n"
	    "Server: bench\r\n"
	    "Date: Tue, 24 Nov 2026 08:00:00 GMT\r\n"
	    "Content-Type: application/octet-stream\r\n"
	    "Content-Length: %ld\r\n"
	    "Last-Modified: Mon, 16 Nov 2026 07:00:00 GMT\r\n\r\n",
	    body_length);
	a->length = a->head_length + (size_t)body_length;
	a->file = -1;
	room = a->length;
	if (file_root) {
		answer_open_file(a);
		room = a->head_length;
	}
	a->bytes = malloc(room);
	if (!a->bytes)
		die("malloc");
	memset(a->bytes, 'x', room);
	memcpy(a->bytes, head, a->head_length);
}

static const struct answer *
answer_find(long body_length)
{
	unsigned i;

	if (body_length < 0 || body_length > BODY_MAX)
		body_length = 0;
	for (i = 0; i < answer_count; i++)
		if (answers[i].body_length == body_length)
			return &answers[i];
	if (answer_count == ANSWERS_MAX)
		die("more than %d sizes asked for", ANSWERS_MAX);
	answer_init(&answers[answer_count], body_length);
	return &answers[answer_count++];
}

/* Bulk by sendfile(2) leaves in whole segments: 12 % less CPU at 10 MB. */
static void
conn_cork(struct conn *c, int on)
{
	if (c->answer->file >= 0 && c->answer->length >= CORK_MIN)
		setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

static ssize_t
conn_send_some(struct conn *c)
{
	const struct answer *a = c->answer;
	off_t offset;

	if (a->file < 0)
		return send(c->fd, a->bytes + c->sent, a->length - c->sent,
		    MSG_NOSIGNAL);
	if (c->sent < a->head_length)
		return send(c->fd, a->bytes + c->sent, a->head_length - c->sent,
		    MSG_NOSIGNAL | MSG_MORE);
	offset = (off_t)(c->sent - a->head_length);
	return sendfile(c->fd, a->file, &offset, a->length - c->sent);
}

/* Returns 1 when the answer is out, 0 when the socket is full, -1. */
static int
conn_send(struct conn *c)
{
	ssize_t n;

	while (c->sent < c->answer->length) {
		n = conn_send_some(c);
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return -1;
		c->sent += (size_t)n;
	}
	conn_cork(c, 0);
	c->answer = NULL;
	return 1;
}

static void
conn_block(struct conn *c, bool blocked)
{
	if (c->blocked == blocked)
		return;
	c->blocked = blocked;
	watch(epoll, c->fd, blocked ? EPOLLOUT : EPOLLIN, c, true);
}

static void
conn_take_request(struct conn *c, const char *head, size_t length)
{
	const char *close_field = memmem(head, length, "onnection: close", 16);
	const char *size = memmem(head, length, " /s", 3);

	c->closing = close_field != NULL;
	c->answer = answer_find(size ? strtol(size + 3, NULL, 10) : 0);
	c->sent = 0;
	conn_cork(c, 1);
}

/* Answer every whole request in the input. Returns -1 to close. */
static int
conn_serve(struct conn *c)
{
	size_t done = 0, left;
	char *end;
	int r;

	for (;;) {
		if (c->answer) {
			r = conn_send(c);
			if (r < 0 || (r == 1 && c->closing))
				return -1;
			conn_block(c, r == 0);
			if (r == 0)
				break;
		}
		left = c->input_length - done;
		end = memmem(c->input + done, left, "\r\n\r\n", 4);
		if (!end)
			break;
		end += 4;
		conn_take_request(
		    c, c->input + done, (size_t)(end - c->input) - done);
		done = (size_t)(end - c->input);
	}
	memmove(c->input, c->input + done, c->input_length - done);
	c->input_length -= done;
	return c->input_length == INPUT_MAX ? -1 : 0;
}

static int
conn_event(struct conn *c)
{
	ssize_t n;

	if (c->blocked)
		return conn_serve(c);
	n = recv(
	    c->fd, c->input + c->input_length, INPUT_MAX - c->input_length, 0);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return -1;
	c->input_length += (size_t)n;
	return conn_serve(c);
}

static void
conn_accept(int listener)
{
	struct conn *c;
	int fd, i;

	for (i = 0; i < ACCEPTS_MAX; i++) {
		fd = accept_local(listener);
		if (fd < 0)
			return;
		c = calloc(1, sizeof(*c));
		if (!c)
			die("calloc");
		c->fd = fd;
		watch(epoll, fd, EPOLLIN, c, false);
	}
}

void
responder_run(int port, const char *root)
{
	struct epoll_event events[EVENTS_MAX];
	int listener = listen_local(port);
	struct conn *c;
	int i, n;

	file_root = root;
	raise_descriptor_limit();
	signal(SIGPIPE, SIG_IGN); /* sendfile(2) has no MSG_NOSIGNAL */
	epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(epoll, listener, EPOLLIN, NULL, false);
	for (;;) {
		n = epoll_wait(epoll, events, EVENTS_MAX, -1);
		for (i = 0; i < n; i++) {
			c = events[i].data.ptr;
			if (!c) {
				conn_accept(listener);
			} else if (conn_event(c) < 0) {
				close(c->fd);
				free(c);
			}
		}
	}
}
