/*
 * public/udp.c - <weir/udp.h> over net/udp
 */
#include <weir/udp.h>

#include "net/udp.h"
#include "public/net.h"

_Static_assert(WEIR_UDP_BATCH == UDP_BATCH_MAX, "");
_Static_assert(WEIR_UDP_PAYLOAD == UDP_PAYLOAD_MAX, "");
/* Arrays of them are passed through. */
_Static_assert(sizeof(struct weir_datagram) == sizeof(struct udp_datagram), "");
_Static_assert(offsetof(struct weir_datagram, interface) ==
	    offsetof(struct udp_datagram, interface) &&
	offsetof(struct weir_datagram, truncated) ==
	    offsetof(struct udp_datagram, truncated),
    "");

static const struct udp_datagram *
inner_datagram(const struct weir_datagram *datagram)
{
	return (const struct udp_datagram *)datagram;
}

int
weir_udp_open(struct weir_io *io, const struct weir_address *local,
    const struct weir_udp_options *options)
{
	struct udp_options inner = {.join = false};

	(void)worker_required(__func__);
	if (options != NULL)
		inner = (struct udp_options){.reuse_port = options->reuse_port,
		    .reuse_address = options->reuse_address,
		    .v6_only = options->v6_only,
		    .broadcast = options->broadcast,
		    .local_address = options->local_address,
		    .join = options->join,
		    .dont_fragment = options->dont_fragment,
		    .recv_bytes = options->recv_bytes,
		    .send_bytes = options->send_bytes};
	return udp_open(inner_io(io), inner_address_const(local), &inner);
}

int
weir_udp_connect(struct weir_io *io, const struct weir_address *peer)
{
	return udp_connect(inner_io(io), inner_address_const(peer));
}

ssize_t
weir_udp_recv(
    struct weir_io *io, struct weir_datagram *datagram, weir_time deadline)
{
	(void)task_required(__func__);
	return udp_recv(inner_io(io), (struct udp_datagram *)datagram,
	    inner_time(deadline));
}

int
weir_udp_send(struct weir_io *io, const struct weir_datagram *datagram,
    weir_time deadline)
{
	(void)task_required(__func__);
	return udp_send(
	    inner_io(io), inner_datagram(datagram), inner_time(deadline));
}

int
weir_udp_recv_batch(struct weir_io *io, struct weir_datagram *datagrams,
    unsigned count, weir_time deadline)
{
	(void)task_required(__func__);
	if (count == 0)
		return -EINVAL;
	return udp_recv_batch(inner_io(io), (struct udp_datagram *)datagrams,
	    count, inner_time(deadline));
}

int
weir_udp_send_batch(struct weir_io *io, const struct weir_datagram *datagrams,
    unsigned count, unsigned *ret_sent, weir_time deadline)
{
	(void)task_required(__func__);
	return udp_send_batch(inner_io(io), inner_datagram(datagrams), count,
	    ret_sent, inner_time(deadline));
}

int
weir_udp_join(
    struct weir_io *io, const struct weir_address *group, unsigned interface)
{
	return udp_join(inner_io(io), inner_address_const(group), interface);
}

int
weir_udp_leave(
    struct weir_io *io, const struct weir_address *group, unsigned interface)
{
	return udp_leave(inner_io(io), inner_address_const(group), interface);
}

int
weir_udp_multicast(struct weir_io *io, unsigned interface, int hops, bool loop)
{
	return udp_multicast(inner_io(io), interface, hops, loop);
}

int
weir_udp_path_mtu(const struct weir_io *io)
{
	return udp_path_mtu((const struct io_fd *)io);
}
