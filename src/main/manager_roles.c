/*
 * manager_roles.c - starting roles, and what follows from their death
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "main/manager.h"
#include "net/shared.h"
#include "os/clock.h"
#include "os/log.h"

/* ---- start ---- */

static int
manager_role_spawn(struct manager *manager, struct manager_role *role, int end)
{
	char parent[16], level[16], uid_name[USER_NAME_BYTES], gid[16];
	char *argv[] = {"weir", "role", (char *)(uintptr_t)role->name, parent,
	    level, uid_name, gid, NULL};
	const struct spawn_fd fds[] = {
	    {manager->shared_fd, ROLE_FD_SHARED},
	    {end, ROLE_FD_CHANNEL},
	    {manager->current->error_log, ROLE_FD_LOG},
	};
	const struct spawn_options options = {
	    /* The program that runs, also when its file was replaced. */
	    .path = "/proc/self/exe",
	    .argv = argv,
	    .fds = fds,
	    .fd_count = array_count(fds),
	    .keep_stdio = true,
	    .keep_signals = true,
	};

	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	snprintf(level, sizeof(level), "%d", manager->options->log_level);
	snprintf(uid_name, sizeof(uid_name), "%s", manager->user.name);
	snprintf(gid, sizeof(gid), "%u", (unsigned)manager->user.gid);
	if (!manager->become)
		argv[5] = NULL;
	return spawn(&options, &role->process, NULL);
}

/* A pair of descriptors above those that a role is given. */
static int
manager_channel_open(int ret_ends[2])
{
	int low[2], r = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, low) < 0)
		return -errno;
	for (unsigned i = 0; i < 2; i++) {
		ret_ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 10);
		if (ret_ends[i] < 0)
			r = -errno;
		close(low[i]);
	}
	if (r == 0)
		return 0;
	for (unsigned i = 0; i < 2; i++) {
		if (ret_ends[i] >= 0)
			close(ret_ends[i]);
	}
	return r;
}

static void
manager_role_publish(const struct manager_role *role)
{
	struct role_state *state = &shared->roles[role->index];

	if (state->name[0] == '\0')
		snprintf(state->name, sizeof(state->name), "%s", role->name);
	atomic_store(&state->started_ns, role->started.ns);
	atomic_store(&state->pid, role->process.pid);
}

static const struct restart_backoff manager_backoff = {
    .first = {MANAGER_BACKOFF_MS * INT64_C(1000000)},
    .max = {MANAGER_BACKOFF_MS_MAX * INT64_C(1000000)},
    .healthy = {MANAGER_LIFE_MS * INT64_C(1000000)},
    .free = 1,
};

void
manager_role_start(struct manager *manager, struct manager_role *role)
{
	int ends[2], r;

	role->restart_at = instant_never();
	role->started = clock_now();
	role->prepared = role->committed = 0;
	r = manager_channel_open(ends);
	if (r == 0) {
		r = manager_role_spawn(manager, role, ends[1]);
		close(ends[1]);
		if (r < 0)
			close(ends[0]);
	}
	if (r < 0) {
		log_error("role", "%s cannot be started: %s; tried again soon",
		    role->name, error_text(r));
		role->restart_at = instant_after(role->started,
		    restart_pause_unstarted(
			&role->deaths, &manager_backoff, 0));
		if (manager->state == STARTING)
			manager_fail(manager);
		return;
	}
	role->channel = ends[0];
	manager_role_publish(role);
	log_info("role", "%s is pid %d", role->name, (int)role->process.pid);
	manager_edition_offer(manager, role, manager->current);
	if (manager->change.next != NULL)
		manager_edition_offer(manager, role, manager->change.next);
}

/* ---- messages ---- */

void
manager_role_kill(struct manager_role *role)
{
	(void)spawn_signal(&role->process, SIGKILL);
}

void
manager_role_send(struct manager *manager, struct manager_role *role)
{
	int r;

	if (role->channel < 0)
		return;
	r = channel_send(role->channel, &manager->message);
	/* Its end has been or will be seen by the pidfd. */
	if (r == 0 || r == -EPIPE || r == -ECONNRESET)
		return;
	log_error("role", "%s (pid %d) takes no messages: %s; it is killed",
	    role->name, (int)role->process.pid, error_text(r));
	manager_role_kill(role);
}

void
manager_send_all(struct manager *manager)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		manager_role_send(manager, &manager->roles[i]);
}

/* ---- end ---- */

#define MANAGER_ZERO_GAUGE(name) counters->name = 0;
#define MANAGER_ZERO_COUNTER(name)

/* What only the dead worker could have taken back. */
static void
manager_worker_forget(void)
{
	for (unsigned i = 0; i < RUNTIME_WORKERS_MAX; i++) {
		struct counters *counters = &shared->threads[i];

#define COUNTER(name, kind, metric, labels, help) MANAGER_ZERO_##kind(name)
#include "base/counters.tbl"
#undef COUNTER
	}
	for (unsigned i = 0; i < SHARED_SERVERS_MAX; i++) {
		if (atomic_load(&shared->verdicts[i].used) != 0)
			atomic_store(&shared->verdicts[i].in_flight, 0);
	}
}

static void
manager_role_end_log(
    const struct manager_role *role, pid_t pid, int status, const char *remedy)
{
	char text[64];
	struct appender end = appender_over(text, sizeof(text));

	spawn_status_append(&end, status);
	log_error("role", "%s (pid %d) %.*s after %lld ms; %s", role->name,
	    (int)pid, (int)end.length, text,
	    (long long)duration_to_ms(
		instant_since(clock_now(), role->started)),
	    remedy);
}

static const char *
manager_role_remedy(int status, instant restart_at)
{
	bool now = restart_at.ns <= clock_now().ns;

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return now ? "started again; if nobody killed it, look for "
			     "the kernel's out-of-memory killer in dmesg"
			   : "it keeps dying: started again after a pause; "
			     "look in dmesg for the out-of-memory killer";
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return "it made a forbidden system call: please report this";
	return now ? "started again; please report this with the lines above"
		   : "it keeps dying: started again after a pause; the lines "
		     "above say why";
}

static void
manager_role_died(struct manager_role *role, pid_t pid, int status)
{
	struct role_state *state = &shared->roles[role->index];
	instant now = clock_now();

	role->restart_at = instant_after(now,
	    restart_pause(&role->deaths, &manager_backoff,
		instant_since(now, role->started), 0));
	atomic_fetch_add(&state->restarts, 1);
	manager_role_end_log(
	    role, pid, status, manager_role_remedy(status, role->restart_at));
}

void
manager_role_ended(struct manager *manager, struct manager_role *role)
{
	struct role_state *state = &shared->roles[role->index];
	pid_t pid = role->process.pid;
	int status = 0;

	/* Its last words first. */
	manager_role_read(manager, role);
	if (spawn_reap(&role->process, false, &status) == -EAGAIN)
		return;
	if (role->channel >= 0)
		close(role->channel);
	role->channel = -1;
	atomic_store(&state->pid, 0);
	atomic_store(&state->last_exit, status);
	if (role->index == ROLE_WORKER)
		manager_worker_forget();

	switch (manager->state) {
	case STARTING:
		manager_role_end_log(role, pid, status, "weir cannot start");
		manager_fail(manager);
		break;
	case RUNNING:
		manager_role_died(role, pid, status);
		/* It may have died of the new edition. */
		manager_change_abort(manager, -EPIPE,
		    BYTES("a role died while it prepared the configuration; "
			  "the log says of what\n"));
		manager_change_finish(manager);
		break;
	case DRAINING:
	case STOPPING:
		if (status != 0 && manager->state == DRAINING)
			manager_role_end_log(
			    role, pid, status, "what it was serving is lost");
		if (role->index == ROLE_WORKER && manager->state == DRAINING)
			manager_stop_roles(manager);
		break;
	}
}
