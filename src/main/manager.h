/*
 * manager.h - the process that starts the others and never speaks to strangers
 *
 * Layer      main
 * Threads    one, a plain poll(2) loop; nothing here blocks but for files of
 *            the configuration and CHANNEL_SEND_MS for a stuck role
 *
 *   STARTING   the roles apply the first edition; a death or a refusal ends it
 *   RUNNING    roles that die are started again; one reload at a time
 *   DRAINING   the worker finishes what is in flight, until the deadline
 *   STOPPING   everybody is told to go, and killed after MANAGER_STOP_MS
 */
#pragma once

#include "main/channel.h"
#include "main/edition.h"
#include "os/spawn.h"
#include "os/user.h"
#include "policy/restart.h"

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
#define MANAGER_STOP_MS      2000
#define MANAGER_AGAIN_MS     100 /* a second SIGTERM so soon is the first one */
#define MANAGER_ANSWER_BYTES 8000 /* of what a reload has changed */
/* A role that lived this long died of something new: start it at once. */
#define MANAGER_LIFE_MS        10000
#define MANAGER_BACKOFF_MS     100 /* doubled at each quick death, up to: */
#define MANAGER_BACKOFF_MS_MAX 5000

enum manager_state { STARTING, RUNNING, DRAINING, STOPPING };

struct manager_options {
	const char *path;
	const char *user; /* NULL: as the configuration says */
	int log_level; /* -1: as the configuration says */
};

struct manager_role {
	const char *name;
	unsigned index;
	struct spawned process; /* pidfd == -1: not running */
	int channel; /* -1: closed */
	instant started;
	instant restart_at; /* never: not waiting to be restarted */
	struct restart_deaths deaths;
	uint64_t prepared; /* newest version that it could take */
	uint64_t committed; /* the version it lives by */
};

/*
 * A reload under way. First every role prepares `next`, and each can still
 * refuse. Then it is `current`, every role is told so, and `old` stays until
 * the last has let go of it.
 */
struct manager_change {
	struct edition *next; /* NULL: none is being prepared */
	struct edition *old; /* NULL: none is being left */
	instant deadline; /* never: no reload is under way */
	bool asked; /* by the control role: it gets the answer */
	uint64_t asker_id;
};

struct manager {
	const struct manager_options *options;
	enum manager_state state;
	instant deadline; /* of the state; never: none */
	instant stop_asked; /* the first time */
	int exit_status;
	int shared_fd;
	int signal_fd;
	int pid_fd; /* -1: none */
	char pid_path[4096];
	bool reload_wanted; /* SIGHUP: as soon as it is possible */
	bool become; /* the roles change their user */
	struct user user;
	unsigned threads;
	uint64_t version_last; /* also of what was refused */
	struct listening_set listening;
	struct edition *current;
	struct manager_change change;
	struct manager_role roles[ROLE_COUNT];
	struct channel_message message; /* the one being built or read */
};

/* manager.c */
int manager_run(const struct manager_options *options);
/* SIGTERM: drain; a second time: at once. */
void manager_stop(struct manager *manager);
/* The end of the program is near: tell the roles to go. */
void manager_stop_roles(struct manager *manager);
/* Something ended what cannot go on. */
void manager_fail(struct manager *manager);

/* manager_roles.c: processes */
void manager_role_start(struct manager *manager, struct manager_role *role);
/* Its pidfd is readable. */
void manager_role_ended(struct manager *manager, struct manager_role *role);
/* It does not behave: its end is seen as any other. */
void manager_role_kill(struct manager_role *role);
/* Send manager->message; a role that takes nothing is killed. */
void manager_role_send(struct manager *manager, struct manager_role *role);
void manager_send_all(struct manager *manager);

/* manager_change.c: configurations */
/* Send it an edition to prepare. */
void manager_edition_offer(struct manager *manager, struct manager_role *role,
    const struct edition *edition);
/* False while another reload is under way, at the start and at the end. */
bool manager_change_possible(const struct manager *manager);
/* @asker_id  of a request of the control role; asked == false: a signal */
void
manager_change_begin(struct manager *manager, bool asked, uint64_t asker_id);
void manager_change_applied(
    struct manager *manager, struct manager_role *role, uint64_t version);
void manager_change_committed(
    struct manager *manager, struct manager_role *role, uint64_t version);
void manager_change_refused(struct manager *manager, struct manager_role *role,
    uint64_t version, struct bytes why);
/* Undo what is being prepared, if anything: @why is told to the asker and the
 * log. */
void manager_change_abort(struct manager *manager, int error, struct bytes why);
/* Whether the last role has let go of the old edition; then the asker hears. */
void manager_change_finish(struct manager *manager);
/* The deadline of the reload is over. */
void manager_change_expired(struct manager *manager);
void manager_logs_reopen(struct manager *manager);

/* manager_requests.c: messages from the roles */
/* Its channel is readable: read all that is there. */
void manager_role_read(struct manager *manager, struct manager_role *role);
void manager_reply(
    struct manager *manager, uint64_t id, int result, struct bytes text);
