/*
 * report_config.c - the essentials of the configuration in force
 *
 * Headers, bodies and the token are left out: they may hold secrets.
 */
#include "control/json.h"
#include "control/report.h"

static void
report_match(struct json_writer *json, const struct config_route *route)
{
	static const char *const kinds[] = {
	    [PATH_ANY] = "any",
	    [PATH_PREFIX] = "prefix",
	    [PATH_EXACT] = "exact",
	    [PATH_REGEX] = "regex",
	};

	json_write_u64(json, "index", route->index);
	json_write_u64(json, "line", (uint64_t)max_of(route->where.line, 0));
	json_write_text(json, "match", bytes_from(kinds[route->match]));
	json_write_text(json, "path", route->path);
}

static void
report_action(struct json_writer *json, const struct config_route *route)
{
	switch (route->action) {
	case ACTION_FILES:
		json_write_text(json, "files", route->files->root);
		break;
	case ACTION_REVERSE:
		json_write_text(json, "reverse", route->reverse->pool->name);
		break;
	case ACTION_RESPOND:
		json_write_u64(json, "respond", route->respond->status);
		break;
	case ACTION_REDIRECT:
		json_write_text(json, "redirect", route->redirect->to);
		break;
	}
}

static void
report_site(struct json_writer *json, const struct snapshot *snapshot,
    const struct config_site *site)
{
	json_write_object_begin(json, NULL);
	json_write_text(json, "name", site->name);
	json_write_array_begin(json, "hosts");
	for (unsigned i = 0; i < site->host_count; i++)
		json_write_text(json, NULL, site->hosts[i]);
	json_write_array_end(json);
	json_write_array_begin(json, "listen");
	for (unsigned i = 0; i < site->listener_count; i++)
		json_write_text(json, NULL,
		    snapshot->listeners[site->listeners[i]].address.text);
	json_write_array_end(json);
	json_write_array_begin(json, "routes");
	for (unsigned i = 0; i < site->route_count; i++) {
		json_write_object_begin(json, NULL);
		report_match(json, &site->routes[i]);
		report_action(json, &site->routes[i]);
		json_write_object_end(json);
	}
	json_write_array_end(json);
	json_write_object_end(json);
}

static const char *
report_check_name(enum config_check kind)
{
	return kind == CHECK_HTTP ? "http" : kind == CHECK_TCP ? "tcp" : "none";
}

static void
report_pool(struct json_writer *json, const struct config_pool *pool)
{
	json_write_object_begin(json, NULL);
	json_write_text(json, "name", pool->name);
	json_write_text(json, "balance", pool->balance);
	json_write_text(
	    json, "health", bytes_from(report_check_name(pool->health.kind)));
	json_write_array_begin(json, "servers");
	for (unsigned i = 0; i < pool->server_count; i++) {
		const struct config_server *server = &pool->servers[i];

		json_write_object_begin(json, NULL);
		json_write_text(json, "name", server->name);
		json_write_text(json, "address", server->address.text);
		json_write_u64(json, "weight", server->weight);
		json_write_bool(json, "backup", server->backup);
		json_write_object_end(json);
	}
	json_write_array_end(json);
	json_write_object_end(json);
}

static void
report_outlets(struct json_writer *json, const struct snapshot *snapshot)
{
	json_write_object_begin(json, "log");
	json_write_text(json, "error", snapshot->log.error_to);
	json_write_text(json, "access", snapshot->log.access_to);
	json_write_object_end(json);
	json_write_object_begin(json, "admin");
	json_write_text(json, "socket", snapshot->admin.socket);
	json_write_text(json, "listen", snapshot->admin.listen);
	json_write_bool(json, "token_set", snapshot->admin.token.length != 0);
	json_write_object_end(json);
}

void
report_config(struct sink *sink, const struct snapshot *snapshot)
{
	struct json_writer json;

	json_write_init(&json, sink);
	json_write_object_begin(&json, NULL);
	json_write_text(&json, "file", snapshot->file);
	json_write_u64(&json, "version", snapshot->version);
	report_outlets(&json, snapshot);
	json_write_array_begin(&json, "sites");
	for (unsigned i = 0; i < snapshot->site_count; i++)
		report_site(&json, snapshot, &snapshot->sites[i]);
	json_write_array_end(&json);
	json_write_array_begin(&json, "pools");
	for (unsigned i = 0; i < snapshot->pool_count; i++)
		report_pool(&json, &snapshot->pools[i]);
	json_write_array_end(&json);
	json_write_object_end(&json);
	json_write_end(&json);
}
