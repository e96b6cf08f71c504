/*
 * metrics.c - a family at a time, over all servers
 *
 * The format wants the samples of a family together, so servers are walked
 * once per family; their sums are taken afresh each time, which costs less
 * than keeping 4,096 of them.
 */
#include "control/metrics.h"

#include <stdio.h>

#include "base/escape.h"
#include "control/shared_sum.h"

/* A sample without its labels' values, HELP and TYPE. */
#define METRICS_LINE_BYTES 512
/* Pool and server, each byte escaped. */
#define METRICS_LABELS_BYTES (2 * SHARED_KEY_BYTES)

struct metrics {
	struct sink *sink;
	instant now;
	uint64_t unchecked[SHARED_SERVERS_MAX / 64]; /* bit: no health check */
};

/* ---- families and samples of the program ---- */

static void
metrics_family(
    struct sink *sink, const char *name, const char *type, const char *help)
{
	struct appender *out = sink_room(sink, METRICS_LINE_BYTES);

	append_format(out, "# HELP weir_%s %s\n# TYPE weir_%s %s\n", name, help,
	    name, type);
}

static void
metrics_sample(
    struct sink *sink, const char *name, const char *labels, uint64_t value)
{
	struct appender *out = sink_room(sink, METRICS_LINE_BYTES);

	append_literal(out, "weir_");
	append_text(out, name);
	if (labels[0] != '\0') {
		append_char(out, '{');
		append_text(out, labels);
		append_char(out, '}');
	}
	append_char(out, ' ');
	append_u64(out, value);
	append_char(out, '\n');
}

/* @value in @per_second parts of a second, as seconds. */
static void
metrics_seconds(struct appender *out, uint64_t value, uint64_t per_second)
{
	int digits = per_second == 1000000 ? 6 : 9;

	append_format(out, "%llu.%0*llu",
	    (unsigned long long)(value / per_second), digits,
	    (unsigned long long)(value % per_second));
}

static void
metrics_one(struct sink *sink, const char *name, const char *type,
    const char *help, uint64_t value)
{
	metrics_family(sink, name, type, help);
	metrics_sample(sink, name, "", value);
}

static void
metrics_one_time(
    struct sink *sink, const char *name, const char *help, int64_t wall_ns)
{
	struct appender *out;

	metrics_family(sink, name, "gauge", help);
	out = sink_room(sink, METRICS_LINE_BYTES);
	append_format(out, "weir_%s ", name);
	metrics_seconds(out, (uint64_t)wall_ns, 1000000000);
	append_char(out, '\n');
}

/* ---- counters.tbl ---- */

enum metrics_kind { COUNTER, GAUGE };
static const struct metrics_row {
	enum metrics_kind kind;
	const char *name;
	const char *labels;
	const char *help;
	size_t offset;
} metrics_rows[] = {
#define COUNTER(name, kind, metric, labels, help)                              \
	{(kind), (metric), (labels), (help), offsetof(struct counters, name)},
#include "base/counters.tbl"
#undef COUNTER
};

static void
metrics_counters(struct sink *sink, const struct counters *sum)
{
	const char *family = "";

	for (size_t i = 0; i < array_count(metrics_rows); i++) {
		const struct metrics_row *row = &metrics_rows[i];
		uint64_t value;

		memcpy(&value, (const char *)sum + row->offset, sizeof(value));
		/* Sums of gauges are read while they change. */
		if (row->kind == GAUGE && (int64_t)value < 0)
			value = 0;
		if (strcmp(family, row->name) != 0)
			metrics_family(sink, row->name,
			    row->kind == GAUGE ? "gauge" : "counter",
			    row->help);
		family = row->name;
		metrics_sample(sink, row->name, row->labels, value);
	}
}

static void
metrics_latency(struct sink *sink, const struct counters *sum)
{
	const char *name = "request_duration_seconds";
	uint64_t count = 0;
	struct appender *out;

	metrics_family(sink, name, "histogram",
	    "Time from a request's first byte to the end of its answer");
	for (unsigned i = 0; i < COUNTERS_LATENCY_BUCKETS; i++) {
		count += sum->latency[i];
		out = sink_room(sink, METRICS_LINE_BYTES);
		append_format(out, "weir_%s_bucket{le=\"", name);
		metrics_seconds(out, UINT64_C(64) << i, 1000000);
		append_format(out, "\"} %llu\n", (unsigned long long)count);
	}
	count += sum->latency[COUNTERS_LATENCY_BUCKETS];
	out = sink_room(sink, METRICS_LINE_BYTES);
	append_format(out, "weir_%s_bucket{le=\"+Inf\"} %llu\nweir_%s_sum ",
	    name, (unsigned long long)count, name);
	metrics_seconds(out, sum->latency_sum_us, 1000000);
	append_format(
	    out, "\nweir_%s_count %llu\n", name, (unsigned long long)count);
}

/* ---- the program and its roles ---- */

static void
metrics_backend(struct sink *sink)
{
	uint64_t name = atomic_load(&shared->worker_backend);
	char label[32];

	snprintf(label, sizeof(label), "backend=\"%.8s\"", (const char *)&name);
	metrics_family(sink, "worker_backend_info", "gauge",
	    "How the workers wait for the kernel; always 1");
	metrics_sample(sink, "worker_backend_info", label, 1);
}

static void
metrics_program(struct sink *sink)
{
	metrics_family(
	    sink, "build_info", "gauge", "The version that runs; always 1");
	metrics_sample(sink, "build_info", "version=\"" WEIR_VERSION "\"", 1);
	metrics_one_time(sink, "start_time_seconds",
	    "When the program was started, since 1970",
	    shared->started_wall_ns);
	metrics_one(sink, "worker_threads", "gauge",
	    "Threads of the worker process",
	    atomic_load(&shared->worker_threads));
	metrics_backend(sink);
	metrics_one(sink, "draining", "gauge",
	    "1 while the program ends: it finishes what it began",
	    atomic_load(&shared->draining) != 0);
	metrics_one(sink, "config_version", "gauge",
	    "Number of the configuration in force, from 1",
	    atomic_load(&shared->config_version));
	metrics_one_time(sink, "config_load_time_seconds",
	    "When the configuration in force was loaded, since 1970",
	    atomic_load(&shared->config_loaded_wall_ns));
	metrics_family(sink, "reloads_total", "counter",
	    "Configurations that were loaded, and refused");
	metrics_sample(sink, "reloads_total", "result=\"loaded\"",
	    atomic_load(&shared->reloads_ok));
	metrics_sample(sink, "reloads_total", "result=\"refused\"",
	    atomic_load(&shared->reloads_failed));
}

enum metrics_of_role { ROLE_UP, ROLE_RESTARTS };

static void
metrics_role(struct sink *sink, enum metrics_of_role what, const char *name)
{
	for (size_t i = 0; i < SHARED_ROLES_MAX; i++) {
		const struct role_state *role = &shared->roles[i];
		char labels[64];

		if (role->name[0] == '\0')
			continue;
		(void)snprintf(labels, sizeof(labels), "role=\"%.*s\"",
		    (int)sizeof(role->name), role->name);
		metrics_sample(sink, name, labels,
		    what == ROLE_UP ? atomic_load(&role->pid) != 0
				    : atomic_load(&role->restarts));
	}
}

static void
metrics_roles(struct sink *sink)
{
	metrics_family(
	    sink, "role_up", "gauge", "Whether the process of the role runs");
	metrics_role(sink, ROLE_UP, "role_up");
	metrics_family(sink, "role_restarts_total", "counter",
	    "Times the process of the role was started again after it died");
	metrics_role(sink, ROLE_RESTARTS, "role_restarts_total");
}

/* ---- servers ---- */

struct metrics_server {
	int slot;
	bool checked;
	const struct verdict *verdict;
	struct verdict_view view;
	struct server_counters sum;
};

enum metrics_form { FORM_NUMBER, FORM_US };

struct metrics_server_row {
	const char *name;
	const char *labels; /* behind pool and server */
	const char *type;
	const char *help;
	uint64_t (*value)(const struct metrics_server *server);
	enum metrics_form form;
};

static uint64_t
server_up(const struct metrics_server *s)
{
	return s->view.state == HEALTH_UP ||
	    (s->view.state == HEALTH_UNKNOWN && !s->checked);
}

static uint64_t
server_ready(const struct metrics_server *s)
{
	return s->view.admin == ADMIN_READY;
}

static uint64_t
server_drained(const struct metrics_server *s)
{
	return s->view.admin == ADMIN_DRAINED;
}

static uint64_t
server_down(const struct metrics_server *s)
{
	return s->view.admin == ADMIN_DOWN;
}

static uint64_t
server_ejected(const struct metrics_server *s)
{
	return s->view.ejected;
}

static uint64_t
server_in_flight(const struct metrics_server *s)
{
	return s->view.in_flight;
}

static uint64_t
server_checks(const struct metrics_server *s)
{
	return atomic_load(&s->verdict->checks);
}

static uint64_t
server_check_failures(const struct metrics_server *s)
{
	return atomic_load(&s->verdict->check_failures);
}

#define SERVER_SUM(function, field)                                            \
	static uint64_t server_##function(const struct metrics_server *s)      \
	{                                                                      \
		return s->sum.field;                                           \
	}
SERVER_SUM(requests, requests)
SERVER_SUM(failures, failures)
SERVER_SUM(retries, retries)
SERVER_SUM(connects, connects)
SERVER_SUM(responses_1xx, responses[1])
SERVER_SUM(responses_2xx, responses[2])
SERVER_SUM(responses_3xx, responses[3])
SERVER_SUM(responses_4xx, responses[4])
SERVER_SUM(responses_5xx, responses[5])
SERVER_SUM(responses_other, responses[0])
SERVER_SUM(bytes_in, bytes_in)
SERVER_SUM(bytes_out, bytes_out)
SERVER_SUM(latency_us, latency_sum_us)
#undef SERVER_SUM

static const struct metrics_server_row metrics_server_rows[] = {
    {"server_up", "", "gauge",
	"Whether the health checks find the server up; 1 without checks",
	server_up, FORM_NUMBER},
    {"server_admin_state", "state=\"ready\"", "gauge",
	"What the operator asked for: 1 for the state in force", server_ready,
	FORM_NUMBER},
    {"server_admin_state", "state=\"drained\"", "gauge", "", server_drained,
	FORM_NUMBER},
    {"server_admin_state", "state=\"down\"", "gauge", "", server_down,
	FORM_NUMBER},
    {"server_ejected", "", "gauge",
	"1 while the server is left out because real requests failed",
	server_ejected, FORM_NUMBER},
    {"server_requests_in_flight", "", "gauge",
	"Requests the server is answering now", server_in_flight, FORM_NUMBER},
    {"server_requests_total", "", "counter", "Requests sent to the server",
	server_requests, FORM_NUMBER},
    {"server_failures_total", "", "counter", "Requests without a usable answer",
	server_failures, FORM_NUMBER},
    {"server_retries_total", "", "counter",
	"Requests that left for another server", server_retries, FORM_NUMBER},
    {"server_connects_total", "", "counter", "Connections opened to the server",
	server_connects, FORM_NUMBER},
    {"server_responses_total", "class=\"1xx\"", "counter",
	"Answers of the server by status class", server_responses_1xx,
	FORM_NUMBER},
    {"server_responses_total", "class=\"2xx\"", "counter", "",
	server_responses_2xx, FORM_NUMBER},
    {"server_responses_total", "class=\"3xx\"", "counter", "",
	server_responses_3xx, FORM_NUMBER},
    {"server_responses_total", "class=\"4xx\"", "counter", "",
	server_responses_4xx, FORM_NUMBER},
    {"server_responses_total", "class=\"5xx\"", "counter", "",
	server_responses_5xx, FORM_NUMBER},
    {"server_responses_total", "class=\"other\"", "counter", "",
	server_responses_other, FORM_NUMBER},
    {"server_bytes_total", "direction=\"in\"", "counter",
	"Bytes received from (in) and sent to (out) the server",
	server_bytes_in, FORM_NUMBER},
    {"server_bytes_total", "direction=\"out\"", "counter", "", server_bytes_out,
	FORM_NUMBER},
    {"server_response_wait_seconds_total", "", "counter",
	"Time spent waiting for the heads of the server's answers",
	server_latency_us, FORM_US},
    {"server_health_checks_total", "", "counter", "Health checks of the server",
	server_checks, FORM_NUMBER},
    {"server_health_check_failures_total", "", "counter",
	"Health checks that failed", server_check_failures, FORM_NUMBER},
};

static void
metrics_server_sample(struct sink *sink, const struct metrics_server_row *row,
    const struct metrics_server *server, struct bytes pool, struct bytes name)
{
	struct appender *out =
	    sink_room(sink, METRICS_LINE_BYTES + METRICS_LABELS_BYTES);

	append_literal(out, "weir_");
	append_text(out, row->name);
	append_literal(out, "{pool=\"");
	append_escaped(out, pool, ESCAPE_LABEL, 0);
	append_literal(out, "\",server=\"");
	append_escaped(out, name, ESCAPE_LABEL, 0);
	append_literal(out, "\"");
	if (row->labels[0] != '\0') {
		append_char(out, ',');
		append_text(out, row->labels);
	}
	append_literal(out, "} ");
	if (row->form == FORM_US)
		metrics_seconds(out, row->value(server), 1000000);
	else
		append_u64(out, row->value(server));
	append_char(out, '\n');
}

static void
metrics_server_family(
    struct metrics *m, const struct metrics_server_row *rows, size_t row_count)
{
	metrics_family(m->sink, rows->name, rows->type, rows->help);
	for (int slot = 0; slot < SHARED_SERVERS_MAX; slot++) {
		struct metrics_server server = {.slot = slot};
		struct bytes pool, name;

		if (!verdict_key(slot, &pool, &name))
			continue;
		server.checked =
		    (m->unchecked[slot / 64] >> slot % 64 & 1) == 0;
		server.verdict = &shared->verdicts[slot];
		verdict_read(slot, m->now, &server.view);
		server_counters_sum(slot, &server.sum);
		for (size_t i = 0; i < row_count; i++)
			metrics_server_sample(
			    m->sink, &rows[i], &server, pool, name);
	}
}

static void
metrics_servers(struct metrics *m)
{
	const struct metrics_server_row *rows = metrics_server_rows;
	size_t count = array_count(metrics_server_rows), end;

	for (size_t i = 0; i < count; i = end) {
		for (end = i + 1; end < count; end++) {
			if (strcmp(rows[end].name, rows[i].name) != 0)
				break;
		}
		metrics_server_family(m, &rows[i], end - i);
	}
}

/* The snapshot may be gone once the sink suspends: ask it before. */
static void
metrics_checked(struct metrics *m, const struct snapshot *snapshot)
{
	struct bytes pool_name, server;
	const struct config_pool *pool;

	for (int slot = 0; snapshot != NULL && slot < SHARED_SERVERS_MAX;
	     slot++) {
		if (!verdict_key(slot, &pool_name, &server))
			continue;
		pool = snapshot_pool_find(snapshot, pool_name);
		if (pool != NULL && pool->health.kind == CHECK_NONE)
			m->unchecked[slot / 64] |= UINT64_C(1) << slot % 64;
	}
}

void
metrics_write(struct sink *sink, const struct snapshot *snapshot, instant now)
{
	struct metrics m = {.sink = sink, .now = now};
	struct counters sum;

	metrics_checked(&m, snapshot);
	counters_sum(&sum);
	metrics_program(sink);
	metrics_roles(sink);
	metrics_counters(sink, &sum);
	metrics_latency(sink, &sum);
	metrics_servers(&m);
}
