/*
 * mail.c - a letter by SMTP: commands, then data that ends with a lone dot
 *
 *   cc mail.c $(pkg-config --cflags --libs weir)
 *
 * A server that takes letters and a client that hands in one (RFC 5321). A
 * line of the letter that begins with a dot gets a second one on the road and
 * loses it at its end, so that no letter can be cut short by what it says.
 */
#include <weir/weir.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LETTER_MAX 4096
#define PATH       128

static const struct weir_framing lines = {.kind = WEIR_FRAME_LINE, .max = 998};

static weir_time
soon(void)
{
	return weir_after(2 * WEIR_SECOND);
}

/* ---- either end ---- */

struct end {
	struct weir_io *io;
	struct weir_reader reader;
	char buffer[1024];
	char line[1000];
};

static void
end_init(struct end *e, struct weir_io *io)
{
	e->io = io;
	weir_reader_init(&e->reader, io, e->buffer, sizeof(e->buffer));
}

static bool
say(struct end *e, const char *line)
{
	return weir_frame_send(e->io, &lines, line, strlen(line), soon()) == 0;
}

static bool
hear(struct end *e)
{
	struct weir_frame line;

	if (weir_reader_frame(&e->reader, &lines, &line, soon()) <= 0)
		return false;
	snprintf(e->line, sizeof(e->line), "%.*s", (int)line.length,
	    (const char *)line.data);
	return true;
}

/* ---- the server ---- */

struct envelope {
	char from[PATH];
	char to[PATH];
	char letter[LETTER_MAX];
};

/* What follows DATA. A letter that is too long is read to its end all the
 * same: what comes after it is the next command. */
static const char *
letter_take(struct end *e, struct envelope *mail)
{
	size_t length = 0;
	bool fits = true;

	mail->letter[0] = '\0';
	while (hear(e)) {
		const char *text = e->line[0] == '.' ? e->line + 1 : e->line;

		if (strcmp(e->line, ".") == 0)
			return fits ? "250 Kept" : "552 Too long";
		fits = fits && length + strlen(text) + 2 <= LETTER_MAX;
		if (fits)
			length += (size_t)snprintf(mail->letter + length,
			    LETTER_MAX - length, "%s\n", text);
	}
	return NULL;
}

static const char *
answer(struct end *e, struct envelope *mail)
{
	if (strncasecmp(e->line, "HELO ", 5) == 0)
		return "250 weir";
	if (sscanf(e->line, "MAIL FROM:<%127[^>]>", mail->from) == 1)
		return "250 Sender";
	if (mail->from[0] == '\0')
		return "503 MAIL first";
	if (sscanf(e->line, "RCPT TO:<%127[^>]>", mail->to) == 1)
		return "250 Recipient";
	if (mail->to[0] == '\0')
		return "503 RCPT first";
	return strcasecmp(e->line, "DATA") == 0 ? "354 End with a lone dot"
						: "502 Not implemented";
}

static int
session(struct weir_io *io, const struct weir_address *from, void *arg)
{
	struct envelope *mail = arg; /* The house has one letter box. */
	static struct end e;
	const char *reply = "220 weir";

	(void)from;
	end_init(&e, io);
	while (reply != NULL && say(&e, reply) && hear(&e)) {
		if (strcasecmp(e.line, "QUIT") == 0) {
			(void)say(&e, "221 Goodbye");
			break;
		}
		reply = answer(&e, mail);
		if (strncmp(reply, "354", 3) == 0)
			reply = say(&e, reply) ? letter_take(&e, mail) : NULL;
	}
	return 0;
}

static struct envelope letter_box;

static int
server(void *listener)
{
	struct weir_serve_options options = {
	    .conversation = session, .arg = &letter_box, .connections_max = 1};

	return weir_serve(listener, NULL, &options, WEIR_NEVER);
}

/* ---- the client ---- */

static void
ask(struct end *e, const char *command)
{
	if (command != NULL) {
		printf("> %s\n", command);
		if (!say(e, command))
			exit(1);
	}
	if (!hear(e))
		exit(1);
	printf("< %s\n", e->line);
}

static void
hand_in(struct end *e, const char *const *text)
{
	char line[1000];

	for (; *text != NULL; text++) {
		snprintf(line, sizeof(line), "%s%s", **text == '.' ? "." : "",
		    *text);
		if (!say(e, line))
			exit(1);
	}
	ask(e, ".");
}

static int
root(void *arg)
{
	static const char *const letter[] = {"Subject: level", "",
	    "The river is high.", ".", "...and rising.", NULL};
	static struct end e;
	struct weir_address address;
	struct weir_scope scope;
	struct weir_io listener, io;

	(void)arg;
	if (weir_address_parse("127.0.0.1:0", &address) < 0 ||
	    weir_listen(&listener, &address, NULL) < 0 ||
	    weir_local_address(&listener, &address) < 0)
		return -1;
	/* The listener lies on this stack: its server ends before we do. */
	weir_scope_init(&scope, WEIR_NEVER);
	if (weir_task_start(&scope, "server", server, &listener) < 0 ||
	    weir_dial_address(&io, &address, NULL, soon()) < 0)
		exit(1);
	end_init(&e, &io);
	ask(&e, NULL);
	ask(&e, "HELO ann.example");
	ask(&e, "DATA");
	ask(&e, "MAIL FROM:<ann@ann.example>");
	ask(&e, "RCPT TO:<bob@weir.example>");
	ask(&e, "DATA");
	hand_in(&e, letter);
	ask(&e, "QUIT");
	weir_io_close(&io);
	weir_scope_fini(&scope);
	weir_io_close(&listener);
	printf("%s for %s:\n%s", letter_box.from, letter_box.to,
	    letter_box.letter);
	return 0;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) != 0;
}
