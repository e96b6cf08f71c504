/*
 * manager_roles.c - the roles as children of a supervisor, and the task beside
 * each of them
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "main/manager.h"
#include "net/shared.h"
#include "os/clock.h"
#include "os/log.h"
#include "runtime/runtime.h"
#include "runtime/supervise.h"

/* ---- messages ---- */

void
manager_role_kill(struct manager_role *role)
{
	if (role->process != NULL)
		(void)process_signal(role->process, SIGKILL);
}

bool
manager_role_open(struct manager_role *role)
{
	if (mutex_lock(&role->sending, instant_never()) < 0)
		return false;
	if (role->channel != NULL)
		return true;
	manager_role_close(role);
	return false;
}

void
manager_role_close(struct manager_role *role)
{
	(void)mutex_unlock(&role->sending);
}

static void
manager_role_put(struct manager_role *role, struct channel_message *message)
{
	instant deadline =
	    instant_after(clock_now(), duration_ms(CHANNEL_SEND_MS));
	int r;

	if (role->channel == NULL)
		return;
	r = channel_io_send(role->channel, message, deadline);
	/* Its end is seen by who reads; or nobody waits for us any more. */
	if (r == 0 || r == -EPIPE || r == -ECONNRESET || r == -EBADF ||
	    r == -ECANCELED)
		return;
	log_error("role", "%s takes no messages: %s; it is killed", role->name,
	    error_text(r));
	role->channel = NULL;
	manager_role_kill(role);
}

void
manager_role_send(struct manager_role *role)
{
	manager_role_put(role, &role->out);
}

void
manager_role_forward(struct manager_role *role, struct channel_message *message)
{
	if (!manager_role_open(role))
		return;
	manager_role_put(role, message);
	manager_role_close(role);
}

/* ---- a life ---- */

static void
manager_role_publish(const struct manager_role *role)
{
	struct role_state *state = &shared->roles[role->index];

	if (state->name[0] == '\0')
		snprintf(state->name, sizeof(state->name), "%s", role->name);
	atomic_store(&state->started_ns, role->started.ns);
	atomic_store(&state->pid, process_pid(role->process));
}

static void
manager_role_begin(struct manager_role *role, struct process *process)
{
	role->process = process;
	role->channel = process_channel(process);
	role->started = clock_now();
	role->lives++;
	role->stage = ROLE_SERVES;
	role->offered = role->prepared = role->committed = 0;
	role->exit = (struct process_exit){0};
	manager_role_publish(role);
	log_info("role", "%s is pid %d", role->name, (int)process_pid(process));
	manager_edition_offer(role, role->manager->current);
	if (role->manager->at_once)
		manager_role_kill(role);
}

/* Until it has drained, if it was asked to; else until it cannot go on:
 * returns -EPIPE (it has ended), -EPROTO (nonsense), -ETIMEDOUT, ... */
static int
manager_role_listen(
    struct manager_role *role, struct io_fd *channel, instant deadline)
{
	int r = 0;

	while (r == 0 && role->stage != ROLE_DRAINED) {
		r = channel_io_recv(channel, &role->in, deadline);
		if (r == 0 && !manager_role_handle(role)) {
			channel_message_close(&role->in);
			r = -EPROTO;
		}
	}
	return r;
}

static void
manager_role_tell(
    struct manager_role *role, enum channel_type type, instant deadline)
{
	if (!manager_role_open(role))
		return;
	channel_message_init(&role->out, type);
	role->out.head.deadline_ns = deadline.ns;
	manager_role_send(role);
	manager_role_close(role);
}

/* How long that takes at most, with all its messages. */
static duration
manager_retire_limit(const struct manager *manager)
{
	int64_t drain = 0;

	if (manager->drain_deadline.ns != INSTANT_PAST_NS)
		drain = instant_since(manager->drain_deadline, clock_now()).ns;
	drain = max_of(drain, INT64_C(0));
	drain = min_of(drain, INT64_MAX / 2);
	return duration_ns(
	    drain + duration_ms(MANAGER_STOP_MS + MANAGER_LIMIT_MS).ns);
}

/* Ask it to go. The worker finishes what is in flight first: it holds itself to
 * the deadline; a second later we do. */
static int
manager_role_retire(struct manager_role *role, struct io_fd *channel)
{
	instant drained = role->manager->drain_deadline;
	int r = 0;

	if (role->index == ROLE_WORKER && drained.ns != INSTANT_PAST_NS &&
	    !role->manager->at_once) {
		role->stage = ROLE_DRAINS;
		manager_role_tell(role, CHANNEL_DRAIN, drained);
		r = manager_role_listen(
		    role, channel, instant_after(drained, duration_s(1)));
	}
	if (r < 0 && r != -ETIMEDOUT)
		return r;
	role->stage = ROLE_DISMISSED;
	manager_role_tell(role, CHANNEL_STOP, instant_never());
	return manager_role_listen(role, channel,
	    instant_after(clock_now(), duration_ms(MANAGER_STOP_MS)));
}

/* ---- the end of one ---- */

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

static int
manager_wait_status(const struct process_exit *exit)
{
	if (exit->signal == 0)
		return W_EXITCODE(exit->code, 0);
	return exit->signal | (exit->core ? WCOREFLAG : 0);
}

static void
manager_role_end_log(
    const struct manager_role *role, pid_t pid, const char *remedy)
{
	char text[64];
	struct appender end = appender_over(text, sizeof(text));

	process_exit_append(&end, &role->exit);
	log_error("role", "%s (pid %d) %.*s after %lld ms; %s", role->name,
	    (int)pid, (int)end.length, text,
	    (long long)duration_to_ms(
		instant_since(clock_now(), role->started)),
	    remedy);
}

/* Nobody reads its channel any more. */
static void
manager_role_end(struct manager_role *role, struct process *process)
{
	struct manager *manager = role->manager;
	struct role_state *state = &shared->roles[role->index];

	manager_role_kill(role);
	(void)!process_wait(process, &role->exit, instant_never());
	role->process = NULL;
	role->channel = NULL;
	atomic_store(&state->pid, 0);
	atomic_store(&state->last_exit, manager_wait_status(&role->exit));
	if (role->index == ROLE_WORKER)
		manager_worker_forget();
	if (manager->state == MANAGER_ENDING && !manager->at_once &&
	    role->stage != ROLE_DISMISSED && role->exit.code != 0)
		manager_role_end_log(
		    role, process_pid(process), "what it was serving is lost");
	manager_changed(manager);
}

static void
manager_role_attend(struct process *process, void *arg)
{
	struct manager_role *role = arg;
	struct io_fd *channel = process_channel(process);
	int r;

	/* Who sends to the one before it may not know of its end yet. */
	if (mutex_lock(&role->sending, instant_never()) < 0)
		return;
	manager_role_begin(role, process);
	manager_role_close(role);
	r = manager_role_listen(role, channel, instant_never());
	task_shield(manager_retire_limit(role->manager));
	if (r == -ECANCELED)
		r = manager_role_retire(role, channel);
	if (r != -EPIPE && r != -ETIMEDOUT)
		log_error("role",
		    "%s (pid %d) sent nonsense (%s); it is "
		    "killed: please report this",
		    role->name, (int)process_pid(process), error_text(r));
	manager_role_end(role, process);
	task_unshield();
}

/* ---- supervision ---- */

static const char *
manager_role_remedy(const struct process_exit *exit, duration pause)
{
	bool now = pause.ns == 0;

	if (exit->signal == SIGKILL)
		return now ? "started again; if nobody killed it, look for "
			     "the kernel's out-of-memory killer in dmesg"
			   : "it keeps dying: started again after a pause; "
			     "look in dmesg for the out-of-memory killer";
	if (exit->signal == SIGSYS)
		return "it made a forbidden system call: please report this";
	return now ? "started again; please report this with the lines above"
		   : "it keeps dying: started again after a pause; the lines "
		     "above say why";
}

static void
manager_role_died(
    struct manager_role *role, const struct supervise_event *event)
{
	atomic_fetch_add(&shared->roles[role->index].restarts, 1);
	manager_role_end_log(
	    role, event->pid, manager_role_remedy(&role->exit, event->pause));
	/* It may have died of the new edition. */
	manager_change_fail(role->manager, -EPIPE,
	    BYTES("a role died while it prepared the configuration; "
		  "the log says of what\n"));
}

static void
manager_role_event(const struct supervise_event *event, void *arg)
{
	struct manager_role *role = event->child->arg;
	struct manager *manager = role->manager;
	bool starting = manager->state == MANAGER_STARTING;

	if (event->what != SUPERVISE_ENDED || manager->stop_wanted)
		return;
	if (event->pid == 0)
		log_error("role", "%s %s; %s", role->name, event->why,
		    starting ? "weir cannot start" : "tried again soon");
	else if (starting)
		manager_role_end_log(role, event->pid, "weir cannot start");
	else
		manager_role_died(role, event);
	if (starting)
		manager_fail(manager);
}

/* What it is given at this start. */
static int
manager_role_prepare(void *arg)
{
	struct manager_role *role = arg;
	struct manager *manager = role->manager;

	manager->given[0] =
	    (struct spawn_fd){manager->shared_fd, ROLE_FD_SHARED};
	manager->given[1] =
	    (struct spawn_fd){manager->current->error_log, ROLE_FD_LOG};
	return 0;
}

static const struct restart_backoff manager_backoff = {
    .first = {MANAGER_BACKOFF_MS * INT64_C(1000000)},
    .max = {MANAGER_BACKOFF_MS_MAX * INT64_C(1000000)},
    .healthy = {MANAGER_LIFE_MS * INT64_C(1000000)},
    .free = 1,
};

/* The order of the start; the end is in the other one. */
static const unsigned manager_order[ROLE_COUNT] = {
    ROLE_CONTROL, ROLE_HEALTH, ROLE_WORKER};

int
manager_supervise(void *arg)
{
	struct manager *manager = arg;
	char parent[16], level[16], gid[16];
	char *argv[ROLE_COUNT][8];
	struct process_options programs[ROLE_COUNT];
	struct supervise_child children[ROLE_COUNT];
	const struct supervise_options options = {
	    .backoff = manager_backoff,
	    .event = manager_role_event,
	};

	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	snprintf(level, sizeof(level), "%d", manager->options->log_level);
	snprintf(gid, sizeof(gid), "%u", (unsigned)manager->user.gid);
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		struct manager_role *role = &manager->roles[manager_order[i]];
		char *const arguments[8] = {"weir", "role",
		    (char *)(uintptr_t)role->name, parent, level,
		    manager->become ? manager->user.name : NULL, gid, NULL};

		memcpy(argv[i], arguments, sizeof(arguments));
		programs[i] = (struct process_options){
		    /* The program that runs, also when its file was replaced.
		     */
		    .path = "/proc/self/exe",
		    .argv = argv[i],
		    .fds = manager->given,
		    .fd_count = array_count(manager->given),
		    .channel_fd = ROLE_FD_CHANNEL,
		    .keep_signals = true,
		};
		children[i] = (struct supervise_child){
		    .name = role->name,
		    .process = &programs[i],
		    .arg = role,
		    .prepare = manager_role_prepare,
		    .attend = manager_role_attend,
		};
	}
	return supervise(&options, children, ROLE_COUNT, NULL);
}
