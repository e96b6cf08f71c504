/*
 * pool_job.c - what people give to a pool: a call with a future, or many
 */
#include <errno.h>
#include <stdlib.h>

#include "runtime/chan_inner.h"
#include "runtime/misuse.h"
#include "runtime/pool_inner.h"
#include "runtime/task.h"

struct pool_call {
	struct pool_job job;
	int (*fn)(void *arg);
	void *arg;
	struct future *future; /* or NULL */
};

static void
pool_call_end(struct pool_call *call, int result)
{
	if (call->future != NULL)
		future_set(call->future, result, call->arg);
	future_unref(call->future);
	free(call);
}

static void
pool_call_run(struct pool_job *job)
{
	struct pool_call *call = container_of(job, struct pool_call, job);

	pool_call_end(call, call->fn(call->arg));
}

static void
pool_call_cancel(struct pool_job *job)
{
	pool_call_end(container_of(job, struct pool_call, job), -ECANCELED);
}

static int
pool_push_waiting(struct pool *pool, struct pool_job *job, instant deadline)
{
	int error;

	while ((error = pool_push(pool, job)) == -EAGAIN &&
	    deadline.ns != INSTANT_PAST_NS) {
		misuse_unless(task_self() != NULL,
		    "weir_pool_submit() waits for room outside a task; with "
		    "deadline WEIR_PAST it tries");
		error = pool_wait_room(pool, deadline);
		if (error < 0)
			break;
	}
	return error;
}

int
pool_submit(struct pool *pool, int (*fn)(void *arg), void *arg,
    struct future **ret_future, instant deadline)
{
	struct pool_call *call = malloc(sizeof(*call));
	struct future *future = NULL;
	int error = call != NULL ? 0 : -ENOMEM;

	if (error == 0 && ret_future != NULL)
		error = future_new(&future);
	if (error == 0) {
		*call = (struct pool_call){.job.run = pool_call_run,
		    .job.cancel = pool_call_cancel,
		    .fn = fn,
		    .arg = arg,
		    .future = future != NULL ? future_ref(future) : NULL};
		error = pool_push_waiting(pool, &call->job, deadline);
		if (error < 0)
			future_unref(future);
	}
	if (error < 0) {
		future_unref(future);
		free(call);
		return error;
	}
	if (ret_future != NULL)
		*ret_future = future;
	return 0;
}

/* ---- map ---- */

struct map_job {
	struct pool_job job;
	struct map_run *run;
	size_t index; /* of the argument */
	int result;
	bool out; /* given to the pool, not yet come back */
	bool done; /* come back, not yet told */
};

struct map_run {
	const struct pool_map *map;
	struct pool *pool;
	struct chan *done; /* struct map_job *, as they end */
	size_t next; /* to be given out */
	size_t told;
	unsigned window;
	unsigned out;
	struct map_job jobs[];
};

/* It has room for all that are out. */
static void
map_job_back(struct map_job *job, int result)
{
	struct chan *done = job->run->done;

	job->result = result;
	must(chan_try_send(done, &job) == 0);
	chan_unref(done);
}

static void
map_job_run(struct pool_job *inner)
{
	struct map_job *job = container_of(inner, struct map_job, job);
	const struct pool_map *map = job->run->map;

	map_job_back(job, map->fn(map->args[job->index]));
}

static void
map_job_cancel(struct pool_job *inner)
{
	map_job_back(container_of(inner, struct map_job, job), -ECANCELED);
}

/* In order: the place of the next argument, if that is free. */
static struct map_job *
map_job_free(struct map_run *run)
{
	unsigned first = (unsigned)(run->next % run->window);
	unsigned count = run->map->ordered ? 1 : run->window;

	for (unsigned i = 0; i < count; i++) {
		struct map_job *job = &run->jobs[(first + i) % run->window];

		if (!job->out && !job->done)
			return job;
	}
	return NULL;
}

/* As many as may be out. */
static int
map_give(struct map_run *run, instant deadline)
{
	struct map_job *job;
	int error = 0;

	while (run->next < run->map->count && error == 0 &&
	    (job = map_job_free(run)) != NULL) {
		job->index = run->next;
		/* The thread's own: it may be the last to let it go. */
		chan_ref(run->done);
		error = pool_push(run->pool, &job->job);
		if (error < 0) {
			chan_unref(run->done);
			if (error != -EAGAIN)
				return error;
			/* Ours make room, or we wait for others'. */
			if (run->out > 0)
				return 0;
			error = pool_wait_room(run->pool, deadline);
			continue;
		}
		job->out = true;
		run->out++;
		run->next++;
	}
	return error;
}

static int
map_tell(struct map_run *run, struct map_job *job)
{
	const struct pool_map *map = run->map;
	int stop = 0;

	if (!map->ordered) {
		run->told++;
		return map->each(map->context, job->index, job->result);
	}
	job->done = true;
	while (stop == 0 && run->told < run->next) {
		job = &run->jobs[run->told % run->window];
		if (!job->done)
			break;
		job->done = false;
		run->told++;
		stop = map->each(map->context, job->index, job->result);
	}
	return stop;
}

/* What is out comes back before the memory goes. */
static void
map_stop(struct map_run *run)
{
	struct map_job *job;

	for (unsigned i = 0; i < run->window; i++) {
		job = &run->jobs[i];
		if (job->out && pool_forget(run->pool, &job->job)) {
			run->out--;
			chan_unref(run->done);
		}
	}
	while (run->out > 0) {
		chan_recv_surely(run->done, &job);
		run->out--;
	}
}

static int
map_run(struct map_run *run, instant deadline)
{
	int result = 0;

	while (result == 0 && run->told < run->map->count) {
		struct map_job *job;

		result = map_give(run, deadline);
		if (result == 0)
			result = chan_recv(run->done, &job, deadline);
		if (result != 0)
			break;
		job->out = false;
		run->out--;
		result = map_tell(run, job);
	}
	map_stop(run);
	return result;
}

int
pool_map(struct pool *pool, const struct pool_map *map, instant deadline)
{
	unsigned window = map->under_way_max;
	struct map_run *run;
	int result;

	if (window == 0)
		window = 2 * pool_thread_max(pool);
	if (window > POOL_MAP_MAX)
		return -EINVAL;
	run = calloc(1, sizeof(*run) + window * sizeof(run->jobs[0]));
	if (run == NULL)
		return -ENOMEM;
	run->map = map;
	run->pool = pool;
	run->window = window;
	for (unsigned i = 0; i < window; i++)
		run->jobs[i] = (struct map_job){.job.run = map_job_run,
		    .job.cancel = map_job_cancel,
		    .run = run};
	result = chan_new(
	    &(struct chan_options){.item_bytes = sizeof(struct map_job *),
		.capacity = window,
		.shared = true},
	    &run->done);
	if (result == 0) {
		result = map_run(run, deadline);
		chan_unref(run->done);
	}
	free(run);
	return result;
}
