/*
 * closing-by-force.c - ending a conversation from outside
 *
 *   cc closing-by-force.c $(pkg-config --cflags --libs weir)
 *
 * A conversation sits in weir_recv() for as long as its peer says nothing. Who
 * wants it to end does not set a flag that nobody looks at: cancelling its
 * scope wakes it, and its own clean-up runs.
 */
#include <weir/weir.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int
conversation(void *arg)
{
	struct weir_io io;
	char text[64];
	ssize_t length;
	int error;

	error = weir_io_attach(&io, *(int *)arg);
	if (error < 0)
		return error;
	while ((length = weir_recv(&io, text, sizeof(text), WEIR_NEVER)) > 0)
		printf("heard: %.*s\n", (int)length, text);
	printf("conversation ends: %s\n", strerror((int)-length));
	weir_io_close(&io);
	return (int)length;
}

static int
root(void *arg)
{
	struct weir_scope scope;
	int ends[2];
	char end;
	int error;

	(void)arg;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0)
		return -1;
	weir_scope_init(&scope, WEIR_NEVER);
	error = weir_task_start(&scope, "conversation", conversation, &ends[0]);
	if (error < 0)
		return error;
	if (write(ends[1], "hello", 5) != 5 ||
	    weir_sleep(20 * WEIR_MILLISECOND) < 0)
		return -1;

	printf("the switch is thrown\n");
	weir_scope_cancel(&scope, 0);
	weir_scope_fini(&scope);
	/* Nothing of the conversation runs any more, and its socket is closed:
	 * the other side reads the end. */
	printf("the peer reads %zd bytes\n", read(ends[1], &end, 1));
	close(ends[1]);
	return 0;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) < 0;
}
