/*
 * ev_echo.c - an echo server on libev
 */
#include <ev.h>

#include "serve.h"

static void
echo_close(struct ev_loop *loop, ev_io *conn)
{
	ev_io_stop(loop, conn);
	close(conn->fd);
	free(conn);
}

static void
echo_read(struct ev_loop *loop, ev_io *conn, int events)
{
	static char bytes[ECHO_BYTES];
	ssize_t n = recv(conn->fd, bytes, sizeof(bytes), 0);

	(void)events;
	if (n > 0)
		n = send(conn->fd, bytes, (size_t)n, MSG_NOSIGNAL);
	if (n <= 0 && errno != EAGAIN)
		echo_close(loop, conn);
}

static void
echo_accept(struct ev_loop *loop, ev_io *listener, int events)
{
	int fd;

	(void)events;
	while ((fd = accept4(listener->fd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		ev_io *conn = malloc(sizeof(*conn));

		if (conn == NULL)
			exit(1);
		serve_nodelay(fd);
		ev_io_init(conn, echo_read, fd, EV_READ);
		ev_io_start(loop, conn);
	}
}

int
main(void)
{
	struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
	ev_io listener;

	ev_io_init(&listener, echo_accept, serve_listen(), EV_READ);
	ev_io_start(loop, &listener);
	ev_run(loop, 0);
	return 0;
}
