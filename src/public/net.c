/*
 * public/net.c - <weir/net.h> over the dialler and the listener
 */
#include "public/net.h"

#include "net/dial_host.h"
#include "net/serve.h"
#include "os/socket.h"

_Static_assert(sizeof(struct weir_dial_error) == DIAL_HOST_ERROR_BYTES, "");
_Static_assert(WEIR_ADDRESS_TEXT == NET_ADDRESS_TEXT_BYTES, "");

int
weir_address_parse(const char *text, struct weir_address *ret_address)
{
	return net_address_parse(bytes_from(text), inner_address(ret_address));
}

const char *
weir_address_format(const struct weir_address *address, char *into, size_t room)
{
	char text[NET_ADDRESS_TEXT_BYTES];
	struct appender whole = appender_over(text, sizeof(text));
	size_t length;

	must(room > 0);
	net_address_format(inner_address_const(address), &whole);
	length = min_of(whole.length, room - 1);
	memcpy(into, text, length);
	into[length] = '\0';
	return into;
}

int
weir_address_from(const struct sockaddr *from, socklen_t length,
    struct weir_address *ret_address)
{
	return net_address_from(from, length, inner_address(ret_address));
}

const struct sockaddr *
weir_address_get(const struct weir_address *address, socklen_t *ret_length)
{
	const struct net_address *inner = inner_address_const(address);

	*ret_length = inner->length;
	return &inner->any;
}

bool
weir_address_equal(const struct weir_address *a, const struct weir_address *b)
{
	return net_address_equal(
	    inner_address_const(a), inner_address_const(b));
}

uint16_t
weir_address_port(const struct weir_address *address)
{
	return net_address_port(inner_address_const(address));
}

void
weir_address_port_set(struct weir_address *address, uint16_t port)
{
	net_address_port_set(inner_address(address), port);
}

int
weir_local_address(const struct weir_io *io, struct weir_address *ret_address)
{
	return serve_address(
	    (const struct io_fd *)io, inner_address(ret_address));
}

int
weir_peer_address(const struct weir_io *io, struct weir_address *ret_address)
{
	struct net_address address = {.length = sizeof(address.storage)};
	int r = socket_peer(
	    ((const struct io_fd *)io)->fd, &address.any, &address.length);

	if (r == 0)
		*inner_address(ret_address) = address;
	return r;
}

int
weir_dial(struct weir_io *io, const char *host, uint16_t port,
    const struct weir_dial_options *options, struct weir_dial_error *ret_error,
    weir_time deadline)
{
	struct dial_host_options inner = {.from = NULL};
	struct dial_host_error error = {.os_error = 0};
	int r;

	(void)task_required(__func__);
	if (options != NULL) {
		inner.resolution_delay =
		    duration_ns(options->resolution_delay_ns);
		inner.attempt_delay = duration_ns(options->attempt_delay_ns);
		inner.attempt_timeout =
		    duration_ns(options->attempt_timeout_ns);
		if (options->from != NULL)
			inner.from = inner_address_const(options->from);
	}
	r = dial_host(inner_io(io), bytes_from(host), port, &inner,
	    inner_time(deadline), NULL, &error);
	if (r < 0 && ret_error != NULL)
		memcpy(ret_error->text, error.text, sizeof(error.text));
	return inner_net_error(r, error.os_error);
}

int
weir_dial_address(struct weir_io *io, const struct weir_address *address,
    const struct weir_dial_options *options, weir_time deadline)
{
	const struct net_address *inner = inner_address_const(address);
	struct dial_options from = {.from = NULL};
	int os_error = 0, r;

	(void)task_required(__func__);
	if (options != NULL && options->from != NULL) {
		from.from = &inner_address_const(options->from)->any;
		from.from_length = inner_address_const(options->from)->length;
	}
	r = dial(inner_io(io), &inner->any, inner->length, &from,
	    inner_time(deadline), &os_error);
	return inner_net_error(r, os_error);
}

int
weir_listen(struct weir_io *io, const struct weir_address *address,
    const struct weir_listen_options *options)
{
	struct serve_listen_options inner = {.backlog = 0};

	(void)worker_required(__func__);
	if (options != NULL)
		inner =
		    (struct serve_listen_options){.backlog = options->backlog,
			.reuse_port = options->reuse_port,
			.v6_only = options->v6_only,
			.nodelay_off = options->nodelay_off};
	return serve_listen(inner_io(io), inner_address_const(address), &inner);
}

int
weir_serve(struct weir_io *listener, struct weir_scope *scope,
    const struct weir_serve_options *options, weir_time deadline)
{
	struct serve_options inner;

	(void)task_required(__func__);
	misuse_unless(options != NULL && options->conversation != NULL,
	    "weir_serve() without a conversation");
	/* Public structs begin with the inner ones. */
	inner = (struct serve_options){
	    .connections_max = options->connections_max,
	    .conversation = (int (*)(struct io_fd *, const struct net_address *,
		void *))(void *)options->conversation,
	    .arg = options->arg};

	return serve(inner_io(listener), inner_scope(scope), &inner,
	    inner_time(deadline));
}

int
weir_set_nodelay(struct weir_io *io, bool on)
{
	return socket_nodelay_set(inner_io(io)->fd, on);
}

int
weir_set_keepalive(
    struct weir_io *io, unsigned idle_s, unsigned every_s, unsigned count)
{
	return socket_keepalive(inner_io(io)->fd, idle_s, every_s, count);
}

int
weir_set_buffers(struct weir_io *io, unsigned recv_bytes, unsigned send_bytes)
{
	return socket_buffers(inner_io(io)->fd, recv_bytes, send_bytes);
}

int
weir_shutdown_send(struct weir_io *io)
{
	return socket_shutdown_write(inner_io(io)->fd);
}
