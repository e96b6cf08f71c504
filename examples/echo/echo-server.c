/*
 * echo-server.c - sends back what it receives; one listener per worker
 *
 *   cc echo-server.c $(pkg-config --cflags --libs weir) -o echo-server
 *   ./echo-server 7777        port 0 takes a free one; the first line tells it
 *
 * A connection that says nothing has no task: it is a struct conn of a hundred
 * bytes, and its hook starts a task when bytes come. That is worth its pages
 * where a server has very many connections that are mostly silent; elsewhere
 * a task that waits for its client is shorter: see examples/lib/echo.c.
 */
#include <weir/weir.h>

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define ANSWER_TIME (10 * WEIR_SECOND)
#define IDLE_TIME   (5 * WEIR_MILLISECOND)

struct conn {
	struct weir_io io; /* first: the hook gets its address */
};

static struct sockaddr_in server_address;
static int server_signals;

static void conn_ready(struct weir_io *io, unsigned events);

/* Serves while bytes come quickly, then gives the stack back. */
static int
conn_serve(void *arg)
{
	struct conn *conn = arg;
	char block[4096];
	ssize_t r;

	for (;;) {
		r = weir_recv(
		    &conn->io, block, sizeof(block), weir_after(IDLE_TIME));
		if (r == -ETIMEDOUT && weir_stopped() == 0) {
			weir_io_watch(&conn->io, conn_ready);
			return 0;
		}
		if (r > 0)
			r = weir_send(&conn->io, block, (size_t)r, NULL,
			    weir_after(ANSWER_TIME));
		if (r <= 0)
			break;
	}
	weir_io_close(&conn->io);
	free(conn);
	return 0;
}

static void
conn_ready(struct weir_io *io, unsigned events)
{
	struct conn *conn = (struct conn *)io;

	(void)events;
	weir_io_watch(io, NULL);
	if (weir_task_start(NULL, "conn", conn_serve, conn) == 0)
		return;
	weir_io_close(io);
	free(conn);
}

static void
conn_open(int fd)
{
	struct conn *conn = malloc(sizeof(*conn));

	if (conn == NULL || weir_io_attach(&conn->io, fd) < 0) {
		free(conn);
		close(fd);
		return;
	}
	weir_io_watch(&conn->io, conn_ready);
}

static int
listener_open(void)
{
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&server_address,
		sizeof(server_address)) == 0 &&
	    listen(fd, 1024) == 0)
		return fd;
	one = errno;
	close(fd);
	return -one;
}

/* A task on each worker, until the runtime ends. */
static int
accept_all(void *arg)
{
	struct weir_io listener;
	int fd;

	fd = (int)(intptr_t)arg;
	if (fd < 0)
		fd = listener_open();
	if (fd < 0 || weir_io_attach(&listener, fd) < 0)
		return fd;
	while (weir_stopped() == 0) {
		fd = weir_accept(&listener, NULL, NULL, WEIR_NEVER);
		if (fd >= 0)
			conn_open(fd);
		else if (fd == -EMFILE || fd == -ENFILE)
			weir_sleep(100 * WEIR_MILLISECOND);
	}
	weir_io_close(&listener);
	return 0;
}

static int
root(void *arg)
{
	struct signalfd_siginfo info;
	struct weir_io signals;
	int first = (int)(intptr_t)arg;
	int error;

	error = weir_task_start(
	    NULL, "accept", accept_all, (void *)(intptr_t)first);
	for (unsigned i = 1; i < weir_worker_count() && error == 0; i++)
		error = weir_worker_start(
		    i, "accept", accept_all, (void *)(intptr_t)-1);
	if (error == 0)
		error = weir_io_attach(&signals, server_signals);
	if (error < 0)
		return error;
	if (weir_read(&signals, &info, sizeof(info), WEIR_NEVER) < 0)
		error = -EIO;
	weir_io_close(&signals);
	return error;
}

int
main(int argc, char **argv)
{
	static const int signals[] = {SIGINT, SIGTERM, 0};
	struct weir_options options = {0};
	socklen_t length = sizeof(server_address);
	int fd;

	server_address.sin_family = AF_INET;
	server_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server_address.sin_port =
	    htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 7777));
	server_signals = weir_signals_open(signals);
	fd = listener_open();
	if (fd < 0 || server_signals < 0 ||
	    getsockname(fd, (struct sockaddr *)&server_address, &length) < 0) {
		fprintf(stderr, "echo-server: cannot listen\n");
		return 1;
	}
	printf("%d\n", ntohs(server_address.sin_port));
	fflush(stdout);
	return weir_run(&options, root, (void *)(intptr_t)fd) < 0;
}
