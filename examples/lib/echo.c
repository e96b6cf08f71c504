/*
 * echo.c - a client and a server; one message each way, with time limits
 *
 *   cc echo.c $(pkg-config --cflags --libs weir)
 *
 * The server's conversation reads like a program that talks to one client; a
 * hundred thousand of them may run (examples/echo keeps silent connections
 * without a task, for millions). The client gives the whole exchange two
 * seconds, and sees what it gets when nobody listens, and when nobody answers.
 */
#include <weir/weir.h>

#include <stdio.h>
#include <string.h>

static int
conversation(struct weir_io *io, const struct weir_address *from, void *arg)
{
	char text[64];
	ssize_t length;

	(void)from;
	(void)arg;
	while ((length = weir_recv(io, text, sizeof(text), WEIR_NEVER)) > 0) {
		/* This one word it does not answer. */
		if (length == 5 && memcmp(text, "sleep", 5) == 0)
			continue;
		length = weir_send(io, text, (size_t)length, NULL, WEIR_NEVER);
		if (length < 0)
			break;
	}
	return (int)length;
}

static int
server(void *arg)
{
	struct weir_serve_options options = {.conversation = conversation};

	return weir_serve(arg, NULL, &options, WEIR_NEVER);
}

static int
client(uint16_t port, const char *word, int64_t limit_ns)
{
	weir_time deadline = weir_after(limit_ns);
	struct weir_dial_error wrong;
	struct weir_io io;
	char text[64];
	ssize_t length;
	int error;

	error = weir_dial(&io, "localhost", port, NULL, &wrong, deadline);
	if (error < 0) {
		printf("cannot connect: %s\n", strerror(-error));
		fprintf(stderr, "%s\n", wrong.text);
		return error;
	}
	length = weir_send(&io, word, strlen(word), NULL, deadline);
	if (length >= 0)
		length = weir_recv(&io, text, sizeof(text), deadline);
	if (length >= 0)
		printf("answer to %s: %.*s\n", word, (int)length, text);
	else
		printf("no answer to %s: %s\n", word, strerror((int)-length));
	weir_io_close(&io);
	return length < 0 ? (int)length : 0;
}

static int
root(void *arg)
{
	struct weir_address address;
	struct weir_scope scope;
	struct weir_io listener;
	int error;

	(void)arg;
	error = weir_address_parse("127.0.0.1:0", &address);
	if (error == 0)
		error = weir_listen(&listener, &address, NULL);
	if (error < 0)
		return error;
	weir_scope_init(&scope, WEIR_NEVER);
	error = weir_local_address(&listener, &address);
	if (error == 0)
		error = weir_task_start(&scope, "server", server, &listener);
	if (error < 0)
		return error;
	client(weir_address_port(&address), "hello", 2 * WEIR_SECOND);
	client(weir_address_port(&address), "sleep", WEIR_SECOND / 10);
	weir_scope_fini(&scope);
	weir_io_close(&listener);
	client(weir_address_port(&address), "hello", 2 * WEIR_SECOND);
	return 0;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) < 0;
}
