/*
 * manager.c - start, the loop, and the end
 */
#include "main/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/error.h"
#include "net/shared.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/notify.h"
#include "os/pidfile.h"
#include "os/sandbox.h"
#include "runtime/runtime.h"

/* ---- start ---- */

static int
manager_start_failed(const char *what, int error)
{
	fprintf(stderr, "weir: %s: %s\n", what, error_text(error));
	return error;
}

static int
manager_user_choose(struct manager *manager, const struct snapshot *snapshot)
{
	const char *name = manager->options->user;
	const char *group = NULL;
	char names[2][USER_NAME_BYTES];
	int r;

	if (name == NULL && snapshot->user.at != NULL) {
		snprintf(names[0], sizeof(names[0]), "%.*s",
		    (int)snapshot->user.length, snapshot->user.at);
		name = names[0];
	}
	if (snapshot->group.at != NULL) {
		snprintf(names[1], sizeof(names[1]), "%.*s",
		    (int)snapshot->group.length, snapshot->group.at);
		group = names[1];
	}
	manager->become = geteuid() == 0;
	if (!manager->become)
		return 0;
	r = user_find(name, group, &manager->user);
	if (r < 0)
		fprintf(stderr,
		    "weir: no %s %s; create it, or name another "
		    "with `user`, `group` or --user\n",
		    r == -ESRCH ? "group" : "user",
		    r == -ESRCH        ? group
			: name != NULL ? name
				       : "www-data or nobody");
	return r;
}

static int
manager_pid_file_open(struct manager *manager, struct bytes path)
{
	pid_t other;

	manager->pid_fd = -1;
	if (path.at == NULL)
		return 0;
	snprintf(manager->pid_path, sizeof(manager->pid_path), "%.*s",
	    (int)path.length, path.at);
	manager->pid_fd = pidfile_create(manager->pid_path, &other);
	if (manager->pid_fd == -EEXIST) {
		fprintf(stderr,
		    "weir: another instance (pid %d) holds %s; "
		    "stop it first, or give this one another "
		    "pid_file\n",
		    (int)other, manager->pid_path);
		return -EEXIST;
	}
	if (manager->pid_fd < 0)
		return manager_start_failed(manager->pid_path, manager->pid_fd);
	return 0;
}

static int
manager_shared_open(struct manager *manager)
{
	int fd = shared_create();
	int r;

	if (fd < 0)
		return manager_start_failed("shared memory", fd);
	manager->shared_fd = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	close(fd);
	if (manager->shared_fd < 0)
		return manager_start_failed("shared memory", -errno);
	r = shared_map(manager->shared_fd);
	if (r < 0)
		return manager_start_failed("shared memory", r);
	shared->started_wall_ns = clock_wall_ns();
	atomic_store(&shared->worker_threads, manager->threads);
	return 0;
}

static int
manager_signals_open(struct manager *manager)
{
	static const int signals[] = {
	    SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, 0};

	signal(SIGPIPE, SIG_IGN);
	manager->signal_fd = signals_open(signals);
	if (manager->signal_fd < 0)
		return manager_start_failed("signals", manager->signal_fd);
	return 0;
}

/* What is wrong here goes to stderr, not to the log: who starts a program
 * looks there. */
static int
manager_prepare(struct manager *manager)
{
	const struct snapshot *snapshot;
	int r;

	r = edition_load(manager->options->path, ++manager->version_last,
	    stderr, &manager->current);
	if (r < 0)
		return r;
	snapshot = manager->current->snapshot;
	manager->threads = edition_threads(snapshot);
	r = manager_user_choose(manager, snapshot);
	if (r == 0)
		r = manager_pid_file_open(manager, snapshot->pid_file);
	if (r == 0)
		r = manager_shared_open(manager);
	if (r == 0)
		r = edition_open(manager->current, &manager->listening,
		    manager->threads, stderr);
	if (r == 0)
		r = manager_signals_open(manager);
	return r;
}

static void
manager_log_start(const struct manager *manager)
{
	const struct config_log *log = &manager->current->snapshot->log;
	int level = manager->options->log_level;

	log_open(manager->current->error_log,
	    (enum log_level)(level >= 0 ? level : log->error_level), "manager");
	if (manager->become)
		log_info("manager",
		    "weir " WEIR_VERSION " starts; the roles run as %s",
		    manager->user.name);
	else
		log_info("manager",
		    "weir " WEIR_VERSION
		    " starts without root; the roles run as "
		    "the same user");
}

/* ---- end ---- */

void
manager_stop_roles(struct manager *manager)
{
	if (manager->state == STOPPING)
		return;
	manager->state = STOPPING;
	manager->deadline =
	    instant_after(clock_now(), duration_ms(MANAGER_STOP_MS));
	channel_message_init(&manager->message, CHANNEL_STOP);
	manager_send_all(manager);
}

void
manager_fail(struct manager *manager)
{
	manager->exit_status = 1;
	manager_stop_roles(manager);
}

static void
manager_kill_roles(struct manager *manager)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		manager_role_kill(&manager->roles[i]);
}

static void
manager_drain(struct manager *manager)
{
	duration drain = manager->current->snapshot->drain_timeout;
	instant deadline = instant_after(clock_now(), drain);

	manager_change_abort(
	    manager, E_CONFIG_BUSY, BYTES("weir is about to stop\n"));
	manager->state = DRAINING;
	/* The worker is held to it by itself; a second later by us. */
	manager->deadline = instant_after(deadline, duration_s(1));
	notify_send("STOPPING=1");
	log_info("manager",
	    "draining: requests in flight have %lld s; a "
	    "second SIGTERM ends them at once",
	    (long long)(drain.ns / 1000000000));
	atomic_store(&shared->draining, 1);
	channel_message_init(&manager->message, CHANNEL_DRAIN);
	manager->message.head.deadline_ns = deadline.ns;
	manager_role_send(manager, &manager->roles[ROLE_WORKER]);
	/* The worker has them too, and serves what waits in them. */
	listening_set_shut(&manager->listening);
	if (manager->roles[ROLE_WORKER].process.pidfd < 0)
		manager_stop_roles(manager);
}

void
manager_stop(struct manager *manager)
{
	if (manager->state < DRAINING)
		manager->stop_asked = clock_now();
	switch (manager->state) {
	case STARTING:
		manager_stop_roles(manager);
		break;
	case RUNNING:
		manager_drain(manager);
		break;
	case DRAINING:
	case STOPPING:
		/* Who signals a whole group, and us too, means it once. */
		if (instant_before(clock_now(),
			instant_after(manager->stop_asked,
			    duration_ms(MANAGER_AGAIN_MS))))
			return;
		log_info("manager", "stopping at once");
		manager_stop_roles(manager);
		manager_kill_roles(manager);
		break;
	}
}

static void
manager_close(struct manager *manager)
{
	if (manager->current != NULL)
		edition_close(manager->current, NULL);
	if (manager->pid_fd >= 0)
		pidfile_remove(manager->pid_path, manager->pid_fd);
	if (manager->signal_fd >= 0)
		close(manager->signal_fd);
}

/* ---- the loop ---- */

static void
manager_signals_read(struct manager *manager)
{
	struct signalfd_siginfo info;

	while (read(manager->signal_fd, &info, sizeof(info)) ==
	    (ssize_t)sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGHUP:
			manager->reload_wanted = true;
			break;
		case SIGUSR1:
			manager_logs_reopen(manager);
			break;
		default:
			manager_stop(manager);
		}
	}
}

static instant
manager_next_deadline(const struct manager *manager)
{
	instant next =
	    instant_earlier(manager->deadline, manager->change.deadline);

	for (unsigned i = 0; i < ROLE_COUNT; i++)
		next = instant_earlier(next, manager->roles[i].restart_at);
	return next;
}

#define MANAGER_POLL_MS_MAX 3600000

static int
manager_poll_ms(const struct manager *manager)
{
	instant next = manager_next_deadline(manager);
	int64_t ms;

	if (instant_is_never(next))
		return -1;
	/* Rounded up: never early, never a busy loop. */
	ms = duration_to_ms(instant_since(next, clock_now())) + 1;
	ms = max_of(ms, (int64_t)0);
	return (int)min_of(ms, (int64_t)MANAGER_POLL_MS_MAX);
}

static void
manager_state_expired(struct manager *manager)
{
	switch (manager->state) {
	case STARTING:
		log_error("manager",
		    "the roles were not ready after %d s; "
		    "the lines above may say why",
		    MANAGER_START_MS / 1000);
		manager_fail(manager);
		break;
	case RUNNING:
		break;
	case DRAINING:
		manager_stop_roles(manager);
		break;
	case STOPPING:
		manager->deadline = instant_never();
		manager_kill_roles(manager);
		break;
	}
}

static void
manager_deadlines(struct manager *manager)
{
	instant now = clock_now();

	if (!instant_before(now, manager->deadline))
		manager_state_expired(manager);
	if (!instant_before(now, manager->change.deadline))
		manager_change_expired(manager);
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		struct manager_role *role = &manager->roles[i];

		if (manager->state == RUNNING &&
		    !instant_before(now, role->restart_at))
			manager_role_start(manager, role);
	}
}

/* poll(2) ignores what is -1. */
static void
manager_turn(struct manager *manager)
{
	struct pollfd polls[1 + 2 * ROLE_COUNT];

	polls[0] = (struct pollfd){manager->signal_fd, POLLIN, 0};
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		const struct manager_role *role = &manager->roles[i];

		polls[1 + 2 * i] = (struct pollfd){role->channel, POLLIN, 0};
		polls[2 + 2 * i] =
		    (struct pollfd){role->process.pidfd, POLLIN, 0};
	}
	if (poll(polls, array_count(polls), manager_poll_ms(manager)) < 0)
		return;
	if (polls[0].revents != 0)
		manager_signals_read(manager);
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		if (polls[1 + 2 * i].revents != 0)
			manager_role_read(manager, &manager->roles[i]);
		if (polls[2 + 2 * i].revents != 0)
			manager_role_ended(manager, &manager->roles[i]);
	}
	manager_deadlines(manager);
	if (manager->reload_wanted && manager_change_possible(manager)) {
		manager->reload_wanted = false;
		manager_change_begin(manager, false, 0);
	}
}

static bool
manager_has_roles(const struct manager *manager)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		if (manager->roles[i].process.pidfd >= 0)
			return true;
	}
	return false;
}

static void
manager_serve(struct manager *manager)
{
	manager->deadline =
	    instant_after(clock_now(), duration_ms(MANAGER_START_MS));
	for (unsigned i = 0; i < ROLE_COUNT && manager->state == STARTING; i++)
		manager_role_start(manager, &manager->roles[i]);
	while (manager->state != STOPPING || manager_has_roles(manager))
		manager_turn(manager);
	log_info("manager", "ended");
}

/* ---- */

static void
manager_init(struct manager *manager, const struct manager_options *options)
{
	static const char *const names[ROLE_COUNT] = {
	    [ROLE_WORKER] = "worker",
	    [ROLE_HEALTH] = "health",
	    [ROLE_CONTROL] = "control",
	};

	manager->options = options;
	manager->state = STARTING;
	manager->deadline = instant_never();
	manager->signal_fd = manager->pid_fd = manager->shared_fd = -1;
	manager->change.deadline = instant_never();
	listening_set_init(&manager->listening);
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		manager->roles[i] = (struct manager_role){
		    .name = names[i],
		    .index = i,
		    .process.pidfd = -1,
		    .channel = -1,
		    .restart_at = instant_never(),
		};
}

int
manager_run(const struct manager_options *options)
{
	struct manager *manager = calloc(1, sizeof(*manager));
	int status;

	if (manager == NULL)
		return 1;
	manager_init(manager, options);
	(void)sandbox_raise_files();
	if (manager_prepare(manager) == 0) {
		manager_log_start(manager);
		manager_serve(manager);
	} else {
		manager->exit_status = 1;
	}
	manager_close(manager);
	status = manager->exit_status;
	free(manager);
	return status;
}
