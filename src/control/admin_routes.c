/*
 * admin_routes.c - the endpoints
 *
 * Those that change something ask the manager, and say in the error log who
 * asked for what and what came of it.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/escape.h"
#include "control/admin.h"
#include "control/admin_change.h"
#include "control/json.h"
#include "control/metrics.h"
#include "control/report.h"
#include "os/clock.h"
#include "os/local.h"
#include "os/log.h"
#include "wire/url.h"

#define ADMIN_TEXT_TYPE   BYTES("text/plain; charset=utf-8")
#define ADMIN_AUDIT_BYTES 1024

/* ---- answers of the manager ---- */

static const struct snapshot *
routes_snapshot(const struct admin_conn *conn)
{
	return conn->callbacks->snapshot();
}

static bool
routes_answer_open(struct appender *answer)
{
	char *memory = malloc(CONTROL_ANSWER_BYTES);

	*answer = appender_over(memory, CONTROL_ANSWER_BYTES);
	return memory != NULL;
}

static unsigned
routes_status_of(int error)
{
	switch (error) {
	case E_CONFIG_INVALID:
		return 422;
	case E_CONFIG_BUSY:
		return 409;
	default:
		return (unsigned)error_http_status(error);
	}
}

static const char *
routes_remedy_of(int error)
{
	switch (error) {
	case E_CONFIG_INVALID:
		return "correct the file and reload again; the configuration "
		       "before is still in force";
	case E_CONFIG_BUSY:
		return "try again when the other reload has ended";
	case -EADDRINUSE:
	case -EADDRNOTAVAIL:
	case -EACCES:
		return "correct the address, or make it free, and reload "
		       "again; the configuration before is still in force";
	case -ENOENT:
		return "`weir servers`, or GET /v1/servers, names every pool "
		       "and server";
	default:
		return "`weir status`, or GET /v1/status, shows which role "
		       "does "
		       "not answer; the error log says more";
	}
}

static int
routes_out_of_memory(struct admin_conn *conn)
{
	return admin_reply_error(conn, 503, BYTES("out of memory"),
	    "the machine, or the control group, needs more", bytes_of(NULL, 0));
}

static int
routes_reply_done(struct admin_conn *conn, struct bytes text)
{
	struct json_writer json;
	struct sink sink;

	sink_init(&sink, NULL, NULL);
	json_write_init(&json, &sink);
	json_write_object_begin(&json, NULL);
	json_write_text(&json, "message", text.at != NULL ? text : BYTES(""));
	json_write_u64(
	    &json, "config_version", atomic_load(&shared->config_version));
	json_write_object_end(&json);
	json_write_end(&json);
	return admin_reply_json(conn, &sink);
}

/* Tell the client what the manager said; frees the answer. */
static int
routes_reply_result(
    struct admin_conn *conn, int result, struct appender *answer_take)
{
	struct bytes text = appender_bytes(answer_take);
	int r;

	while (text.length > 0 && text.at[text.length - 1] == '\n')
		text.length--;
	if (result == 0)
		r = routes_reply_done(conn, text);
	else if (result == E_CONFIG_INVALID || text.length == 0)
		r = admin_reply_error(conn, routes_status_of(result),
		    bytes_from(error_text(result)), routes_remedy_of(result),
		    text.length != 0 ? text : bytes_of(NULL, 0));
	else
		r = admin_reply_error(conn, routes_status_of(result), text,
		    routes_remedy_of(result), bytes_of(NULL, 0));
	free(answer_take->at);
	return r;
}

/* What was asked may come from a stranger: escaped, so that it stays one
 * line. Written as it is, never held back: an audit has no bursts. */
static void
routes_audit(const struct admin_conn *conn, struct bytes what, int result)
{
	char memory[ADMIN_AUDIT_BYTES];
	struct appender line = appender_over(memory, sizeof(memory));

	append_text(&line, conn->who);
	append_literal(&line, " asked: ");
	append_escaped(&line, what, ESCAPE_HEX, ADMIN_AUDIT_BYTES / 2);
	append_literal(&line, "; ");
	append_text(&line, result == 0 ? "done" : error_text(result));
	log_text(LOG_LEVEL_WARN, "admin", appender_bytes(&line));
}

/* ---- reports ---- */

static int
routes_status(struct admin_conn *conn, struct bytes rest)
{
	struct sink sink;

	sink_init(&sink, NULL, NULL);
	report_status(&sink, routes_snapshot(conn), clock_now());
	return admin_reply_json(conn, &sink);
}

/* The value of pool= in the query, unescaped; at == NULL: not given. */
static int
routes_query_pool(struct bytes query, struct appender *into)
{
	struct bytes part;

	while (bytes_split(&query, '&', &part)) {
		if (bytes_starts_with(part, BYTES("pool=")))
			return url_unescape(bytes_skip(part, 5), into);
	}
	return -ENOENT;
}

static int
routes_no_such(struct admin_conn *conn, const char *what)
{
	return admin_reply_error(conn, 404, bytes_from(what),
	    routes_remedy_of(-ENOENT), bytes_of(NULL, 0));
}

static int
routes_servers(struct admin_conn *conn, struct bytes rest)
{
	char memory[SHARED_KEY_BYTES];
	struct appender pool = appender_over(memory, sizeof(memory));
	int r = routes_query_pool(conn->request.query, &pool);
	struct sink sink;

	if (r < 0 && r != -ENOENT)
		return routes_no_such(conn, "no such pool");
	sink_init(&sink, NULL, NULL);
	r = report_servers(&sink, routes_snapshot(conn),
	    r == 0 ? appender_bytes(&pool) : bytes_of(NULL, 0), clock_now());
	if (r == 0)
		return admin_reply_json(conn, &sink);
	sink_fini(&sink);
	return routes_no_such(conn, "no such pool");
}

static int
routes_config(struct admin_conn *conn, struct bytes rest)
{
	const struct snapshot *snapshot = routes_snapshot(conn);
	struct sink sink;

	if (snapshot == NULL)
		return admin_reply_error(conn, 503,
		    BYTES("no configuration is in force yet"),
		    "try again in a moment", bytes_of(NULL, 0));
	sink_init(&sink, NULL, NULL);
	report_config(&sink, snapshot);
	return admin_reply_json(conn, &sink);
}

static int
routes_metrics(struct admin_conn *conn, struct bytes rest)
{
	struct sink sink;
	int r = admin_stream_begin(conn, BYTES(METRICS_CONTENT_TYPE), &sink);

	if (r < 0) {
		sink_fini(&sink);
		return r;
	}
	metrics_write(&sink, routes_snapshot(conn), clock_now());
	return admin_stream_end(conn, &sink);
}

static int
routes_healthz(struct admin_conn *conn, struct bytes rest)
{
	if (atomic_load(&shared->draining) != 0)
		return admin_reply(
		    conn, 503, ADMIN_TEXT_TYPE, BYTES("draining\n"));
	return admin_reply(conn, 200, ADMIN_TEXT_TYPE, BYTES("ok\n"));
}

static int
routes_dump(struct admin_conn *conn, struct bytes rest)
{
	int fd = scratch_open("dump");
	struct appender answer;
	int r;

	if (fd < 0)
		return routes_out_of_memory(conn);
	if (!routes_answer_open(&answer)) {
		local_close(fd);
		return routes_out_of_memory(conn);
	}
	r = conn->callbacks->dump(fd, &answer);
	if (r < 0) {
		r = routes_reply_result(conn, r, &answer);
	} else {
		free(answer.at);
		r = admin_reply_file(conn, ADMIN_TEXT_TYPE, fd);
	}
	local_close(fd);
	return r;
}

/* ---- changes ---- */

static int
routes_reload(struct admin_conn *conn, struct bytes rest)
{
	struct appender answer;
	int r;

	if (!routes_answer_open(&answer))
		return routes_out_of_memory(conn);
	r = conn->callbacks->reload(&answer);
	routes_audit(conn, BYTES("reload"), r);
	return routes_reply_result(conn, r, &answer);
}

static int
routes_stop(struct admin_conn *conn, struct bytes rest)
{
	struct appender answer;
	int r;

	if (!routes_answer_open(&answer))
		return routes_out_of_memory(conn);
	/* Before, because little may come after. */
	routes_audit(conn, BYTES("stop"), 0);
	r = conn->callbacks->stop(&answer);
	return routes_reply_result(conn, r, &answer);
}

static void
routes_change_text(struct appender *text, struct bytes pool,
    struct bytes server, const struct admin_change *change)
{
	static const char *const states[] = {
	    [ADMIN_READY] = "ready",
	    [ADMIN_DRAINED] = "drain",
	    [ADMIN_DOWN] = "down",
	};

	append_bytes(text, pool);
	append_char(text, '/');
	append_bytes(text, server.length != 0 ? server : BYTES("*"));
	if (change->admin != CONTROL_ADMIN_KEEP)
		append_format(text, " state %s", states[change->admin]);
	if (change->weight == CONTROL_WEIGHT_DEFAULT)
		append_literal(text, " weight as configured");
	else if (change->weight != CONTROL_WEIGHT_KEEP)
		append_format(text, " weight %d", change->weight);
}

static int
routes_server_change(struct admin_conn *conn, struct bytes pool,
    struct bytes server, const struct admin_change *change)
{
	char memory[2 * SHARED_KEY_BYTES];
	struct appender what = appender_over(memory, sizeof(memory));
	struct appender answer;
	int r;

	if (!routes_answer_open(&answer))
		return routes_out_of_memory(conn);
	r = conn->callbacks->server_set(
	    pool, server, change->admin, change->weight, &answer);
	routes_change_text(&what, pool, server, change);
	routes_audit(conn, appender_bytes(&what), r);
	return routes_reply_result(conn, r, &answer);
}

/* POST /v1/servers/{pool}[/{server}]; a server's name may hold slashes. */
static int
routes_server_set(struct admin_conn *conn, struct bytes rest)
{
	char memory[SHARED_KEY_BYTES];
	struct appender name = appender_over(memory, sizeof(memory));
	struct admin_change change;
	struct bytes server, pool;
	const char *why;

	if (url_unescape(rest, &name) < 0)
		return routes_no_such(conn, "no such pool or server");
	server = appender_bytes(&name);
	if (!bytes_split(&server, '/', &pool) || pool.length == 0)
		return routes_no_such(conn, "no such pool or server");
	if (admin_change_parse(conn->body, &change, &why) < 0)
		return admin_reply_error(conn, 400, bytes_from(why),
		    "send {\"state\": \"ready\"|\"drain\"|\"down\", "
		    "\"weight\": 0-65535 or null}",
		    bytes_of(NULL, 0));
	return routes_server_change(conn, pool, server, &change);
}

/* ---- which is which ---- */

enum routes_methods { READS = 1, CHANGES = 2 };

static const struct admin_route {
	const char *path; /* a last '/' takes all beneath */
	enum routes_methods methods;
	bool public;
	int (*serve)(struct admin_conn *conn, struct bytes rest);
} routes[] = {
    {"/healthz", READS, true, routes_healthz},
    {"/metrics", READS, false, routes_metrics},
    {"/v1/config", READS, false, routes_config},
    {"/v1/dump", READS, false, routes_dump},
    {"/v1/reload", CHANGES, false, routes_reload},
    {"/v1/servers", READS, false, routes_servers},
    {"/v1/servers/", CHANGES, false, routes_server_set},
    {"/v1/status", READS, false, routes_status},
    {"/v1/stop", CHANGES, false, routes_stop},
};

static bool
routes_match(
    const struct admin_route *route, struct bytes path, struct bytes *ret_rest)
{
	struct bytes mine = bytes_from(route->path);

	if (mine.at[mine.length - 1] != '/')
		return bytes_equal(path, mine);
	*ret_rest = bytes_skip(path, mine.length);
	return bytes_starts_with(path, mine);
}

static const struct admin_route *
routes_find(struct bytes path, struct bytes *ret_rest)
{
	for (size_t i = 0; i < array_count(routes); i++) {
		if (routes_match(&routes[i], path, ret_rest))
			return &routes[i];
	}
	return NULL;
}

bool
admin_path_is_public(struct bytes path)
{
	struct bytes rest;
	const struct admin_route *route = routes_find(path, &rest);

	return route != NULL && route->public;
}

int
admin_dispatch(struct admin_conn *conn)
{
	struct bytes rest = {NULL, 0};
	const struct admin_route *route =
	    routes_find(conn->request.path, &rest);
	unsigned method = conn->request.method;
	bool allowed;

	if (route == NULL)
		return admin_reply_error(conn, 404, BYTES("no such endpoint"),
		    "there are /healthz /metrics /v1/config /v1/dump "
		    "/v1/reload /v1/servers /v1/status /v1/stop",
		    bytes_of(NULL, 0));
	if (route->methods == CHANGES) {
		allowed = method == HTTP_POST;
		conn->allow = "POST";
	} else {
		allowed = method == HTTP_GET || method == HTTP_HEAD;
		conn->allow = "GET, HEAD";
	}
	if (!allowed)
		return admin_reply_error(conn, 405,
		    BYTES("method not allowed here"),
		    "use one that the field Allow names", bytes_of(NULL, 0));
	return route->serve(conn, rest);
}
