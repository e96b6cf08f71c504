/*
 * control.c - the listeners of the admin plane
 *
 * Each has a task that accepts; a reload hands it another socket. The task of
 * a connection belongs to the scope of control_run(), not to its listener, so
 * connections outlive a change of address.
 */
#include "control/control.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "control/admin.h"
#include "os/local.h"
#include "os/log.h"

#define CONTROL_ACCEPT_PAUSE_MS 100

struct control_listener {
	struct io_fd io; /* io.fd == -1: none */
	int fd_next; /* taken over when the task sees it; -1: none */
	bool loopback;
	unsigned open_count; /* connections */
	struct task *task;
};

static struct control {
	struct control_callbacks callbacks;
	struct control_listener unix_socket;
	struct control_listener loopback;
	struct scope scope;
} control;

/* ---- connections ---- */

static void
control_who_loopback(
    struct admin_conn *conn, const struct sockaddr_storage *address)
{
	char text[INET6_ADDRSTRLEN] = "?";
	const void *bytes;
	unsigned port;

	if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *a = (const void *)address;

		bytes = &a->sin6_addr;
		port = ntohs(a->sin6_port);
	} else {
		const struct sockaddr_in *a = (const void *)address;

		bytes = &a->sin_addr;
		port = ntohs(a->sin_port);
	}
	(void)inet_ntop(address->ss_family, bytes, text, sizeof(text));
	(void)snprintf(conn->who, sizeof(conn->who), "%s port %u", text, port);
}

static void
control_who_unix(struct admin_conn *conn)
{
	uid_t uid;
	pid_t pid;

	if (local_peer(conn->io.fd, &uid, &pid) == 0)
		(void)snprintf(conn->who, sizeof(conn->who), "uid %u (pid %d)",
		    (unsigned)uid, (int)pid);
	else
		(void)snprintf(
		    conn->who, sizeof(conn->who), "somebody unknown");
}

/* Takes @fd. */
static int
control_serve(struct control_listener *listener, int fd,
    const struct sockaddr_storage *address)
{
	struct admin_conn *conn;
	int r;

	if (listener->open_count >= ADMIN_CONNECTIONS_MAX) {
		local_close(fd);
		return -EBUSY;
	}
	conn = calloc(1, sizeof(*conn));
	r = conn != NULL ? io_attach(&conn->io, fd) : -ENOMEM;
	if (r < 0) {
		local_close(fd);
		free(conn);
		return r;
	}
	conn->callbacks = &control.callbacks;
	conn->loopback = listener->loopback;
	conn->open_count = &listener->open_count;
	if (listener->loopback)
		control_who_loopback(conn, address);
	else
		control_who_unix(conn);
	r = task_start(
	    &control.scope, "admin connection", admin_conn_run, conn);
	if (r < 0) {
		io_close(&conn->io);
		free(conn);
		return r;
	}
	listener->open_count++;
	return 0;
}

/* ---- listeners ---- */

/* Until there is a socket to accept from. 0, or the cancel error. */
static int
control_listener_ready(struct control_listener *listener)
{
	while (listener->io.fd < 0) {
		int fd = listener->fd_next, r;

		if (fd < 0) {
			r = task_park("no admin address", instant_never());
			if (r < 0)
				return r;
			continue;
		}
		listener->fd_next = -1;
		r = io_attach(&listener->io, fd);
		if (r < 0) {
			listener->io.fd = -1;
			local_close(fd);
			log_error("admin",
			    "cannot listen: %s; reload to try "
			    "again",
			    error_text(r));
		}
	}
	return 0;
}

static int
control_accept_one(struct control_listener *listener)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof(address);
	int r = io_accept(&listener->io, (struct sockaddr *)&address, &length,
	    instant_never());

	if (r >= 0)
		r = control_serve(listener, r, &address);
	if (task_cancelled() != 0)
		return task_cancelled();
	switch (r) {
	case 0:
	case -EBADF: /* control_listen() closed it */
	case -ECONNABORTED:
		return 0;
	case -EBUSY:
		log_warn("admin",
		    "a connection was closed at once: %d are open; let "
		    "clients close theirs",
		    ADMIN_CONNECTIONS_MAX);
		return 0;
	default:
		log_error(
		    "admin", "cannot accept: %s; trying again", error_text(r));
		return task_sleep(duration_ms(CONTROL_ACCEPT_PAUSE_MS));
	}
}

static int
control_listener_run(void *arg)
{
	struct control_listener *listener = arg;
	int r;

	listener->task = task_self();
	do {
		r = control_listener_ready(listener);
		if (r == 0)
			r = control_accept_one(listener);
	} while (r == 0);
	listener->task = NULL;
	io_close(&listener->io);
	return r;
}

static void
control_listener_init(
    struct control_listener *listener, int fd_take, bool loopback)
{
	*listener = (struct control_listener){
	    .io.fd = -1, .fd_next = fd_take, .loopback = loopback};
}

static void
control_listener_change(struct control_listener *listener, int fd_take)
{
	if (listener->fd_next >= 0)
		local_close(listener->fd_next);
	listener->fd_next = fd_take;
	io_close(&listener->io);
	if (listener->task != NULL)
		task_wake(listener->task);
}

void
control_listen(int unix_fd, int loopback_fd)
{
	control_listener_change(&control.unix_socket, unix_fd);
	control_listener_change(&control.loopback, loopback_fd);
}

int
control_run(const struct control_options *options)
{
	int r, first;

	control.callbacks = options->callbacks;
	control_listener_init(&control.unix_socket, options->unix_fd, false);
	control_listener_init(&control.loopback, options->loopback_fd, true);
	scope_init(&control.scope, instant_never());
	r = task_start(&control.scope, "admin socket", control_listener_run,
	    &control.unix_socket);
	if (r == 0)
		r = task_start(&control.scope, "admin loopback",
		    control_listener_run, &control.loopback);
	if (r == 0)
		r = scope_wait(&control.scope);
	first = scope_fini(&control.scope);
	return r != 0 ? r : first;
}
