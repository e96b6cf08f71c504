/*
 * role.c - from exec to the runtime, with fewer rights at every step
 */
#include "main/role.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "config/config.h"
#include "main/manager.h"
#include "main/told.h"
#include "net/shared.h"
#include "os/log.h"
#include "os/memfd.h"
#include "os/sandbox.h"
#include "os/user.h"
#include "runtime/runtime.h"

struct role_arguments {
	const struct role *role;
	int manager_pid;
	int log_level;
	const char *user; /* NULL: stay who we are */
	unsigned gid;
};

/* ---- sockets and snapshots ---- */

int
role_socket_take(struct role_sockets *sockets, uint32_t place)
{
	for (unsigned i = 0; i < sockets->count; i++) {
		struct role_socket *socket = &sockets->all[i];

		if (socket->place == place && socket->fd >= 0) {
			int fd = socket->fd;

			socket->fd = -1;
			return fd;
		}
	}
	return -1;
}

void
role_sockets_add(struct role_sockets *sockets, struct channel_message *message)
{
	for (unsigned i = 0; i < message->fd_count; i++) {
		must(sockets->count < ROLE_SOCKETS_MAX);
		sockets->all[sockets->count++] = (struct role_socket){
		    .place = message->places[i],
		    .fd = message->fds[i],
		};
		message->fds[i] = -1;
	}
}

void
role_sockets_close(struct role_sockets *sockets)
{
	for (unsigned i = 0; i < sockets->count; i++) {
		if (sockets->all[i].fd >= 0)
			close(sockets->all[i].fd);
	}
	sockets->count = 0;
}

static int
role_text_build(const struct channel_message *message, struct bytes text,
    struct snapshot **ret)
{
	const char *path = message->config.path;
	struct config_errors errors;
	int r;

	config_errors_init(&errors, path, text);
	r = snapshot_build(text, path, &errors, ret);
	config_errors_fini(&errors);
	return r;
}

/* What the file says of it may be out of our reach by now. */
static int
role_token_set(struct snapshot *snapshot, const char *token)
{
	if (token[0] == '\0')
		return 0;
	snapshot->admin.token = arena_copy(snapshot->arena, bytes_from(token));
	if (snapshot->admin.token.at != NULL)
		return 0;
	snapshot_free(snapshot);
	return -ENOMEM;
}

int
role_snapshot_build(const struct channel_message *message,
    struct snapshot **ret, struct appender *why)
{
	size_t length;
	char *text;
	int r;

	r = memfd_read(message->fds[CHANNEL_CONFIG_TEXT], CONFIG_FILE_BYTES_MAX,
	    &text, &length);
	if (r == 0) {
		r = role_text_build(message, bytes_of(text, length), ret);
		free(text);
	}
	if (r == 0)
		r = role_token_set(*ret, message->config.token);
	if (r == 0)
		(*ret)->version = message->head.version;
	else
		append_format(why, "%s cannot be read by %s: %s",
		    message->config.path, "this role", error_text(r));
	return r;
}

/* ---- start ---- */

static int
role_arguments_read(int argc, char **argv, struct role_arguments *arguments)
{
	static const struct role *const roles[] = {
	    &role_worker, &role_health, &role_control};

	if (argc != 4 && argc != 6)
		return -EINVAL;
	arguments->role = NULL;
	for (size_t i = 0; i < array_count(roles); i++) {
		if (strcmp(argv[1], roles[i]->name) == 0)
			arguments->role = roles[i];
	}
	arguments->manager_pid = (int)strtol(argv[2], NULL, 10);
	arguments->log_level = (int)strtol(argv[3], NULL, 10);
	arguments->user = argc == 6 ? argv[4] : NULL;
	arguments->gid = argc == 6 ? (unsigned)strtoul(argv[5], NULL, 10) : 0;
	return arguments->role != NULL ? 0 : -EINVAL;
}

/* They are blocked since before exec, so none was missed or came too soon. */
static void
role_signals_ignore(void)
{
	static const int ignored[] = {
	    SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGPIPE};
	sigset_t none;

	for (size_t i = 0; i < array_count(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
role_fds_keep(void)
{
	for (int fd = ROLE_FD_SHARED; fd <= ROLE_FD_LOG; fd++) {
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return -errno;
	}
	return 0;
}

static int
role_become(const struct role_arguments *arguments)
{
	struct user user;
	int r;

	if (arguments->user == NULL)
		return 0;
	r = user_find(arguments->user, NULL, &user);
	if (r < 0)
		return r;
	user.gid = arguments->gid;
	return user_become(&user);
}

static int
role_rights_drop(const struct role_arguments *arguments)
{
	int r;

	privileges_bound();
	r = role_become(arguments);
	if (r == 0)
		r = privileges_drop();
	/* A change of user forgets it, so not earlier. */
	if (r == 0)
		r = sandbox_die_with(arguments->manager_pid);
	if (r < 0) {
		log_error(
		    "role", "cannot give up its rights: %s", error_text(r));
		return r;
	}
	sandbox_raise_limits();
	r = sandbox_enter();
	if (r < 0)
		log_warn("role", "no filter of system calls (seccomp): %s",
		    error_text(r));
	return 0;
}

/* The configuration to begin with, while nothing else runs yet. */
static int
role_first_receive(struct role_first *first)
{
	int r;

	do {
		r = channel_recv(ROLE_FD_CHANNEL, first->message, true);
		if (r < 0)
			return r;
		if (first->message->head.type == CHANNEL_SOCKETS)
			role_sockets_add(first->sockets, first->message);
		else if (first->message->head.type == CHANNEL_STOP)
			return -EPIPE;
		else if (first->message->head.type != CHANNEL_CONFIG)
			channel_message_close(first->message);
	} while (first->message->head.type != CHANNEL_CONFIG);
	return 0;
}

static int
role_first_build(struct role_first *first)
{
	char memory[512];
	struct appender why = appender_over(memory, sizeof(memory));
	uint64_t version = first->message->head.version;
	int r = role_snapshot_build(first->message, &first->snapshot, &why);

	if (r == 0)
		return 0;
	channel_message_init(first->message, CHANNEL_REFUSED);
	first->message->head.version = version;
	channel_message_text_set(first->message, appender_bytes(&why));
	role_send(first->message);
	return r;
}

static int
role_run(struct role_first *first)
{
	struct bytes name =
	    first->role->threaded ? first->snapshot->backend : BYTES("epoll");
	char backend[32];
	struct runtime_options options = {
	    .worker_count =
		first->role->threaded ? first->message->config.threads : 1,
	    .backend = backend,
	    .gather_ns = first->snapshot->gather.ns,
	    .stall_told = told_stall,
	};

	deadlock_set_hook(told_deadlock);
	snprintf(backend, sizeof(backend), "%.*s", (int)name.length, name.at);
	return runtime_run(&options, role_follow, first);
}

static int
role_begin(const struct role_arguments *arguments)
{
	static struct role_sockets sockets;
	static struct channel_message message;
	static struct role_first first;
	int r;

	first = (struct role_first){
	    .role = arguments->role,
	    .log_level = arguments->log_level,
	    .message = &message,
	    .sockets = &sockets,
	};
	r = shared_map(ROLE_FD_SHARED);
	if (r < 0) {
		log_error("role", "no shared memory: %s", error_text(r));
		return r;
	}
	close(ROLE_FD_SHARED);
	r = role_rights_drop(arguments);
	if (r == 0)
		r = role_first_receive(&first);
	/* Told to go, or the manager is gone, before it began. */
	if (r == -EPIPE)
		return 0;
	if (r == 0)
		r = role_first_build(&first);
	if (r < 0)
		return r;
	r = role_run(&first);
	if (r < 0)
		log_error("role", "ended: %s", error_text(r));
	return r;
}

int
role_main(int argc, char **argv)
{
	struct role_arguments arguments;
	int r;

	role_signals_ignore();
	if (role_arguments_read(argc, argv, &arguments) < 0 ||
	    role_fds_keep() < 0) {
		fprintf(stderr, "weir: `weir role` is for `weir run` alone\n");
		return 2;
	}
	prctl(PR_SET_NAME, arguments.role->process_name);
	log_open(ROLE_FD_LOG,
	    arguments.log_level >= 0 ? (enum log_level)arguments.log_level
				     : LOG_LEVEL_INFO,
	    arguments.role->name);
	r = role_begin(&arguments);
	return r < 0 ? 1 : 0;
}
