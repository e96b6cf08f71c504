/*
 * public/process_pool_child.c - the other side of a pool: no tasks, no
 * threads, a loop
 */
#include <weir/process_pool.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/child_pipe.h"
#include "public/process_pool_inner.h"

static NORETURN void
pool_child_end(int status)
{
	exit(status);
}

/* The end of the pool is the end of the child. */
static void
pool_child_read(void *into, size_t length)
{
	int r = child_pipe_read(POOL_CHILD_FD, into, length);

	if (r < 0)
		pool_child_end(r == -EPIPE ? 0 : 1);
}

static void
pool_child_write(const void *from, size_t length)
{
	if (child_pipe_write(POOL_CHILD_FD, from, length) < 0)
		pool_child_end(0);
}

static ssize_t
pool_child_job(const weir_job_fn *jobs, unsigned count,
    const struct pool_request *request, const void *in, void *out)
{
	ssize_t result;

	if (request->job >= count)
		return -ENOSYS;
	result =
	    jobs[request->job](in, request->length, out, request->out_capacity);
	/* It has written where nothing is its own. */
	if (result > (ssize_t)request->out_capacity)
		abort();
	return result;
}

static void
pool_child_serve(const weir_job_fn *jobs, unsigned count)
{
	struct pool_request request;
	struct pool_answer answer;
	char *in, *out;

	pool_child_read(&request, sizeof(request));
	in = malloc(request.length + 1);
	out = malloc(request.out_capacity + 1);
	if (in == NULL || out == NULL)
		pool_child_end(1);
	pool_child_read(in, request.length);
	answer.result = pool_child_job(jobs, count, &request, in, out);
	pool_child_write(&answer, sizeof(answer));
	if (answer.result > 0)
		pool_child_write(out, (size_t)answer.result);
	free(in);
	free(out);
}

void
weir_process_pool_child(const weir_job_fn *jobs, unsigned count)
{
	if (getenv(POOL_CHILD_VARIABLE) == NULL)
		return;
	/* Not for what the jobs start. */
	unsetenv(POOL_CHILD_VARIABLE);
	child_pipe_open(POOL_CHILD_FD);
	for (;;)
		pool_child_serve(jobs, count);
}
