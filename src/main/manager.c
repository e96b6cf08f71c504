/*
 * manager.c - start, signals, and the end
 */
#include "main/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/error.h"
#include "main/told.h"
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

/* ---- what the tasks tell each other ---- */

struct manager_waiter {
	struct list node;
	struct task *task;
};

int
manager_wait(struct manager *manager, const char *what, instant deadline)
{
	struct manager_waiter waiter = {.task = task_self()};
	int r;

	list_push_back(&manager->waiters, &waiter.node);
	r = task_park(what, deadline);
	list_remove(&waiter.node);
	return r;
}

void
manager_changed(struct manager *manager)
{
	struct list *node;

	while ((node = list_pop_front(&manager->waiters)) != NULL)
		task_wake(
		    container_of(node, struct manager_waiter, node)->task);
}

static int
manager_notify_run(void *state)
{
	notify_send(state);
	return 0;
}

/* A supervisor that reads nothing is waited for on another thread. */
void
manager_notify(const char *state)
{
	char *text = (char *)(uintptr_t)state;

	if (offload_run(manager_notify_run, text, NULL, instant_never()) < 0)
		notify_send(state);
}

void
manager_fail(struct manager *manager)
{
	manager->exit_status = 1;
	manager->stop_wanted = true;
	/* Now, before it starts somebody again. */
	scope_cancel(&manager->supervision, 0);
	manager_changed(manager);
}

static void
manager_stop_at_once(struct manager *manager)
{
	log_info("manager", "stopping at once");
	manager->at_once = true;
	scope_cancel(&manager->supervision, 0);
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		manager_role_kill(&manager->roles[i]);
	manager_changed(manager);
}

void
manager_stop(struct manager *manager)
{
	instant now = clock_now();

	if (!manager->stop_wanted) {
		manager->stop_wanted = true;
		manager->stop_asked = now;
		manager_changed(manager);
		return;
	}
	/* Who signals a whole group, and us too, means it once. */
	if (!instant_before(now,
		instant_after(
		    manager->stop_asked, duration_ms(MANAGER_AGAIN_MS))))
		manager_stop_at_once(manager);
}

/* ---- signals ---- */

static void
manager_signal_handle(struct manager *manager, uint32_t number)
{
	switch (number) {
	case SIGHUP:
		manager->change.hangup = true;
		manager_changed(manager);
		break;
	case SIGUSR1:
		manager_logs_reopen(manager);
		break;
	default:
		manager_stop(manager);
	}
}

static int
manager_signals(void *arg)
{
	struct manager *manager = arg;
	struct signalfd_siginfo info;
	ssize_t length;

	while ((length = io_read(&manager->signals, &info, sizeof(info),
		    instant_never())) == (ssize_t)sizeof(info))
		manager_signal_handle(manager, info.ssi_signo);
	io_close(&manager->signals);
	return (int)length;
}

/* ---- from the start to the end ---- */

/* All roles live by the first edition, or it ends here. */
static void
manager_begin(struct manager *manager)
{
	instant deadline =
	    instant_after(clock_now(), duration_ms(MANAGER_START_MS));

	while (!manager->stop_wanted && !manager_all_committed(manager)) {
		if (manager_wait(manager, "roles", deadline) != -ETIMEDOUT)
			continue;
		log_error("manager",
		    "the roles were not ready after %d s; "
		    "the lines above may say why",
		    MANAGER_START_MS / 1000);
		manager_fail(manager);
	}
	if (manager->stop_wanted)
		return;
	manager->state = MANAGER_RUNNING;
	manager_edition_publish(manager);
	log_info("manager", "ready: %s, version %llu", manager->options->path,
	    (unsigned long long)manager->current->version);
	manager_notify("READY=1");
}

static void
manager_serve(struct manager *manager)
{
	struct scope changes;
	int r = 0;

	if (manager->stop_wanted)
		return;
	scope_init(&changes, instant_never());
	if (task_start(&changes, "changes", manager_changes, manager) < 0) {
		log_error("manager", "cannot run: no memory");
		manager_fail(manager);
	}
	while (!manager->stop_wanted && r == 0)
		r = manager_wait(manager, "the end", instant_never());
	(void)scope_fini(&changes);
}

static void
manager_drain(struct manager *manager)
{
	duration drain = manager->current->snapshot->drain_timeout;

	manager->drain_deadline = instant_after(clock_now(), drain);
	manager_notify("STOPPING=1");
	log_info("manager",
	    "draining: requests in flight have %lld s; a "
	    "second SIGTERM ends them at once",
	    (long long)(drain.ns / 1000000000));
	atomic_store(&shared->draining, 1);
}

static void
manager_end(struct manager *manager)
{
	if (manager->state == MANAGER_RUNNING && manager->exit_status == 0)
		manager_drain(manager);
	manager->state = MANAGER_ENDING;
	scope_cancel(&manager->supervision, 0);
	/* The worker has them too, and serves what waits in them. */
	listening_set_shut(&manager->listening);
	(void)scope_fini(&manager->supervision);
	log_info("manager", "ended");
}

static int
manager_signals_start(struct manager *manager)
{
	int r = io_attach(&manager->signals, manager->signal_fd);

	if (r < 0)
		return r;
	manager->signal_fd = -1;
	return task_start(NULL, "signals", manager_signals, manager);
}

static int
manager_root(void *arg)
{
	struct manager *manager = arg;
	int r;

	r = manager_signals_start(manager);
	if (r < 0)
		return r;
	scope_init(&manager->supervision, instant_never());
	r = task_start(
	    &manager->supervision, "roles", manager_supervise, manager);
	if (r == 0) {
		manager_begin(manager);
		manager_serve(manager);
	}
	manager_end(manager);
	return r;
}

static void
manager_serve_all(struct manager *manager)
{
	const struct runtime_options options = {
	    .worker_count = 1,
	    .backend = "epoll",
	    .task_count_max = MANAGER_TASKS_MAX,
	    .stall_told = told_stall,
	};
	int r;

	deadlock_set_hook(told_deadlock);
	r = runtime_run(&options, manager_root, manager);
	if (r < 0) {
		log_error("manager", "cannot run: %s", error_text(r));
		manager->exit_status = 1;
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
	manager->signal_fd = manager->pid_fd = manager->shared_fd = -1;
	manager->signals = IO_FD_NONE;
	manager->drain_deadline = instant_past();
	list_init(&manager->waiters);
	listening_set_init(&manager->listening);
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		struct manager_role *role = &manager->roles[i];

		role->name = names[i];
		role->index = i;
		role->manager = manager;
		mutex_init(&role->sending, "channel");
	}
}

int
manager_run(const struct manager_options *options)
{
	struct manager *manager = calloc(1, sizeof(*manager));
	int status;

	if (manager == NULL)
		return 1;
	manager_init(manager, options);
	sandbox_raise_limits();
	if (manager_prepare(manager) == 0) {
		manager_log_start(manager);
		manager_serve_all(manager);
	} else {
		manager->exit_status = 1;
	}
	manager_close(manager);
	status = manager->exit_status;
	free(manager);
	return status;
}
