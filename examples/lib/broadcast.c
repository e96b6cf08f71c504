/*
 * broadcast.c - one datagram that everybody on the network hears
 *
 *   cc broadcast.c $(pkg-config --cflags --libs weir)
 *
 * Three listeners share a port; each hears what is sent to the broadcast
 * address. Here that of the loopback network, 127.255.255.255, so that nothing
 * leaves the machine; on a network it is 255.255.255.255.
 */
#include <weir/weir.h>

#include <stdio.h>
#include <string.h>

#define LISTENERS 3

static struct weir_io sockets[LISTENERS];

static int
listener(void *arg)
{
	char text[64];
	struct weir_datagram datagram = {.at = text, .length = sizeof(text)};
	ssize_t length =
	    weir_udp_recv(arg, &datagram, weir_after(5 * WEIR_SECOND));

	if (length < 0)
		return (int)length;
	printf("listener %d heard: %.*s\n",
	    (int)((struct weir_io *)arg - sockets) + 1, (int)length, text);
	return 0;
}

/* The first chooses a port, the others share it. */
static int
listen_all(struct weir_address *address)
{
	struct weir_udp_options options = {.reuse_address = true};
	int error = weir_address_parse("0.0.0.0:0", address);

	for (int i = 0; i < LISTENERS && error == 0; i++) {
		error = weir_udp_open(&sockets[i], address, &options);
		if (error == 0)
			error = weir_local_address(&sockets[i], address);
	}
	return error;
}

static int
send_all(uint16_t port)
{
	struct weir_udp_options plain = {.broadcast = false};
	struct weir_udp_options allowed = {.broadcast = true};
	struct weir_datagram datagram = {.at = "good morning", .length = 12};
	struct weir_address any;
	struct weir_io io;
	int error = weir_address_parse("127.255.255.255", &datagram.peer);

	weir_address_port_set(&datagram.peer, port);
	if (error == 0)
		error = weir_address_parse("127.0.0.1:0", &any);
	if (error == 0)
		error = weir_udp_open(&io, &any, &plain);
	if (error < 0)
		return error;
	/* Nobody shouts by mistake: it takes an option. */
	error = weir_udp_send(&io, &datagram, WEIR_NEVER);
	printf("without the option: %s\n", strerror(-error));
	weir_io_close(&io);
	error = weir_udp_open(&io, &any, &allowed);
	if (error < 0)
		return error;
	error = weir_udp_send(&io, &datagram, WEIR_NEVER);
	weir_io_close(&io);
	return error;
}

static int
root(void *arg)
{
	struct weir_address address;
	struct weir_scope scope;
	int error = listen_all(&address);

	(void)arg;
	weir_scope_init(&scope, WEIR_NEVER);
	for (int i = 0; i < LISTENERS && error == 0; i++)
		error =
		    weir_task_start(&scope, "listener", listener, &sockets[i]);
	if (error == 0)
		error = send_all(weir_address_port(&address));
	if (error == 0)
		error = weir_scope_wait(&scope);
	weir_scope_fini(&scope);
	for (int i = 0; i < LISTENERS; i++)
		weir_io_close(&sockets[i]);
	return error;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) < 0;
}
