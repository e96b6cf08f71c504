/*
 * manager_requests.c - what the roles tell and ask
 *
 * A role may be in the hands of an attacker: each message is checked for its
 * form (channel.c), and for whether that role may send it.
 */
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/error.h"
#include "control/control.h"
#include "main/manager.h"
#include "net/shared.h"
#include "os/log.h"

void
manager_reply(
    struct manager *manager, uint64_t id, int result, struct bytes text)
{
	channel_message_init(&manager->message, CHANNEL_REPLY);
	manager->message.head.id = id;
	manager->message.head.result = result;
	channel_message_text_set(&manager->message, text);
	manager_role_send(manager, &manager->roles[ROLE_CONTROL]);
}

/* ---- servers ---- */

static void
manager_server_set_one(int slot, const struct channel_server_set *set)
{
	struct verdict *verdict = &shared->verdicts[slot];

	if (set->admin != CONTROL_ADMIN_KEEP)
		atomic_store(&verdict->admin, (uint32_t)set->admin);
	if (set->weight == CONTROL_WEIGHT_DEFAULT)
		atomic_store(&verdict->weight, UINT32_MAX);
	else if (set->weight != CONTROL_WEIGHT_KEEP)
		atomic_store(&verdict->weight, (uint32_t)set->weight);
}

static bool
manager_server_set_valid(const struct channel_server_set *set)
{
	return set->admin >= CONTROL_ADMIN_KEEP && set->admin <= ADMIN_DOWN &&
	    set->weight >= CONTROL_WEIGHT_DEFAULT && set->weight <= 65535;
}

/* How many servers it was done to. */
static unsigned
manager_server_set_all(const struct manager *manager,
    const struct config_pool *pool, const struct channel_server_set *set)
{
	unsigned count = 0;

	for (unsigned i = 0; i < pool->server_count; i++) {
		struct bytes name = pool->servers[i].name;
		int slot;

		if (set->server[0] != '\0' &&
		    !bytes_equal(name, bytes_from(set->server)))
			continue;
		slot = verdict_find(pool->name, name);
		if (never(slot < 0))
			continue;
		manager_server_set_one(slot, set);
		count++;
	}
	return count;
}

static void
manager_server_set_append(
    struct appender *text, const struct channel_server_set *set, unsigned count)
{
	static const char *const states[] = {"ready", "drained", "down"};

	append_format(text, "%s%s%s:", set->pool,
	    set->server[0] != '\0' ? "/" : "", set->server);
	if (set->admin != CONTROL_ADMIN_KEEP)
		append_format(text, " %s", states[set->admin]);
	if (set->weight >= 0)
		append_format(text, " weight %d", set->weight);
	else if (set->weight == CONTROL_WEIGHT_DEFAULT)
		append_literal(text, " weight as configured");
	if (count != 1)
		append_format(text, " (%u servers)", count);
	append_char(text, '\n');
}

static void
manager_server_set(
    struct manager *manager, uint64_t id, const struct channel_server_set *set)
{
	const struct config_pool *pool = snapshot_pool_find(
	    manager->current->snapshot, bytes_from(set->pool));
	char memory[1024];
	struct appender text = appender_over(memory, sizeof(memory));
	unsigned count = 0;

	if (!manager_server_set_valid(set)) {
		manager_reply(manager, id, -EINVAL,
		    BYTES("a weight is a number from 0 to 65535\n"));
		return;
	}
	if (pool != NULL)
		count = manager_server_set_all(manager, pool, set);
	if (count == 0) {
		append_format(&text,
		    pool == NULL ? "no pool is named %s\n"
				 : "pool %s has no server named %s\n",
		    set->pool, set->server);
		manager_reply(manager, id, -ENOENT, appender_bytes(&text));
		return;
	}
	manager_server_set_append(&text, set, count);
	log_info("servers", "by the admin plane: %.*s", (int)text.length - 1,
	    text.at);
	manager_reply(manager, id, 0, appender_bytes(&text));
}

/* ---- others ---- */

static void
manager_dump(struct manager *manager)
{
	struct manager_role *worker = &manager->roles[ROLE_WORKER];

	if (worker->channel < 0) {
		uint64_t id = manager->message.head.id;

		channel_message_close(&manager->message);
		manager_reply(manager, id, -EPIPE,
		    BYTES("the worker does not run at the moment\n"));
		return;
	}
	manager_role_send(manager, worker);
	channel_message_close(&manager->message);
}

/* Returns false when @role has no business with such a message. */
static bool
manager_control_handle(struct manager *manager)
{
	const struct channel_head head = manager->message.head;
	struct channel_server_set set;

	switch (head.type) {
	case CHANNEL_RELOAD:
		if (manager_change_possible(manager))
			manager_change_begin(manager, true, head.id);
		else
			manager_reply(manager, head.id, E_CONFIG_BUSY,
			    BYTES("another reload is under way, or weir is "
				  "about to stop\n"));
		return true;
	case CHANNEL_SERVER_SET:
		set = manager->message.server_set;
		manager_server_set(manager, head.id, &set);
		return true;
	case CHANNEL_DUMP:
		manager_dump(manager);
		return true;
	case CHANNEL_EXIT:
		manager_reply(manager, head.id, 0, BYTES("draining\n"));
		manager_stop(manager);
		return true;
	default:
		return false;
	}
}

static bool
manager_worker_handle(struct manager *manager)
{
	const struct channel_head *head = &manager->message.head;

	switch (head->type) {
	case CHANNEL_DRAINED:
		if (manager->state == DRAINING)
			manager_stop_roles(manager);
		return true;
	case CHANNEL_REPLY:
		/* Of a dump. */
		manager_role_send(manager, &manager->roles[ROLE_CONTROL]);
		return true;
	default:
		return false;
	}
}

static bool
manager_role_handle(struct manager *manager, struct manager_role *role)
{
	const struct channel_head head = manager->message.head;
	char why[1024];
	struct appender copy = appender_over(why, sizeof(why));

	/* Nobody else has a descriptor to give. */
	if (head.type != CHANNEL_DUMP)
		channel_message_close(&manager->message);
	switch (head.type) {
	case CHANNEL_APPLIED:
		manager_change_applied(manager, role, head.version);
		return true;
	case CHANNEL_COMMITTED:
		manager_change_committed(manager, role, head.version);
		return true;
	case CHANNEL_REFUSED:
		append(&copy, manager->message.text,
		    min_of((size_t)head.length, sizeof(why) - 1));
		append_char(&copy, '\n');
		manager_change_refused(
		    manager, role, head.version, appender_bytes(&copy));
		return true;
	default:
		break;
	}
	if (role->index == ROLE_CONTROL)
		return manager_control_handle(manager);
	if (role->index == ROLE_WORKER)
		return manager_worker_handle(manager);
	return false;
}

void
manager_role_read(struct manager *manager, struct manager_role *role)
{
	int r = 0;

	while (role->channel >= 0 && r == 0) {
		r = channel_recv(role->channel, &manager->message, false);
		if (r == 0 && !manager_role_handle(manager, role))
			r = -EPROTO;
	}
	if (r == -EAGAIN || role->channel < 0)
		return;
	if (r != -EPIPE) {
		channel_message_close(&manager->message);
		log_error("role",
		    "%s (pid %d) sent nonsense (%s); it is "
		    "killed: please report this",
		    role->name, (int)role->process.pid, error_text(r));
	}
	/* Its end comes by the pidfd. */
	manager_role_kill(role);
	close(role->channel);
	role->channel = -1;
}
