/*
 * weir/protocol.h - protocols in push form: functions that are told
 *
 * For those who would rather be called than call: a protocol is a set of
 * functions, a transport the connection they are called for. The library
 * receives, sends, holds back and closes. A transport that waits for bytes
 * has no task and no buffer.
 *
 * The functions of one transport are called one at a time, from a task, and
 * may suspend (then the transport's next bytes wait); lost() alone may also
 * come from the worker's loop and must not suspend. All of a transport happens
 * on the worker that serves it; so may the calls below, from any task there.
 *
 * Back-pressure is there without asking: while more than output_high bytes
 * wait to be sent, no data is delivered, and a write is refused. After a
 * refusal none is until drained() was called.
 */
#ifndef WEIR_PROTOCOL_H
#define WEIR_PROTOCOL_H

#include <weir/api.h>
#include <weir/frame.h>
#include <weir/io.h>
#include <weir/task.h>
#include <weir/time.h>

WEIR_BEGIN

struct weir_transport;

/* A function may be NULL where nothing is said otherwise. */
struct weir_protocol {
	const char *name; /* for dumps; text that stays */
	/* The connection stands. An error closes it. */
	int (*made)(struct weir_transport *transport);
	/* Bytes: first those that were not taken the last time. Returns how
	 * many it has taken, or an error, which closes the connection. Not
	 * NULL without a framing. */
	ssize_t (*data)(
	    struct weir_transport *transport, const void *bytes, size_t length);
	/* With a framing instead: each frame. 0, or an error. */
	const struct weir_framing *framing;
	int (*frame)(
	    struct weir_transport *transport, const struct weir_frame *frame);
	/* The peer has sent its last byte. NULL: the transport is closed when
	 * what was written has been sent. */
	void (*end)(struct weir_transport *transport);
	/* After a refused write: half of output_high is free again. */
	void (*drained)(struct weir_transport *transport);
	/*
	 * The last call. @error: 0 after weir_transport_close() or the peer's
	 * end; -EMSGSIZE: more than input_max bytes were not taken, or a frame
	 * was too long; -ETIMEDOUT: idle_ns or send_ns; -ECANCELED: whoever
	 * serves was stopped; otherwise what a function returned, or the
	 * network.
	 */
	void (*lost)(struct weir_transport *transport, int error);
	size_t input_max; /* bytes; 0: 65,536 */
	size_t output_high; /* bytes; 0: 65,536 */
	int64_t idle_ns; /* without a byte from the peer; 0: no end */
	int64_t send_ns; /* without the peer taking a byte; 0: no end */
	uint64_t reserved[4]; /* zero */
};

/* The @user of weir_protocol_serve() or weir_protocol_run(), and what it was
 * replaced by. */
WEIR_API void *weir_transport_user(const struct weir_transport *transport);
WEIR_API void
weir_transport_user_set(struct weir_transport *transport, void *user);

/*
 * Send @length bytes after what was written before; they are copied. May
 * suspend for a turn, never until they are sent.
 * Returns 0, or, and nothing was taken: -EAGAIN (more than output_high bytes
 * wait; drained() will tell), -EPIPE (closed or lost), -ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK int weir_transport_write(
    struct weir_transport *transport, const void *bytes, size_t length);
/* A frame of the protocol's framing; also -EMSGSIZE, -EINVAL. */
WEIR_API WEIR_MUST_CHECK int weir_transport_write_frame(
    struct weir_transport *transport, const void *data, size_t length);

/* No data until weir_transport_resume(). */
WEIR_API void weir_transport_pause(struct weir_transport *transport);
WEIR_API void weir_transport_resume(struct weir_transport *transport);

/* No more data; what was written is sent, then lost(0). */
WEIR_API void weir_transport_close(struct weir_transport *transport);
/* Closed at once: lost(@error), from inside this call unless one of the
 * transport's functions is running, and then when it returns. */
WEIR_API void weir_transport_abort(struct weir_transport *transport, int error);

/* The socket, to ask it for addresses and set options of. */
WEIR_API int weir_transport_fd(const struct weir_transport *transport);

/*
 * Accept connections from @listener, @connections_max at a time (0: no limit;
 * further ones wait in the kernel's backlog), each with @protocol. Suspends
 * until the calling task is stopped or the listener fails; before it returns,
 * every transport has been lost.
 */
WEIR_API WEIR_MUST_CHECK int weir_protocol_serve(struct weir_io *listener,
    const struct weir_protocol *protocol, void *user, unsigned connections_max);

/*
 * @protocol on the connected socket @fd, which is the library's from now on.
 * Suspends until it is lost. Returns the error that lost() was told.
 */
WEIR_API WEIR_MUST_CHECK int
weir_protocol_run(int fd, const struct weir_protocol *protocol, void *user);

WEIR_END

#endif
