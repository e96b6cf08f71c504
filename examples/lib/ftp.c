/*
 * ftp.c - FTP's two connections: lines to command, another for the bytes
 *
 *   cc ftp.c $(pkg-config --cflags --libs weir)
 *
 * A server for RETR, STOR and LIST of files it keeps in memory, and a client
 * (RFC 959; passive mode of RFC 2428). Each conversation is one task from
 * USER to QUIT: what has been said before is simply where the code stands.
 */
#include <weir/weir.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES 4

static const struct weir_framing lines = {.kind = WEIR_FRAME_LINE, .max = 255};
static struct {
	char name[32];
	char text[256];
} files[FILES] = {{"motd", "Water finds its level.\n"}};

static weir_time
soon(void)
{
	return weir_after(2 * WEIR_SECOND);
}

static int
listener_open(struct weir_io *io, uint16_t *ret_port)
{
	struct weir_address address;
	int error = weir_address_parse("127.0.0.1:0", &address);

	if (error == 0)
		error = weir_listen(io, &address, NULL);
	if (error == 0)
		error = weir_local_address(io, &address);
	*ret_port = weir_address_port(&address);
	return error;
}

/* ---- the server ---- */

struct session {
	struct weir_io *control;
	struct weir_io passive; /* where the other connection is awaited */
	struct weir_reader reader;
	char buffer[512];
};

static void
reply(struct session *s, const char *line)
{
	if (weir_frame_send(s->control, &lines, line, strlen(line), soon()) < 0)
		weir_io_close(s->control); /* The next read ends it. */
}

static int
file_find(const char *name)
{
	for (int i = 0; i < FILES; i++) {
		if (strcmp(files[i].name, name) == 0)
			return i;
	}
	return -1;
}

static void
enter_passive(struct session *s)
{
	uint16_t port;
	char line[64];

	weir_io_close(&s->passive);
	if (listener_open(&s->passive, &port) < 0) {
		reply(s, "425 No socket");
		return;
	}
	snprintf(line, sizeof(line),
	    "229 Entering Extended Passive Mode (|||%u|)", port);
	reply(s, line);
}

static void
send_text(struct weir_io *data, const char *text)
{
	if (weir_send(data, text, strlen(text), NULL, soon()) < 0)
		printf("server: the data connection broke\n");
}

static void
store(struct weir_io *data, const char *name)
{
	int i = file_find(name);
	size_t length = 0;
	ssize_t got = 0;

	if (i < 0)
		i = file_find("");
	if (i < 0)
		return;
	snprintf(files[i].name, sizeof(files[i].name), "%s", name);
	do {
		length += (size_t)got;
		got = weir_recv(data, files[i].text + length,
		    sizeof(files[i].text) - length, soon());
	} while (got > 0 && length + (size_t)got < sizeof(files[i].text));
}

/* Commands that need the other connection. */
static void
transfer(struct session *s, const char *command, const char *name)
{
	struct weir_io data;
	int fd, i = file_find(name);

	if (strcmp(command, "RETR") == 0 && i < 0) {
		reply(s, "550 No such file");
		return;
	}
	reply(s, "150 Opening data connection");
	fd = weir_accept(&s->passive, NULL, NULL, soon());
	weir_io_close(&s->passive);
	if (fd < 0 || weir_io_attach(&data, fd) < 0) {
		reply(s, "425 No data connection");
		return;
	}
	if (strcmp(command, "RETR") == 0)
		send_text(&data, files[i].text);
	else if (strcmp(command, "STOR") == 0)
		store(&data, name);
	for (i = 0; i < FILES && strcmp(command, "LIST") == 0; i++) {
		if (files[i].name[0] != '\0') {
			send_text(&data, files[i].name);
			send_text(&data, "\r\n");
		}
	}
	weir_io_close(&data); /* The end of the file. */
	reply(s, "226 Transfer complete");
}

/* A conversation; weir_serve() closes its connection. */
static int
session(struct weir_io *io, const struct weir_address *from, void *arg)
{
	struct session s = {.control = io};
	struct weir_frame line;
	char command[8], name[32];

	(void)from;
	(void)arg;
	weir_io_clear(&s.passive);
	weir_reader_init(&s.reader, io, s.buffer, sizeof(s.buffer));
	reply(&s, "220 weir");
	while (weir_reader_frame(&s.reader, &lines, &line, WEIR_NEVER) > 0) {
		char text[256];

		snprintf(text, sizeof(text), "%.*s", (int)line.length,
		    (const char *)line.data);
		command[0] = name[0] = '\0';
		(void)sscanf(text, "%7s %31s", command, name);
		if (strcmp(command, "USER") == 0)
			reply(&s, "230 Welcome");
		else if (strcmp(command, "EPSV") == 0)
			enter_passive(&s);
		else if (strcmp(command, "RETR") == 0 ||
		    strcmp(command, "STOR") == 0 ||
		    strcmp(command, "LIST") == 0)
			transfer(&s, command, name);
		else if (strcmp(command, "QUIT") == 0)
			break;
		else
			reply(&s, "502 Not implemented");
	}
	reply(&s, "221 Goodbye");
	weir_io_close(&s.passive);
	return 0;
}

static int
server(void *listener)
{
	struct weir_serve_options options = {.conversation = session};

	return weir_serve(listener, NULL, &options, WEIR_NEVER);
}

/* ---- the client ---- */

struct client {
	struct weir_io control;
	struct weir_reader reader;
	char buffer[512];
};

static void
dial(struct weir_io *io, unsigned port)
{
	if (weir_dial(io, "127.0.0.1", (uint16_t)port, NULL, NULL, soon()) < 0)
		exit(1);
}

/* The next reply: its code; its text is shown. */
static int
hear(struct client *c, unsigned *ret_port)
{
	struct weir_frame line;
	char text[256];

	if (weir_reader_frame(&c->reader, &lines, &line, soon()) <= 0)
		exit(1);
	snprintf(text, sizeof(text), "%.*s", (int)line.length,
	    (const char *)line.data);
	if (ret_port != NULL && strstr(text, "(|||") != NULL)
		*ret_port =
		    (unsigned)strtoul(strstr(text, "(|||") + 4, NULL, 10);
	else
		printf("< %s\n", text);
	return (int)strtol(text, NULL, 10);
}

static void
say(struct client *c, const char *line)
{
	printf("> %s\n", line);
	if (weir_frame_send(&c->control, &lines, line, strlen(line), soon()) <
	    0)
		exit(1);
}

/* A command over two connections: sends @text, or shows what comes. */
static void
transfer_to(struct client *c, const char *command, const char *text)
{
	struct weir_io data;
	unsigned port = 0;
	char block[256];
	ssize_t got;

	if (weir_frame_send(&c->control, &lines, "EPSV", 4, soon()) < 0 ||
	    hear(c, &port) != 229)
		exit(1);
	dial(&data, port);
	say(c, command);
	if (hear(c, NULL) == 150) {
		if (text != NULL &&
		    weir_send(&data, text, strlen(text), NULL, soon()) < 0)
			exit(1);
		while (text == NULL &&
		    (got = weir_recv(&data, block, sizeof(block), soon())) > 0)
			printf("%.*s", (int)got, block);
		weir_io_close(&data);
		hear(c, NULL);
	} else {
		weir_io_close(&data);
	}
}

static int
root(void *arg)
{
	static struct client c;
	struct weir_scope scope;
	struct weir_io listener;
	uint16_t port;

	(void)arg;
	if (listener_open(&listener, &port) < 0)
		return -1;
	/* The listener lies on this stack: its server ends before we do. */
	weir_scope_init(&scope, WEIR_NEVER);
	if (weir_task_start(&scope, "server", server, &listener) < 0)
		exit(1);
	dial(&c.control, port);
	weir_reader_init(&c.reader, &c.control, c.buffer, sizeof(c.buffer));
	hear(&c, NULL);
	say(&c, "USER anonymous");
	hear(&c, NULL);
	transfer_to(&c, "RETR motd", NULL);
	transfer_to(&c, "STOR level", "High.\n");
	transfer_to(&c, "LIST", NULL);
	transfer_to(&c, "RETR level", NULL);
	transfer_to(&c, "RETR nothing", NULL);
	say(&c, "QUIT");
	hear(&c, NULL);
	weir_io_close(&c.control);
	weir_scope_fini(&scope);
	weir_io_close(&listener);
	return 0;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) != 0;
}
