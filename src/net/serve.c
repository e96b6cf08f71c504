#include "net/serve.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#include "os/socket.h"
#include "runtime/runtime.h"

#define SERVE_BACKLOG         1024
#define SERVE_CONNECTIONS_MAX 1024
#define SERVE_PAUSE           duration_ms(100)

/* Shared by the loop and the conversations, which may outlive it. */
struct serve {
	struct serve_options options;
	unsigned refs;
	unsigned live;
	struct task *waiter; /* the loop, when it waits for a place */
};

struct serve_client {
	struct serve *serve;
	struct io_fd io;
	int fd;
	struct net_address from;
};

static int
serve_set(int fd, int level, int option)
{
	const int on = 1;

	return socket_option_set(fd, level, option, &on, sizeof(on));
}

static int
serve_prepare(int fd, int family, const struct serve_listen_options *options)
{
	int r = 0;

	if (family == AF_UNIX)
		return 0;
	r = serve_set(fd, SOL_SOCKET, SO_REUSEADDR);
	if (r == 0 && options->reuse_port)
		r = serve_set(fd, SOL_SOCKET, SO_REUSEPORT);
	/* Accepted sockets inherit it. */
	if (r == 0 && !options->nodelay_off)
		r = socket_nodelay(fd);
	if (r == 0 && family == AF_INET6) {
		int only = options->v6_only;

		r = socket_option_set(
		    fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	}
	return r;
}

int
serve_listen(struct io_fd *io, const struct net_address *address,
    const struct serve_listen_options *options)
{
	int fd = socket_stream(address->any.sa_family), r;

	if (fd < 0)
		return fd;
	r = serve_prepare(fd, address->any.sa_family, options);
	if (r == 0)
		r = socket_bind(fd, &address->any, address->length);
	if (r == 0)
		r = socket_listen(fd,
		    options->backlog != 0 ? options->backlog : SERVE_BACKLOG);
	if (r == 0)
		r = io_attach(io, fd);
	if (r < 0)
		socket_close(fd);
	return r;
}

int
serve_address(const struct io_fd *io, struct net_address *ret_address)
{
	struct net_address address = {.length = sizeof(address.storage)};
	int r = socket_name(io->fd, &address.any, &address.length);

	if (r == 0)
		*ret_address = address;
	return r;
}

static void
serve_unref(struct serve *serve)
{
	if (--serve->refs == 0)
		free(serve);
}

static int
serve_task(void *arg)
{
	struct serve_client *client = arg;
	struct serve *serve = client->serve;

	if (io_attach_stream(&client->io, client->fd) == 0) {
		(void)serve->options.conversation(
		    &client->io, &client->from, serve->options.arg);
		io_close(&client->io);
	} else {
		socket_close(client->fd);
	}
	serve->live--;
	if (serve->waiter != NULL)
		task_wake(serve->waiter);
	free(client);
	serve_unref(serve);
	return 0;
}

/* A connection and its task. Without memory for them: -ENOMEM, -EAGAIN. */
static int
serve_one(struct serve *serve, struct io_fd *listener, struct scope *scope,
    instant deadline)
{
	struct serve_client *client = malloc(sizeof(*client));
	int r;

	if (client == NULL)
		return -ENOMEM;
	*client = (struct serve_client){
	    .serve = serve, .from.length = sizeof(client->from.storage)};
	client->fd = io_accept(
	    listener, &client->from.any, &client->from.length, deadline);
	if (client->fd < 0) {
		r = client->fd;
		free(client);
		return r;
	}
	r = task_start(scope, "serve", serve_task, client);
	if (r < 0) {
		socket_close(client->fd);
		free(client);
		return r;
	}
	serve->refs++;
	serve->live++;
	return 0;
}

static bool
serve_short(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS ||
	    r == -EAGAIN;
}

/* Past the deadline of the call, or stopped. */
static int
serve_pause(instant deadline)
{
	instant until = instant_after(runtime_now(), SERVE_PAUSE);
	int r = task_sleep_until(instant_earlier(until, deadline));

	if (r == 0 && !instant_before(until, deadline))
		return -ETIMEDOUT;
	return r;
}

int
serve(struct io_fd *listener, struct scope *scope,
    const struct serve_options *options, instant deadline)
{
	struct serve *serve = calloc(1, sizeof(*serve));
	int r = 0;

	if (serve == NULL)
		return -ENOMEM;
	serve->options = *options;
	serve->refs = 1;
	if (serve->options.connections_max == 0)
		serve->options.connections_max = SERVE_CONNECTIONS_MAX;
	while (r == 0) {
		if (serve->live >= serve->options.connections_max) {
			serve->waiter = task_self();
			r = task_park("serve: a free place", deadline);
			serve->waiter = NULL;
			continue;
		}
		r = serve_one(serve, listener, scope, deadline);
		if (serve_short(r))
			r = serve_pause(deadline);
	}
	serve_unref(serve);
	return r;
}
