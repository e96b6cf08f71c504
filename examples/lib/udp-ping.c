/*
 * udp-ping.c - a question and an answer over UDP, which may lose either
 *
 *   cc udp-ping.c $(pkg-config --cflags --libs weir)
 *
 * A datagram that does not come is noticed by nothing but a deadline. The
 * server here keeps silent at every third question; the client asks again.
 */
#include <weir/weir.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PINGS 5

static int
server(void *arg)
{
	char text[64];

	for (unsigned i = 1;; i++) {
		struct weir_datagram ping = {
		    .at = text, .length = sizeof(text)};
		ssize_t length = weir_udp_recv(arg, &ping, WEIR_NEVER);

		if (length < 0)
			return (int)length;
		/* The datagram is its own answer: it knows its sender. */
		if (i % 3 != 0 && weir_udp_send(arg, &ping, WEIR_NEVER) < 0)
			return -1;
	}
}

static int
ping(struct weir_io *io, int number)
{
	char out[16], in[16];
	struct weir_datagram question = {.at = out};
	struct weir_datagram answer = {.at = in, .length = sizeof(in)};
	ssize_t length;
	int error;

	question.length = (size_t)snprintf(out, sizeof(out), "ping %d", number);
	error = weir_udp_send(io, &question, WEIR_NEVER);
	if (error < 0)
		return error;
	length = weir_udp_recv(io, &answer, weir_after(100 * WEIR_MILLISECOND));
	if (length >= 0)
		printf("answer: %.*s\n", (int)length, in);
	else
		printf("%s: %s\n", out, strerror((int)-length));
	return length < 0 ? (int)length : 0;
}

static int
root(void *arg)
{
	struct weir_address address;
	struct weir_io at_server, at_client;
	struct weir_scope scope;
	int error;

	(void)arg;
	error = weir_address_parse("127.0.0.1:0", &address);
	if (error == 0)
		error = weir_udp_open(&at_client, &address, NULL);
	if (error == 0)
		error = weir_udp_open(&at_server, &address, NULL);
	if (error == 0)
		error = weir_local_address(&at_server, &address);
	/* Connected: only the server is heard. */
	if (error == 0)
		error = weir_udp_connect(&at_client, &address);
	if (error < 0)
		return error;
	weir_scope_init(&scope, WEIR_NEVER);
	error = weir_task_start(&scope, "server", server, &at_server);
	for (int i = 1; i <= PINGS && error == 0; i++)
		do {
			error = ping(&at_client, i);
		} while (error == -ETIMEDOUT);
	weir_scope_fini(&scope);
	weir_io_close(&at_server);
	weir_io_close(&at_client);
	return error;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) < 0;
}
