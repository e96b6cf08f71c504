/*
 * weir/net.h - addresses, connections to hosts, servers
 *
 * A host is connected to as RFC 8305 (Happy Eyeballs) says: names are looked
 * up for both families at once, attempts start 250 ms apart or when one fails,
 * the families in turn, the first connection wins.
 */
#ifndef WEIR_NET_H
#define WEIR_NET_H

#include <sys/socket.h>

#include <weir/api.h>
#include <weir/io.h>
#include <weir/task.h>
#include <weir/time.h>

WEIR_BEGIN

/* IPv4, IPv6 with scope, Unix; may be copied. */
struct weir_address {
	uint64_t opaque[17];
};
#define WEIR_ADDRESS_TEXT 128

/*
 * "192.0.2.1:80", "[2001:db8::1]:80", "[fe80::1%eth0]:80", "unix:/run/x.sock",
 * "unix:@abstract"; without a port it is 0. Names are not looked up. Returns 0,
 * -EINVAL, -ENODEV (no such interface), -ENAMETOOLONG.
 */
WEIR_API WEIR_MUST_CHECK int
weir_address_parse(const char *text, struct weir_address *ret_address);
/* The same form, with a NUL; cut to @room, which is at least 1. Returns @into.
 */
WEIR_API const char *weir_address_format(
    const struct weir_address *address, char *into, size_t room);
/* To and from the kernel's form. Returns 0, -EINVAL (too long). */
WEIR_API WEIR_MUST_CHECK int weir_address_from(const struct sockaddr *from,
    socklen_t length, struct weir_address *ret_address);
/* Points into @address. */
WEIR_API const struct sockaddr *
weir_address_get(const struct weir_address *address, socklen_t *ret_length);
WEIR_API bool
weir_address_equal(const struct weir_address *a, const struct weir_address *b);
/* 0 of Unix addresses. */
WEIR_API uint16_t weir_address_port(const struct weir_address *address);
WEIR_API void
weir_address_port_set(struct weir_address *address, uint16_t port);
/* Of a socket, and of the one it is connected to. Returns 0 or -errno. */
WEIR_API WEIR_MUST_CHECK int
weir_local_address(const struct weir_io *io, struct weir_address *ret_address);
WEIR_API WEIR_MUST_CHECK int
weir_peer_address(const struct weir_io *io, struct weir_address *ret_address);

/* All zero is a good choice. */
struct weir_dial_options {
	int64_t resolution_delay_ns; /* that IPv6 is waited for; 0: 50 ms */
	int64_t attempt_delay_ns; /* 0: 250 ms */
	int64_t attempt_timeout_ns; /* of one address; 0: only the deadline */
	const struct weir_address *from; /* the source; NULL: any */
	uint64_t reserved[4]; /* zero */
};

/* What was wrong, for people: every address with its error, or why the name
 * has none. */
#define WEIR_DIAL_ERROR 1024
struct weir_dial_error {
	char text[WEIR_DIAL_ERROR];
};

/*
 * weir_dial - connect to @host, a name or a literal address, over TCP
 *
 * TCP_NODELAY is set.
 *
 * @io         on success attached, as by weir_io_attach_stream():
 *             weir_io_close() ends it
 * @options    NULL: all zero
 * @ret_error  written on error; may be NULL
 *
 * Suspends. Returns 0; the error of the last attempt (-ECONNREFUSED,
 * -EHOSTUNREACH, ...); -ETIMEDOUT; -ENOENT: the name or its addresses do not
 * exist; -EAGAIN: the name servers fail or are silent; -ENOMEM, -EMFILE; why
 * the task was stopped.
 */
WEIR_API WEIR_MUST_CHECK int weir_dial(struct weir_io *io, const char *host,
    uint16_t port, const struct weir_dial_options *options,
    struct weir_dial_error *ret_error, weir_time deadline);

/* To one address, of any kind. Of @options only the source counts. Suspends. */
WEIR_API WEIR_MUST_CHECK int
weir_dial_address(struct weir_io *io, const struct weir_address *address,
    const struct weir_dial_options *options, weir_time deadline);

/* All zero is a good choice. */
struct weir_listen_options {
	int backlog; /* 0: 1024 */
	bool reuse_port; /* several sockets share the address */
	bool v6_only; /* of "[::]:80": no IPv4 beside it */
	bool nodelay_off; /* of the connections; TCP_NODELAY is set unless */
	uint64_t reserved[4]; /* zero */
};

/* A listening socket, attached; a Unix socket's file must not be there. Port 0:
 * the kernel chooses, weir_local_address() tells. Returns 0 or -errno
 * (-EADDRINUSE, -EACCES). @options  NULL: all zero */
WEIR_API WEIR_MUST_CHECK int
weir_listen(struct weir_io *io, const struct weir_address *address,
    const struct weir_listen_options *options);

struct weir_serve_options {
	unsigned connections_max; /* at a time; 0: 1024 */
	/* The conversation with one client, on a task of its own; @io is closed
	 * after it, and its result is not looked at. */
	int (*conversation)(
	    struct weir_io *io, const struct weir_address *from, void *arg);
	void *arg;
	uint64_t reserved[4]; /* zero */
};

/*
 * Accept, and start a conversation in @scope (NULL: detached) for each
 * connection, until the task is stopped or @deadline comes. While the limit is
 * reached nobody is accepted; without descriptors or memory it pauses 100 ms.
 * Suspends. Returns -ETIMEDOUT, why the task was stopped, or an error of the
 * listener; never 0.
 */
WEIR_API int weir_serve(struct weir_io *listener, struct weir_scope *scope,
    const struct weir_serve_options *options, weir_time deadline);

/* Return 0 or -errno. */
WEIR_API WEIR_MUST_CHECK int weir_set_nodelay(struct weir_io *io, bool on);
/* Probes after @idle_s seconds of silence, every @every_s, and the end when
 * @count are not answered. @idle_s 0: none. */
WEIR_API WEIR_MUST_CHECK int weir_set_keepalive(
    struct weir_io *io, unsigned idle_s, unsigned every_s, unsigned count);
/* Of the kernel, in bytes; it doubles them for its needs and has limits of its
 * own (net.core.rmem_max, wmem_max). 0: as it is. */
WEIR_API WEIR_MUST_CHECK int
weir_set_buffers(struct weir_io *io, unsigned recv_bytes, unsigned send_bytes);
/* Half-close: the other side reads the end. */
WEIR_API WEIR_MUST_CHECK int weir_shutdown_send(struct weir_io *io);

WEIR_END

#endif
