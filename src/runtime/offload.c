/*
 * offload.c - the pool for calls that block
 *
 * A job is a block of its own since its waiter may leave before it ends.
 */
#include <errno.h>
#include <stdlib.h>

#include "runtime/pool.h"
#include "runtime/worker.h"

#define OFFLOAD_THREADS_MAX 8
#define OFFLOAD_QUEUE_MAX   1024

struct offload_job {
	struct pool_job job;
	struct inbox_item item; /* its way home */
	int (*fn)(void *arg);
	void *arg;
	void (*release)(void *arg);
	int result;
	unsigned worker;
	bool done;
	struct task *waiter; /* NULL: left */
};

static struct {
	pthread_mutex_t lock;
	struct pool *pool; /* NULL: nobody has needed it */
} offload = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void
offload_release(void (*release)(void *arg), void *arg)
{
	if (release != NULL)
		release(arg);
}

static void
offload_job_home(struct inbox_item *item)
{
	struct offload_job *job = container_of(item, struct offload_job, item);

	worker_here->offload_count--;
	if (job->waiter != NULL) {
		job->done = true;
		task_wake(job->waiter);
		return;
	}
	offload_release(job->release, job->arg);
	free(job);
}

static void
offload_job_run(struct pool_job *inner)
{
	struct offload_job *job = container_of(inner, struct offload_job, job);

	job->result = job->fn(job->arg);
	worker_post(job->worker, &job->item);
}

static int
offload_push(struct offload_job *job)
{
	static const struct pool_options options = {.name = "weir-offload",
	    .thread_count = OFFLOAD_THREADS_MAX,
	    .queue_max = OFFLOAD_QUEUE_MAX};
	int error = 0;

	pthread_mutex_lock(&offload.lock);
	if (offload.pool == NULL)
		error = pool_new(&options, &offload.pool);
	pthread_mutex_unlock(&offload.lock);
	return error < 0 ? error : pool_push(offload.pool, &job->job);
}

/* 0 when @job is done, or why the waiter left it. */
static int
offload_wait(struct offload_job *job, instant deadline)
{
	int error = 0;

	while (!job->done && error == 0)
		error = task_park("offload", deadline);
	return job->done ? 0 : error;
}

int
offload_run(int (*fn)(void *arg), void *arg, void (*release)(void *arg),
    instant deadline)
{
	struct offload_job *job;
	int result;

	result = task_cancelled();
	job = result == 0 ? malloc(sizeof(*job)) : NULL;
	if (job == NULL) {
		offload_release(release, arg);
		return result < 0 ? result : -ENOMEM;
	}
	*job = (struct offload_job){.job.run = offload_job_run,
	    .item.run = offload_job_home,
	    .fn = fn,
	    .arg = arg,
	    .release = release,
	    .worker = worker_here->index,
	    .waiter = task_self()};
	result = offload_push(job);
	if (result < 0) {
		free(job);
		offload_release(release, arg);
		return result;
	}
	worker_here->offload_count++;
	result = offload_wait(job, deadline);
	if (result < 0) {
		job->waiter = NULL;
		return result;
	}
	result = job->result;
	free(job);
	return result;
}

/* No worker has a job out any more. */
void
offload_end(void)
{
	if (offload.pool != NULL)
		pool_close(offload.pool, false);
	offload.pool = NULL;
}
