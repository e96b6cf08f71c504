/*
 * manager.h - the process that starts the others and never speaks to strangers
 *
 * Layer      main
 * Threads    one worker of the runtime; a thread beside it reads a
 *            configuration that is reloaded
 * Memory     two messages a role, 64 KB each, of which the pages that were
 *            used
 *
 * Its tasks:
 *
 *   root       start, wait until somebody wants the end, end (manager.c)
 *   signals    reads the signalfd (manager.c)
 *   roles      supervises one child a role (manager_roles.c); beside each of
 *              the three processes a task reads its channel, does what it
 *              asks for (manager_requests.c), and conducts its end
 *   changes    one reload after the other (manager_change.c)
 *
 * Whoever changes what another one may wait for says manager_changed(); who
 * waits looks at the state itself, before and after each manager_wait().
 *
 *   STARTING   the roles apply the first edition; a death or a refusal ends it
 *   RUNNING    roles that die are started again
 *   ENDING     they are stopped, in this order: the worker, when it has
 *              finished what is in flight or the deadline has come; health;
 *              control, so that the admin plane answers until the end
 */
#pragma once

#include "main/channel.h"
#include "main/edition.h"
#include "os/user.h"
#include "runtime/lock.h"
#include "runtime/process.h"
#include "runtime/task.h"

enum {
	ROLE_WORKER, /* the order of shared->roles */
	ROLE_HEALTH,
	ROLE_CONTROL,
	ROLE_COUNT,
};

/* The descriptors of a role when it starts. */
enum {
	ROLE_FD_SHARED = 3,
	ROLE_FD_CHANNEL = 4,
	ROLE_FD_LOG = 5,
};

#define MANAGER_START_MS     15000 /* for the roles to take the first edition */
#define MANAGER_CHANGE_MS    10000 /* for all of them to apply a reload */
#define MANAGER_STOP_MS      2000 /* for a role to go when it is told */
#define MANAGER_TASKS_MAX    32 /* about 10 are in use */
#define MANAGER_LIMIT_MS     10000 /* of what is done although we are to end */
#define MANAGER_AGAIN_MS     100 /* a second SIGTERM so soon is the first one */
#define MANAGER_ANSWER_BYTES 8000 /* of what a reload has changed */
/* A role that lived this long died of something new: start it at once. */
#define MANAGER_LIFE_MS        10000
#define MANAGER_BACKOFF_MS     100 /* doubled at each quick death, up to: */
#define MANAGER_BACKOFF_MS_MAX 5000

enum manager_state { MANAGER_STARTING, MANAGER_RUNNING, MANAGER_ENDING };

struct manager_options {
	const char *path;
	const char *user; /* NULL: as the configuration says */
	int log_level; /* -1: as the configuration says */
};

enum manager_role_stage {
	ROLE_SERVES,
	ROLE_DRAINS, /* it was asked to finish what is in flight */
	ROLE_DRAINED, /* it has */
	ROLE_DISMISSED, /* it was told to go */
};

struct manager_role {
	const char *name;
	unsigned index;
	struct manager *manager;
	struct process *process; /* NULL: not running */
	struct io_fd *channel; /* NULL: nobody reads at its other end */
	instant started;
	uint64_t lives; /* how often it was started */
	uint64_t offered; /* newest version that it was sent */
	uint64_t prepared; /* newest version that it could take */
	uint64_t committed; /* the version it lives by */
	enum manager_role_stage stage;
	struct process_exit exit; /* of the last one */
	struct mutex sending; /* held by who fills and sends: */
	struct channel_message out;
	struct channel_message in; /* of the task that reads its channel */
};

/* Who is told how a reload ended. */
struct manager_asker {
	bool asked; /* by the control role; else by a signal */
	uint64_t life; /* of the control role */
	uint64_t id;
};

/*
 * A reload. First every role prepares `next`, and each can still refuse. Then
 * it is `current`, every role is told so, and the one before stays until the
 * last has let go of it.
 */
struct manager_change {
	bool wanted; /* `asker` waits for it to begin */
	bool hangup; /* SIGHUP: as soon as it is possible */
	bool busy; /* from the beginning to the answer */
	struct manager_asker asker;
	struct edition *next; /* NULL: none is being prepared */
	int error; /* why it cannot be prepared; 0: nothing is known */
	char why[1024]; /* the same, as lines */
};

struct manager {
	const struct manager_options *options;
	enum manager_state state;
	bool stop_wanted;
	bool at_once; /* nobody is waited for any more */
	instant stop_asked; /* the first time */
	instant drain_deadline; /* for the worker; past: no draining */
	int exit_status;
	int shared_fd;
	int pid_fd; /* -1: none */
	int signal_fd; /* -1: none, or `signals` has it */
	struct io_fd signals;
	char pid_path[4096];
	bool become; /* the roles change their user */
	struct user user;
	unsigned threads;
	uint64_t version_last; /* also of what was refused */
	struct listening_set listening;
	struct edition *current;
	struct manager_change change;
	struct manager_role roles[ROLE_COUNT];
	struct list waiters;
	struct spawn_fd given[2]; /* to each role as it starts */
	struct scope supervision; /* of the task that supervises the roles */
};

/* manager.c */
int manager_run(const struct manager_options *options);
/* SIGTERM: drain; a second time: at once. */
void manager_stop(struct manager *manager);
/* Something ended what cannot go on. */
void manager_fail(struct manager *manager);
/* Wait until somebody says that something has changed.
 * Returns 0, -ETIMEDOUT, the cancel error. */
SUSPENDS MUST_CHECK int
manager_wait(struct manager *manager, const char *what, instant deadline);
void manager_changed(struct manager *manager);
/* notify_send() of a static text. */
SUSPENDS void manager_notify(const char *state);

/* manager_roles.c: processes */
/* Task: until manager->supervision is cancelled; then no role runs. */
int manager_supervise(void *manager);
/* It does not behave: its end is seen as any other. */
void manager_role_kill(struct manager_role *role);
/*
 * To send to a role: open, then fill and send role->out any number of times,
 * then close. What it does not take within CHANNEL_SEND_MS kills it.
 * false: it does not run, or the caller was stopped; then no close.
 */
SUSPENDS MUST_CHECK bool manager_role_open(struct manager_role *role);
SUSPENDS void manager_role_send(struct manager_role *role);
void manager_role_close(struct manager_role *role);
/* Send what another role has sent. */
SUSPENDS void manager_role_forward(
    struct manager_role *role, struct channel_message *message);

/* manager_change.c: configurations */
/* Task: waits for what is wanted of manager->change, and does it. */
int manager_changes(void *manager);
/* Send it an edition to prepare. Between open and close. */
SUSPENDS void
manager_edition_offer(struct manager_role *role, const struct edition *edition);
void manager_role_applied(struct manager_role *role, uint64_t version);
void manager_role_committed(struct manager_role *role, uint64_t version);
void manager_role_refused(
    struct manager_role *role, uint64_t version, struct bytes why);
/*
 * manager_edition_read - what the files say now, with its sockets
 *
 * @ret_text  mistakes and warnings, to be freed; NULL: it did not come to that
 * Returns    0, or what is wrong
 */
SUSPENDS MUST_CHECK int manager_edition_read(struct manager *manager,
    instant deadline, struct edition **ret_edition, char **ret_text);
/* A role cannot prepare what it was offered. */
void manager_change_fail(struct manager *manager, int error, struct bytes why);
bool manager_all_committed(const struct manager *manager);
void manager_edition_publish(const struct manager *manager);
SUSPENDS void manager_logs_reopen(struct manager *manager);

/* manager_requests.c: messages from the roles */
/* Do what role->in says. false: that role has no business with it. */
SUSPENDS bool manager_role_handle(struct manager_role *role);
SUSPENDS void manager_reply(struct manager *manager, struct manager_asker asker,
    int result, struct bytes text);
