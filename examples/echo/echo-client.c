/*
 * echo-client.c - many connections at once, each checks what comes back
 *
 *   ./echo-client PORT CONNECTIONS MESSAGES
 */
#include <weir/weir.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
	struct sockaddr_in address;
	int connections;
	int messages;
};

static int
recv_all(struct weir_io *io, char *into, size_t length, weir_time deadline)
{
	while (length > 0) {
		ssize_t r = weir_recv(io, into, length, deadline);

		if (r <= 0)
			return r < 0 ? (int)r : -EPIPE;
		into += r;
		length -= (size_t)r;
	}
	return 0;
}

static int
talk(struct weir_io *io, int messages)
{
	char out[200], in[sizeof(out)];

	for (int i = 0; i < messages; i++) {
		weir_time deadline = weir_after(5 * WEIR_SECOND);
		ssize_t r;

		memset(out, 'a' + i % 26, sizeof(out));
		r = weir_send(io, out, sizeof(out), NULL, deadline);
		if (r >= 0)
			r = recv_all(io, in, sizeof(in), deadline);
		if (r < 0)
			return (int)r;
		if (memcmp(out, in, sizeof(out)) != 0)
			return -EBADMSG;
		/* Now and then long enough for the server to let go. */
		if (i % 50 == 49)
			weir_sleep(12 * WEIR_MILLISECOND);
	}
	return 0;
}

static int
connection(void *arg)
{
	const struct job *job = arg;
	struct weir_io io;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	error = weir_io_attach(&io, fd);
	if (error < 0)
		return error;
	error = weir_connect(&io, (const struct sockaddr *)&job->address,
	    sizeof(job->address), weir_after(5 * WEIR_SECOND));
	if (error == 0)
		error = talk(&io, job->messages);
	weir_io_close(&io);
	return error;
}

static int
root(void *arg)
{
	struct job *job = arg;
	struct weir_scope scope;
	int error = 0, ended;

	weir_scope_init(&scope, weir_after(60 * WEIR_SECOND));
	for (int i = 0; i < job->connections && error == 0; i++)
		error = weir_task_start(&scope, "connection", connection, job);
	if (error == 0)
		error = weir_scope_wait(&scope);
	ended = weir_scope_fini(&scope);
	return error < 0 ? error : ended;
}

int
main(int argc, char **argv)
{
	struct weir_options options = {.worker_count = 1};
	struct job job = {.address = {.sin_family = AF_INET,
			      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
	int error;

	if (argc != 4) {
		fprintf(
		    stderr, "usage: echo-client PORT CONNECTIONS MESSAGES\n");
		return 2;
	}
	job.address.sin_port = htons((uint16_t)atoi(argv[1]));
	job.connections = atoi(argv[2]);
	job.messages = atoi(argv[3]);
	error = weir_run(&options, root, &job);
	if (error < 0)
		fprintf(stderr, "echo-client: %s\n", strerror(-error));
	return error < 0;
}
