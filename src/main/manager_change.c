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
#include "os/notify.h"

/* ---- offers ---- */

/* Add one socket; a full message is sent on the way. */
static void
manager_socket_add(struct manager *manager, struct manager_role *role,
    uint64_t version, unsigned place, int fd)
{
	struct channel_message *message = &manager->message;

	if (fd < 0)
		return;
	message->fds[message->fd_count] = fd;
	message->places[message->fd_count++] = place;
	message->head.length = message->fd_count * sizeof(uint32_t);
	if (message->fd_count < FDPASS_MAX)
		return;
	manager_role_send(manager, role);
	channel_message_init(message, CHANNEL_SOCKETS);
	message->head.version = version;
}

static void
manager_sockets_offer(struct manager *manager, struct manager_role *role,
    const struct edition *edition)
{
	const struct snapshot *snapshot = edition->snapshot;
	struct channel_message *message = &manager->message;

	channel_message_init(message, CHANNEL_SOCKETS);
	message->head.version = edition->version;
	if (role->index == ROLE_WORKER) {
		for (unsigned i = 0; i < snapshot->listener_count; i++) {
			const struct listening *l = edition->listeners[i];

			for (unsigned t = 0; t < l->count; t++)
				manager_socket_add(manager, role,
				    edition->version, i * manager->threads + t,
				    l->fds[t]);
		}
	} else if (role->index == ROLE_CONTROL) {
		if (edition->admin_unix != NULL)
			manager_socket_add(manager, role, edition->version, 0,
			    edition->admin_unix->fds[0]);
		if (edition->admin_loopback != NULL)
			manager_socket_add(manager, role, edition->version, 1,
			    edition->admin_loopback->fds[0]);
	}
	if (message->fd_count > 0)
		manager_role_send(manager, role);
}

static void
manager_logs_add(struct channel_message *message, const struct edition *edition)
{
	message->fds[message->fd_count++] = edition->error_log;
	if (edition->access_log >= 0)
		message->fds[message->fd_count++] = edition->access_log;
}

void
manager_edition_offer(struct manager *manager, struct manager_role *role,
    const struct edition *edition)
{
	struct channel_message *message = &manager->message;

	manager_sockets_offer(manager, role, edition);
	channel_message_init(message, CHANNEL_CONFIG);
	message->head.version = edition->version;
	message->head.length = sizeof(message->config);
	memset(&message->config, 0, sizeof(message->config));
	message->config.threads = manager->threads;
	snprintf(message->config.path, sizeof(message->config.path), "%s",
	    edition->path);
	if (role->index == ROLE_CONTROL)
		snprintf(message->config.token, sizeof(message->config.token),
		    "%.*s", (int)edition->snapshot->admin.token.length,
		    edition->snapshot->admin.token.at);
	message->fds[message->fd_count++] = edition->text_fd;
	manager_logs_add(message, edition);
	manager_role_send(manager, role);
}

static void
manager_version_send(struct manager *manager, struct manager_role *role,
    enum channel_type type, uint64_t version)
{
	channel_message_init(&manager->message, type);
	manager->message.head.version = version;
	manager_role_send(manager, role);
}

/* ---- a change ---- */

static void
manager_change_answer(struct manager *manager, int result, struct bytes text)
{
	if (manager->change.asked)
		manager_reply(manager, manager->change.asker_id, result, text);
	manager->change = (struct manager_change){.deadline = instant_never()};
}

static void
manager_change_failed(struct manager *manager, int error, struct bytes why)
{
	atomic_fetch_add(&shared->reloads_failed, 1);
	log_error("config",
	    "%s is not taken, version %llu stays in force; "
	    "correct it and reload again",
	    manager->options->path,
	    (unsigned long long)manager->current->version);
	log_text(LOG_LEVEL_ERROR, "config", why);
	manager_change_answer(manager, error, why);
	notify_send("READY=1\nSTATUS=reload failed, the configuration before "
		    "stays in force");
}

/* What a reload cannot change is told, so that nobody wonders. */
static void
manager_change_warn(const struct manager *manager)
{
	char keys[256];

	if (config_needs_restart(manager->current->snapshot,
		manager->change.next->snapshot, keys, sizeof(keys)))
		log_warn("config",
		    "%s: a change takes effect with a restart "
		    "of weir only",
		    keys);
}

static void
manager_change_offer(struct manager *manager)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		manager_edition_offer(
		    manager, &manager->roles[i], manager->change.next);
}

static int
manager_change_open(struct manager *manager, FILE *why)
{
	struct edition *next;
	int r;

	r = edition_load(
	    manager->options->path, manager->version_last + 1, why, &next);
	if (r < 0)
		return r;
	manager->version_last++;
	r = edition_open(next, &manager->listening, manager->threads, why);
	if (r < 0) {
		edition_close(next, manager->current);
		return r;
	}
	manager->change.next = next;
	return 0;
}

bool
manager_change_possible(const struct manager *manager)
{
	return manager->state == RUNNING && manager->change.next == NULL &&
	    manager->change.old == NULL;
}

void
manager_change_begin(struct manager *manager, bool asked, uint64_t asker_id)
{
	struct manager_change *change = &manager->change;
	char *text = NULL;
	size_t length = 0;
	FILE *why;
	int r;

	must(manager_change_possible(manager));
	*change = (struct manager_change){
	    .deadline =
		instant_after(clock_now(), duration_ms(MANAGER_CHANGE_MS)),
	    .asked = asked,
	    .asker_id = asker_id,
	};
	notify_send("RELOADING=1");
	why = open_memstream(&text, &length);
	if (why == NULL) {
		manager_change_failed(manager, -ENOMEM, BYTES("no memory\n"));
		return;
	}
	r = manager_change_open(manager, why);
	fclose(why);
	if (r < 0) {
		manager_change_failed(manager, r, bytes_of(text, length));
	} else {
		log_text(LOG_LEVEL_WARN, "config", bytes_of(text, length));
		manager_change_warn(manager);
		manager_change_offer(manager);
	}
	free(text);
}

void
manager_change_abort(struct manager *manager, int error, struct bytes why)
{
	struct edition *next = manager->change.next;

	if (next == NULL)
		return;
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		manager_version_send(
		    manager, &manager->roles[i], CHANNEL_ABORT, next->version);
	edition_close(next, manager->current);
	manager_change_failed(manager, error, why);
}

static void
manager_edition_publish(const struct manager *manager)
{
	atomic_store(&shared->config_version, manager->current->version);
	atomic_store(&shared->config_loaded_wall_ns, clock_wall_ns());
}

/* From here on there is no way back. */
static void
manager_change_commit(struct manager *manager)
{
	struct manager_change *change = &manager->change;

	change->old = manager->current;
	manager->current = change->next;
	change->next = NULL;
	change->deadline =
	    instant_after(clock_now(), duration_ms(MANAGER_CHANGE_MS));
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		manager_version_send(manager, &manager->roles[i],
		    CHANNEL_COMMIT, manager->current->version);
	log_fd_set(manager->current->error_log);
	if (manager->options->log_level < 0)
		log_level_set((
		    enum log_level)manager->current->snapshot->log.error_level);
	manager_edition_publish(manager);
	atomic_fetch_add(&shared->reloads_ok, 1);
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
manager_change_done(struct manager *manager)
{
	struct manager_change *change = &manager->change;
	char text[MANAGER_ANSWER_BYTES];
	struct appender answer = appender_over(text, sizeof(text));

	append_format(&answer, "configuration version %llu is in force\n",
	    (unsigned long long)manager->current->version);
	log_info("config", "%s: version %llu is in force",
	    manager->options->path,
	    (unsigned long long)manager->current->version);
	(void)config_diff(change->old->snapshot, manager->current->snapshot,
	    manager_change_line, &answer);
	edition_close(change->old, manager->current);
	manager_change_answer(manager, 0, appender_bytes(&answer));
	notify_send("READY=1\nSTATUS=");
}

/* A role that does not run has nothing to let go of. */
void
manager_change_finish(struct manager *manager)
{
	if (manager->change.old == NULL)
		return;
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		const struct manager_role *role = &manager->roles[i];

		if (role->channel >= 0 &&
		    role->committed != manager->current->version)
			return;
	}
	manager_change_done(manager);
}

void
manager_change_expired(struct manager *manager)
{
	if (manager->change.next != NULL) {
		manager_change_abort(manager, -ETIMEDOUT,
		    BYTES("a role did not prepare it in time; the log may say "
			  "why\n"));
		return;
	}
	/* It was told, and must follow: afresh. */
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		struct manager_role *role = &manager->roles[i];

		if (role->committed == manager->current->version)
			continue;
		log_error("config",
		    "%s did not take up the configuration in "
		    "time; it is killed",
		    role->name);
		manager_role_kill(role);
	}
	manager->change.deadline = instant_never();
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

void
manager_change_applied(
    struct manager *manager, struct manager_role *role, uint64_t version)
{
	const struct edition *next = manager->change.next;

	role->prepared = version;
	if (version == manager->current->version)
		manager_version_send(manager, role, CHANNEL_COMMIT, version);
	else if (next != NULL && version == next->version &&
	    manager_all_prepared(manager, version))
		manager_change_commit(manager);
}

static void
manager_started(struct manager *manager)
{
	manager->state = RUNNING;
	manager->deadline = instant_never();
	manager_edition_publish(manager);
	log_info("manager", "ready: %s, version %llu", manager->options->path,
	    (unsigned long long)manager->current->version);
	notify_send("READY=1");
}

void
manager_change_committed(
    struct manager *manager, struct manager_role *role, uint64_t version)
{
	bool all = true;

	role->committed = version;
	manager_change_finish(manager);
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		all &= manager->roles[i].committed == version;
	if (manager->state == STARTING && all)
		manager_started(manager);
}

void
manager_change_refused(struct manager *manager, struct manager_role *role,
    uint64_t version, struct bytes why)
{
	log_error("config", "%s refuses the configuration: %.*s", role->name,
	    (int)why.length, why.at);
	if (manager->change.next != NULL &&
	    version == manager->change.next->version)
		manager_change_abort(manager, E_CONFIG_INVALID, why);
	else if (manager->state == STARTING)
		manager_fail(manager);
	else if (version == manager->current->version)
		/* Others live with it: a new process may, too. */
		manager_role_kill(role);
}

/* ---- rotation ---- */

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
		channel_message_init(&manager->message, CHANNEL_LOGS);
		manager_logs_add(&manager->message, manager->current);
		manager_send_all(manager);
		log_info("log", "logs are opened again");
	}
	fclose(why);
	log_text(LOG_LEVEL_ERROR, "log", bytes_of(text, length));
	free(text);
}
