/*
 * public/process_pool.c - <weir/process_pool.h>
 *
 * A job runs on the task that asked for it: it takes a free slot, talks to the
 * process there, and gives the slot back. Whatever goes wrong in between, the
 * process is killed, and the slot starts a new one for its next job.
 */
#include <weir/process_pool.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#ifdef HAVE_VALGRIND
#	include <valgrind/valgrind.h>
#endif

#include "base/list.h"
#include "os/cpu.h"
#include "os/pipe.h"
#include "os/unix_socket.h"
#include "public/inner.h"
#include "public/process_pool_inner.h"
#include "runtime/process.h"

#define POOL_PROCESSES_MAX 256
#define POOL_QUEUE         1024
#define POOL_BYTES         (1024 * 1024)

struct pool_slot {
	struct list node; /* of the free ones */
	struct process *process; /* NULL: none yet, or it has died */
	struct io_fd socket;
};

struct weir_process_pool {
	unsigned process_count;
	unsigned queue_max;
	size_t bytes_max;
	int64_t job_ns;
	unsigned under_way;
	unsigned waiting;
	struct list free;
	struct list waiters; /* never both */
	struct pool_slot slots[];
};

struct pool_waiter {
	struct list node;
	struct task *task;
	struct pool_slot *slot; /* once it has one */
};

/* ---- a pool ---- */

/* Where main() forgot weir_process_pool_child(), this is a child that would
 * start children. */
static void
pool_child_check(void)
{
	if (getenv(POOL_CHILD_VARIABLE) == NULL)
		return;
	(void)fprintf(stderr,
	    "weir: main() must call weir_process_pool_child() before "
	    "anything else\n");
	_exit(125);
}

int
weir_process_pool_new(const struct weir_process_pool_options *options,
    struct weir_process_pool **ret_pool)
{
	static const struct weir_process_pool_options usual;
	struct weir_process_pool *pool;
	unsigned count;

	pool_child_check();
	if (options == NULL)
		options = &usual;
	count = options->process_count != 0 ? options->process_count
					    : cpu_count_usable();
	if (count > POOL_PROCESSES_MAX || options->bytes_max > SIZE_MAX / 4)
		return -EINVAL;
	pool = calloc(1, sizeof(*pool) + count * sizeof(pool->slots[0]));
	if (pool == NULL)
		return -ENOMEM;
	pool->process_count = count;
	pool->queue_max =
	    options->queue_max != 0 ? options->queue_max : POOL_QUEUE;
	pool->bytes_max =
	    options->bytes_max != 0 ? options->bytes_max : POOL_BYTES;
	pool->job_ns = options->job_ns;
	list_init(&pool->free);
	list_init(&pool->waiters);
	for (unsigned i = 0; i < count; i++) {
		pool->slots[i].socket = IO_FD_NONE;
		list_push_back(&pool->free, &pool->slots[i].node);
	}
	*ret_pool = pool;
	return 0;
}

/* ---- slots ---- */

/* Its process is of no more use. Returns how it ended. */
static int
pool_slot_clear(struct pool_slot *slot, struct process_exit *ret_exit)
{
	int r;

	io_close(&slot->socket);
	if (slot->process == NULL)
		return -ECHILD;
	/* What has died by itself says how; it has closed its socket. */
	r = process_wait(slot->process, ret_exit,
	    instant_after(runtime_now(), duration_ms(100)));
	if (!process_ended(slot->process)) {
		(void)process_signal(slot->process, SIGKILL);
		r = process_stop(slot->process, duration_ms(0), ret_exit);
	}
	process_drop(slot->process);
	slot->process = NULL;
	return r;
}

static void
pool_slot_kill(struct pool_slot *slot)
{
	struct process_exit exit;

	if (slot->process != NULL)
		(void)process_signal(slot->process, SIGKILL);
	(void)pool_slot_clear(slot, &exit);
}

/* Also when its file was replaced or removed; under valgrind, whose own name
 * that is, by the name of its start. */
static const char *
pool_program(void)
{
#ifdef HAVE_VALGRIND
	if (RUNNING_ON_VALGRIND)
		return (const char *)getauxval(AT_EXECFN);
#endif
	return "/proc/self/exe";
}

static int
pool_slot_start_on(struct pool_slot *slot, int ends[2])
{
	char *argv[] = {"weir-pool-child", NULL};
	char *changes[] = {POOL_CHILD_VARIABLE "=1", NULL};
	const struct spawn_fd fd = {ends[1], POOL_CHILD_FD};
	const struct process_options options = {
	    .path = pool_program(),
	    .argv = argv,
	    .environment_changes = changes,
	    .fds = &fd,
	    .fd_count = 1,
	    .daemon = true,
	};
	int r;

	r = io_attach_stream(&slot->socket, ends[0]);
	if (r < 0)
		return r;
	ends[0] = -1;
	r = process_start(&options, &slot->process, NULL);
	if (r < 0)
		io_close(&slot->socket);
	return r;
}

static int
pool_slot_start(struct pool_slot *slot)
{
	int ends[2], r;

	r = unix_pair(SOCK_STREAM, ends);
	if (r < 0)
		return r;
	r = pool_slot_start_on(slot, ends);
	fd_close(ends[0]);
	fd_close(ends[1]);
	return r;
}

static void
pool_slot_give(struct weir_process_pool *pool, struct pool_slot *slot)
{
	struct list *node = list_pop_front(&pool->waiters);
	struct pool_waiter *waiter;

	pool->under_way--;
	if (node == NULL) {
		/* Those that have run already are warm. */
		list_push_front(&pool->free, &slot->node);
		return;
	}
	waiter = container_of(node, struct pool_waiter, node);
	waiter->slot = slot;
	pool->under_way++;
	task_wake(waiter->task);
}

static int
pool_slot_take(struct weir_process_pool *pool, struct pool_slot **ret_slot,
    instant deadline)
{
	struct list *node = list_pop_front(&pool->free);
	struct pool_waiter waiter = {.task = task_self()};
	int r = 0;

	if (node != NULL) {
		pool->under_way++;
		*ret_slot = container_of(node, struct pool_slot, node);
		return 0;
	}
	if (pool->waiting >= pool->queue_max)
		return -EAGAIN;
	list_push_back(&pool->waiters, &waiter.node);
	pool->waiting++;
	while (waiter.slot == NULL && r == 0)
		r = task_park("process pool", deadline);
	pool->waiting--;
	list_remove(&waiter.node);
	if (waiter.slot == NULL)
		return r;
	*ret_slot = waiter.slot;
	return 0;
}

void
weir_process_pool_close(struct weir_process_pool *pool)
{
	(void)task_required(__func__);
	misuse_unless(pool->under_way == 0 && list_empty(&pool->waiters),
	    "weir_process_pool_close() while jobs are under way");
	for (unsigned i = 0; i < pool->process_count; i++)
		pool_slot_kill(&pool->slots[i]);
	free(pool);
}

/* ---- a job ---- */

static int
pool_recv(struct io_fd *io, void *into, size_t length, instant deadline)
{
	char *at = into;

	while (length > 0) {
		ssize_t got = io_recv(io, at, length, deadline);

		if (got <= 0)
			return got == 0 ? -EPIPE : (int)got;
		at += got;
		length -= (size_t)got;
	}
	return 0;
}

static int
pool_ask(struct weir_process_pool *pool, struct pool_slot *slot, unsigned job,
    const struct iovec *in, instant deadline)
{
	struct pool_request request = {
	    .job = job,
	    .length = in->iov_len,
	    .out_capacity = pool->bytes_max,
	};
	struct iovec parts[2] = {{&request, sizeof(request)}, *in};
	ssize_t sent;

	sent = io_sendv(&slot->socket, parts, 2, 0, NULL, deadline);
	return (int)min_of(sent, (ssize_t)0);
}

static int
pool_hear(struct weir_process_pool *pool, struct pool_slot *slot,
    struct weir_job_result *result, instant deadline)
{
	struct pool_answer answer;
	int r;

	r = pool_recv(&slot->socket, &answer, sizeof(answer), deadline);
	if (r < 0)
		return r;
	result->result = (ssize_t)answer.result;
	if (answer.result <= 0)
		return 0;
	if ((uint64_t)answer.result > pool->bytes_max)
		return -EPROTO;
	result->out = malloc((size_t)answer.result);
	if (result->out == NULL)
		return -ENOMEM;
	return pool_recv(
	    &slot->socket, result->out, (size_t)answer.result, deadline);
}

static int
pool_talk(struct weir_process_pool *pool, struct pool_slot *slot, unsigned job,
    const struct iovec *in, struct weir_job_result *result, instant deadline)
{
	int r = 0;

	/* One that died while it was idle was no job's. */
	if (slot->process != NULL && process_ended(slot->process))
		pool_slot_kill(slot);
	if (slot->process == NULL) {
		r = pool_slot_start(slot);
		if (r < 0)
			return r;
	}
	if (pool->job_ns > 0)
		deadline = instant_earlier(deadline,
		    instant_after(runtime_now(), duration_ns(pool->job_ns)));
	r = pool_ask(pool, slot, job, in, deadline);
	if (r == 0)
		r = pool_hear(pool, slot, result, deadline);
	if (r == 0)
		return 0;
	free(result->out);
	result->out = NULL;
	if (r == -EPIPE || r == -ECONNRESET) {
		(void)pool_slot_clear(
		    slot, (struct process_exit *)&result->exit);
		return -ECHILD;
	}
	pool_slot_kill(slot);
	return r;
}

ssize_t
weir_process_pool_run(struct weir_process_pool *pool, unsigned job,
    const void *in, size_t in_length, struct weir_job_result *ret_result,
    weir_time deadline)
{
	const struct iovec part = {(void *)(uintptr_t)in, in_length};
	struct pool_slot *slot = NULL;
	int r;

	(void)task_required(__func__);
	*ret_result = (struct weir_job_result){0};
	r = in_length > pool->bytes_max
	    ? -EMSGSIZE
	    : pool_slot_take(pool, &slot, inner_time(deadline));
	if (r == 0) {
		r = pool_talk(
		    pool, slot, job, &part, ret_result, inner_time(deadline));
		pool_slot_give(pool, slot);
	}
	if (r < 0)
		ret_result->result = r;
	return ret_result->result;
}

void
weir_job_result_free(struct weir_job_result *result)
{
	free(result->out);
	*result = (struct weir_job_result){0};
}

/* ---- map ---- */

struct pool_map {
	struct weir_process_pool *pool;
	const struct weir_process_map *map;
	instant deadline;
	size_t next; /* input to be begun */
	size_t told; /* so many */
	bool telling; /* `each` runs */
	int stopped; /* what it returned */
	struct list waiters; /* for their turn to tell */
};

static void
pool_map_wake(struct pool_map *map)
{
	struct list *node;

	while ((node = list_pop_front(&map->waiters)) != NULL)
		task_wake(container_of(node, struct pool_waiter, node)->task);
}

static bool
pool_map_turn(const struct pool_map *map, size_t index)
{
	return !map->telling && (!map->map->ordered || map->told == index);
}

static int
pool_map_tell(
    struct pool_map *map, size_t index, const struct weir_job_result *result)
{
	struct pool_waiter waiter = {.task = task_self()};
	int r;

	list_init(&waiter.node);
	while (map->stopped == 0 && !pool_map_turn(map, index)) {
		list_remove(&waiter.node);
		list_push_back(&map->waiters, &waiter.node);
		r = task_park("turn to tell", map->deadline);
		list_remove(&waiter.node);
		if (r < 0)
			return r;
	}
	if (map->stopped != 0)
		return 0;
	map->telling = true;
	map->stopped = map->map->each(map->map->context, index, result);
	map->telling = false;
	map->told++;
	pool_map_wake(map);
	return 0;
}

static int
pool_map_run(void *arg)
{
	struct pool_map *map = arg;
	int r = 0;

	while (r == 0 && map->stopped == 0 && map->next < map->map->count) {
		size_t index = map->next++;
		const struct iovec *in = &map->map->inputs[index];
		struct weir_job_result result;

		(void)weir_process_pool_run(map->pool, map->map->job,
		    in->iov_base, in->iov_len, &result, map->deadline.ns);
		/* Not the job's own error: ours. */
		r = task_cancelled();
		if (r == 0)
			r = pool_map_tell(map, index, &result);
		weir_job_result_free(&result);
	}
	return r;
}

int
weir_process_pool_map(struct weir_process_pool *pool,
    const struct weir_process_map *map, weir_time deadline)
{
	struct pool_map mapping = {
	    .pool = pool, .map = map, .deadline = inner_time(deadline)};
	struct scope scope;
	int r = 0, end;

	(void)task_required(__func__);
	list_init(&mapping.waiters);
	scope_init(&scope, inner_time(deadline));
	for (size_t i = 0; i < pool->process_count && i < map->count && r == 0;
	     i++)
		r = task_start(&scope, "map", pool_map_run, &mapping);
	if (r == 0)
		r = scope_wait(&scope);
	end = scope_fini(&scope);
	if (mapping.stopped != 0)
		return mapping.stopped;
	return r < 0 ? r : end;
}
