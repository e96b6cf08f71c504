/*
 * select-many.c - whichever comes first: a channel, a socket, a task, the time
 *
 *   cc select-many.c $(pkg-config --cflags --libs weir)
 */
#include <weir/weir.h>

#include <assert.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct world {
	struct weir_channel *words;
	int peer;
};

/* Lets things happen, one after the other. */
static int
happen(void *arg)
{
	struct world *world = arg;
	const char *word = "hello";

	if (weir_sleep(5 * WEIR_MILLISECOND) < 0 ||
	    weir_channel_send(world->words, &word, WEIR_NEVER) < 0 ||
	    weir_sleep(5 * WEIR_MILLISECOND) < 0 ||
	    write(world->peer, "x", 1) != 1 ||
	    weir_sleep(5 * WEIR_MILLISECOND) < 0)
		return -1;
	return 42; /* its end is the third thing */
}

static int
root(void *arg)
{
	struct weir_channel_options options = {.item_bytes = sizeof(char *)};
	struct weir_task handle;
	struct weir_task_options task = {.name = "happen", .handle = &handle};
	struct world world;
	const char *word = NULL;
	struct weir_io io;
	char byte;
	int ends[2], left = 4;

	(void)arg;
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
	assert(weir_io_attach(&io, ends[0]) == 0);
	world.peer = ends[1];
	assert(weir_channel_new(&options, &world.words) == 0);
	assert(weir_task_start_with(NULL, &task, happen, &world) == 0);

	struct weir_case cases[] = {weir_case_recv(world.words, &word),
	    weir_case_io(&io, WEIR_IN), weir_case_task(&handle),
	    weir_case_never()};

	/* Nothing yet: only a look. */
	assert(weir_select(cases, 4, WEIR_PAST) < 0);
	while (left-- > 0) {
		switch (weir_select(cases, 4, WEIR_NEVER)) {
		case 0:
			printf("the channel says %s\n", word);
			break;
		case 1:
			assert(weir_recv(&io, &byte, 1, WEIR_NEVER) == 1);
			printf("the socket has %c\n", byte);
			break;
		case 2:
			printf("the task ended with %d\n", cases[2].result);
			/* It would be ready for ever: switch it off. */
			cases[2] = weir_case_never();
			cases[3] =
			    weir_case_time(weir_after(5 * WEIR_MILLISECOND));
			break;
		case 3:
			printf("the time has come\n");
			break;
		default:
			return -1;
		}
	}
	weir_io_close(&io);
	close(ends[1]);
	weir_channel_unref(world.words);
	return 0;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) < 0;
}
