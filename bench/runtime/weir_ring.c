/*
 * weir_ring.c - what a message through libweir's shared memory costs: COUNT
 *
 * As ipc_cost.c: the child puts, the parent gets, each a runtime of its own.
 */
#include <sys/wait.h>

#include <weir/ring.h>
#include <weir/weir.h>

#include "cost.h"

#define MESSAGE_BYTES 64
#define RING_BYTES    65536 /* as a pipe holds */

static long count;
static struct weir_ring_ends ends;

static int
put_all(void *arg)
{
	char message[MESSAGE_BYTES] = {0};
	struct weir_ring ring;
	int r;

	(void)arg;
	close(ends.get);
	r = weir_ring_open_put(&ring, ends.memory, ends.put);
	for (long i = 0; r == 0 && i < count; i++)
		r = weir_ring_put(&ring, message, sizeof(message), WEIR_NEVER);
	if (r == 0)
		weir_ring_close(&ring);
	return r;
}

static int
get_all(void *arg)
{
	char message[MESSAGE_BYTES];
	struct weir_ring ring;
	ssize_t length = sizeof(message);
	int r;

	(void)arg;
	close(ends.put);
	r = weir_ring_open_get(&ring, ends.memory, ends.get);
	if (r < 0)
		return r;
	for (long i = 0; length == MESSAGE_BYTES && i < count; i++)
		length =
		    weir_ring_get(&ring, message, sizeof(message), WEIR_NEVER);
	weir_ring_close(&ring);
	return length == MESSAGE_BYTES ? 0 : -EPROTO;
}

int
main(int argc, char **argv)
{
	struct weir_options options = {.worker_count = 1, .stall_ns = -1};
	double start = cost_family_cpu_ns();
	int status = 0, r;
	pid_t child;

	count = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
	if (count <= 0 || weir_ring_create(RING_BYTES, &ends) < 0)
		return 2;
	child = fork();
	if (child < 0)
		return 1;
	cost_pin(child == 0);
	if (child == 0)
		_exit(weir_run(&options, put_all, NULL) < 0);
	r = weir_run(&options, get_all, NULL);
	if (waitpid(child, &status, 0) != child || status != 0 || r < 0)
		return 1;
	printf("%.3f\n", (cost_family_cpu_ns() - start) / (double)count);
	return 0;
}
