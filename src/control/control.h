/*
 * control.h - the admin plane: HTTP for operators and metrics collectors
 *
 * Layer      control
 * Threads    one: the control role, an unprivileged process of its own. What
 *            it may only read it reads from shared memory (net/shared.h);
 *            what changes something it asks of the manager by the callbacks.
 *
 * The callbacks suspend and may be called from any number of tasks at once.
 * Each appends its answer to @answer: text for a person, whole lines. They
 * return 0, or an error; the text then says what was wrong and what to do:
 *   E_CONFIG_INVALID  every mistake of the file with line, column and caret
 *   E_CONFIG_BUSY     another reload is under way
 *   -ENOENT           no such pool or server
 *   -ETIMEDOUT        the manager, or a role it waits for, did not answer
 */
#pragma once

#include "base/bytes.h"
#include "config/snapshot.h"
#include "net/shared.h"

/* An answer of the manager is cut at this; appenders need not be larger. */
#define CONTROL_ANSWER_BYTES 49152

/* server_set: leave the admin state as it is. */
#define CONTROL_ADMIN_KEEP (-1)
/* server_set: leave the weight as it is; back to the configured one. */
#define CONTROL_WEIGHT_KEEP    (-1)
#define CONTROL_WEIGHT_DEFAULT (-2)

struct control_callbacks {
	/* The configuration in force. Valid until the caller suspends. */
	const struct snapshot *(*snapshot)(void);
	/* Read the file again: all or nothing, as SIGHUP. */
	SUSPENDS
	int (*reload)(struct appender *answer);
	/* @server  empty: every server of the pool
	 * @admin   enum verdict_admin, or CONTROL_ADMIN_KEEP
	 * @weight  0-65535, CONTROL_WEIGHT_KEEP or CONTROL_WEIGHT_DEFAULT */
	SUSPENDS
	int (*server_set)(struct bytes pool, struct bytes server, int admin,
	    int weight, struct appender *answer);
	/* Tasks and connections of the worker process, as text, into @fd
	 * (borrowed); returns when all of it is written. */
	SUSPENDS
	int (*dump)(int fd, struct appender *answer);
	/* End the program as SIGTERM does: drain, then exit. */
	SUSPENDS
	int (*stop)(struct appender *answer);
};

struct control_options {
	/* Listening, non-blocking, owned by control_run(); -1: none. The
	 * Unix socket is the operator's by its file mode (0600); who connects
	 * to the loopback one must show snapshot->admin.token. */
	int unix_fd;
	int loopback_fd;
	struct control_callbacks callbacks;
};

/*
 * control_run - serve until the calling task is cancelled
 *
 * @options  copied
 *
 * Returns the cancel error, or why it could not serve at all.
 */
SUSPENDS
int control_run(const struct control_options *options);

/*
 * control_listen - a reload changed an admin address
 *
 * Takes the new listening sockets in place of the old, which are closed; -1:
 * none any more. Connections stay open. Called from another task of the same
 * worker; does not suspend.
 */
void control_listen(int unix_fd, int loopback_fd);
