/*
 * role_follow.c - the task that does what the manager says
 *
 * Messages are handled one after the other: a COMMIT finds its PREPARE done.
 * Parsing a configuration happens on a thread of the pool, so that the worker
 * that serves meanwhile does not stand still.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "main/manager.h"
#include "main/role.h"
#include "net/resolve.h"
#include "os/log.h"
#include "runtime/io.h"
#include "runtime/runtime.h"

#define ROLE_WHY_BYTES 1024

/* What was prepared and waits for COMMIT or ABORT. */
struct role_pending {
	uint64_t version; /* 0: nothing */
	int error_log;
	int access_log; /* -1: off */
	int log_level;
	struct role_resolver *resolver;
};

/* The configuration's way to addresses; it outlives the snapshot. */
struct role_resolver {
	bool system;
	char resolv_conf[PATH_MAX]; /* "": that of the system */
	char hosts[PATH_MAX];
};

static struct {
	const struct role *role;
	struct io_fd channel;
	struct channel_message *message;
	struct role_sockets *sockets;
	struct role_pending pending;
	struct role_resolver *resolver; /* in use; NULL: none was committed */
	int log_level; /* -1: as the configuration says */
	bool serving;
	bool draining;
	instant drain_deadline;
} follow;

void
role_send(struct channel_message *message)
{
	int r = channel_send(ROLE_FD_CHANNEL, message);

	if (r == 0 || r == -EPIPE || r == -ECONNRESET)
		return;
	log_error("role", "the manager takes no messages: %s", error_text(r));
	_exit(1);
}

/* ---- logs ---- */

static void
role_error_log_set(int fd_take)
{
	/* Same number, so a line being written elsewhere goes to one of both.
	 */
	(void)dup3(fd_take, ROLE_FD_LOG, O_CLOEXEC);
	close(fd_take);
}

static void
role_access_log_set(int fd_take, bool rotated)
{
	if (follow.role->access_log != NULL)
		follow.role->access_log(fd_take, rotated);
	else if (fd_take >= 0)
		close(fd_take);
}

static int
role_fd_keep(struct channel_message *message, unsigned index)
{
	int fd = -1;

	if (index < message->fd_count) {
		fd = message->fds[index];
		message->fds[index] = -1;
	}
	return fd;
}

/* ---- names ---- */

static int
role_resolver_new(
    const struct config_resolver *from, struct role_resolver **ret_resolver)
{
	struct role_resolver *resolver = calloc(1, sizeof(*resolver));

	if (resolver == NULL)
		return -ENOMEM;
	must(from->resolv_conf.length < PATH_MAX &&
	    from->hosts.length < PATH_MAX);
	resolver->system = from->use == RESOLVER_SYSTEM;
	if (from->resolv_conf.length > 0)
		memcpy(resolver->resolv_conf, from->resolv_conf.at,
		    from->resolv_conf.length);
	if (from->hosts.length > 0)
		memcpy(resolver->hosts, from->hosts.at, from->hosts.length);
	*ret_resolver = resolver;
	return 0;
}

static const char *
role_path(const char *path)
{
	return path[0] != '\0' ? path : NULL;
}

/* What is known of names stays known where nothing changed. */
static void
role_resolver_set(struct role_resolver *resolver_take)
{
	const struct role_resolver *old = follow.resolver;

	if (old == NULL || memcmp(old, resolver_take, sizeof(*old)) != 0)
		must(resolve_configure(&(struct resolve_options){
			 .resolv_conf = role_path(resolver_take->resolv_conf),
			 .hosts = role_path(resolver_take->hosts),
			 .system = resolver_take->system}) == 0);
	free(follow.resolver);
	follow.resolver = resolver_take;
}

/* ---- prepare, commit, abort ---- */

static void
role_version_send(enum channel_type type, uint64_t version, struct bytes text)
{
	channel_message_init(follow.message, type);
	follow.message->head.version = version;
	channel_message_text_set(follow.message, text);
	role_send(follow.message);
}

static void
role_pending_drop(void)
{
	if (follow.pending.error_log >= 0)
		close(follow.pending.error_log);
	if (follow.pending.access_log >= 0)
		close(follow.pending.access_log);
	free(follow.pending.resolver);
	follow.pending = (struct role_pending){
	    .error_log = -1,
	    .access_log = -1,
	};
}

/* @snapshot_take, and follow.message is its CONFIG. */
static void
role_prepare(struct snapshot *snapshot_take)
{
	char memory[ROLE_WHY_BYTES];
	struct appender why = appender_over(memory, sizeof(memory));
	struct channel_message *message = follow.message;
	struct role_pending *pending = &follow.pending;
	unsigned threads = message->config.threads;
	int r;

	role_pending_drop();
	pending->version = message->head.version;
	pending->log_level = snapshot_take->log.error_level;
	pending->error_log = role_fd_keep(message, CHANNEL_CONFIG_ERROR_LOG);
	pending->access_log = role_fd_keep(message, CHANNEL_CONFIG_ACCESS_LOG);
	channel_message_close(message);
	r = role_resolver_new(&snapshot_take->resolver, &pending->resolver);
	if (r == 0)
		r = follow.role->prepare(
		    snapshot_take, follow.sockets, threads, &why);
	else
		snapshot_free(snapshot_take);
	role_sockets_close(follow.sockets);
	if (r == 0) {
		role_version_send(
		    CHANNEL_APPLIED, pending->version, bytes_of(NULL, 0));
		return;
	}
	if (why.length == 0)
		append_text(&why, error_text(r));
	role_version_send(
	    CHANNEL_REFUSED, pending->version, appender_bytes(&why));
	role_pending_drop();
}

static int
role_serve(void *unused)
{
	int r = follow.role->serve();

	/* Cancelled: the runtime ends. */
	if (r == -ECANCELED)
		return r;
	log_error("role", "cannot serve: %s", error_text(r));
	_exit(1);
}

static void
role_commit(uint64_t version)
{
	struct role_pending *pending = &follow.pending;

	if (pending->version != version)
		return;
	if (follow.log_level < 0)
		log_level_set((enum log_level)pending->log_level);
	role_error_log_set(pending->error_log);
	role_resolver_set(pending->resolver);
	pending->resolver = NULL;
	follow.role->commit();
	role_access_log_set(pending->access_log, false);
	pending->error_log = pending->access_log = -1;
	role_pending_drop();
	role_version_send(CHANNEL_COMMITTED, version, bytes_of(NULL, 0));
	if (!follow.serving && follow.role->serve != NULL) {
		follow.serving = true;
		must(task_start(NULL, "serve", role_serve, NULL) == 0);
	}
}

static void
role_abort(uint64_t version)
{
	if (follow.pending.version != version)
		return;
	follow.role->abort();
	role_pending_drop();
}

/* ---- parsing, beside the work ---- */

struct role_build {
	struct channel_message message;
	struct snapshot *snapshot;
	struct appender why;
	char why_memory[ROLE_WHY_BYTES];
	int result;
};

static int
role_build_run(void *arg)
{
	struct role_build *build = arg;

	build->result =
	    role_snapshot_build(&build->message, &build->snapshot, &build->why);
	return 0;
}

/* The process ends: the rest is the kernel's. */
static void
role_build_release(void *build)
{
	free(build);
}

static void
role_config(void)
{
	struct role_build *build = calloc(1, sizeof(*build));
	struct channel_message *message = follow.message;
	uint64_t version = message->head.version;
	int r = -ENOMEM;

	if (build != NULL) {
		build->message.head = message->head;
		build->message.config = message->config;
		build->message.fds[CHANNEL_CONFIG_TEXT] =
		    message->fds[CHANNEL_CONFIG_TEXT];
		build->why =
		    appender_over(build->why_memory, sizeof(build->why_memory));
		r = offload_run(
		    role_build_run, build, role_build_release, instant_never());
		if (r == -ECANCELED)
			return;
		if (r == 0)
			r = build->result;
		else
			build = NULL; /* it is given up */
	}
	if (r == 0) {
		role_prepare(build->snapshot);
	} else {
		channel_message_close(message);
		role_sockets_close(follow.sockets);
		role_version_send(CHANNEL_REFUSED, version,
		    build != NULL && build->why.length > 0
			? appender_bytes(&build->why)
			: bytes_from(error_text(r)));
	}
	free(build);
}

/* ---- drain ---- */

static int
role_drain(void *unused)
{
	struct channel_message *message;

	if (follow.role->drain != NULL)
		follow.role->drain(follow.drain_deadline);
	message = malloc(sizeof(*message));
	if (message == NULL)
		_exit(1);
	channel_message_init(message, CHANNEL_DRAINED);
	role_send(message);
	free(message);
	return 0;
}

static void
role_drain_begin(instant deadline)
{
	if (follow.draining)
		return;
	follow.draining = true;
	follow.drain_deadline = deadline;
	must(task_start(NULL, "drain", role_drain, NULL) == 0);
}

/* ---- the task ---- */

/* Returns false at STOP. */
static bool
role_message_handle(void)
{
	struct channel_message *message = follow.message;

	switch (message->head.type) {
	case CHANNEL_SOCKETS:
		role_sockets_add(follow.sockets, message);
		break;
	case CHANNEL_CONFIG:
		role_config();
		break;
	case CHANNEL_COMMIT:
		role_commit(message->head.version);
		break;
	case CHANNEL_ABORT:
		role_sockets_close(follow.sockets);
		role_abort(message->head.version);
		break;
	case CHANNEL_LOGS:
		role_error_log_set(role_fd_keep(message, 0));
		role_access_log_set(role_fd_keep(message, 1), true);
		break;
	case CHANNEL_DRAIN:
		role_drain_begin((instant){message->head.deadline_ns});
		break;
	case CHANNEL_STOP:
		return false;
	default:
		if (follow.role->handle != NULL)
			follow.role->handle(message);
	}
	channel_message_close(message);
	return true;
}

int
role_follow(void *arg)
{
	struct role_first *first = arg;
	int r;

	follow.role = first->role;
	follow.message = first->message;
	follow.sockets = first->sockets;
	follow.log_level = first->log_level;
	follow.pending.error_log = follow.pending.access_log = -1;
	r = fcntl(ROLE_FD_CHANNEL, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ? -errno
								     : 0;
	if (r == 0)
		r = io_attach(&follow.channel, ROLE_FD_CHANNEL);
	if (r == 0 && follow.role->start != NULL)
		r = follow.role->start();
	if (r < 0)
		return r;
	role_prepare(first->snapshot);
	do
		r = channel_io_recv(
		    &follow.channel, follow.message, instant_never());
	while (r == 0 && role_message_handle());
	/* Without a manager nobody could ever stop us. */
	return r == -EPIPE ? 0 : r;
}
