#include "os/fdpass.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void
fdpass_init(struct fdpass *pass, void *data, size_t length)
{
	pass->part = (struct iovec){.iov_base = data, .iov_len = length};
	pass->message = (struct msghdr){
	    .msg_iov = &pass->part,
	    .msg_iovlen = 1,
	};
}

void
fdpass_send_init(struct fdpass *pass, const void *data, size_t length,
    const int *fds, unsigned fd_count)
{
	struct cmsghdr *rights;

	must(fd_count <= FDPASS_MAX);
	fdpass_init(pass, (void *)(uintptr_t)data, length);
	if (fd_count == 0)
		return;
	memset(&pass->control, 0, CMSG_SPACE(sizeof(int) * fd_count));
	pass->message.msg_control = &pass->control;
	pass->message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
	rights = CMSG_FIRSTHDR(&pass->message);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
	memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
}

void
fdpass_recv_init(struct fdpass *pass, void *into, size_t capacity)
{
	fdpass_init(pass, into, capacity);
	pass->message.msg_control = &pass->control;
	pass->message.msg_controllen = sizeof(pass->control);
}

int
fdpass_recv_take(struct fdpass *pass, int ret_fds[FDPASS_MAX])
{
	unsigned count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&pass->message); c != NULL;
	     c = CMSG_NXTHDR(&pass->message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		must(count == 0);
		count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		must(count <= FDPASS_MAX);
		memcpy(ret_fds, CMSG_DATA(c), count * sizeof(int));
	}
	if ((pass->message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		return (int)count;
	for (unsigned i = 0; i < count; i++)
		close(ret_fds[i]);
	return -EMSGSIZE;
}
