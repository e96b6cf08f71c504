/*
 * report.c - status and servers
 */
#include "control/report.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "control/json.h"
#include "control/shared_sum.h"
#include "os/clock.h"
#include "os/spawn.h"

static void
report_time(struct json_writer *json, const char *key, int64_t wall_ns)
{
	time_t seconds = (time_t)(wall_ns / 1000000000);
	char text[32];
	struct tm tm;

	if (wall_ns == 0) {
		json_write_null(json, key);
		return;
	}
	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_write_text(json, key, bytes_from(text));
}

/* ---- status ---- */

static void
report_loaded(struct json_writer *json, const struct snapshot *snapshot)
{
	json_write_object_begin(json, "config");
	json_write_text(json, "file",
	    snapshot != NULL ? snapshot->file : bytes_of(NULL, 0));
	json_write_u64(json, "version", atomic_load(&shared->config_version));
	report_time(
	    json, "loaded", atomic_load(&shared->config_loaded_wall_ns));
	json_write_u64(
	    json, "reloads_loaded", atomic_load(&shared->reloads_ok));
	json_write_u64(
	    json, "reloads_refused", atomic_load(&shared->reloads_failed));
	json_write_object_end(json);
}

static void
report_role(
    struct json_writer *json, const struct role_state *role, instant now)
{
	int status = atomic_load(&role->last_exit);
	instant started = {atomic_load(&role->started_ns)};
	int pid = atomic_load(&role->pid);
	char memory[128];
	struct appender text = appender_over(memory, sizeof(memory));

	json_write_object_begin(json, NULL);
	json_write_text(json, "name",
	    bytes_of(role->name, strnlen(role->name, sizeof(role->name))));
	if (pid != 0) {
		json_write_u64(json, "pid", (uint64_t)pid);
		json_write_milli(json, "uptime_seconds",
		    duration_to_ms(instant_since(now, started)));
	} else {
		json_write_null(json, "pid");
		json_write_null(json, "uptime_seconds");
	}
	json_write_u64(json, "restarts", atomic_load(&role->restarts));
	if (atomic_load(&role->restarts) != 0 || status != 0)
		spawn_status_append(&text, status);
	json_write_text(json, "last_exit",
	    text.length != 0 ? appender_bytes(&text) : bytes_of(NULL, 0));
	json_write_object_end(json);
}

static void
report_roles(struct json_writer *json, instant now)
{
	json_write_array_begin(json, "roles");
	for (size_t i = 0; i < SHARED_ROLES_MAX; i++) {
		if (shared->roles[i].name[0] != '\0')
			report_role(json, &shared->roles[i], now);
	}
	json_write_array_end(json);
}

static void
report_traffic(struct json_writer *json)
{
	struct counters sum;

	counters_sum(&sum);
	json_write_object_begin(json, "connections");
	json_write_u64(json, "open", sum.connections_open);
	json_write_u64(json, "active", sum.connections_active);
	json_write_u64(json, "accepted", sum.connections_accepted);
	json_write_u64(json, "refused", sum.connections_refused);
	json_write_object_end(json);
	json_write_object_begin(json, "requests");
	json_write_u64(json, "total", sum.requests);
	json_write_u64(json, "in_flight", sum.requests_in_flight);
	json_write_u64(json, "1xx", sum.responses_1xx);
	json_write_u64(json, "2xx", sum.responses_2xx);
	json_write_u64(json, "3xx", sum.responses_3xx);
	json_write_u64(json, "4xx", sum.responses_4xx);
	json_write_u64(json, "5xx", sum.responses_5xx);
	json_write_object_end(json);
}

static bool
report_checked(const struct config_pool *pool)
{
	return pool->health.kind != CHECK_NONE;
}

/* Whether the server may take requests; -ENOENT has no verdict yet. */
static bool
report_usable(const struct config_pool *pool, int slot, instant now)
{
	return slot >= 0 && verdict_usable(slot, report_checked(pool), now);
}

static void
report_pools(
    struct json_writer *json, const struct snapshot *snapshot, instant now)
{
	json_write_array_begin(json, "pools");
	for (unsigned p = 0; snapshot != NULL && p < snapshot->pool_count;
	     p++) {
		const struct config_pool *pool = &snapshot->pools[p];
		unsigned usable = 0;

		for (unsigned s = 0; s < pool->server_count; s++) {
			int slot =
			    verdict_find(pool->name, pool->servers[s].name);

			usable += report_usable(pool, slot, now);
		}
		json_write_object_begin(json, NULL);
		json_write_text(json, "name", pool->name);
		json_write_u64(json, "servers", pool->server_count);
		json_write_u64(json, "usable", usable);
		json_write_object_end(json);
	}
	json_write_array_end(json);
}

static void
report_backend(struct json_writer *json)
{
	uint64_t name = atomic_load(&shared->worker_backend);
	char text[sizeof(name)];

	memcpy(text, &name, sizeof(name));
	json_write_text(
	    json, "backend", bytes_of(text, strnlen(text, sizeof(text))));
}

void
report_status(struct sink *sink, const struct snapshot *snapshot, instant now)
{
	struct json_writer json;

	json_write_init(&json, sink);
	json_write_object_begin(&json, NULL);
	json_write_text(&json, "version", bytes_from(WEIR_VERSION));
	report_time(&json, "started", shared->started_wall_ns);
	json_write_milli(&json, "uptime_seconds",
	    (clock_wall_ns() - shared->started_wall_ns) / 1000000);
	json_write_bool(&json, "draining", atomic_load(&shared->draining) != 0);
	json_write_u64(
	    &json, "worker_threads", atomic_load(&shared->worker_threads));
	report_backend(&json);
	report_loaded(&json, snapshot);
	report_roles(&json, now);
	report_traffic(&json);
	report_pools(&json, snapshot, now);
	json_write_object_end(&json);
	json_write_end(&json);
}

/* ---- servers ---- */

static const char *
report_state_name(const struct config_pool *pool, enum health_state state)
{
	if (!report_checked(pool))
		return "unchecked";
	return state == HEALTH_UP  ? "up"
	    : state == HEALTH_DOWN ? "down"
				   : "unknown";
}

static const char *
report_admin_name(enum verdict_admin admin)
{
	return admin == ADMIN_DRAINED ? "drained"
	    : admin == ADMIN_DOWN     ? "down"
				      : "ready";
}

static void
report_verdict(struct json_writer *json, const struct config_pool *pool,
    const struct config_server *server, int slot, instant now)
{
	uint32_t weight = atomic_load(&shared->verdicts[slot].weight);
	struct verdict_view view;

	verdict_read(slot, now, &view);
	json_write_text(
	    json, "health", bytes_from(report_state_name(pool, view.state)));
	if (report_checked(pool) && view.state != HEALTH_UNKNOWN) {
		json_write_milli(json, "since_seconds",
		    duration_to_ms(instant_since(now, view.since)));
		json_write_text(json, "reason", bytes_from(view.reason));
	} else {
		json_write_null(json, "since_seconds");
		json_write_null(json, "reason");
	}
	json_write_text(
	    json, "admin", bytes_from(report_admin_name(view.admin)));
	json_write_bool(json, "ejected", view.ejected);
	json_write_u64(
	    json, "weight", weight == UINT32_MAX ? server->weight : weight);
	json_write_u64(json, "weight_configured", server->weight);
	json_write_u64(json, "in_flight", view.in_flight);
	json_write_u64(
	    json, "checks", atomic_load(&shared->verdicts[slot].checks));
	json_write_u64(json, "check_failures",
	    atomic_load(&shared->verdicts[slot].check_failures));
}

static void
report_server_traffic(struct json_writer *json, int slot)
{
	static const char *const classes[] = {
	    "other", "1xx", "2xx", "3xx", "4xx", "5xx"};
	struct server_counters sum;
	uint64_t answers = 0;

	server_counters_sum(slot, &sum);
	json_write_u64(json, "requests", sum.requests);
	json_write_u64(json, "failures", sum.failures);
	json_write_u64(json, "retries", sum.retries);
	json_write_u64(json, "connects", sum.connects);
	json_write_object_begin(json, "responses");
	for (size_t i = 0; i < array_count(classes); i++) {
		json_write_u64(json, classes[i], sum.responses[i]);
		answers += sum.responses[i];
	}
	json_write_object_end(json);
	json_write_u64(json, "bytes_in", sum.bytes_in);
	json_write_u64(json, "bytes_out", sum.bytes_out);
	if (answers != 0)
		json_write_milli(json, "wait_ms_mean",
		    (int64_t)(sum.latency_sum_us / answers));
	else
		json_write_null(json, "wait_ms_mean");
}

static void
report_server(struct json_writer *json, const struct config_pool *pool,
    const struct config_server *server, instant now)
{
	int slot = verdict_find(pool->name, server->name);

	json_write_object_begin(json, NULL);
	json_write_text(json, "pool", pool->name);
	json_write_text(json, "server", server->name);
	json_write_text(json, "address", server->address.text);
	json_write_bool(json, "backup", server->backup);
	json_write_bool(json, "usable", report_usable(pool, slot, now));
	/* Between a reload's two steps a new server has no slot yet. */
	if (slot >= 0) {
		report_verdict(json, pool, server, slot, now);
		report_server_traffic(json, slot);
	}
	json_write_object_end(json);
}

int
report_servers(struct sink *sink, const struct snapshot *snapshot,
    struct bytes pool_name, instant now)
{
	struct json_writer json;

	if (pool_name.at != NULL &&
	    (snapshot == NULL ||
		snapshot_pool_find(snapshot, pool_name) == NULL))
		return -ENOENT;
	json_write_init(&json, sink);
	json_write_object_begin(&json, NULL);
	json_write_array_begin(&json, "servers");
	for (unsigned p = 0; snapshot != NULL && p < snapshot->pool_count;
	     p++) {
		const struct config_pool *pool = &snapshot->pools[p];

		if (pool_name.at != NULL && !bytes_equal(pool_name, pool->name))
			continue;
		for (unsigned s = 0; s < pool->server_count; s++)
			report_server(&json, pool, &pool->servers[s], now);
	}
	json_write_array_end(&json);
	json_write_object_end(&json);
	json_write_end(&json);
	return 0;
}
