#include "main/channel.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHANNEL_MAGIC 0x77656972 /* "weir" */

void
channel_message_init(struct channel_message *message, enum channel_type type)
{
	message->head = (struct channel_head){
	    .magic = CHANNEL_MAGIC,
	    .type = type,
	};
	message->fd_count = 0;
}

void
channel_message_text_set(struct channel_message *message, struct bytes text)
{
	size_t length = min_of(text.length, sizeof(message->text));

	if (length != 0)
		memcpy(message->text, text.at, length);
	message->head.length = (uint32_t)length;
}

struct bytes
channel_message_text(const struct channel_message *message)
{
	return bytes_of(message->text, message->head.length);
}

void
channel_message_close(struct channel_message *message)
{
	for (unsigned i = 0; i < message->fd_count; i++) {
		if (message->fds[i] >= 0)
			close(message->fds[i]);
	}
	message->fd_count = 0;
}

static void
channel_send_init(struct channel_message *message)
{
	must(message->head.length <= sizeof(message->text));
	fdpass_send_init(&message->pass, message,
	    sizeof(message->head) + message->head.length, message->fds,
	    message->fd_count);
}

static void
channel_recv_init(struct channel_message *message)
{
	message->fd_count = 0;
	fdpass_recv_init(&message->pass, message,
	    offsetof(struct channel_message, fd_count));
}

/* Fixed structs must be there whole, and their texts end inside. */
static bool
channel_payload_valid(const struct channel_message *message)
{
	const struct channel_config *config = &message->config;
	const struct channel_server_set *set = &message->server_set;
	size_t length = message->head.length;

	switch (message->head.type) {
	case CHANNEL_SOCKETS:
		return length == message->fd_count * sizeof(uint32_t);
	case CHANNEL_CONFIG:
		return length == sizeof(*config) && message->fd_count >= 2 &&
		    memchr(config->path, 0, sizeof(config->path)) != NULL &&
		    memchr(config->token, 0, sizeof(config->token)) != NULL;
	case CHANNEL_LOGS:
	case CHANNEL_DUMP:
		return message->fd_count >= 1;
	case CHANNEL_SERVER_SET:
		return length == sizeof(*set) &&
		    memchr(set->pool, 0, sizeof(set->pool)) != NULL &&
		    memchr(set->server, 0, sizeof(set->server)) != NULL;
	default:
		return true;
	}
}

/* recvmsg(2) returned @length (> 0). What is none of ours is closed. */
static int
channel_recv_check(struct channel_message *message, ssize_t length)
{
	const struct channel_head *head = &message->head;
	int fd_count = fdpass_recv_take(&message->pass, message->fds);

	if (fd_count < 0)
		return -EPROTO;
	message->fd_count = (unsigned)fd_count;
	if ((size_t)length >= sizeof(*head) && head->magic == CHANNEL_MAGIC &&
	    head->type < CHANNEL_TYPES &&
	    (size_t)length - sizeof(*head) == head->length &&
	    channel_payload_valid(message))
		return 0;
	channel_message_close(message);
	return -EPROTO;
}

int
channel_send(int fd, struct channel_message *message)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;

	channel_send_init(message);
	while (sendmsg(fd, &message->pass.message, flags) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		if (poll(&room, 1, CHANNEL_SEND_MS) == 0)
			return -ETIMEDOUT;
	}
	return 0;
}

int
channel_recv(int fd, struct channel_message *message, bool wait)
{
	int flags = MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT);
	ssize_t length;

	channel_recv_init(message);
	do
		length = recvmsg(fd, &message->pass.message, flags);
	while (length < 0 && errno == EINTR);
	if (length == 0 || (length < 0 && errno == ECONNRESET))
		return -EPIPE;
	if (length < 0)
		return -errno;
	return channel_recv_check(message, length);
}

/* ---- in a task ---- */

int
channel_io_send(
    struct io_fd *io, struct channel_message *message, instant deadline)
{
	ssize_t length;

	channel_send_init(message);
	length = io_sendmsg(io, &message->pass.message, MSG_NOSIGNAL, deadline);
	return length < 0 ? (int)length : 0;
}

int
channel_io_recv(
    struct io_fd *io, struct channel_message *message, instant deadline)
{
	ssize_t length;

	channel_recv_init(message);
	length =
	    io_recvmsg(io, &message->pass.message, MSG_CMSG_CLOEXEC, deadline);
	if (length == 0 || length == -ECONNRESET)
		return -EPIPE;
	if (length < 0)
		return (int)length;
	return channel_recv_check(message, length);
}
