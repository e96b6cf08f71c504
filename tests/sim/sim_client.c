/*
 * sim_client.c - the HTTP client of <weir/http.h> against servers by seed
 *
 * Servers answer well, in pieces, after hints, elsewhere (a redirect), half,
 * with nonsense, not at all, or refuse a body in its midst. An answer that
 * comes whole is the one to that request; everything else is an honest error
 * with a sentence. Tasks are stopped anywhere, and no connection is lost.
 */
#include <weir/http.h>

#include "base/bytes.h"
#include "sim_case.h"

#define SERVERS        2
#define TASKS_MAX      8
#define FETCHES_MAX    6
#define REQUESTS_MAX   (TASKS_MAX * FETCHES_MAX)
#define BODY_MAX       40000
#define HEAD_MAX       4096
#define PATIENCE_MS    20000
#define HINTS_TOO_MANY 9

static struct fair {
	bool calm;
	struct weir_http_client *client;
	struct scope *servers;
	struct io_fd listeners[SERVERS];
	int next_request;
	int posts[REQUESTS_MAX]; /* times a server had all of it */
	unsigned open, open_max;
	unsigned answers, errors;
} fair;

enum manner {
	MANNER_LENGTH,
	MANNER_CHUNKED,
	MANNER_CLOSE,
	MANNER_HINTS,
	MANNER_REDIRECT,
	MANNER_GOOD_COUNT,
	MANNER_TOO_MANY_HINTS = MANNER_GOOD_COUNT,
	MANNER_HALF,
	MANNER_SILENT,
	MANNER_GARBAGE,
	MANNER_REFUSED, /* 413 without reading the body, then closed */
	MANNER_STUCK, /* nothing more is said, or taken */
	MANNER_COUNT,
};

static char
pattern(int id, size_t at)
{
	return "abcdefghijklmnopqrstuvwxyz"[(at + (size_t)id) % 26];
}

/* ---- servers ---- */

static int
say(struct io_fd *io, const char *text)
{
	ssize_t r =
	    io_send(io, text, strlen(text), NULL, in_ms(2 * PATIENCE_MS));

	return r < 0 ? (int)r : 0;
}

static int
say_body(struct io_fd *io, int id, size_t length, bool chunked)
{
	char block[600], line[16];
	int r = 0;

	for (size_t at = 0; at < length && r == 0;) {
		size_t bytes = min_of(
		    length - at, (size_t)between(1, (int)sizeof(block) - 1));

		for (size_t i = 0; i < bytes; i++)
			block[i] = pattern(id, at + i);
		block[bytes] = '\0';
		snprintf(line, sizeof(line), "%zx\r\n", bytes);
		if (chunked)
			r = say(io, line);
		if (r == 0)
			r = say(io, block);
		if (r == 0 && chunked)
			r = say(io, "\r\n");
		at += bytes;
	}
	return r == 0 && chunked ? say(io, "0\r\n\r\n") : r;
}

static int
say_hints(struct io_fd *io, int count)
{
	int r = 0;

	while (r == 0 && count-- > 0)
		r = say(io, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
	return r;
}

/* 1: the connection goes on. */
static int
server_answer(struct io_fd *io, int id, int length, enum manner manner)
{
	char head[256], framing[64];
	int r = 0;

	if (manner == MANNER_SILENT)
		return 0;
	if (manner == MANNER_GARBAGE)
		return say(io, "SMTP at your service\r\n\r\n");
	if (manner == MANNER_HINTS)
		r = say_hints(io, between(1, HINTS_TOO_MANY - 1));
	if (manner == MANNER_TOO_MANY_HINTS)
		r = say_hints(io, HINTS_TOO_MANY);
	snprintf(framing, sizeof(framing), "Content-Length: %d\r\n", length);
	if (manner == MANNER_CHUNKED)
		strcpy(framing, "Transfer-Encoding: chunked\r\n");
	if (manner == MANNER_CLOSE)
		strcpy(framing, "Connection: close\r\n");
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nX-Id: %d\r\n%s\r\n",
	    id, framing);
	if (manner == MANNER_REDIRECT)
		snprintf(head, sizeof(head),
		    "HTTP/1.1 303 Over there\r\nLocation: "
		    "http://10.0.0.%d:8000/r/%d/%d/0\r\n"
		    "Content-Length: 0\r\n\r\n",
		    between(2, 1 + SERVERS), id, length);
	if (r == 0)
		r = say(io, head);
	if (r == 0 && manner != MANNER_REDIRECT)
		r = say_body(io, id,
		    (size_t)(manner == MANNER_HALF ? length / 2 : length),
		    manner == MANNER_CHUNKED);
	if (r < 0)
		return r;
	return manner != MANNER_CLOSE && manner != MANNER_HALF;
}

/* Read what is a body by its framing. @head ends behind its empty line, with
 * @more bytes of the body there. */
static int
server_body(struct io_fd *io, const char *head, char *from, size_t more)
{
	const char *field = strcasestr(head, "\r\ncontent-length:");
	size_t length = field != NULL ? strtoul(field + 17, NULL, 10) : 0;
	bool chunked = strcasestr(head, "\r\ntransfer-encoding:") != NULL;
	char last[5] = "";

	for (;;) {
		for (size_t i = 0; i < more; i++) {
			memmove(last, last + 1, 4);
			last[4] = from[i];
		}
		if (chunked ? memcmp(last, "0\r\n\r\n", 5) == 0
			    : more >= length)
			return 0;
		length -= chunked ? 0 : more;
		ssize_t r = io_recv(io, from, HEAD_MAX, in_ms(PATIENCE_MS));

		if (r <= 0)
			return r < 0 ? (int)r : -EPIPE;
		more = (size_t)r;
	}
}

/* The head, and in *@ret_more how much came behind it. 1, or 0 at the end. */
static int
server_head(struct io_fd *io, char *memory, size_t *ret_more)
{
	size_t length = 0;

	for (;;) {
		ssize_t r = io_recv(io, memory + length, HEAD_MAX - length,
		    in_ms(6 * PATIENCE_MS));
		char *end;

		if (r <= 0)
			return (int)r;
		length += (size_t)r;
		end = memmem(memory, length, "\r\n\r\n", 4);
		if (end != NULL) {
			*ret_more = length - (size_t)(end + 4 - memory);
			return 1;
		}
		expect(length < HEAD_MAX, "a head of %zu", length);
	}
}

static int
server_request(struct io_fd *io)
{
	char memory[2 * HEAD_MAX + 1], head[HEAD_MAX + 1];
	enum manner manner = (enum manner)sim_random(
	    fair.calm || one_in(2) ? MANNER_GOOD_COUNT : MANNER_COUNT);
	size_t more = 0;
	int id, length, post, r = server_head(io, memory, &more);
	char *end;

	if (r <= 0)
		return r;
	end = (char *)memmem(memory, sizeof(memory), "\r\n\r\n", 4) + 4;
	memcpy(head, memory, (size_t)(end - memory));
	head[end - memory] = '\0';
	r = sscanf(strchr(head, ' '), " /r/%d/%d/%d ", &id, &length, &post);
	expect(r == 3, "a server is asked: %s", head);
	if (manner == MANNER_STUCK)
		return task_sleep(duration_ms(3 * PATIENCE_MS));
	if (manner == MANNER_REFUSED && post)
		return say(io,
		    "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
	r = server_body(io, head, end, more);
	if (r < 0)
		return r;
	fair.posts[id] += post;
	expect(fair.posts[id] <= 1, "POST %d came twice", id);
	return server_answer(io, id, length, manner);
}

static int
server_connection(void *arg)
{
	int fd = (int)(intptr_t)arg;
	struct io_fd io;

	if (io_attach(&io, fd) < 0) {
		socket_close(fd);
		return 0;
	}
	fair.open++;
	fair.open_max = max_of(fair.open_max, fair.open);
	while (server_request(&io) > 0)
		if (!fair.calm && one_in(6))
			break;
	fair.open--;
	io_close(&io);
	return 0;
}

static int
server_task(void *arg)
{
	accept_all(arg, fair.servers, server_connection);
	return 0;
}

/* ---- clients ---- */

struct made_body {
	size_t left;
};

static ssize_t
body_make(void *user, void *into, size_t room)
{
	struct made_body *body = user;
	size_t bytes = min_of(body->left, room);

	if (bytes > 0 && one_in(4)) {
		int r = task_sleep(duration_ms(between(1, 100)));

		if (r < 0)
			return r;
	}
	/* No end of the chunks can be found inside. */
	memset(into, 'x', bytes);
	body->left -= bytes;
	return (ssize_t)bytes;
}

static int
client_body(struct weir_http_response *response, int id, int length)
{
	char *body;
	size_t got;
	int r = weir_http_read_all(
	    response, BODY_MAX, &body, &got, in_ms(PATIENCE_MS).ns);

	if (r < 0)
		return r;
	if (weir_http_status(response) == 200) {
		expect(got == (size_t)length ||
			(!fair.calm && weir_http_length(response) < 0 &&
			    got < (size_t)length),
		    "request %d: %zu of %d bytes", id, got, length);
		for (size_t i = 0; i < got; i++)
			expect(body[i] == pattern(id, i),
			    "request %d: wrong byte %zu", id, i);
	}
	free(body);
	return 0;
}

static int
client_fetch(void)
{
	int id = fair.next_request++, length = between(0, BODY_MAX);
	struct made_body body = {(size_t)between(1, BODY_MAX)};
	bool post = one_in(2);
	char url[64];
	struct weir_http_request request = {.url = url};
	struct weir_http_response *response;
	const char *said;
	int r;

	snprintf(url, sizeof(url), "http://10.0.0.%d:8000/r/%d/%d/%d",
	    between(2, 1 + SERVERS), id, length, post);
	if (post) {
		request.method = "POST";
		request.body_read = body_make;
		request.user = &body;
		request.body_length = one_in(2) ? body.left : 0;
	}
	r = weir_http_fetch(
	    fair.client, &request, &response, in_ms(PATIENCE_MS).ns);
	expect((r < 0) == (request.error[0] != '\0'), "%d says %s", r,
	    request.error);
	if (r < 0) {
		expect(!fair.calm || r == -ECANCELED, "request %d: %s (%d)", id,
		    request.error, r);
		expect(
		    r != -EINVAL && r != -EPROTONOSUPPORT, "%s", request.error);
		fair.errors++;
		return r;
	}
	said = weir_http_field(response, "x-id");
	expect(said == NULL || atoi(said) == id, "request %d got %s", id, said);
	expect(weir_http_status(response) == 200 ||
		weir_http_status(response) == 413 ||
		/* A body that was made is not sent again. */
		weir_http_status(response) == 303,
	    "status %d", weir_http_status(response));
	r = client_body(response, id, length);
	expect(r == 0 || !fair.calm || r == -ECANCELED, "request %d: body: %d",
	    id, r);
	fair.answers += r == 0;
	weir_http_response_close(response);
	return r;
}

static int
client_task(void *arg)
{
	int fetches = between(1, FETCHES_MAX);

	(void)arg;
	while (fetches-- > 0) {
		(void)client_fetch();
		if (task_sleep(duration_ms(between(0, 500))) < 0)
			break;
	}
	return 0;
}

static void
fair_clients(void)
{
	const struct weir_http_options options = {
	    .connections_max = (unsigned)between(1, 4),
	    .idle_max = (unsigned)between(1, 2),
	    .idle_ns = between(1, 2000) * 1000000};
	struct scope scope;
	int count = between(1, TASKS_MAX);

	if (weir_http_open(&options, &fair.client) < 0)
		return;
	scope_init(&scope, instant_never());
	for (int i = 0; i < count; i++)
		(void)!task_start(&scope, "client", client_task, NULL);
	if (one_in(3) && task_sleep(duration_ms(between(1, 2000))) == 0)
		scope_cancel(&scope, 0);
	(void)scope_wait(&scope);
	scope_fini(&scope);
	/* Dies when a connection was lost. */
	weir_http_close(fair.client);
}

static int
fair_root(void *arg)
{
	static const struct sim_faults few = {
	    .short_ppm = 200000, .not_ready_ppm = 100000, .late_ppm = 100000};
	static const struct sim_link near = {.latency = {2000000}};
	struct scope servers;
	bool all = true;

	(void)arg;
	memset(&fair, 0, sizeof(fair));
	fair.calm = one_in(3);
	if (fair.calm) {
		sim_faults_set(&few);
		must(sim_link_set(NULL, NULL, &near) == 0);
	}
	fair.servers = &servers;
	scope_init(&servers, instant_never());
	for (unsigned i = 0; i < SERVERS; i++) {
		struct sockaddr_in at = host(i + 2, 8000);

		listen_surely(&fair.listeners[i], &at);
		all &= task_start(&servers, "accept", server_task,
			   &fair.listeners[i]) == 0;
	}
	if (all)
		fair_clients();
	scope_fini(&servers);
	for (unsigned i = 0; i < SERVERS; i++)
		io_close(&fair.listeners[i]);
	return 0;
}

const struct sim_case sim_case_client = {.name = "client", .root = fair_root};
