/*
 * sticky-messages.c - TCP has no messages: the fault, and its cure
 *
 *   cc sticky-messages.c $(pkg-config --cflags --libs weir)
 *
 * Three sends arrive as one receive, because a stream carries bytes and no
 * borders; a send may as well arrive in pieces. The cure is not a pause between
 * the sends, nor TCP_NODELAY, but a framing: both sides agree how a message's
 * end is told.
 */
#include <weir/weir.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const char *const messages[] = {"rice", "noodles and soup", "tea"};

static int
the_fault(struct weir_io *from, struct weir_io *to)
{
	char text[64];
	ssize_t length;

	for (int i = 0; i < 3; i++) {
		length = weir_send(
		    to, messages[i], strlen(messages[i]), NULL, WEIR_NEVER);
		if (length < 0)
			return (int)length;
	}
	length = weir_recv(from, text, sizeof(text), WEIR_NEVER);
	if (length < 0)
		return (int)length;
	printf("three were sent, one came: %.*s\n", (int)length, text);
	return 0;
}

static int
the_cure(struct weir_io *from, struct weir_io *to,
    const struct weir_framing *framing)
{
	struct weir_reader reader;
	struct weir_frame frame;
	char buffer[64];
	int error;

	for (int i = 0; i < 3; i++) {
		error = weir_frame_send(
		    to, framing, messages[i], strlen(messages[i]), WEIR_NEVER);
		if (error < 0)
			return error;
	}
	weir_reader_init(&reader, from, buffer, sizeof(buffer));
	for (int i = 0; i < 3; i++) {
		error = weir_reader_frame(&reader, framing, &frame, WEIR_NEVER);
		if (error <= 0) {
			printf("%s\n", weir_reader_error(&reader));
			return error;
		}
		printf("  %.*s\n", (int)frame.length, (const char *)frame.data);
	}
	return 0;
}

static int
root(void *arg)
{
	const struct weir_framing length = {
	    .kind = WEIR_FRAME_LENGTH, .width = 4};
	const struct weir_framing line = {.kind = WEIR_FRAME_LINE};
	const struct weir_framing small = {.kind = WEIR_FRAME_LINE, .max = 8};
	struct weir_io from, to;
	int ends[2];

	(void)arg;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0 ||
	    weir_io_attach(&from, ends[0]) < 0 ||
	    weir_io_attach(&to, ends[1]) < 0 || the_fault(&from, &to) < 0)
		return 1;
	printf("with a length of four bytes before each:\n");
	if (the_cure(&from, &to, &length) < 0)
		return 1;
	printf("with a line end behind each:\n");
	if (the_cure(&from, &to, &line) < 0)
		return 1;
	printf("and with lines of at most eight bytes:\n");
	/* It is the sender that is told first. */
	if (the_cure(&from, &to, &small) != -EMSGSIZE)
		return 1;
	printf("  \"%s\" is refused: %s\n", messages[1], strerror(EMSGSIZE));
	weir_io_close(&from);
	weir_io_close(&to);
	return 0;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) != 0;
}
