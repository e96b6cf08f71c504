/*
 * every-ipc.c - one word from another process, by each means there is
 *
 *   cc every-ipc.c $(pkg-config --cflags --libs weir)
 *
 * The other process is this program once more. What has no name is handed to it
 * as descriptors: 3 the pipe, 4 a semaphore, 5 a socket, 6 and 7 the ring. What
 * has one it opens.
 */
#include <weir/weir.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char fifo[64], queue[64], name[64];
static weir_time late;

/* Stop at the first thing that goes wrong, and say where. */
#define TRY(call)                                                              \
	do {                                                                   \
		long r_ = (long)(call);                                        \
		if (r_ < 0) {                                                  \
			fprintf(                                               \
			    stderr, "%s: %s\n", #call, strerror((int)-r_));    \
			return -1;                                             \
		}                                                              \
	} while (0)

static int
sender(void *arg)
{
	const struct weir_mq_options to_write = {.write = true};
	struct weir_io pipe, semaphore, packets, io;
	struct weir_ring ring;

	(void)arg;
	TRY(weir_io_attach(&pipe, 3));
	TRY(weir_io_attach(&semaphore, 4));
	TRY(weir_io_attach(&packets, 5));
	TRY(weir_ring_open_put(&ring, 6, 7));

	TRY(weir_write(&pipe, "pipe", 5, late));
	TRY(weir_fifo_open_write(&io, fifo, late));
	TRY(weir_write(&io, "fifo", 5, late));
	weir_io_close(&io);
	TRY(weir_mq_open(&io, queue, &to_write));
	TRY(weir_mq_send(&io, "later", 6, 1, late));
	TRY(weir_mq_send(&io, "first", 6, 2, late));
	weir_io_close(&io);
	TRY(weir_unix_connect(&io, SOCK_STREAM, name, late));
	TRY(weir_send(&io, "stream", 7, NULL, late));
	weir_io_close(&io);
	/* The pipe's own end as a gift. */
	TRY(weir_unix_send_fds(&packets, "gift", 5, (int[]){3}, 1, late));
	for (int i = 1; i <= 3; i++)
		TRY(weir_ring_put(&ring, &i, sizeof(i), late));
	TRY(weir_event_semaphore_post(&semaphore, 2));
	weir_ring_close(&ring);
	/* They lie on this stack. */
	weir_io_close(&pipe);
	weir_io_close(&semaphore);
	weir_io_close(&packets);
	return 0;
}

static int
receiver(struct weir_io *pipe, struct weir_io *semaphore,
    struct weir_io *packets, struct weir_io *messages, struct weir_io *listener,
    struct weir_ring *ring)
{
	char word[16];
	struct weir_io io;
	int fd, number;
	unsigned count;

	TRY(weir_read(pipe, word, sizeof(word), late));
	printf("pipe: %s\n", word);
	TRY(weir_fifo_open_read(&io, fifo, late));
	TRY(weir_read(&io, word, sizeof(word), late));
	printf("FIFO: %s\n", word);
	weir_io_close(&io);
	TRY(weir_event_semaphore_wait(semaphore, late));
	printf("semaphore: everything was sent\n");
	for (int i = 0; i < 2; i++) {
		TRY(weir_mq_recv(messages, word, sizeof(word), NULL, late));
		printf("message queue: %s\n", word);
	}
	TRY(fd = weir_accept(listener, NULL, NULL, late));
	TRY(weir_io_attach(&io, fd));
	TRY(weir_recv(&io, word, sizeof(word), late));
	printf("Unix socket: %s\n", word);
	weir_io_close(&io);
	TRY(weir_unix_recv_fds(
	    packets, word, sizeof(word), &fd, 1, &count, late));
	printf("packet: %s, with %u descriptor\n", word, count);
	close(fd);
	while (weir_ring_get(ring, &number, sizeof(number), late) > 0)
		printf("ring: %d\n", number);
	return 0;
}

static int
root(void *program)
{
	char *argv[] = {program, fifo, queue, name, NULL};
	const struct weir_mq_options to_read = {.read = true,
	    .create = true,
	    .mode = 0600,
	    .message_count_max = 2,
	    .message_bytes_max = 16};
	struct weir_io pipe[2], semaphore, packets[2], messages, listener;
	struct weir_ring_ends ends;
	struct weir_process *child;
	struct weir_ring ring;
	struct weir_exit end;

	TRY(weir_pipe(&pipe[0], &pipe[1]));
	TRY(weir_fifo_create(fifo, 0600));
	TRY(weir_mq_open(&messages, queue, &to_read));
	TRY(weir_event_semaphore_open(&semaphore, 0));
	TRY(weir_unix_pair(SOCK_SEQPACKET, &packets[0], &packets[1]));
	TRY(weir_unix_listen(&listener, SOCK_STREAM, name));
	TRY(weir_ring_create(1 << 16, &ends));
	const struct weir_process_fd fds[] = {{weir_io_fd(&pipe[1]), 3},
	    {weir_io_fd(&semaphore), 4}, {weir_io_fd(&packets[1]), 5},
	    {ends.memory, 6}, {ends.put, 7}};
	const struct weir_process_options options = {
	    .path = program, .argv = argv, .fds = fds, .fd_count = 5};

	TRY(weir_process_start(&options, &child, NULL));
	/* Our copy of its end, or we would not see it close. */
	close(ends.put);
	TRY(weir_ring_open_get(&ring, ends.memory, ends.get));
	TRY(receiver(
	    &pipe[0], &semaphore, &packets[0], &messages, &listener, &ring));
	TRY(weir_process_wait(child, &end, late));
	weir_process_drop(child);
	struct weir_io *all[] = {&pipe[0], &pipe[1], &semaphore, &packets[0],
	    &packets[1], &messages, &listener};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		weir_io_close(all[i]);
	unlink(fifo);
	weir_mq_unlink(queue);
	return end.code;
}

int
main(int argc, char **argv)
{
	struct weir_options options = {.worker_count = 1};

	late = weir_after(60 * WEIR_SECOND);
	if (argc == 4) {
		snprintf(fifo, sizeof(fifo), "%s", argv[1]);
		snprintf(queue, sizeof(queue), "%s", argv[2]);
		snprintf(name, sizeof(name), "%s", argv[3]);
		return weir_run(&options, sender, NULL) != 0;
	}
	snprintf(fifo, sizeof(fifo), "/tmp/every-ipc-%d", (int)getpid());
	snprintf(queue, sizeof(queue), "/every-ipc-%d", (int)getpid());
	snprintf(name, sizeof(name), "@every-ipc-%d", (int)getpid());
	return weir_run(&options, root, argv[0]) != 0;
}
