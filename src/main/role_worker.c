/*
 * role_worker.c - every byte that clients and servers send
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/counters.h"
#include "base/error.h"
#include "http/access_log.h"
#include "http/server.h"
#include "main/features.h"
#include "main/role.h"
#include "net/shared.h"
#include "os/log.h"
#include "runtime/runtime.h"

/* ---- a job on every thread ---- */

struct worker_job {
	int (*run)(void);
	struct event done;
};

static int
worker_job_run(void *arg)
{
	struct worker_job *job = arg;

	(void)job->run();
	event_set(&job->done);
	return 0;
}

/* One thread after the other; for the start and the end only. */
static int
worker_everywhere(int (*run)(void))
{
	for (unsigned i = 0; i < runtime_worker_count(); i++) {
		struct worker_job job = {.run = run};
		int r;

		event_init(&job.done);
		r = worker_start_on(i, "everywhere", worker_job_run, &job);
		if (r < 0)
			return r;
		event_wait_surely(&job.done);
	}
	return 0;
}

static int
worker_counters_use(void)
{
	counters_use(&shared->threads[worker_self()]);
	return 0;
}

static int
worker_thread_end(void)
{
	server_thread_end();
	access_log_thread_end();
	return 0;
}

/* ---- the role ---- */

static int
worker_start(void)
{
	const char *backend = runtime_backend();
	uint64_t name = 0;

	memcpy(&name, backend, strnlen(backend, sizeof(name)));
	atomic_store(&shared->worker_backend, name);
	log_info("worker", "%u threads on %s%s%s", runtime_worker_count(),
	    backend, runtime_backend_error() < 0 ? ": io_uring: " : "",
	    runtime_backend_error() < 0 ? error_text(runtime_backend_error())
					: "");
	features_register();
	return worker_everywhere(worker_counters_use);
}

static enum config_log_format worker_log_format, worker_log_format_next;

static int
worker_prepare(struct snapshot *snapshot_take, struct role_sockets *sockets,
    unsigned threads, struct appender *why)
{
	unsigned count = snapshot_take->listener_count * threads;
	int *fds = malloc(max_of(count, 1u) * sizeof(*fds));
	int r;

	if (fds == NULL) {
		snapshot_free(snapshot_take);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < count; i++)
		fds[i] = role_socket_take(sockets, i);
	worker_log_format_next = snapshot_take->log.access_format;
	r = server_prepare(snapshot_take, fds, threads, why);
	free(fds);
	return r;
}

static void
worker_commit(void)
{
	worker_log_format = worker_log_format_next;
	server_commit();
}

static void
worker_access_log(int fd_take, bool rotated)
{
	int r;

	if (fd_take < 0) {
		access_log_close();
		return;
	}
	r = rotated ? access_log_reopen(fd_take)
		    : access_log_open(fd_take, worker_log_format);
	if (r < 0)
		log_error(
		    "log", "the access log cannot be used: %s", error_text(r));
}

static void
worker_drain(instant deadline)
{
	server_drain(deadline);
	(void)worker_everywhere(worker_thread_end);
}

/* ---- dump ---- */

struct worker_dump {
	int fd;
	uint64_t id;
	struct channel_message message;
};

static int
worker_dump_run(void *arg)
{
	struct worker_dump *dump = arg;
	int r = runtime_dump(dump->fd);

	close(dump->fd);
	channel_message_init(&dump->message, CHANNEL_REPLY);
	dump->message.head.id = dump->id;
	dump->message.head.result = r;
	if (r < 0)
		channel_message_text_set(
		    &dump->message, bytes_from(error_text(r)));
	role_send(&dump->message);
	free(dump);
	return 0;
}

static void
worker_handle(struct channel_message *message)
{
	struct worker_dump *dump;

	if (message->head.type != CHANNEL_DUMP)
		return;
	dump = malloc(sizeof(*dump));
	if (dump == NULL)
		return;
	dump->fd = message->fds[0];
	dump->id = message->head.id;
	if (task_start(NULL, "dump", worker_dump_run, dump) < 0)
		free(dump);
	else
		message->fds[0] = -1;
}

const struct role role_worker = {
    .name = "worker",
    .process_name = "weir-worker",
    .threaded = true,
    .start = worker_start,
    .prepare = worker_prepare,
    .commit = worker_commit,
    .abort = server_abort,
    .access_log = worker_access_log,
    .drain = worker_drain,
    .handle = worker_handle,
};
