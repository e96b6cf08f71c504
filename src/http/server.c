/*
 * server.c - a configuration becomes live on every worker, or on none
 *
 * Model: worker 0 prepares; commit posts one item to each worker, whose loop
 * swaps its current deployment and starts and stops listeners, and counts
 * down; the last one sets the event that worker 0 waits for.
 */
#include "http/server.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "http/conn.h"
#include "http/deployment.h"
#include "http/features.h"
#include "http/listener.h"
#include "http/session.h"
#include "net/buffers.h"
#include "net/shared.h"
#include "net/upstream.h"
#include "os/log.h"
#include "os/socket.h"
#include "runtime/runtime.h"

/* Descriptors that are not connections: logs, pipes, epoll, listeners. */
#define SERVER_RESERVED_FDS 128
#define SERVER_DRAIN_POLL   duration_ms(5)

static const struct feature *server_features[ACTION_COUNT];

/* The address behind each listener id, for as long as the process lives. */
static char *server_listener_names[LISTENERS_MAX];

struct server_step {
	struct inbox_item item;
	struct server_change *change;
};

/* A change on its way through the workers. */
struct server_change {
	struct deployment *deployment;
	int *fds; /* listener-major; taken by the workers */
	unsigned threads;
	bool drain;
	_Atomic unsigned left;
	struct event done;
	struct server_step steps[RUNTIME_WORKERS_MAX];
};

static struct server_change server_prepared;

/* ---- features ---- */

void
server_feature_register(const struct feature *feature)
{
	server_features[feature->action] = feature;
}

const struct feature *
feature_of(enum config_action action)
{
	return server_features[action];
}

static int
server_features_prepare(const struct snapshot *snapshot, struct appender *why)
{
	for (unsigned i = 0; i < ACTION_COUNT; i++) {
		const struct feature *f = server_features[i];
		int r = f != NULL && f->prepare != NULL
		    ? f->prepare(snapshot, why)
		    : 0;

		if (r < 0) {
			while (i-- > 0) {
				f = server_features[i];
				if (f != NULL && f->release != NULL)
					f->release(snapshot);
			}
			return r;
		}
	}
	return 0;
}

static void
server_released(struct deployment *deployment)
{
	for (unsigned i = 0; i < ACTION_COUNT; i++) {
		const struct feature *f = server_features[i];

		if (f != NULL && f->release != NULL)
			f->release(deployment->snapshot);
	}
}

/* ---- prepare ---- */

static int
server_listener_id(struct bytes address)
{
	for (int i = 0; i < LISTENERS_MAX; i++) {
		char **name = &server_listener_names[i];

		if (*name == NULL) {
			*name = strndup(address.at, address.length);
			return *name != NULL ? i : -ENOMEM;
		}
		if (bytes_equal(bytes_from(*name), address))
			return i;
	}
	return -ENOSPC;
}

static void
server_fds_close(const int *fds, unsigned count)
{
	for (unsigned i = 0; fds != NULL && i < count; i++) {
		if (fds[i] >= 0)
			socket_close(fds[i]);
	}
}

static int
server_listeners_prepare(struct deployment *d, struct appender *why)
{
	for (unsigned i = 0; i < d->snapshot->listener_count; i++) {
		struct bytes address = d->snapshot->listeners[i].address.text;
		int id = server_listener_id(address);

		if (id < 0) {
			append_format(why,
			    "listener %.*s: more than %d different addresses "
			    "since the start; restart the worker",
			    (int)address.length, address.at, LISTENERS_MAX);
			return id;
		}
		d->listener_of[id] = (int16_t)i;
	}
	return 0;
}

static int
server_prepare_parts(
    struct snapshot *snapshot, struct deployment **ret, struct appender *why)
{
	int r = server_features_prepare(snapshot, why);

	if (r < 0) {
		snapshot_free(snapshot);
		return r;
	}
	r = deployment_new(snapshot, server_released, ret);
	if (r < 0) {
		append_format(
		    why, "cannot prepare the pools: %s", error_text(r));
		for (unsigned i = 0; i < ACTION_COUNT; i++) {
			if (server_features[i] != NULL &&
			    server_features[i]->release != NULL)
				server_features[i]->release(snapshot);
		}
		snapshot_free(snapshot);
		return r;
	}
	r = server_listeners_prepare(*ret, why);
	if (r < 0)
		deployment_discard(*ret);
	return r;
}

int
server_prepare(struct snapshot *snapshot_take, const int *fds, unsigned threads,
    struct appender *why)
{
	struct server_change *change = &server_prepared;
	unsigned count = snapshot_take->listener_count * threads;
	struct deployment *deployment = NULL;
	int *copy = calloc(max_of(count, 1u), sizeof(*copy));
	int r = 0;

	if (copy != NULL && count != 0)
		memcpy(copy, fds, count * sizeof(*copy));
	if (copy == NULL)
		r = -ENOMEM;
	else if (change->deployment != NULL)
		r = -EBUSY;
	if (r < 0)
		snapshot_free(snapshot_take);
	else
		r = server_prepare_parts(snapshot_take, &deployment, why);
	if (r < 0) {
		server_fds_close(fds, count);
		free(copy);
		return r;
	}
	change->deployment = deployment;
	change->fds = copy;
	change->threads = threads;
	return 0;
}

void
server_abort(void)
{
	struct server_change *change = &server_prepared;

	if (change->deployment == NULL)
		return;
	server_fds_close(change->fds,
	    change->deployment->snapshot->listener_count * change->threads);
	deployment_discard(change->deployment);
	free(change->fds);
	memset(change, 0, sizeof(*change));
}

/* ---- commit ---- */

static void
server_change_done(struct server_change *change)
{
	if (atomic_fetch_sub(&change->left, 1) == 1)
		event_set(&change->done);
}

static void
server_listener_enter(struct server_change *change, int id)
{
	struct deployment *d = change->deployment;
	unsigned self = worker_self();
	struct listener *listener = listener_find(id);
	int i = d->listener_of[id], fd = -1, r;

	if (i >= 0 && self < change->threads) {
		fd = change->fds[(unsigned)i * change->threads + self];
		change->fds[(unsigned)i * change->threads + self] = -1;
	}
	if (i < 0 && listener != NULL) {
		listener_stop(listener);
		conn_close_idle(listener);
	}
	if (fd < 0)
		return;
	if (listener != NULL) {
		socket_close(fd); /* it is served already */
		return;
	}
	r = listener_start(id, fd);
	if (r < 0)
		log_error("http", "cannot listen on %s: %s",
		    server_listener_names[id], error_text(r));
}

static uint32_t
server_connections_max(const struct snapshot *snapshot)
{
	uint64_t all = snapshot->connections_max;
	uint64_t fds = socket_fd_limit();

	/* Each may need a second descriptor for its server. */
	if (all == 0)
		all = fds > 2 * SERVER_RESERVED_FDS
		    ? (fds - SERVER_RESERVED_FDS) / 2
		    : SERVER_RESERVED_FDS / 2;
	all = (all + runtime_worker_count() - 1) / runtime_worker_count();
	return (uint32_t)min_of(all, (uint64_t)UINT32_MAX);
}

static void
server_commit_run(struct inbox_item *item)
{
	struct server_change *change =
	    container_of(item, struct server_step, item)->change;

	conn_table_here()->count_max =
	    server_connections_max(change->deployment->snapshot);
	deployment_enter(change->deployment);
	for (int id = 0; id < LISTENERS_MAX; id++) {
		if (server_listener_names[id] != NULL)
			server_listener_enter(change, id);
	}
	server_change_done(change);
}

static void
server_change_spread(
    struct server_change *change, void (*run)(struct inbox_item *item))
{
	unsigned workers = runtime_worker_count();

	event_init(&change->done);
	atomic_store(&change->left, workers);
	for (unsigned w = 0; w < workers; w++) {
		change->steps[w].item.run = run;
		change->steps[w].change = change;
		worker_post(w, &change->steps[w].item);
	}
	event_wait_surely(&change->done);
}

void
server_commit(void)
{
	struct server_change *change = &server_prepared;

	must(change->deployment != NULL);
	server_change_spread(change, server_commit_run);
	/* Sockets for threads that this worker process does not have. */
	server_fds_close(change->fds,
	    change->deployment->snapshot->listener_count * change->threads);
	free(change->fds);
	memset(change, 0, sizeof(*change));
}

/* ---- drain ---- */

static void
server_drain_run(struct inbox_item *item)
{
	struct server_change *change =
	    container_of(item, struct server_step, item)->change;

	conn_table_here()->draining = true;
	listener_stop_all();
	conn_close_idle(NULL);
	upstream_idle_close_all();
	server_change_done(change);
}

void
server_drain(instant deadline)
{
	static struct server_change change;
	uint64_t open;

	server_change_spread(&change, server_drain_run);
	while ((open = conn_count_all()) > 0 &&
	    instant_before(runtime_now(), deadline)) {
		if (task_sleep(SERVER_DRAIN_POLL) < 0)
			break;
	}
	if (open > 0)
		log_warn("http",
		    "shutdown.drain has passed with %llu connections still "
		    "busy; cutting them",
		    (unsigned long long)open);
}

void
server_thread_end(void)
{
	/* What is cut by the deadline still uses the configuration. */
	if (conn_table_count(conn_table_here()) == 0)
		deployment_enter(NULL);
	sessions_thread_end();
	buffers_thread_end();
}
