/*
 * offload.c - a few threads for calls that block
 *
 * Threads are started when a job comes and none is idle. A job is a block of
 * its own since its waiter may leave before it ends.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/counters.h"
#include "runtime/io_backend.h"
#include "runtime/worker.h"

#define OFFLOAD_THREADS_MAX 8
#define OFFLOAD_QUEUE_MAX   1024

struct offload_job {
	struct list queued;
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
	pthread_cond_t more;
	struct list queue;
	unsigned queue_length;
	unsigned thread_count;
	unsigned idle_count;
	bool ending;
	pthread_t threads[OFFLOAD_THREADS_MAX];
} offload = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .more = PTHREAD_COND_INITIALIZER,
    .queue = {&offload.queue, &offload.queue},
};

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
	if (job->release != NULL)
		job->release(job->arg);
	free(job);
}

static struct offload_job *
offload_take(void)
{
	struct list *node;

	while (list_empty(&offload.queue) && !offload.ending) {
		offload.idle_count++;
		pthread_cond_wait(&offload.more, &offload.lock);
		offload.idle_count--;
	}
	node = list_pop_front(&offload.queue);
	if (node == NULL)
		return NULL;
	offload.queue_length--;
	return container_of(node, struct offload_job, queued);
}

static void *
offload_thread(void *arg)
{
	struct offload_job *job;

	(void)arg;
	counters_use(NULL);
	pthread_mutex_lock(&offload.lock);
	while ((job = offload_take()) != NULL) {
		pthread_mutex_unlock(&offload.lock);
		job->result = job->fn(job->arg);
		worker_post(job->worker, &job->item);
		pthread_mutex_lock(&offload.lock);
	}
	pthread_mutex_unlock(&offload.lock);
	return NULL;
}

/* One more thread if nobody is idle. 0 while there is at least one. */
static int
offload_grow(void)
{
	int error;

	if (offload.idle_count > offload.queue_length ||
	    offload.thread_count == OFFLOAD_THREADS_MAX)
		return 0;
	error = runtime_thread_new(
	    &offload.threads[offload.thread_count], offload_thread, NULL);
	if (error == 0)
		offload.thread_count++;
	return offload.thread_count > 0 ? 0 : error;
}

/* In a simulation, in place of a thread. */
static void
offload_job_inline(struct inbox_item *item)
{
	struct offload_job *job = container_of(item, struct offload_job, item);

	job->result = job->fn(job->arg);
	offload_job_home(item);
}

static int
offload_push(struct offload_job *job)
{
	int error;

	if (unlikely(worker_here->backend->defer != NULL)) {
		job->item.run = offload_job_inline;
		worker_here->backend->defer(worker_here, &job->item);
		return 0;
	}
	pthread_mutex_lock(&offload.lock);
	error = offload.queue_length == OFFLOAD_QUEUE_MAX ? -EAGAIN
							  : offload_grow();
	if (error == 0) {
		list_push_back(&offload.queue, &job->queued);
		offload.queue_length++;
		pthread_cond_signal(&offload.more);
	}
	pthread_mutex_unlock(&offload.lock);
	return error;
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
	if (result < 0)
		return result;
	job = malloc(sizeof(*job));
	if (job == NULL)
		return -ENOMEM;
	*job = (struct offload_job){.item.run = offload_job_home,
	    .fn = fn,
	    .arg = arg,
	    .release = release,
	    .worker = worker_here->index,
	    .waiter = task_self()};
	result = offload_push(job);
	if (result < 0) {
		free(job);
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
	pthread_mutex_lock(&offload.lock);
	must(offload.queue_length == 0);
	offload.ending = true;
	pthread_cond_broadcast(&offload.more);
	pthread_mutex_unlock(&offload.lock);
	for (unsigned i = 0; i < offload.thread_count; i++)
		pthread_join(offload.threads[i], NULL);
	offload.thread_count = 0;
	offload.ending = false;
}
