#include "http/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>

#include "base/counters.h"
#include "base/error.h"
#include "http/conn.h"
#include "http/deployment.h"
#include "os/log.h"
#include "os/socket.h"
#include "runtime/runtime.h"

/* When descriptors or memory are used up: the backlog holds the clients. */
#define ACCEPT_PAUSE duration_ms(100)

static __thread struct list listener_list;

static struct list *
listener_list_here(void)
{
	if (listener_list.next == NULL)
		list_init(&listener_list);
	return &listener_list;
}

struct listener *
listener_find(int id)
{
	list_each (node, listener_list_here()) {
		struct listener *l = container_of(node, struct listener, node);

		if (l->id == id)
			return l;
	}
	return NULL;
}

void
listener_unref(struct listener *listener)
{
	if (--listener->refs == 0)
		free(listener);
}

/* A short answer for a client that there is no room for, sent if it fits the
 * socket's empty buffer, which it does. */
static void
listener_refuse(int fd)
{
	static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
				     "Retry-After: 5\r\n"
				     "Content-Length: 0\r\n"
				     "Connection: close\r\n\r\n";

	(void)!socket_send_bytes(fd, answer, sizeof(answer) - 1, 0);
	socket_close(fd);
	counters_here->connections_refused++;
	log_warn("http",
	    "limits.connections reached with no idle connection to close; "
	    "refusing new ones");
}

static duration
listener_first_byte_within(const struct listener *listener)
{
	const struct deployment *d = deployment_current();
	int i = d->listener_of[listener->id];

	return i >= 0 ? d->router.listeners[i].limits.header_timeout
		      : d->snapshot->limits.header_timeout;
}

static void
listener_admit(
    struct listener *listener, int fd, const struct sockaddr_storage *peer)
{
	struct conn_table *table = conn_table_here();

	if (conn_table_count(table) >= table->count_max &&
	    !conn_close_oldest_idle()) {
		listener_refuse(fd);
		return;
	}
	conn_open(listener, fd, (const struct sockaddr *)peer,
	    listener_first_byte_within(listener));
}

static int
listener_task(void *arg)
{
	struct listener *listener = arg;

	while (!listener->stopped) {
		struct sockaddr_storage peer = {.ss_family = AF_UNIX};
		socklen_t length = sizeof(peer);
		int fd;

		fd = io_accept(&listener->io, (struct sockaddr *)&peer, &length,
		    instant_never());
		if (fd >= 0) {
			listener_admit(listener, fd, &peer);
			continue;
		}
		if (listener->stopped || fd == -ECANCELED || fd == -EBADF)
			break;
		if (fd == -ECONNABORTED || fd == -EPROTO || fd == -EINTR)
			continue;
		counters_here->accept_errors++;
		log_error("http",
		    "accept: %s; raise LimitNOFILE or lower "
		    "limits.connections",
		    error_text(fd));
		if (task_sleep(ACCEPT_PAUSE) < 0)
			break;
	}
	listener_stop(listener);
	listener_unref(listener);
	return 0;
}

int
listener_start(int id, int fd)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int r = -ENOMEM;

	if (listener != NULL)
		r = io_attach(&listener->io, fd);
	if (r < 0) {
		free(listener);
		socket_close(fd);
		return r;
	}
	/* What is accepted from it inherits this: no call per connection. A
	 * Unix socket has no such option and no such delay. */
	(void)!socket_nodelay(fd);
	listener->id = id;
	listener->refs = 1;
	list_push_back(listener_list_here(), &listener->node);
	r = task_start(NULL, "listener", listener_task, listener);
	if (r < 0) {
		listener_stop(listener);
		listener_unref(listener);
	}
	return r;
}

void
listener_stop(struct listener *listener)
{
	if (listener->stopped)
		return;
	listener->stopped = true;
	list_remove(&listener->node);
	io_close(&listener->io);
}

void
listener_stop_all(void)
{
	while (!list_empty(listener_list_here()))
		listener_stop(
		    container_of(listener_list.next, struct listener, node));
}
