/*
 * process.c - a process is a pidfd that becomes readable once
 *
 * The hook of the pidfd reaps the child as its end is seen, and then wakes
 * whoever waits: a waiter that leaves early leaves nothing behind. The handle
 * is freed when its owner has dropped it and the child is reaped, in either
 * order.
 *
 * All children are on one list of the process: of one that outlives its
 * worker the pidfd stays there, and is looked at by the next start.
 */
#include "runtime/process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "os/orphans.h"
#include "os/pipe.h"
#include "runtime/process_private.h"

struct process {
	struct list of_all; /* until it is reaped */
	struct spawned child;
	struct worker *worker; /* NULL: its worker has ended */
	struct io_fd pidfd; /* attached until it is reaped */
	struct io_fd streams[PROCESS_STREAMS];
	pid_t pid;
	bool daemon;
	bool group;
	bool dropped;
	bool held; /* not reaped, so that its group keeps its number */
	bool gone; /* ended while held */
	bool ended;
	int error; /* 0, -ECHILD */
	int status; /* wait status, once ended */
	struct list waiters;
};

struct process_waiter {
	struct list node;
	struct task *task;
};

static struct {
	pthread_mutex_t lock;
	struct list all;
	_Atomic unsigned left; /* of those without a worker */
} processes = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .all = {&processes.all, &processes.all},
};

static void
process_list(struct process *process)
{
	pthread_mutex_lock(&processes.lock);
	list_push_back(&processes.all, &process->of_all);
	pthread_mutex_unlock(&processes.lock);
}

static void
process_unlist(struct process *process)
{
	pthread_mutex_lock(&processes.lock);
	list_remove(&process->of_all);
	pthread_mutex_unlock(&processes.lock);
}

/* ---- the end of a child ---- */

static void
process_free(struct process *process)
{
	must(process->ended && list_empty(&process->waiters));
	free(process);
}

static void
process_reap(struct process *process)
{
	struct list *node;
	int r;

	r = spawn_reap(&process->child, true, &process->status);
	if (r == -EAGAIN)
		return;
	process->error = r;
	process->ended = true;
	process_unlist(process);
	io_close(&process->pidfd);
	while ((node = list_pop_front(&process->waiters)) != NULL)
		task_wake(
		    container_of(node, struct process_waiter, node)->task);
	if (process->dropped)
		process_free(process);
}

/* On the loop. */
static void
process_pidfd_ready(struct io_fd *pidfd, unsigned events)
{
	struct process *process = container_of(pidfd, struct process, pidfd);

	process->gone = true;
	if (!process->held)
		process_reap(process);
}

void
process_hold(struct process *process)
{
	process->held = true;
}

void
process_release(struct process *process)
{
	process->held = false;
	if (process->gone && !process->ended)
		process_reap(process);
}

/* Those whose worker has ended before them. */
static void
process_left_reap(void)
{
	int status;

	if (atomic_load(&processes.left) == 0)
		return;
	pthread_mutex_lock(&processes.lock);
	list_each_safe (node, &processes.all) {
		struct process *process =
		    container_of(node, struct process, of_all);

		if (process->worker != NULL ||
		    spawn_reap(&process->child, false, &status) == -EAGAIN)
			continue;
		list_remove(node);
		free(process);
		atomic_fetch_sub(&processes.left, 1);
	}
	pthread_mutex_unlock(&processes.lock);
}

/* ---- orphans ---- */

#define PROCESS_ORPHANS_EVERY duration_s(1)

static struct {
	struct timer timer;
	struct worker *_Atomic worker; /* NULL: nobody adopts */
} orphans;

static bool
process_is_ours(pid_t pid)
{
	bool found = false;

	pthread_mutex_lock(&processes.lock);
	list_each (node, &processes.all)
		found |= container_of(node, struct process, of_all)->pid == pid;
	pthread_mutex_unlock(&processes.lock);
	return found;
}

static void
process_orphans_look(struct timer *timer)
{
	orphans_reap(process_is_ours);
	timer_start(timer, instant_after(runtime_now(), PROCESS_ORPHANS_EVERY));
}

static void
process_orphans_end(void)
{
	if (orphans.worker != worker_here)
		return;
	timer_stop(&orphans.timer);
	orphans.worker = NULL;
}

int
process_adopt_orphans(void)
{
	struct worker *nobody = NULL;
	int r;

	must(worker_here != NULL);
	r = orphans_adopt();
	if (r < 0)
		return r;
	if (!atomic_compare_exchange_strong(
		&orphans.worker, &nobody, worker_here))
		return 0;
	timer_init(&orphans.timer, process_orphans_look);
	timer_start(&orphans.timer,
	    instant_after(runtime_now(), PROCESS_ORPHANS_EVERY));
	return 0;
}

/* ---- the end of a worker ---- */

/* A daemon dies, the others are left to themselves. */
static void
process_leave(struct process *process)
{
	for (unsigned i = 0; i < PROCESS_STREAMS; i++)
		io_close(&process->streams[i]);
	if (process->daemon) {
		(void)spawn_signal(&process->child, SIGKILL);
		(void)io_detach(&process->pidfd);
		spawn_reap_surely(&process->child);
		list_remove(&process->of_all);
		free(process);
		return;
	}
	(void)io_detach(&process->pidfd);
	process->worker = NULL;
	atomic_fetch_add(&processes.left, 1);
}

void
process_worker_end(void)
{
	pthread_mutex_lock(&processes.lock);
	list_each_safe (node, &processes.all) {
		struct process *process =
		    container_of(node, struct process, of_all);

		if (process->worker == worker_here)
			process_leave(process);
	}
	pthread_mutex_unlock(&processes.lock);
	process_left_reap();
	process_orphans_end();
}

/* ---- start ---- */

static int
process_attach(struct process *process, struct process_streams *streams)
{
	int r;

	for (unsigned i = 0; i < PROCESS_STREAMS; i++) {
		if (streams->ours[i] < 0)
			continue;
		r = io_attach(&process->streams[i], streams->ours[i]);
		if (r < 0)
			return r;
		streams->ours[i] = -1;
	}
	r = io_attach(&process->pidfd, process->child.pidfd);
	if (r < 0)
		return r;
	io_watch(&process->pidfd, process_pidfd_ready);
	return 0;
}

static int
process_spawn(const struct process_options *options,
    const struct process_streams *streams, char *const *environment,
    struct process *process, const char **ret_step)
{
	struct spawn_fd fds[SPAWN_FDS_MAX];
	struct spawn_options spawning = {
	    .path = options->path != NULL ? options->path : options->argv[0],
	    .argv = options->argv,
	    .environment =
		environment != NULL ? environment : options->environment,
	    .fds = fds,
	    .keep_stdio = true,
	    .directory = options->directory,
	    .limits = options->limits,
	    .limit_count = options->limit_count,
	    .become = options->become,
	    .uid = options->uid,
	    .gid = options->gid,
	    .session = options->session,
	    .group = options->group,
	    .parent_death_signal = options->daemon ? SIGKILL : 0,
	    .keep_signals = options->keep_signals,
	};

	if (options->fd_count > SPAWN_FDS_MAX - PROCESS_STREAMS)
		return -EINVAL;
	for (unsigned i = 0; i < PROCESS_STREAMS; i++) {
		if (streams->theirs[i] >= 0)
			fds[spawning.fd_count++] =
			    (struct spawn_fd){streams->theirs[i],
				i == PROCESS_CHANNEL ? options->channel_fd
						     : (int)i};
	}
	for (unsigned i = 0; i < options->fd_count; i++)
		fds[spawning.fd_count++] = options->fds[i];
	return spawn(&spawning, &process->child, ret_step);
}

static struct process *
process_new(const struct process_options *options)
{
	struct process *process = malloc(sizeof(*process));

	if (process == NULL)
		return NULL;
	*process = (struct process){
	    .child = SPAWNED_NONE,
	    .worker = worker_here,
	    .pidfd = IO_FD_NONE,
	    .streams = {IO_FD_NONE, IO_FD_NONE, IO_FD_NONE, IO_FD_NONE},
	    .daemon = options->daemon,
	    .group = options->group,
	};
	list_init(&process->of_all);
	list_init(&process->waiters);
	return process;
}

/* What was started cannot be kept. */
static void
process_undo(struct process *process)
{
	for (unsigned i = 0; i < PROCESS_STREAMS; i++)
		io_close(&process->streams[i]);
	if (process->child.pid > 0) {
		(void)spawn_signal(&process->child, SIGKILL);
		spawn_reap_surely(&process->child);
	}
	free(process);
}

static int
process_begin(const struct process_options *options,
    struct process_streams *streams, struct process *process,
    const char **ret_step)
{
	char **environment;
	int r;

	r = process_environment_build(options, &environment);
	if (r < 0)
		return r;
	r = process_spawn(options, streams, environment, process, ret_step);
	free(environment);
	if (r < 0)
		return r;
	process->pid = process->child.pid;
	return process_attach(process, streams);
}

int
process_start(const struct process_options *options,
    struct process **ret_process, const char **ret_step)
{
	struct process_streams streams;
	struct process *process;
	int r;

	must(worker_here != NULL);
	if (runtime_here.forked)
		return -EOWNERDEAD;
	process_left_reap();
	if (ret_step != NULL)
		*ret_step = "prepare the start";
	r = process_streams_open(options, &streams);
	if (r < 0)
		return r;
	process = process_new(options);
	r = process != NULL
	    ? process_begin(options, &streams, process, ret_step)
	    : -ENOMEM;
	process_streams_close_theirs(&streams);
	if (r < 0) {
		process_streams_close(&streams);
		if (process != NULL)
			process_undo(process);
		return r;
	}
	process_list(process);
	*ret_process = process;
	return 0;
}

/* ---- the handle ---- */

static void
process_check_worker(const struct process *process, const char *function)
{
	misuse_unless(process->worker == worker_here,
	    "%s() on another worker than the one that started the process",
	    function);
}

void
process_drop(struct process *process)
{
	if (process == NULL)
		return;
	process_check_worker(process, "weir_process_drop");
	misuse_unless(!process->dropped, "weir_process_drop() twice");
	misuse_unless(list_empty(&process->waiters),
	    "weir_process_drop() while a task waits for the process");
	for (unsigned i = 0; i < PROCESS_STREAMS; i++)
		io_close(&process->streams[i]);
	process->dropped = true;
	if (process->ended)
		process_free(process);
}

pid_t
process_pid(const struct process *process)
{
	return process->pid;
}

bool
process_ended(const struct process *process)
{
	return process->ended;
}

struct io_fd *
process_stdin(struct process *process)
{
	return &process->streams[0];
}

struct io_fd *
process_stdout(struct process *process)
{
	return &process->streams[1];
}

struct io_fd *
process_stderr(struct process *process)
{
	return &process->streams[2];
}

struct io_fd *
process_channel(struct process *process)
{
	return &process->streams[PROCESS_CHANNEL];
}

static void
process_exit_decode(int status, struct process_exit *ret_exit)
{
	if (WIFEXITED(status))
		*ret_exit = (struct process_exit){.code = WEXITSTATUS(status)};
	else
		*ret_exit = (struct process_exit){.code = -1,
		    .signal = WTERMSIG(status),
		    .core = WCOREDUMP(status)};
}

int
process_wait(
    struct process *process, struct process_exit *ret_exit, instant deadline)
{
	struct process_waiter waiter = {.task = task_self()};
	int r = 0;

	process_check_worker(process, "weir_process_wait");
	list_init(&waiter.node);
	while (!process->ended && r == 0) {
		if (list_empty(&waiter.node))
			list_push_back(&process->waiters, &waiter.node);
		r = task_park("process", deadline);
	}
	list_remove(&waiter.node);
	if (!process->ended)
		return r;
	if (process->error == 0)
		process_exit_decode(process->status, ret_exit);
	return process->error;
}

static int
process_wait_surely(struct process *process, struct process_exit *ret_exit)
{
	struct process_waiter waiter = {.task = task_self()};

	list_init(&waiter.node);
	while (!process->ended) {
		if (list_empty(&waiter.node))
			list_push_back(&process->waiters, &waiter.node);
		task_park_uncancellable("end of a process");
	}
	list_remove(&waiter.node);
	if (process->error == 0)
		process_exit_decode(process->status, ret_exit);
	return process->error;
}

int
process_signal(struct process *process, int signal)
{
	return spawn_signal(&process->child, signal);
}

/* Nobody reaps but this worker's loop: until it has, the number is ours. */
int
process_signal_group(struct process *process, int signal)
{
	process_check_worker(process, "weir_process_stop");
	if (process->ended)
		return -ESRCH;
	if (!process->group)
		return -EINVAL;
	return spawn_signal_group(&process->child, signal);
}

int
process_stop(
    struct process *process, duration grace, struct process_exit *ret_exit)
{
	int r;

	(void)process_signal(process, SIGTERM);
	r = process_wait(
	    process, ret_exit, instant_after(runtime_now(), grace));
	if (process->ended)
		return r;
	(void)process_signal(process, SIGKILL);
	return process_wait_surely(process, ret_exit);
}

void
process_exit_append(struct appender *text, const struct process_exit *exit)
{
	spawn_status_append(text,
	    exit->code >= 0 ? W_EXITCODE(exit->code, 0)
			    : exit->signal | (exit->core ? WCOREFLAG : 0));
}
