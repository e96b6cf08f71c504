/*
 * weir/unix.h - Unix sockets: pairs, names, who is there, descriptors
 *
 * A socket is a struct weir_io: weir_recv() and weir_send() of weir/io.h; of
 * SOCK_DGRAM and SOCK_SEQPACKET each is one message. Addresses are also
 * written "unix:PATH" in weir/net.h.
 */
#ifndef WEIR_UNIX_H
#define WEIR_UNIX_H

#include <weir/api.h>
#include <weir/io.h>
#include <weir/time.h>

WEIR_BEGIN

/* @path is the name of a file, 107 bytes at most, or "@" and up to 107 bytes
 * of an abstract name, which no file has and which ends with the socket.
 * @type is SOCK_STREAM, SOCK_SEQPACKET or SOCK_DGRAM. */

/* Two ends, attached. 0 or -errno. */
WEIR_API WEIR_MUST_CHECK int
weir_unix_pair(int type, struct weir_io *one, struct weir_io *other);

/* Bind, and listen unless it is SOCK_DGRAM; attached, for weir_accept().
 * Returns 0; -ENAMETOOLONG; -EADDRINUSE: the file exists, or the name is
 * taken; -errno. */
WEIR_API WEIR_MUST_CHECK int
weir_unix_listen(struct weir_io *io, int type, const char *path);

/* Connect and attach. Suspends. 0; -ENOENT, -ECONNREFUSED: nobody listens;
 * -ENAMETOOLONG, -errno. */
WEIR_API WEIR_MUST_CHECK int weir_unix_connect(
    struct weir_io *io, int type, const char *path, weir_time deadline);

/* Who connected, or made the pair, as the kernel knew it then. Not of
 * SOCK_DGRAM with a name. 0 or -errno. */
struct weir_unix_peer {
	int pid;
	uint32_t uid, gid;
};
WEIR_API WEIR_MUST_CHECK int
weir_unix_peer(const struct weir_io *io, struct weir_unix_peer *ret_peer);

#define WEIR_UNIX_FDS_MAX 240

/* One message (of a stream: bytes, 1 at least) with descriptors, which stay
 * the caller's. Suspends. Returns what was sent, as weir_sendmsg(). */
WEIR_API WEIR_MUST_CHECK ssize_t weir_unix_send_fds(struct weir_io *io,
    const void *data, size_t length, const int *fds, unsigned fd_count,
    weir_time deadline);
/*
 * @ret_fds       room for @fd_max; they are close-on-exec, the caller's
 * @ret_fd_count  how many came
 *
 * Suspends. Returns the length; 0 at the end; -EMSGSIZE: the message or its
 * descriptors did not fit, all of it is gone and closed; -errno.
 */
WEIR_API WEIR_MUST_CHECK ssize_t weir_unix_recv_fds(struct weir_io *io,
    void *into, size_t capacity, int *ret_fds, unsigned fd_max,
    unsigned *ret_fd_count, weir_time deadline);

WEIR_END

#endif
