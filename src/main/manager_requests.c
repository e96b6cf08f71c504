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
manager_reply(struct manager *manager, struct manager_asker asker, int result,
    struct bytes text)
{
	struct manager_role *control = &manager->roles[ROLE_CONTROL];

	/* Another life counts its requests anew. */
	if (!asker.asked || asker.life != control->lives ||
	    !manager_role_open(control))
		return;
	channel_message_init(&control->out, CHANNEL_REPLY);
	control->out.head.id = asker.id;
	control->out.head.result = result;
	channel_message_text_set(&control->out, text);
	manager_role_send(control);
	manager_role_close(control);
}

static void
manager_answer(struct manager_role *control, int result, struct bytes text)
{
	const struct manager_asker asker = {
	    .asked = true,
	    .life = control->lives,
	    .id = control->in.head.id,
	};

	manager_reply(control->manager, asker, result, text);
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
manager_server_set(struct manager_role *control)
{
	const struct manager *manager = control->manager;
	const struct channel_server_set *set = &control->in.server_set;
	const struct config_pool *pool = snapshot_pool_find(
	    manager->current->snapshot, bytes_from(set->pool));
	char memory[1024];
	struct appender text = appender_over(memory, sizeof(memory));
	unsigned count = 0;

	if (!manager_server_set_valid(set)) {
		manager_answer(control, -EINVAL,
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
		manager_answer(control, -ENOENT, appender_bytes(&text));
		return;
	}
	manager_server_set_append(&text, set, count);
	log_info("servers", "by the admin plane: %.*s", (int)text.length - 1,
	    text.at);
	manager_answer(control, 0, appender_bytes(&text));
}

/* ---- others ---- */

/* Its descriptor goes to the worker, whose answer comes back. */
static void
manager_dump(struct manager_role *control)
{
	struct manager_role *worker = &control->manager->roles[ROLE_WORKER];

	if (worker->channel == NULL)
		manager_answer(control, -EPIPE,
		    BYTES("the worker does not run at the moment\n"));
	else
		manager_role_forward(worker, &control->in);
	channel_message_close(&control->in);
}

static void
manager_reload(struct manager_role *control)
{
	struct manager *manager = control->manager;
	struct manager_change *change = &manager->change;

	if (manager->state != MANAGER_RUNNING || manager->stop_wanted ||
	    change->wanted || change->busy) {
		manager_answer(control, E_CONFIG_BUSY,
		    BYTES("another reload is under way, or weir is "
			  "about to stop\n"));
		return;
	}
	change->wanted = true;
	change->asker = (struct manager_asker){
	    .asked = true,
	    .life = control->lives,
	    .id = control->in.head.id,
	};
	manager_changed(manager);
}

/* Returns false when the role has no business with such a message. */
static bool
manager_control_handle(struct manager_role *control)
{
	switch (control->in.head.type) {
	case CHANNEL_RELOAD:
		manager_reload(control);
		return true;
	case CHANNEL_SERVER_SET:
		manager_server_set(control);
		return true;
	case CHANNEL_DUMP:
		manager_dump(control);
		return true;
	case CHANNEL_EXIT:
		manager_answer(control, 0, BYTES("draining\n"));
		manager_stop(control->manager);
		return true;
	default:
		return false;
	}
}

static bool
manager_worker_handle(struct manager_role *worker)
{
	switch (worker->in.head.type) {
	case CHANNEL_DRAINED:
		if (worker->stage == ROLE_DRAINS)
			worker->stage = ROLE_DRAINED;
		return true;
	case CHANNEL_REPLY:
		/* Of a dump. */
		manager_role_forward(
		    &worker->manager->roles[ROLE_CONTROL], &worker->in);
		return true;
	default:
		return false;
	}
}

static void
manager_refused(struct manager_role *role)
{
	char memory[1024];
	struct appender why = appender_over(memory, sizeof(memory));

	append(&why, role->in.text,
	    min_of((size_t)role->in.head.length, sizeof(memory) - 1));
	append_char(&why, '\n');
	manager_role_refused(role, role->in.head.version, appender_bytes(&why));
}

bool
manager_role_handle(struct manager_role *role)
{
	const struct channel_head head = role->in.head;

	/* Nobody else has a descriptor to give. */
	if (head.type != CHANNEL_DUMP)
		channel_message_close(&role->in);
	switch (head.type) {
	case CHANNEL_APPLIED:
		manager_role_applied(role, head.version);
		return true;
	case CHANNEL_COMMITTED:
		manager_role_committed(role, head.version);
		return true;
	case CHANNEL_REFUSED:
		manager_refused(role);
		return true;
	default:
		break;
	}
	if (role->index == ROLE_CONTROL)
		return manager_control_handle(role);
	if (role->index == ROLE_WORKER)
		return manager_worker_handle(role);
	return false;
}
