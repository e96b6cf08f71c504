#include "client.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#define EVENTS_MAX     512
#define OPENS_PER_TURN 128
/* Idle mode measures idle connections, not a crowd of active ones. */
#define IDLE_BUSY_MAX 64
#define TURN_NS       20000000

static void
conn_open(struct client *cl, struct conn *c)
{
	c->fd = connect_local(cl->options->port);
	c->state = CONN_CONNECTING;
	c->since_ns = now_ns();
	c->served = 0;
	cl->tally.opened++;
	cl->busy++;
	watch(cl->epoll, c->fd, EPOLLOUT, c, false);
}

static bool
conn_is_busy(const struct conn *c)
{
	return c->state == CONN_CONNECTING || c->state == CONN_HEAD ||
	    c->state == CONN_BODY;
}

static void
conn_reopen(struct client *cl, struct conn *c)
{
	if (conn_is_busy(c))
		cl->busy--;
	close(c->fd);
	c->state = CONN_UNUSED;
	if (!cl->stopping && !cl->options->idle)
		conn_open(cl, c);
}

static void
conn_request(struct client *cl, struct conn *c, uint64_t since_ns)
{
	if (!conn_is_busy(c))
		cl->busy++;
	c->state = CONN_HEAD;
	c->since_ns = since_ns;
	c->head_length = 0;
	/* A failure shows when the answer is read. */
	send(c->fd, cl->request, cl->request_length, MSG_NOSIGNAL);
}

static uint64_t
client_due_ns(const struct client *cl)
{
	return cl->origin_ns +
	    (uint64_t)((double)cl->issued * 1e9 / cl->options->rate);
}

/* @c has an open connection and nothing to do. */
static void
conn_ready(struct client *cl, struct conn *c)
{
	const struct client_options *o = cl->options;
	bool wait =
	    o->rate > 0 ? client_due_ns(cl) > now_ns() : o->idle && c->served;

	if (!wait && !cl->stopping) {
		if (o->rate > 0) {
			conn_request(cl, c, client_due_ns(cl));
			cl->issued++;
		} else {
			conn_request(cl, c, o->close ? c->since_ns : now_ns());
		}
		return;
	}
	if (conn_is_busy(c))
		cl->busy--;
	c->state = CONN_IDLE;
	if (o->rate > 0)
		cl->free[cl->free_count++] = c;
}

static void
conn_answered(struct client *cl, struct conn *c)
{
	hist_add(&cl->latency, now_ns() - c->since_ns);
	c->served++;
	if (c->status >= 200 && c->status < 300)
		cl->tally.answers++;
	else
		cl->tally.status++;
	if (!c->close_after && !cl->options->close) {
		conn_ready(cl, c);
		return;
	}
	if (!cl->options->close)
		cl->tally.announced++;
	c->state = CONN_CLOSING;
	cl->busy--;
}

static void
conn_unlist(struct client *cl, const struct conn *c)
{
	unsigned i;

	for (i = 0; i < cl->free_count; i++)
		if (cl->free[i] == c) {
			cl->free[i] = cl->free[--cl->free_count];
			return;
		}
}

/* The server closed or reset the connection. */
static void
conn_lost(struct client *cl, struct conn *c)
{
	switch (c->state) {
	case CONN_CONNECTING:
		cl->tally.refused++;
		break;
	case CONN_HEAD:
		if (c->head_length)
			cl->tally.cut++;
		else
			cl->tally.unanswered++;
		break;
	case CONN_BODY:
		cl->tally.cut++;
		break;
	case CONN_IDLE:
		cl->tally.closed_idle++;
		conn_unlist(cl, c);
		break;
	case CONN_CLOSING:
	case CONN_UNUSED:
		break;
	}
	conn_reopen(cl, c);
}

static void
conn_unreadable(struct client *cl, struct conn *c)
{
	cl->tally.unreadable++;
	conn_reopen(cl, c);
}

/* Reads status, length and the server's wish to close. */
static bool
conn_parse_head(struct conn *c, const char *end)
{
	bool length_known = false;
	const char *line = c->head;

	if (end - c->head < 12 || memcmp(c->head, "HTTP/1.", 7))
		return false;
	c->status = atoi(c->head + 9);
	c->close_after = false;
	while ((line = memchr(line, '\n', (size_t)(end - line)))) {
		line++;
		if ((*line | 32) != 'c')
			continue;
		if (!strncasecmp(line, "content-length:", 15)) {
			c->body_left = strtoull(line + 15, NULL, 10);
			length_known = true;
		} else if (!strncasecmp(line, "connection: close", 17)) {
			c->close_after = true;
		}
	}
	return length_known;
}

/* Returns false when there is nothing more to read now. */
static bool
conn_read_head(struct client *cl, struct conn *c)
{
	size_t body;
	ssize_t n;
	char *end;

	n = recv(c->fd, c->head + c->head_length,
	    sizeof(c->head) - c->head_length - 1, 0);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		conn_lost(cl, c);
		return false;
	}
	c->head_length += (size_t)n;
	c->head[c->head_length] = '\0';
	end = memmem(c->head, c->head_length, "\r\n\r\n", 4);
	if (!end && c->head_length < sizeof(c->head) - 1)
		return true;
	if (!end || !conn_parse_head(c, end)) {
		conn_unreadable(cl, c);
		return false;
	}
	body = c->head_length - (size_t)(end + 4 - c->head);
	if (body > c->body_left) {
		conn_unreadable(cl, c);
		return false;
	}
	c->body_left -= body;
	cl->tally.body_bytes += body;
	c->state = CONN_BODY;
	return true;
}

static void
conn_read_body(struct client *cl, struct conn *c)
{
	ssize_t n;

	if (c->body_left) {
		/* With MSG_TRUNC, TCP copies nothing anywhere. */
		n = recv(c->fd, NULL, c->body_left, MSG_TRUNC);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			conn_lost(cl, c);
			return;
		}
		c->body_left -= (uint64_t)n;
		cl->tally.body_bytes += (uint64_t)n;
	}
	if (!c->body_left)
		conn_answered(cl, c);
}

static void
conn_connected(struct client *cl, struct conn *c)
{
	socklen_t length = sizeof(int);
	int error = 0;

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (error) {
		conn_lost(cl, c);
		return;
	}
	watch(cl->epoll, c->fd, EPOLLIN, c, true);
	conn_ready(cl, c);
}

static void
conn_event(struct client *cl, struct conn *c)
{
	char rest[64];
	ssize_t n;

	switch (c->state) {
	case CONN_UNUSED:
		return;
	case CONN_CONNECTING:
		conn_connected(cl, c);
		return;
	case CONN_HEAD:
		if (conn_read_head(cl, c) && c->state == CONN_BODY)
			conn_read_body(cl, c);
		return;
	case CONN_BODY:
		conn_read_body(cl, c);
		return;
	case CONN_IDLE:
	case CONN_CLOSING:
		n = recv(c->fd, rest, sizeof(rest), 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n > 0)
			conn_unreadable(cl, c);
		else
			conn_lost(cl, c);
		return;
	}
}

static void
client_open_more(struct client *cl)
{
	unsigned i;

	for (i = 0; i < OPENS_PER_TURN; i++) {
		if (cl->started == cl->options->connections ||
		    (cl->options->idle && cl->busy >= IDLE_BUSY_MAX))
			return;
		conn_open(cl, &cl->all[cl->started++]);
	}
}

static void
client_issue_due(struct client *cl)
{
	uint64_t now = now_ns();

	while (cl->free_count && !cl->stopping && client_due_ns(cl) <= now) {
		conn_request(cl, cl->free[--cl->free_count], client_due_ns(cl));
		cl->issued++;
	}
}

static struct timespec
client_patience(const struct client *cl)
{
	uint64_t now = now_ns(), due, wait = TURN_NS;

	if (cl->started < cl->options->connections && !cl->options->idle) {
		wait = 0;
	} else if (cl->options->rate > 0 && cl->free_count) {
		due = client_due_ns(cl);
		wait = due <= now ? 0 : due - now;
		if (wait > TURN_NS)
			wait = TURN_NS;
	}
	return (struct timespec){.tv_nsec = (long)wait};
}

void
client_turn(struct client *cl)
{
	struct epoll_event events[EVENTS_MAX];
	struct timespec patience;
	int i, n;

	client_open_more(cl);
	if (cl->options->rate > 0)
		client_issue_due(cl);
	patience = client_patience(cl);
	n = epoll_pwait2(cl->epoll, events, EVENTS_MAX, &patience, NULL);
	for (i = 0; i < n; i++)
		conn_event(cl, events[i].data.ptr);
}

void
client_init(struct client *cl, const struct client_options *options)
{
	memset(cl, 0, sizeof(*cl));
	cl->options = options;
	cl->request_length = (size_t)snprintf(cl->request, sizeof(cl->request),
	    "GET %s HTTP/1.1\r\n"
	    "Host: bench.test\r\n"
	    "User-Agent: weir-bench\r\n"
	    "Accept: */*\r\n"
	    "%s\r\n",
	    options->path, options->close ? "Connection: close\r\n" : "");
	if (cl->request_length >= sizeof(cl->request))
		die("the path is too long");
	cl->all = calloc(options->connections, sizeof(*cl->all));
	cl->free = calloc(options->connections, sizeof(struct conn *));
	if (!cl->all || !cl->free)
		die("calloc");
	cl->epoll = epoll_create1(EPOLL_CLOEXEC);
	cl->origin_ns = now_ns();
}

void
client_reset(struct client *cl)
{
	memset(&cl->tally, 0, sizeof(cl->tally));
	memset(&cl->latency, 0, sizeof(cl->latency));
}

bool
client_settled(const struct client *cl)
{
	return cl->started == cl->options->connections && cl->busy == 0;
}

uint64_t
client_backlog(const struct client *cl)
{
	double due;

	if (cl->options->rate <= 0)
		return 0;
	due = (double)(now_ns() - cl->origin_ns) * cl->options->rate / 1e9;
	return (uint64_t)due > cl->issued ? (uint64_t)due - cl->issued : 0;
}

unsigned
client_stuck(const struct client *cl, uint64_t ns)
{
	uint64_t now = now_ns();
	unsigned i, n = 0;

	for (i = 0; i < cl->started; i++)
		n += conn_is_busy(&cl->all[i]) && now > cl->all[i].since_ns &&
		    now - cl->all[i].since_ns > ns;
	return n;
}
