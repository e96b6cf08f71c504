/*
 * fdpass.h - messages with descriptors over a Unix socket (SCM_RIGHTS)
 *
 * Layer      os
 * Memory     in the caller's struct, about 1 KB
 * Limits     FDPASS_MAX descriptors a message (the kernel's is 253)
 *
 * The struct is filled for sendmsg(2) or recvmsg(2), which the caller makes
 * himself, directly or through the runtime.
 */
#pragma once

#include <sys/socket.h>

#include "base/cc.h"

#define FDPASS_MAX 240

struct fdpass {
	struct msghdr message;
	struct iovec part;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * FDPASS_MAX)];
	} control;
};

/* @data and @fds are borrowed until the message was sent. */
void fdpass_send_init(struct fdpass *pass, const void *data, size_t length,
    const int *fds, unsigned fd_count);

void fdpass_recv_init(struct fdpass *pass, void *into, size_t capacity);

/*
 * fdpass_recv_take - the descriptors of a message that was received
 *
 * Receive with MSG_CMSG_CLOEXEC.
 *
 * Returns    their number; -EMSGSIZE when the message did not fit (then all
 *            of them are closed)
 */
MUST_CHECK
int fdpass_recv_take(struct fdpass *pass, int ret_fds[FDPASS_MAX]);
