/*
 * weir_echo.c - an echo server on libweir: [BACKEND [task | lend | shrunk |
 * watch]]
 *
 * task   a task for each connection, as one would write it
 * lend   the same without a buffer of its own
 * shrunk the same, and it gives its stack back while it is idle
 * watch  a task only while there are bytes: an idle connection is a struct
 */
#include <weir/weir.h>

#include "serve.h"

static bool watch, lend, shrunk;
static const char *backend;

struct conn {
	struct weir_io io;
};

static int
conn_serve(void *arg)
{
	struct conn *conn = arg;
	char bytes[ECHO_BYTES];
	ssize_t n;

	while (
	    (n = weir_recv(&conn->io, bytes, sizeof(bytes), WEIR_NEVER)) > 0) {
		n = weir_send(&conn->io, bytes, (size_t)n, NULL, WEIR_NEVER);
		if (n < 0)
			break;
	}
	weir_io_close(&conn->io);
	free(conn);
	return 0;
}

static int
conn_serve_lent(void *arg)
{
	struct conn *conn = arg;
	struct weir_lent lent;

	while (weir_recv_lend(&conn->io, &lent, WEIR_NEVER) > 0) {
		ssize_t n = weir_send(
		    &conn->io, lent.memory, lent.length, NULL, WEIR_NEVER);

		weir_lent_release(&lent);
		if (n < 0)
			break;
	}
	weir_io_close(&conn->io);
	free(conn);
	return 0;
}

static void conn_ready(struct weir_io *io, unsigned events);

/* What is there, and then idle again. */
static int
conn_serve_once(void *arg)
{
	struct conn *conn = arg;
	char bytes[ECHO_BYTES];
	ssize_t n;

	do {
		n = weir_recv(&conn->io, bytes, sizeof(bytes), WEIR_PAST);
		if (n > 0)
			n = weir_send(
			    &conn->io, bytes, (size_t)n, NULL, WEIR_NEVER);
	} while (n == ECHO_BYTES);
	if (n > 0 || n == -ETIMEDOUT) {
		weir_io_watch(&conn->io, conn_ready);
		return 0;
	}
	weir_io_close(&conn->io);
	free(conn);
	return 0;
}

static void
conn_ready(struct weir_io *io, unsigned events)
{
	(void)events;
	weir_io_watch(io, NULL);
	if (weir_task_start(NULL, "conn", conn_serve_once, io) < 0) {
		weir_io_close(io);
		free(io);
	}
}

static int
conn_open(int fd)
{
	struct weir_task_options options = {.name = "conn"};
	struct conn *conn = malloc(sizeof(*conn));
	int r = -ENOMEM;

	serve_nodelay(fd);
	if (conn == NULL)
		goto out_fd;
	r = weir_io_attach_stream(&conn->io, fd);
	if (r < 0)
		goto out_conn;
	if (watch) {
		weir_io_watch(&conn->io, conn_ready);
		return 0;
	}
	options.shrink_ns = shrunk ? WEIR_SECOND : 0;
	r = weir_task_start_with(
	    NULL, &options, lend ? conn_serve_lent : conn_serve, conn);
	if (r == 0)
		return 0;
	weir_io_close(&conn->io);
	free(conn);
	return r;
out_conn:
	free(conn);
out_fd:
	close(fd);
	return r;
}

static int
root(void *arg)
{
	struct weir_io listener;
	struct weir_info info;
	int fd;

	/* A backend that the kernel refuses is replaced silently. */
	weir_info_get(&info);
	if (backend != NULL && strcmp(info.backend, backend) != 0)
		return -ENOTSUP;
	fd = weir_io_attach_listener(&listener, *(int *)arg);

	while (fd >= 0) {
		fd = weir_accept(&listener, NULL, NULL, WEIR_NEVER);
		if (fd >= 0)
			fd = conn_open(fd);
	}
	fprintf(stderr, "weir_echo: %s\n", strerror(-fd));
	return fd;
}

int
main(int argc, char **argv)
{
	struct weir_options options = {.worker_count = 1, .stall_ns = -1};
	int listener;

	backend = options.backend = argc > 1 ? argv[1] : NULL;
	watch = argc > 2 && strcmp(argv[2], "watch") == 0;
	shrunk = argc > 2 && strcmp(argv[2], "shrunk") == 0;
	lend = shrunk || (argc > 2 && strcmp(argv[2], "lend") == 0);
	listener = serve_listen();
	return weir_run(&options, root, &listener) < 0 ? 3 : 0;
}
