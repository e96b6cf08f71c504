/*
 * sim_http.c - the edge's data plane between simulated clients and servers
 *
 * Clients send requests, one after the other or ahead of the answers. Servers
 * answer well, slowly, in pieces, half, or not at all. Every answer must be
 * the one to the request whose turn it is, whole where its framing says so; or
 * an honest error. What a server receives is what the client sent, and no POST
 * reaches servers twice.
 */
#include <fcntl.h>

#include "base/bytes.h"
#include "config/config.h"
#include "config/snapshot.h"
#include "http/server.h"
#include "main/features.h"
#include "net/shared.h"
#include "os/listen.h"
#include "os/log.h"
#include "sim_case.h"

#define SERVERS      2
#define CLIENTS_MAX  6
#define REQUESTS_MAX 400
#define BODY_MAX     60000
#define HEAD_MAX     2048
#define PATIENCE_MS  600000

static const char http_config[] =
    "sites:\n"
    "  - listen: 10.0.0.1:80\n"
    "    routes:\n"
    "      - {exact: /pong, respond: pong}\n"
    "      - {path: /, reverse: {pool: p}}\n"
    "pools:\n"
    "  p:\n"
    "    servers: [10.0.0.2:9000, 10.0.0.3:9000]\n";

static struct edge {
	bool calm; /* nobody misbehaves, no connection breaks */
	int next_request;
	int posts[REQUESTS_MAX]; /* times a server had all of it */
	int answers;
	int errors;
	int cut;
	struct scope *servers;
	struct io_fd listeners[SERVERS];
} edge;

static uint8_t
pattern(int id, size_t at)
{
	return (uint8_t)("abcdefghijklmnopqrstuvwxyz"[(at + (size_t)id) % 26]);
}

/* ---- a side of a connection: head, then counted bytes ---- */

struct wire {
	struct io_fd io;
	char memory[HEAD_MAX * 2];
	size_t length;
};

static int
wire_more(struct wire *w)
{
	ssize_t r;

	if (w->length == sizeof(w->memory))
		return -EMSGSIZE;
	r = io_recv(&w->io, w->memory + w->length,
	    sizeof(w->memory) - w->length, in_ms(PATIENCE_MS));
	if (r > 0)
		w->length += (size_t)r;
	return (int)r;
}

static void
wire_skip(struct wire *w, size_t bytes)
{
	memmove(w->memory, w->memory + bytes, w->length - bytes);
	w->length -= bytes;
}

/* The head up to its empty line, as text. 1, 0 at the end, or an error. */
static int
wire_head(struct wire *w, char head[HEAD_MAX])
{
	for (;;) {
		char *end = memmem(w->memory, w->length, "\r\n\r\n", 4);
		int r;

		if (end != NULL) {
			size_t bytes = (size_t)(end + 4 - w->memory);

			expect(bytes < HEAD_MAX, "a head of %zu", bytes);
			memcpy(head, w->memory, bytes);
			head[bytes] = '\0';
			wire_skip(w, bytes);
			return 1;
		}
		r = wire_more(w);
		if (r <= 0)
			return r == 0 && w->length > 0 ? -EPIPE : r;
	}
}

/* @length bytes of @id's pattern, from @at on. 0, or why not all came. */
static int
wire_body(struct wire *w, int id, size_t at, size_t length)
{
	while (length > 0) {
		size_t bytes = min_of(w->length, length);
		int r;

		for (size_t i = 0; i < bytes; i++, at++)
			expect((uint8_t)w->memory[i] == pattern(id, at),
			    "request %d: wrong byte %zu of a body", id, at);
		wire_skip(w, bytes);
		length -= bytes;
		if (length == 0)
			break;
		r = wire_more(w);
		if (r <= 0)
			return r < 0 ? r : -EPIPE;
	}
	return 0;
}

static int
wire_line(struct wire *w, char *into, size_t size)
{
	for (;;) {
		char *end = memmem(w->memory, w->length, "\r\n", 2);
		size_t bytes;
		int r;

		if (end != NULL) {
			bytes = (size_t)(end - w->memory);
			expect(bytes < size, "a line of %zu", bytes);
			memcpy(into, w->memory, bytes);
			into[bytes] = '\0';
			wire_skip(w, bytes + 2);
			return 0;
		}
		r = wire_more(w);
		if (r <= 0)
			return r < 0 ? r : -EPIPE;
	}
}

/* Returns the bytes of the body, or why not all came. */
static ssize_t
wire_chunks(struct wire *w, int id)
{
	size_t at = 0;
	char line[64];

	for (;;) {
		size_t length;
		int r = wire_line(w, line, sizeof(line));

		if (r < 0)
			return r;
		length = strtoul(line, NULL, 16);
		if (length == 0)
			return wire_line(w, line, sizeof(line)) < 0
			    ? -EPIPE
			    : (ssize_t)at;
		r = wire_body(w, id, at, length);
		if (r < 0 || (r = wire_line(w, line, sizeof(line))) < 0)
			return r;
		expect(line[0] == '\0', "a chunk is followed by %s", line);
		at += length;
	}
}

static ssize_t
wire_to_end(struct wire *w, int id)
{
	size_t at = 0;

	for (;;) {
		size_t bytes = w->length;
		int r = wire_body(w, id, at, bytes);

		at += bytes;
		if (r < 0)
			return r;
		r = wire_more(w);
		if (r <= 0)
			return r < 0 ? r : (ssize_t)at;
	}
}

static int
wire_send(struct wire *w, const void *from, size_t length)
{
	ssize_t r = io_send(&w->io, from, length, NULL, in_ms(PATIENCE_MS));

	return r < 0 ? (int)r : 0;
}

static int
wire_send_body(struct wire *w, int id, size_t at, size_t length)
{
	uint8_t block[1024];
	int r = 0;

	while (length > 0 && r == 0) {
		size_t bytes = min_of(length, sizeof(block));

		for (size_t i = 0; i < bytes; i++)
			block[i] = pattern(id, at + i);
		r = wire_send(w, block, bytes);
		at += bytes;
		length -= bytes;
	}
	return r;
}

/* A field's value as a number, or -1. Names are looked for as they are sent,
 * in either case. */
static long
head_number(const char *head, const char *name)
{
	const char *at = strcasestr(head, name);

	return at != NULL ? strtol(at + strlen(name), NULL, 10) : -1;
}

/* ---- servers ---- */

enum manner {
	MANNER_LENGTH,
	MANNER_CHUNKED,
	MANNER_CLOSE,
	MANNER_SLOW, /* good, with pauses */
	MANNER_GOOD_COUNT,
	MANNER_HALF = MANNER_GOOD_COUNT, /* closed in the body */
	MANNER_RESET,
	MANNER_SILENT, /* closed without a byte */
	MANNER_GARBAGE,
	MANNER_COUNT,
};

static int
server_answer_body(struct wire *w, int id, size_t length, enum manner manner)
{
	size_t at = 0;
	char line[16];
	int r = 0;

	if (manner != MANNER_CHUNKED && manner != MANNER_SLOW)
		return wire_send_body(w, id, 0, length);
	while (at < length && r == 0) {
		size_t bytes = (size_t)between(1, (int)(length - at));
		int n = snprintf(line, sizeof(line), "%zx\r\n", bytes);

		if (manner == MANNER_CHUNKED)
			r = wire_send(w, line, (size_t)n);
		if (r == 0)
			r = wire_send_body(w, id, at, bytes);
		if (r == 0 && manner == MANNER_CHUNKED)
			r = wire_send(w, "\r\n", 2);
		if (r == 0 && manner == MANNER_SLOW && one_in(2))
			r = task_sleep(duration_ms(between(1, 200)));
		at += bytes;
	}
	if (r == 0 && manner == MANNER_CHUNKED)
		r = wire_send(w, "0\r\n\r\n", 5);
	return r;
}

/* 1: the connection goes on. */
static int
server_answer(struct wire *w, int id, size_t length, enum manner manner)
{
	static const char garbage[] = "HTTP/9 banana\r\nno\r\n\r\n";
	struct linger linger = {1, 0};
	char head[256];
	int n, r;

	if (manner == MANNER_SILENT)
		return 0;
	if (manner == MANNER_GARBAGE)
		return wire_send(w, garbage, sizeof(garbage) - 1);
	n = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nX-Id: %d\r\n", id);
	if (manner == MANNER_CHUNKED)
		n += snprintf(head + n, sizeof(head) - (size_t)n,
		    "Transfer-Encoding: chunked\r\n\r\n");
	else if (manner == MANNER_CLOSE)
		n += snprintf(head + n, sizeof(head) - (size_t)n,
		    "X-Length: %zu\r\nConnection: close\r\n\r\n", length);
	else
		n += snprintf(head + n, sizeof(head) - (size_t)n,
		    "Content-Length: %zu\r\n\r\n", length);
	r = wire_send(w, head, (size_t)n);
	if (r < 0)
		return r;
	if (manner == MANNER_HALF || manner == MANNER_RESET) {
		r = wire_send_body(w, id, 0, length / 2);
		if (manner == MANNER_RESET)
			(void)!socket_option_set(w->io.fd, SOL_SOCKET,
			    SO_LINGER, &linger, sizeof(linger));
		return 0;
	}
	r = server_answer_body(w, id, length, manner);
	return r < 0 ? r : manner != MANNER_CLOSE;
}

/* One request. 1: the connection goes on. */
static int
server_request(struct wire *w)
{
	char head[HEAD_MAX];
	int id, wanted, r = wire_head(w, head);
	long length;

	if (r <= 0)
		return r;
	r = sscanf(strchr(head, ' ') + 1, "/r/%d/%d ", &id, &wanted);
	expect(r == 2, "a server is asked: %s", head);
	length = head_number(head, "\r\nContent-Length:");
	if (length > 0)
		r = wire_body(w, id, 0, (size_t)length);
	else if (strcasestr(head, "\r\nTransfer-Encoding: chunked") != NULL)
		r = wire_chunks(w, id) < 0 ? -EPIPE : 0;
	if (r < 0)
		return r;
	if (strncmp(head, "POST ", 5) == 0)
		edge.posts[id]++;
	expect(edge.posts[id] <= 1, "POST %d reached servers %d times", id,
	    edge.posts[id]);
	return server_answer(w, id, (size_t)wanted,
	    (enum manner)sim_random(
		edge.calm || one_in(2) ? MANNER_GOOD_COUNT : MANNER_COUNT));
}

static int
server_connection(void *arg)
{
	struct wire *w = malloc(sizeof(*w));
	int fd = (int)(intptr_t)arg, requests = 0;

	must(w != NULL);
	w->length = 0;
	if (io_attach(&w->io, fd) < 0) {
		socket_close(fd);
		free(w);
		return 0;
	}
	while (server_request(w) > 0) {
		/* Kept connections end at the worst moment. */
		if (!edge.calm && ++requests > 2 && one_in(4))
			break;
	}
	io_close(&w->io);
	free(w);
	return 0;
}

static int
server_task(void *arg)
{
	accept_all(arg, edge.servers, server_connection);
	io_close(arg);
	return 0;
}

/* ---- clients ---- */

struct request {
	int id; /* -1: /pong */
	size_t answer_bytes;
};

static int
client_ask(struct wire *w, struct request *q)
{
	char head[256];
	int n;
	bool post = one_in(3);
	size_t body = post ? (size_t)between(0, BODY_MAX) : 0;
	int r;

	if (one_in(6)) {
		q->id = -1;
		n = snprintf(head, sizeof(head),
		    "GET /pong HTTP/1.1\r\nHost: sim\r\n\r\n");
		return wire_send(w, head, (size_t)n);
	}
	q->id = edge.next_request++;
	q->answer_bytes = (size_t)between(0, one_in(3) ? BODY_MAX : 500);
	n = snprintf(head, sizeof(head),
	    "%s /r/%d/%zu HTTP/1.1\r\nHost: sim\r\n", post ? "POST" : "GET",
	    q->id, q->answer_bytes);
	n += snprintf(head + n, sizeof(head) - (size_t)n,
	    post ? "Content-Length: %zu\r\n\r\n" : "\r\n", body);
	r = wire_send(w, head, (size_t)n);
	return r < 0 ? r : wire_send_body(w, q->id, 0, body);
}

static int
client_error(struct wire *w, const char *head, int status)
{
	long length = head_number(head, "\r\nContent-Length:");
	int r = 0;

	expect(status == 502 || status == 503 || status == 504 || status == 408,
	    "status %d", status);
	expect(!edge.calm, "status %d, and nothing failed", status);
	edge.errors++;
	for (; length > 0 && r >= 0; length -= 1) {
		r = w->length > 0 ? 1 : wire_more(w);
		if (r == 0)
			r = -EPIPE;
		if (r > 0)
			wire_skip(w, 1);
	}
	return r;
}

/* The answer to @q. 1: the connection goes on. */
static int
client_answer(struct wire *w, const struct request *q)
{
	char head[HEAD_MAX];
	int status, r = wire_head(w, head);
	ssize_t bytes;
	long length;

	if (r <= 0)
		return r;
	must(sscanf(head, "HTTP/1.1 %d ", &status) == 1);
	r = strcasestr(head, "\r\nConnection: close") == NULL;
	if (status != 200)
		return client_error(w, head, status) < 0 ? -EPIPE : r;
	length = head_number(head, "\r\nContent-Length:");
	if (q->id < 0) {
		expect(length == 4, "pong of %ld", length);
		while (w->length < 4) {
			int more = wire_more(w);

			if (more <= 0)
				return more < 0 ? more : -EPIPE;
		}
		expect(memcmp(w->memory, "pong", 4) == 0, "%.4s", w->memory);
		wire_skip(w, 4);
		edge.answers++;
		return r;
	}
	expect(head_number(head, "\r\nX-Id:") == q->id, "request %d got: %s",
	    q->id, head);
	if (strcasestr(head, "\r\nTransfer-Encoding: chunked") != NULL)
		bytes = wire_chunks(w, q->id);
	else if (length >= 0)
		bytes = wire_body(w, q->id, 0, (size_t)length) < 0 ? -EPIPE
								   : length;
	else
		bytes = wire_to_end(w, q->id);
	if (bytes < 0)
		return (int)bytes;
	expect((size_t)bytes == q->answer_bytes, "request %d: %zd of %zu",
	    q->id, bytes, q->answer_bytes);
	edge.answers++;
	return r;
}

static int
client_connection(struct wire *w)
{
	struct request ahead[4];
	int rounds = between(1, 5), r = 1;

	while (rounds-- > 0 && r > 0) {
		/* Ahead of the answers where the client is bold. */
		int count = one_in(3) ? between(2, 4) : 1, asked = 0;

		while (asked < count && r >= 0 &&
		    edge.next_request < REQUESTS_MAX) {
			r = client_ask(w, &ahead[asked]);
			asked += r >= 0;
		}
		expect(r >= 0 || !edge.calm, "a request was not sent: %d", r);
		r = 1;
		for (int i = 0; i < asked && r > 0; i++) {
			r = client_answer(w, &ahead[i]);
			edge.cut += r < 0;
			expect(r >= 0 || !edge.calm,
			    "request %d was not answered: %d", ahead[i].id, r);
			/* A close in between: the others were not served. */
			expect(r != 0 || i == asked - 1 || !edge.calm,
			    "closed after answer %d of %d", i, asked);
		}
		if (r > 0 && one_in(4))
			r = task_sleep(duration_ms(between(1, 3000))) == 0;
	}
	return r;
}

static int
client_task(void *arg)
{
	struct sockaddr_in at = host(1, 80);
	struct wire *w = malloc(sizeof(*w));
	int fd = socket_open(AF_INET, SOCK_STREAM, 0);

	(void)arg;
	must(w != NULL);
	w->length = 0;
	if (fd >= 0 && io_attach(&w->io, fd) == 0) {
		if (io_connect(&w->io, (const struct sockaddr *)&at, sizeof(at),
			in_ms(PATIENCE_MS)) == 0)
			(void)client_connection(w);
		io_close(&w->io);
	} else if (fd >= 0) {
		socket_close(fd);
	}
	free(w);
	return 0;
}

/* ---- the edge ---- */

static bool
edge_start(void)
{
	struct sockaddr_in at = host(1, 80);
	struct listen_options listening = {.address = (struct sockaddr *)&at,
	    .length = sizeof(at),
	    .backlog = 64};
	struct bytes text = bytes_from(http_config);
	struct config_errors errors;
	struct snapshot *snapshot;
	char memory[256];
	struct appender why = appender_over(memory, sizeof(memory));
	int fd, r;

	config_errors_init(&errors, "/sim.yaml", text);
	r = snapshot_build(text, "/sim.yaml", &errors, &snapshot);
	if (r < 0)
		config_errors_print(&errors, stderr, false);
	config_errors_fini(&errors);
	must(r == 0);
	for (unsigned i = 0; i < snapshot->pools[0].server_count; i++)
		must(verdict_claim(snapshot->pools[0].name,
			 snapshot->pools[0].servers[i].name) >= 0);
	while ((r = listen_open(&listening, &fd, 1)) < 0)
		expect(r == -EMFILE || r == -ENFILE, "listen: %d", r);
	r = server_prepare(snapshot, &fd, 1, &why);
	expect(r == 0 || r == -ENOMEM, "prepare: %d %.*s", r, (int)why.length,
	    memory);
	if (r == 0)
		server_commit();
	return r == 0;
}

static void
edge_clients(void)
{
	struct scope scope;
	int count = between(1, CLIENTS_MAX);

	scope_init(&scope, instant_never());
	for (int i = 0; i < count; i++)
		(void)!task_start(&scope, "client", client_task, NULL);
	(void)scope_wait(&scope);
	scope_fini(&scope);
}

static bool
edge_servers_start(void)
{
	bool all = true;

	for (int i = 0; i < SERVERS; i++) {
		struct sockaddr_in at = host((unsigned)i + 2, 9000);

		listen_surely(&edge.listeners[i], &at);
		if (task_start(edge.servers, "accept", server_task,
			&edge.listeners[i]) == 0)
			continue;
		io_close(&edge.listeners[i]);
		all = false;
	}
	return all;
}

static int
edge_root(void *arg)
{
	struct scope servers;

	(void)arg;
	memset(&edge, 0, sizeof(edge));
	edge.calm = one_in(3);
	if (edge.calm)
		sim_faults_set(&(struct sim_faults){.short_ppm = 200000,
		    .not_ready_ppm = 100000,
		    .late_ppm = 100000,
		    .timer_ppm = 100000});
	edge.servers = &servers;
	scope_init(&servers, instant_never());
	if (edge_servers_start() && edge_start()) {
		edge_clients();
		server_drain(in_ms(120000));
	}
	scope_fini(&servers);
	server_thread_end();
	return 0;
}

static void
edge_process_start(void)
{
	features_register();
	must(shared_map_private() == 0);
	/* Its lines of what is made to fail are not for here. */
	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC | O_APPEND),
	    LOG_LEVEL_ERROR, "sim");
}

const struct sim_case sim_case_http = {.name = "http",
    .root = edge_root,
    .start = edge_process_start,
    .forked = true};
