/*
 * role.h - what every role does alike: start, give up rights, follow the
 * manager
 *
 * Layer      main
 * Threads    worker 0 of the role's runtime
 *
 * A role is a process of this same program, started as
 *   weir role NAME MANAGER-PID LOG-LEVEL [USER GID]
 * It ignores the signals that a terminal or a service manager sends to a whole
 * group: the manager alone decides when it ends, and it dies with the manager.
 */
#pragma once

#include "config/snapshot.h"
#include "main/channel.h"
#include "runtime/task.h"

/* The sockets that come with a configuration. */
#define ROLE_SOCKETS_MAX 4096
struct role_sockets {
	unsigned count;
	struct role_socket {
		uint32_t place;
		int fd; /* -1: taken */
	} all[ROLE_SOCKETS_MAX];
};
/* The socket at @place, the caller's from here on; -1: none. */
int role_socket_take(struct role_sockets *sockets, uint32_t place);

struct role {
	const char *name;
	const char *process_name; /* in ps, at most 15 bytes */
	bool threaded; /* as many threads as the configuration says, or one */
	/* Once, on a task of worker 0, before anything else. May be NULL. */
	SUSPENDS
	int (*start)(void);
	/* @snapshot_take  owned from here on, also on error
	 * On error @why says why, in one line. */
	SUSPENDS
	int (*prepare)(struct snapshot *snapshot_take,
	    struct role_sockets *sockets, unsigned threads,
	    struct appender *why);
	SUSPENDS
	void (*commit)(void);
	void (*abort)(void);
	/* Another file for the access log; -1: off. @rotated: the same log.
	 * May be NULL. */
	void (*access_log)(int fd_take, bool rotated);
	/* The work besides, as a task of its own from the first commit on.
	 * Its end is the end of the role. May be NULL. */
	SUSPENDS
	int (*serve)(void);
	/* Finish what is in flight. May be NULL. */
	SUSPENDS
	void (*drain)(instant deadline);
	/* CHANNEL_REPLY, CHANNEL_DUMP: must not suspend. Descriptors that it
	 * keeps it sets to -1. May be NULL. */
	void (*handle)(struct channel_message *message);
};

extern const struct role role_worker, role_health, role_control;

/* `weir role ...`: the process. */
int role_main(int argc, char **argv);

struct role_first {
	const struct role *role;
	int log_level; /* -1: as the configuration says */
	struct channel_message *message; /* the first CONFIG */
	struct snapshot *snapshot; /* built from it */
	struct role_sockets *sockets; /* that came before it */
};
/* The first task: follows the manager until it says stop, or is gone.
 * @first is a struct role_first, which it takes. */
SUSPENDS
int role_follow(void *first);

/* Send to the manager. Does not suspend: a full channel ends the process. */
void role_send(struct channel_message *message);

/* Build the snapshot of a CONFIG message. On error @why says why.
 * Blocks: the file is parsed. */
MUST_CHECK
int role_snapshot_build(const struct channel_message *message,
    struct snapshot **ret, struct appender *why);

/* Add those of a SOCKETS message. */
void
role_sockets_add(struct role_sockets *sockets, struct channel_message *message);
/* Close what nobody took. */
void role_sockets_close(struct role_sockets *sockets);
