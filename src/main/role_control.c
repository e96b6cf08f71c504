/*
 * role_control.c - the admin plane's process, and its way to the manager
 *
 * A request waits, by its id, in a list of its task's own memory; the reply
 * finds it there or, when the task has given up, nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "control/control.h"
#include "main/manager.h"
#include "main/role.h"
#include "runtime/runtime.h"

/* Longer than the manager waits for the roles. */
#define CONTROL_REQUEST_MS (MANAGER_CHANGE_MS + 5000)

enum { CONTROL_UNIX, CONTROL_LOOPBACK, CONTROL_LISTENERS };

struct control_request {
	struct list node;
	uint64_t id;
	struct task *task;
	bool done;
	int result;
	struct appender *answer;
};

static struct list control_requests;
static uint64_t control_request_last;

static struct {
	struct snapshot *snapshot;
	int fds[CONTROL_LISTENERS];
} control_current = {NULL, {-1, -1}}, control_next = {NULL, {-1, -1}};

/* Which sockets are in use: a number of the kernel for each, 0 for none. */
static ino_t control_inodes[CONTROL_LISTENERS];

/* ---- requests ---- */

static void
control_answer_append(struct appender *answer, struct bytes text)
{
	append(answer, text.at, min_of(text.length, appender_room(answer)));
}

static int
control_request_wait(struct control_request *request)
{
	instant deadline =
	    instant_after(runtime_now(), duration_ms(CONTROL_REQUEST_MS));
	int r = 0;

	while (!request->done && r == 0)
		r = task_park("manager", deadline);
	list_remove(&request->node);
	if (request->done)
		return request->result;
	if (r == -ETIMEDOUT)
		append_literal(request->answer,
		    "the manager did not answer in time; its log may say "
		    "why\n");
	return r;
}

/* @message  built; freed here */
static int
control_ask(struct channel_message *message, struct appender *answer)
{
	struct control_request request = {
	    .id = ++control_request_last,
	    .task = task_self(),
	    .answer = answer,
	};

	message->head.id = request.id;
	list_push_back(&control_requests, &request.node);
	role_send(message);
	free(message);
	return control_request_wait(&request);
}

static struct channel_message *
control_message_new(enum channel_type type)
{
	struct channel_message *message = malloc(sizeof(*message));

	if (message != NULL)
		channel_message_init(message, type);
	return message;
}

static int
control_ask_simple(enum channel_type type, struct appender *answer)
{
	struct channel_message *message = control_message_new(type);

	return message == NULL ? -ENOMEM : control_ask(message, answer);
}

static void
control_handle(struct channel_message *message)
{
	if (message->head.type != CHANNEL_REPLY)
		return;
	list_each (node, &control_requests) {
		struct control_request *request =
		    container_of(node, struct control_request, node);

		if (request->id != message->head.id || request->done)
			continue;
		request->done = true;
		request->result = message->head.result;
		control_answer_append(
		    request->answer, channel_message_text(message));
		task_wake(request->task);
		return;
	}
}

/* ---- callbacks of the admin plane ---- */

static const struct snapshot *
control_snapshot(void)
{
	return control_current.snapshot;
}

static int
control_reload(struct appender *answer)
{
	return control_ask_simple(CHANNEL_RELOAD, answer);
}

static int
control_stop(struct appender *answer)
{
	return control_ask_simple(CHANNEL_EXIT, answer);
}

static bool
control_name_copy(char *to, size_t capacity, struct bytes name)
{
	if (name.length >= capacity)
		return false;
	memset(to, 0, capacity);
	if (name.length != 0)
		memcpy(to, name.at, name.length);
	return true;
}

static int
control_server_set(struct bytes pool, struct bytes server, int admin,
    int weight, struct appender *answer)
{
	struct channel_message *message =
	    control_message_new(CHANNEL_SERVER_SET);
	struct channel_server_set *set;

	if (message == NULL)
		return -ENOMEM;
	set = &message->server_set;
	set->admin = admin;
	set->weight = weight;
	message->head.length = sizeof(*set);
	if (!control_name_copy(set->pool, sizeof(set->pool), pool) ||
	    !control_name_copy(set->server, sizeof(set->server), server)) {
		free(message);
		append_literal(answer, "no server has so long a name\n");
		return -ENOENT;
	}
	return control_ask(message, answer);
}

static int
control_dump(int fd, struct appender *answer)
{
	struct channel_message *message = control_message_new(CHANNEL_DUMP);

	if (message == NULL)
		return -ENOMEM;
	message->fds[message->fd_count++] = fd;
	return control_ask(message, answer);
}

/* ---- the role ---- */

static int
control_start(void)
{
	list_init(&control_requests);
	return 0;
}

static int
control_prepare(struct snapshot *snapshot_take, struct role_sockets *sockets,
    unsigned threads, struct appender *why)
{
	control_next.snapshot = snapshot_take;
	for (unsigned i = 0; i < CONTROL_LISTENERS; i++)
		control_next.fds[i] = role_socket_take(sockets, i);
	return 0;
}

static void
control_next_fds_close(void)
{
	for (unsigned i = 0; i < CONTROL_LISTENERS; i++) {
		if (control_next.fds[i] >= 0)
			close(control_next.fds[i]);
		control_next.fds[i] = -1;
	}
}

static void
control_abort(void)
{
	control_next_fds_close();
	snapshot_free(control_next.snapshot);
	control_next.snapshot = NULL;
}

/* Whether they are other sockets than those in use; remembered. */
static bool
control_listeners_changed(void)
{
	bool changed = false;

	for (unsigned i = 0; i < CONTROL_LISTENERS; i++) {
		struct stat status = {0};

		if (control_next.fds[i] >= 0)
			(void)fstat(control_next.fds[i], &status);
		changed |= status.st_ino != control_inodes[i];
		control_inodes[i] = status.st_ino;
	}
	return changed;
}

static void
control_commit(void)
{
	struct snapshot *old = control_current.snapshot;

	control_current.snapshot = control_next.snapshot;
	control_next.snapshot = NULL;
	if (!control_listeners_changed()) {
		control_next_fds_close();
	} else if (old != NULL) {
		control_listen(control_next.fds[CONTROL_UNIX],
		    control_next.fds[CONTROL_LOOPBACK]);
	} else {
		/* control_run() begins with them. */
		memcpy(control_current.fds, control_next.fds,
		    sizeof(control_next.fds));
	}
	control_next.fds[0] = control_next.fds[1] = -1;
	if (old != NULL)
		snapshot_free(old);
}

static int
control_serve(void)
{
	const struct control_options options = {
	    .unix_fd = control_current.fds[CONTROL_UNIX],
	    .loopback_fd = control_current.fds[CONTROL_LOOPBACK],
	    .callbacks =
		{
		    .snapshot = control_snapshot,
		    .reload = control_reload,
		    .server_set = control_server_set,
		    .dump = control_dump,
		    .stop = control_stop,
		},
	};

	return control_run(&options);
}

const struct role role_control = {
    .name = "control",
    .process_name = "weir-control",
    .start = control_start,
    .prepare = control_prepare,
    .commit = control_commit,
    .abort = control_abort,
    .serve = control_serve,
    .handle = control_handle,
};
