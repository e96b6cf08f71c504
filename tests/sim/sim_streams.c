/*
 * sim_streams.c - echo servers and clients that come, stop and break
 *
 * Whatever happens on the way, what a client gets back is what it sent, from
 * the start, in order, without a hole; and when nothing was made to fail it is
 * all of it.
 */
#include "sim_case.h"

#define SERVERS_MAX  3
#define CLIENTS_MAX  12
#define MESSAGES_MAX 20
#define BYTES_MAX    20000

struct server {
	struct io_fd listener;
	struct sockaddr_in address;
};

static struct storm {
	struct scope *scope;
	struct server servers[SERVERS_MAX];
	int server_count;
	bool calm; /* nothing breaks and nobody is stopped */
	unsigned started;
	unsigned ended;
	uint64_t echoed;
} storm;

static uint8_t
pattern(int client, size_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7 + (size_t)client * 101);
}

/* ---- servers ---- */

static int
echo_task(void *arg)
{
	struct io_fd io;
	char block[3000];
	ssize_t r = io_attach(&io, (int)(intptr_t)arg);

	storm.started++;
	if (r < 0)
		socket_close((int)(intptr_t)arg);
	while (r >= 0) {
		r = io_recv(&io, block, (size_t)between(1, sizeof(block)),
		    in_ms(60000));
		if (r <= 0)
			break;
		if (one_in(50) && task_sleep(duration_ms(between(1, 50))) < 0)
			break;
		r = io_send(&io, block, (size_t)r, NULL, in_ms(120000));
	}
	if (r != -ENOMEM)
		io_close(&io);
	storm.ended++;
	return 0;
}

static int
server_task(void *arg)
{
	struct server *server = arg;
	int fd;

	for (;;) {
		fd = io_accept(&server->listener, NULL, NULL, instant_never());
		if (fd == -ECANCELED)
			break;
		if (fd == -EMFILE || fd == -ENFILE) {
			if (task_sleep(duration_ms(10)) < 0)
				break;
			continue;
		}
		expect(fd >= 0, "accept: %d", fd);
		if (task_start(storm.scope, "echo", echo_task,
			(void *)(intptr_t)fd) < 0)
			socket_close(fd);
	}
	io_close(&server->listener);
	return 0;
}

/* ---- clients ---- */

struct client {
	int number;
	struct io_fd io;
	size_t sent;
	size_t got;
	bool refused; /* never connected */
	int write_error;
	int read_error;
};

static int
client_write(void *arg)
{
	struct client *c = arg;
	int messages = between(1, MESSAGES_MAX);
	ssize_t r = 0;

	for (int m = 0; m < messages && r >= 0; m++) {
		size_t length = (size_t)between(1, BYTES_MAX / messages);
		uint8_t *bytes = malloc(length);
		size_t sent = 0;

		for (size_t i = 0; i < length; i++)
			bytes[i] = pattern(c->number, c->sent + i);
		r = io_send(&c->io, bytes, length, &sent,
		    storm.calm ? instant_never() : in_ms(between(1, 30000)));
		expect(sent <= length && (r < 0 || sent == length),
		    "sent %zu of %zu: %zd", sent, length, r);
		c->sent += sent;
		free(bytes);
		if (r >= 0 && one_in(4))
			r = task_sleep(duration_ms(between(1, 300)));
	}
	c->write_error = r < 0 ? (int)r : 0;
	if (r >= 0 && socket_shutdown(c->io.fd, SHUT_WR) < 0)
		c->write_error = -EPIPE;
	return 0;
}

static void
client_read(struct client *c)
{
	uint8_t block[4000];
	ssize_t r;

	do {
		r = io_recv(&c->io, block, (size_t)between(1, sizeof(block)),
		    storm.calm ? instant_never() : in_ms(between(1, 60000)));
		for (ssize_t i = 0; i < r; i++, c->got++)
			expect(block[i] == pattern(c->number, c->got),
			    "client %d: wrong byte %zu", c->number, c->got);
	} while (r > 0);
	c->read_error = (int)r;
}

static int
client_connect(struct client *c)
{
	const struct server *server =
	    &storm.servers[sim_random((uint64_t)storm.server_count)];
	int fd = socket_open(AF_INET, SOCK_STREAM, 0);
	int r;

	if (fd < 0)
		return fd;
	r = io_attach(&c->io, fd);
	if (r < 0) {
		socket_close(fd);
		return r;
	}
	r = io_connect(&c->io, (const struct sockaddr *)&server->address,
	    sizeof(server->address), in_ms(120000));
	if (r < 0)
		io_close(&c->io);
	return r;
}

static int
client_task(void *arg)
{
	struct client *c = arg;
	struct scope scope;
	int r;

	storm.started++;
	c->io = IO_FD_NONE;
	r = task_sleep(duration_ms(between(0, 500)));
	if (r >= 0)
		r = client_connect(c);
	c->refused = r < 0;
	if (r >= 0) {
		scope_init(&scope, instant_never());
		r = task_start(&scope, "write", client_write, c);
		if (r == 0)
			client_read(c);
		/* The writer goes on until the reader has an end. */
		scope_fini(&scope);
		io_close(&c->io);
	}
	storm.ended++;
	return 0;
}

static void
client_check(const struct client *c)
{
	expect(c->got <= c->sent, "client %d got %zu of %zu", c->number, c->got,
	    c->sent);
	storm.echoed += c->got;
	if (!storm.calm)
		return;
	expect(!c->refused && c->read_error == 0 && c->write_error == 0 &&
		c->got == c->sent,
	    "client %d, nothing failed: sent %zu (%d), got %zu (%d)", c->number,
	    c->sent, c->write_error, c->got, c->read_error);
}

static void
storm_clients(void)
{
	static struct client clients[CLIENTS_MAX];
	int count = between(1, CLIENTS_MAX);
	instant end = storm.calm ? instant_never() : in_ms(between(1, 20000));
	struct scope scope;
	int started = 0;

	memset(clients, 0, sizeof(clients));
	/* Not calm: those that are slow are stopped half-way. */
	scope_init(&scope, end);
	for (int i = 0; i < count; i++) {
		clients[i].number = i;
		clients[i].refused = true;
		started +=
		    task_start(&scope, "client", client_task, &clients[i]) == 0;
	}
	expect(started == count || !storm.calm, "%d of %d started", started,
	    count);
	(void)scope_wait(&scope);
	scope_fini(&scope);
	for (int i = 0; i < count; i++)
		client_check(&clients[i]);
}

/* Somebody cuts the wire for a while. */
static int
partition_task(void *arg)
{
	struct sim_link link = {.latency = duration_ms(1)};

	(void)arg;
	while (task_sleep(duration_ms(between(10, 3000))) == 0) {
		link.state = one_in(2) ? SIM_SILENT : SIM_UNREACHABLE;
		(void)!sim_link_set(NULL, NULL, &link);
		if (task_sleep(duration_ms(between(1, 1500))) < 0)
			break;
		link.state = SIM_UP;
		(void)!sim_link_set(NULL, NULL, &link);
	}
	return 0;
}

static bool
storm_servers_start(struct scope *scope)
{
	bool all = true;

	storm.server_count = between(1, SERVERS_MAX);
	for (int i = 0; i < storm.server_count; i++) {
		struct server *s = &storm.servers[i];

		s->address = host((unsigned)i + 1, 7);
		listen_surely(&s->listener, &s->address);
	}
	for (int i = 0; i < storm.server_count; i++) {
		struct server *s = &storm.servers[i];

		if (task_start(scope, "server", server_task, s) == 0)
			continue;
		io_close(&s->listener);
		all = false;
	}
	return all;
}

static int
storm_root(void *arg)
{
	struct sim_faults none = {0};
	struct scope scope;

	(void)arg;
	memset(&storm, 0, sizeof(storm));
	storm.calm = one_in(3);
	if (storm.calm)
		sim_faults_set(&(struct sim_faults){.short_ppm = 200000,
		    .not_ready_ppm = 100000,
		    .late_ppm = 100000,
		    .timer_ppm = 100000});
	storm.scope = &scope;
	scope_init(&scope, instant_never());
	if (storm_servers_start(&scope)) {
		if (!storm.calm && one_in(4))
			(void)!task_start(
			    &scope, "partition", partition_task, NULL);
		storm_clients();
	}
	scope_fini(&scope);
	expect(storm.started == storm.ended, "%u tasks started, %u ended",
	    storm.started, storm.ended);
	sim_faults_set(&none);
	return 0;
}

const struct sim_case sim_case_streams = {
    .name = "streams", .root = storm_root};
