/*
 * chat.c - a room of line chat in IRC's manner: NICK, PRIVMSG, PART, QUIT
 *
 *   cc chat.c $(pkg-config --cflags --libs weir)
 *
 * The server is a protocol in push form; a member who does not read is let go
 * when too much waits for him, so that he holds up nobody. The clients are
 * tasks that call; both shapes stand on the same framing.
 */
#include <weir/weir.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMBERS 16
#define NAME    16

static const struct weir_framing lines = {.kind = WEIR_FRAME_LINE, .max = 510};

/* ---- the server ---- */

struct member {
	struct weir_transport *transport;
	char name[NAME];
};

static struct member room[MEMBERS];

static void
tell(struct member *to, const char *text)
{
	int error =
	    weir_transport_write_frame(to->transport, text, strlen(text));

	if (error < 0 && error != -EPIPE)
		weir_transport_abort(to->transport, error);
}

static void
tell_all(const struct member *but, const char *text)
{
	for (struct member *m = room; m < room + MEMBERS; m++) {
		if (m->transport != NULL && m->name[0] != '\0' && m != but)
			tell(m, text);
	}
}

static int
member_made(struct weir_transport *transport)
{
	for (struct member *m = room; m < room + MEMBERS; m++) {
		if (m->transport == NULL) {
			*m = (struct member){.transport = transport};
			weir_transport_user_set(transport, m);
			return 0;
		}
	}
	weir_transport_user_set(transport, NULL);
	return -EBUSY;
}

static int
member_line(struct weir_transport *transport, const struct weir_frame *frame)
{
	struct member *me = weir_transport_user(transport);
	char line[512], text[600];

	snprintf(line, sizeof(line), "%.*s", (int)frame->length,
	    (const char *)frame->data);
	if (strncmp(line, "NICK ", 5) == 0) {
		snprintf(me->name, sizeof(me->name), "%.15s", line + 5);
		snprintf(text, sizeof(text), ":%s JOIN #weir", me->name);
		tell_all(NULL, text);
	} else if (me->name[0] == '\0') {
		tell(me, ":server 451 * :NICK first");
	} else if (strncmp(line, "PRIVMSG #weir :", 15) == 0) {
		snprintf(text, sizeof(text), ":%s %s", me->name, line);
		tell_all(me, text);
	} else if (strcmp(line, "QUIT") == 0) {
		weir_transport_close(transport);
	} else {
		tell(me, ":server 421 * :Unknown command");
	}
	return 0;
}

static void
member_lost(struct weir_transport *transport, int error)
{
	struct member *me = weir_transport_user(transport);
	char text[64];

	if (me == NULL)
		return;
	snprintf(text, sizeof(text), ":%s QUIT :%s", me->name,
	    error == 0 ? "bye" : strerror(-error));
	me->transport = NULL;
	if (me->name[0] != '\0')
		tell_all(me, text);
}

static int
serve(void *listener)
{
	static const struct weir_protocol protocol = {.name = "chat",
	    .made = member_made,
	    .framing = &lines,
	    .frame = member_line,
	    .lost = member_lost};

	return weir_protocol_serve(listener, &protocol, NULL, MEMBERS);
}

/* ---- two clients ---- */

struct client {
	struct weir_io io;
	struct weir_reader reader;
	char buffer[1024];
};

static void
say(struct client *client, const char *line)
{
	if (weir_frame_send(&client->io, &lines, line, strlen(line),
		weir_after(WEIR_SECOND)) < 0)
		exit(1);
}

static void
hear(struct client *client, const char *who)
{
	struct weir_frame line;

	if (weir_reader_frame(
		&client->reader, &lines, &line, weir_after(WEIR_SECOND)) <= 0)
		exit(1);
	printf(
	    "%s hears %.*s\n", who, (int)line.length, (const char *)line.data);
}

static void
come(struct client *client, uint16_t port)
{
	if (weir_dial(&client->io, "127.0.0.1", port, NULL, NULL,
		weir_after(WEIR_SECOND)) < 0)
		exit(1);
	weir_reader_init(&client->reader, &client->io, client->buffer,
	    sizeof(client->buffer));
}

static int
root(void *arg)
{
	static struct client ann, bob;
	struct weir_address address;
	struct weir_scope server;
	struct weir_io listener;

	(void)arg;
	if (weir_address_parse("127.0.0.1:0", &address) < 0 ||
	    weir_listen(&listener, &address, NULL) < 0 ||
	    weir_local_address(&listener, &address) < 0)
		return -1;
	/* The listener lies on this stack: its server ends before we do. */
	weir_scope_init(&server, WEIR_NEVER);
	if (weir_task_start(&server, "server", serve, &listener) < 0)
		exit(1);
	come(&ann, weir_address_port(&address));
	say(&ann, "PRIVMSG #weir :too early");
	hear(&ann, "ann");
	say(&ann, "NICK ann");
	hear(&ann, "ann");
	come(&bob, weir_address_port(&address));
	say(&bob, "NICK bob");
	hear(&bob, "bob");
	hear(&ann, "ann");
	say(&bob, "PRIVMSG #weir :the river is high");
	hear(&ann, "ann");
	say(&bob, "QUIT");
	hear(&ann, "ann");
	weir_io_close(&ann.io);
	weir_io_close(&bob.io);
	weir_scope_fini(&server);
	weir_io_close(&listener);
	return 0;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) != 0;
}
