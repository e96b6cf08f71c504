/*
 * manager_change.c - from one configuration to the next, everywhere or nowhere
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "config/diff.h"
#include "main/manager.h"
#include "net/shared.h"
#include "os/clock.h"
#include "os/log.h"
#include "runtime/runtime.h"

/* ---- offers ---- */

/* Add one socket; a full message is sent on the way. */
static void
manager_socket_add(
    struct manager_role *role, uint64_t version, unsigned place, int fd)
{
	struct channel_message *message = &role->out;

	if (fd < 0)
		return;
	message->fds[message->fd_count] = fd;
	message->places[message->fd_count++] = place;
	message->head.length = message->fd_count * sizeof(uint32_t);
	if (message->fd_count < FDPASS_MAX)
		return;
	manager_role_send(role);
	channel_message_init(message, CHANNEL_SOCKETS);
	message->head.version = version;
}

static void
manager_sites_add(struct manager_role *role, const struct edition *edition)
{
	unsigned threads = role->manager->threads;

	for (unsigned i = 0; i < edition->snapshot->listener_count; i++) {
		const struct listening *l = edition->listeners[i];

		for (unsigned t = 0; t < l->count; t++)
			manager_socket_add(
			    role, edition->version, i * threads + t, l->fds[t]);
	}
}

static void
manager_admin_add(struct manager_role *role, const struct edition *edition)
{
	if (edition->admin_unix != NULL)
		manager_socket_add(
		    role, edition->version, 0, edition->admin_unix->fds[0]);
	if (edition->admin_loopback != NULL)
		manager_socket_add(
		    role, edition->version, 1, edition->admin_loopback->fds[0]);
}

static void
manager_sockets_offer(struct manager_role *role, const struct edition *edition)
{
	channel_message_init(&role->out, CHANNEL_SOCKETS);
	role->out.head.version = edition->version;
	if (role->index == ROLE_WORKER)
		manager_sites_add(role, edition);
	else if (role->index == ROLE_CONTROL)
		manager_admin_add(role, edition);
	if (role->out.fd_count > 0)
		manager_role_send(role);
}

static void
manager_logs_add(struct channel_message *message, const struct edition *edition)
{
	message->fds[message->fd_count++] = edition->error_log;
	if (edition->access_log >= 0)
		message->fds[message->fd_count++] = edition->access_log;
}

void
manager_edition_offer(struct manager_role *role, const struct edition *edition)
{
	struct channel_message *message = &role->out;
	struct bytes token = edition->snapshot->admin.token;

	role->offered = edition->version;
	manager_sockets_offer(role, edition);
	channel_message_init(message, CHANNEL_CONFIG);
	message->head.version = edition->version;
	message->head.length = sizeof(message->config);
	memset(&message->config, 0, sizeof(message->config));
	message->config.threads = role->manager->threads;
	snprintf(message->config.path, sizeof(message->config.path), "%s",
	    edition->path);
	if (role->index == ROLE_CONTROL)
		snprintf(message->config.token, sizeof(message->config.token),
		    "%.*s", (int)token.length, token.at);
	message->fds[message->fd_count++] = edition->text_fd;
	manager_logs_add(message, edition);
	manager_role_send(role);
}

/* What is being prepared, to a role that lives by the current one: it holds one
 * that is not in force at a time. */
static void
manager_next_offer(struct manager_role *role)
{
	const struct manager *manager = role->manager;
	const struct edition *next;

	if (!manager_role_open(role))
		return;
	next = manager->change.next;
	if (next != NULL && role->offered < next->version &&
	    role->committed == manager->current->version)
		manager_edition_offer(role, next);
	manager_role_close(role);
}

static void
manager_version_send(
    struct manager_role *role, enum channel_type type, uint64_t version)
{
	if (!manager_role_open(role))
		return;
	channel_message_init(&role->out, type);
	role->out.head.version = version;
	manager_role_send(role);
	manager_role_close(role);
}

static void
manager_version_tell(
    struct manager *manager, enum channel_type type, uint64_t version)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		manager_version_send(&manager->roles[i], type, version);
}

/* ---- answers ---- */

void
manager_role_applied(struct manager_role *role, uint64_t version)
{
	role->prepared = version;
	if (version == role->manager->current->version)
		manager_version_send(role, CHANNEL_COMMIT, version);
	manager_changed(role->manager);
}

void
manager_role_committed(struct manager_role *role, uint64_t version)
{
	role->committed = version;
	manager_next_offer(role);
	manager_changed(role->manager);
}

void
manager_role_refused(
    struct manager_role *role, uint64_t version, struct bytes why)
{
	struct manager *manager = role->manager;
	const struct edition *next = manager->change.next;

	log_error("config", "%s refuses the configuration: %.*s", role->name,
	    (int)why.length, why.at);
	if (next != NULL && version == next->version)
		manager_change_fail(manager, E_CONFIG_INVALID, why);
	else if (manager->state == MANAGER_STARTING)
		manager_fail(manager);
	else if (version == manager->current->version)
		/* Others live with it: a new process may, too. */
		manager_role_kill(role);
}

void
manager_change_fail(struct manager *manager, int error, struct bytes why)
{
	struct manager_change *change = &manager->change;

	if (change->next == NULL || change->error != 0)
		return;
	change->error = error;
	snprintf(
	    change->why, sizeof(change->why), "%.*s", (int)why.length, why.at);
	manager_changed(manager);
}

static bool
manager_all_prepared(const struct manager *manager, uint64_t version)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		if (manager->roles[i].prepared != version)
			return false;
	}
	return true;
}

bool
manager_all_committed(const struct manager *manager)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		if (manager->roles[i].committed != manager->current->version)
			return false;
	}
	return true;
}

/* Who runs, and lives by the edition before. */
static bool
manager_role_lags(const struct manager_role *role)
{
	return role->channel != NULL &&
	    role->committed != role->manager->current->version;
}

static bool
manager_any_lags(const struct manager *manager)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		if (manager_role_lags(&manager->roles[i]))
			return true;
	}
	return false;
}

/* ---- a change ---- */

/* What a reload cannot change is told, so that nobody wonders. */
static void
manager_change_warn(const struct manager *manager, const struct edition *next)
{
	char keys[256];

	if (config_needs_restart(
		manager->current->snapshot, next->snapshot, keys, sizeof(keys)))
		log_warn("config",
		    "%s: a change takes effect with a restart "
		    "of weir only",
		    keys);
}

/* Who is still sending its descriptors has finished then. */
static void
manager_edition_forget(struct manager *manager, struct edition *edition)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		if (manager_role_open(&manager->roles[i]))
			manager_role_close(&manager->roles[i]);
	}
	edition_close(edition, manager->current);
}

/* Nothing has happened. */
static void
manager_change_abort(struct manager *manager)
{
	struct edition *next = manager->change.next;

	manager->change.next = NULL;
	manager_version_tell(manager, CHANNEL_ABORT, next->version);
	manager_edition_forget(manager, next);
}

/* Every role could take @next; or change.error and change.why say why not. */
static int
manager_change_prepare(
    struct manager *manager, struct edition *next, instant deadline)
{
	struct manager_change *change = &manager->change;

	change->next = next;
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		manager_next_offer(&manager->roles[i]);
	while (change->error == 0 &&
	    !manager_all_prepared(manager, next->version)) {
		int r = manager_wait(manager, "roles that prepare", deadline);

		if (r == -ETIMEDOUT)
			manager_change_fail(manager, r,
			    BYTES("a role did not prepare it in time; the log "
				  "may say why\n"));
		else if (r < 0)
			manager_change_fail(manager, E_CONFIG_BUSY,
			    BYTES("weir is about to stop\n"));
	}
	return change->error;
}

void
manager_edition_publish(const struct manager *manager)
{
	atomic_store(&shared->config_version, manager->current->version);
	atomic_store(&shared->config_loaded_wall_ns, clock_wall_ns());
}

static void
manager_laggards_kill(struct manager *manager)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		struct manager_role *role = &manager->roles[i];

		if (!manager_role_lags(role))
			continue;
		log_error("config",
		    "%s did not take up the configuration in "
		    "time; it is killed",
		    role->name);
		manager_role_kill(role);
	}
}

/* From here on there is no way back: who does not follow is started again.
 * Returns the edition before. */
static struct edition *
manager_change_commit(struct manager *manager)
{
	struct edition *old = manager->current;
	instant deadline =
	    instant_after(clock_now(), duration_ms(MANAGER_CHANGE_MS));
	int r = 0;

	manager->current = manager->change.next;
	manager->change.next = NULL;
	log_fd_set(manager->current->error_log);
	if (manager->options->log_level < 0)
		log_level_set((
		    enum log_level)manager->current->snapshot->log.error_level);
	manager_edition_publish(manager);
	atomic_fetch_add(&shared->reloads_ok, 1);
	manager_version_tell(
	    manager, CHANNEL_COMMIT, manager->current->version);
	while (r != -ECANCELED && manager_any_lags(manager)) {
		r = manager_wait(manager, "roles that commit", deadline);
		if (r != -ETIMEDOUT)
			continue;
		manager_laggards_kill(manager);
		deadline = instant_never();
	}
	return old;
}

/* For the asker and the log; what does not fit is left out. */
static void
manager_change_line(void *answer, const char *line)
{
	struct bytes text = bytes_from(line);

	log_text(LOG_LEVEL_INFO, "config", text);
	if (appender_room(answer) > text.length) {
		append_bytes(answer, text);
		append_char(answer, '\n');
	}
}

static void
manager_change_done(
    struct manager *manager, struct manager_asker asker, struct edition *old)
{
	char text[MANAGER_ANSWER_BYTES];
	struct appender answer = appender_over(text, sizeof(text));

	append_format(&answer, "configuration version %llu is in force\n",
	    (unsigned long long)manager->current->version);
	log_info("config", "%s: version %llu is in force",
	    manager->options->path,
	    (unsigned long long)manager->current->version);
	(void)config_diff(old->snapshot, manager->current->snapshot,
	    manager_change_line, &answer);
	manager_edition_forget(manager, old);
	manager->change.busy = false;
	manager_reply(manager, asker, 0, appender_bytes(&answer));
	manager_notify("READY=1\nSTATUS=");
}

static void
manager_change_failed(struct manager *manager, struct manager_asker asker,
    int error, struct bytes why)
{
	atomic_fetch_add(&shared->reloads_failed, 1);
	log_error("config",
	    "%s is not taken, version %llu stays in force; "
	    "correct it and reload again",
	    manager->options->path,
	    (unsigned long long)manager->current->version);
	log_text(LOG_LEVEL_ERROR, "config", why);
	manager->change.busy = false;
	manager_reply(manager, asker, error, why);
	manager_notify(
	    "READY=1\nSTATUS=reload failed, the configuration before "
	    "stays in force");
}

/* The file was not even read. */
static void
manager_change_unread(struct manager_change *change, int *error)
{
	if (*error == -ECANCELED)
		*error = E_CONFIG_BUSY;
	snprintf(change->why, sizeof(change->why), "%s\n",
	    *error == E_CONFIG_BUSY ? "weir is about to stop"
				    : error_text(*error));
}

/*
 * Read it, let every role prepare it, then let every role go over to it. When
 * the manager ends meanwhile, what waits ends; what was begun is brought to
 * one end or the other.
 */
static void
manager_change_run(struct manager *manager, struct manager_asker asker)
{
	struct manager_change *change = &manager->change;
	instant deadline =
	    instant_after(clock_now(), duration_ms(MANAGER_CHANGE_MS));
	struct edition *next = NULL, *old = NULL;
	char *text;
	int r;

	manager_notify("RELOADING=1");
	change->error = 0;
	r = manager_edition_read(manager, deadline, &next, &text);
	if (text == NULL)
		manager_change_unread(change, &r);
	if (r == 0) {
		log_text(LOG_LEVEL_WARN, "config", bytes_from(text));
		manager_change_warn(manager, next);
		r = manager_change_prepare(manager, next, deadline);
		if (r == 0)
			old = manager_change_commit(manager);
	}
	task_shield(duration_ms(MANAGER_LIMIT_MS));
	if (change->next != NULL)
		manager_change_abort(manager);
	if (r == 0)
		manager_change_done(manager, asker, old);
	else
		manager_change_failed(manager, asker, r,
		    bytes_from(
			next == NULL && text != NULL ? text : change->why));
	task_unshield();
	free(text);
}

int
manager_changes(void *arg)
{
	struct manager *manager = arg;
	struct manager_change *change = &manager->change;
	struct manager_asker asker;
	int r;

	for (;;) {
		while (!change->wanted && !change->hangup) {
			r = manager_wait(manager, "a reload", instant_never());
			if (r < 0)
				return 0;
		}
		asker =
		    change->wanted ? change->asker : (struct manager_asker){0};
		if (change->wanted)
			change->wanted = false;
		else
			change->hangup = false;
		change->busy = true;
		manager_change_run(manager, asker);
	}
}

/* ---- rotation ---- */

static void
manager_logs_send(struct manager_role *role)
{
	if (!manager_role_open(role))
		return;
	channel_message_init(&role->out, CHANNEL_LOGS);
	manager_logs_add(&role->out, role->manager->current);
	manager_role_send(role);
	manager_role_close(role);
}

void
manager_logs_reopen(struct manager *manager)
{
	char *text = NULL;
	size_t length = 0;
	FILE *why = open_memstream(&text, &length);

	if (why == NULL)
		return;
	if (edition_logs_reopen(manager->current, why) == 0) {
		log_fd_set(manager->current->error_log);
		for (unsigned i = 0; i < ROLE_COUNT; i++)
			manager_logs_send(&manager->roles[i]);
		log_info("log", "logs are opened again");
	}
	fclose(why);
	log_text(LOG_LEVEL_ERROR, "log", bytes_of(text, length));
	free(text);
}
