/*
 * weir/process_pool.h - functions that run in other processes
 *
 * For work that may crash, leak or run away: what happens to a child is an
 * error of the job it had, and the next job gets a new one. A job is one of a
 * table of functions, and is given bytes and gives bytes.
 *
 * The children are the same program, executed afresh (a fork of a process with
 * threads and tasks could do very little). So main() begins with
 *
 *   static const weir_job_fn jobs[] = {thumbnail, checksum};
 *
 *   int main(int argc, char **argv)
 *   {
 *           weir_process_pool_child(jobs, 2);
 *           ...
 *
 * which in a child serves jobs and does not return, and does nothing otherwise.
 */
#ifndef WEIR_PROCESS_POOL_H
#define WEIR_PROCESS_POOL_H

#include <sys/uio.h>

#include <weir/api.h>
#include <weir/process.h>
#include <weir/time.h>

WEIR_BEGIN

/* Runs alone in its process, which has no runtime: it may block. Writes what
 * it has to say to @out. Returns its length, or -errno. */
typedef ssize_t (*weir_job_fn)(
    const void *in, size_t in_length, void *out, size_t out_capacity);

/* See above. @jobs stays in place. */
WEIR_API void weir_process_pool_child(const weir_job_fn *jobs, unsigned count);

struct weir_process_pool_options {
	unsigned process_count; /* 0: one per usable CPU; 256 at most */
	unsigned queue_max; /* jobs that wait for a process; 0: 1024 */
	size_t bytes_max; /* of what goes in or comes out; 0: 1 MiB */
	int64_t job_ns; /* a job may take; 0: any time */
	uint64_t reserved[4]; /* zero */
};

struct weir_process_pool;

/* A pool belongs to the worker that made it. Its processes are started when
 * they are needed. @options may be NULL. Returns 0, -ENOMEM, -EINVAL. */
WEIR_API WEIR_MUST_CHECK int
weir_process_pool_new(const struct weir_process_pool_options *options,
    struct weir_process_pool **ret_pool);
/* No job may be under way. Its processes are killed; suspends until they are
 * gone. */
WEIR_API void weir_process_pool_close(struct weir_process_pool *pool);

struct weir_job_result {
	ssize_t result; /* length of out, or -errno, as below */
	void *out; /* NULL when result <= 0 */
	struct weir_exit exit; /* of the process, when result is -ECHILD */
};

/*
 * Run job number @job of the table. Suspends while no process is free, and
 * until the job has ended. Jobs begin in the order in which they came.
 *
 * Returns ret_result->result: what the function returned; -ECHILD: its process
 * has died, as ret_result->exit says; -ETIMEDOUT: @deadline or job_ns is over
 * (its process was killed); why the caller was stopped (likewise); -EAGAIN:
 * queue_max jobs are waiting already; -EMSGSIZE: in_length is above bytes_max;
 * -ENOSYS: no such job; -ENOMEM, or why no process could be started.
 */
WEIR_API ssize_t weir_process_pool_run(struct weir_process_pool *pool,
    unsigned job, const void *in, size_t in_length,
    struct weir_job_result *ret_result, weir_time deadline);
WEIR_API void weir_job_result_free(struct weir_job_result *result);

struct weir_process_map {
	unsigned job;
	const struct iovec *inputs;
	size_t count;
	/* Told how each job ended, one at a time; @result is freed afterwards.
	 * Not 0: stop, and return that. May suspend. */
	int (*each)(
	    void *context, size_t index, const struct weir_job_result *result);
	void *context;
	bool ordered; /* told in the order of inputs, else as they end */
	uint64_t reserved[4]; /* zero */
};

/* Run a job for each input, as many at once as there are processes. Suspends;
 * afterwards nothing of it is under way. Returns 0, what `each` returned,
 * -ENOMEM, -EAGAIN (too many tasks), -ETIMEDOUT, why the caller was stopped. */
WEIR_API WEIR_MUST_CHECK int
weir_process_pool_map(struct weir_process_pool *pool,
    const struct weir_process_map *map, weir_time deadline);

WEIR_END

#endif
