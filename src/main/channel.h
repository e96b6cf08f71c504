/*
 * channel.h - what the manager and its roles say to each other
 *
 * Layer      main
 * Threads    one reader and one writer at a time per end
 * Memory     a message is about 64 KB: on the heap, not on a task's stack
 * Limits     CHANNEL_PAYLOAD_BYTES of text; FDPASS_MAX descriptors
 *
 * A SOCK_SEQPACKET pair: a message arrives whole or not at all. Bulk (the
 * configuration, logs, sockets) travels as descriptors.
 *
 *   manager                               role
 *   SOCKETS*, CONFIG(version)      ->     builds its snapshot beside the live
 *                                  <-     APPLIED(version), or REFUSED + why
 *   COMMIT(version) or ABORT       ->     makes it live, or forgets it
 *                                  <-     COMMITTED(version)
 */
#pragma once

#include <sys/types.h>

#include "base/bytes.h"
#include "os/fdpass.h"
#include "runtime/io.h"

#define CHANNEL_PAYLOAD_BYTES (60 << 10)

enum channel_type {
	/* manager to role */
	CHANNEL_SOCKETS, /* payload: the uint32_t place of each descriptor */
	CHANNEL_CONFIG, /* struct channel_config; descriptors: enum below */
	CHANNEL_COMMIT,
	CHANNEL_ABORT,
	CHANNEL_LOGS, /* descriptors: the error log, the access log if any */
	CHANNEL_DRAIN, /* deadline_ns */
	CHANNEL_STOP,
	CHANNEL_REPLY, /* id, result, text: to one of the requests below */
	/* role to manager */
	CHANNEL_APPLIED,
	CHANNEL_REFUSED, /* text: why, one line */
	CHANNEL_COMMITTED,
	CHANNEL_DRAINED,
	/* control to manager: requests, each answered with a REPLY */
	CHANNEL_RELOAD,
	CHANNEL_SERVER_SET, /* struct channel_server_set */
	CHANNEL_DUMP, /* a descriptor; the manager hands it to the worker */
	CHANNEL_EXIT,
	CHANNEL_TYPES,
};

/* The descriptors of CHANNEL_CONFIG, in this order. */
enum {
	CHANNEL_CONFIG_TEXT,
	CHANNEL_CONFIG_ERROR_LOG,
	CHANNEL_CONFIG_ACCESS_LOG, /* may be absent */
};

#define CHANNEL_TOKEN_BYTES 1024
struct channel_config {
	uint32_t threads;
	char path[4096]; /* NUL-terminated, as is the next */
	/* For control alone: it may lie in a file that only root can read. */
	char token[CHANNEL_TOKEN_BYTES];
};

struct channel_server_set {
	int32_t admin; /* enum verdict_admin or CONTROL_ADMIN_KEEP */
	int32_t weight; /* or CONTROL_WEIGHT_* */
	char pool[256]; /* NUL-terminated */
	char server[256]; /* empty: every server of the pool */
};

struct channel_head {
	uint32_t magic;
	uint32_t type;
	uint32_t length; /* of the payload */
	int32_t result;
	uint64_t version; /* of the configuration */
	uint64_t id; /* of a request */
	int64_t deadline_ns;
};

struct channel_message {
	struct channel_head head;
	union {
		char text[CHANNEL_PAYLOAD_BYTES];
		uint32_t places[FDPASS_MAX];
		struct channel_config config;
		struct channel_server_set server_set;
	};
	/* The descriptors: of a message received they are the receiver's,
	 * who sets to -1 those that it keeps. */
	unsigned fd_count;
	int fds[FDPASS_MAX];
	struct fdpass pass;
};

/* Empty, of that type. */
void
channel_message_init(struct channel_message *message, enum channel_type type);
/* The payload: a text, cut where it does not fit. */
void
channel_message_text_set(struct channel_message *message, struct bytes text);
struct bytes channel_message_text(const struct channel_message *message);
/* Close what the receiver has not kept. */
void channel_message_close(struct channel_message *message);

/*
 * Without the runtime. Sending waits CHANNEL_SEND_MS at most for room: a role
 * that reads nothing for so long is stuck.
 * Receiving returns 0, -EPIPE (the other end is closed), -EAGAIN (@wait is
 * false and nothing is there), -EPROTO, -errno.
 */
#define CHANNEL_SEND_MS 1000
MUST_CHECK
int channel_send(int fd, struct channel_message *message);
MUST_CHECK
int channel_recv(int fd, struct channel_message *message, bool wait);

/*
 * The same in a task. One task sends and one receives at a time.
 * Returns 0, -EPIPE (the other end is closed), -EPROTO, what io_sendmsg() and
 * io_recvmsg() return.
 */
SUSPENDS MUST_CHECK int channel_io_send(
    struct io_fd *io, struct channel_message *message, instant deadline);
SUSPENDS MUST_CHECK int channel_io_recv(
    struct io_fd *io, struct channel_message *message, instant deadline);
