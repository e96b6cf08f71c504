#include "control/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "control/shared_sum.h"

static struct config_pool pools[2];
static struct snapshot snapshot = {.pools = pools, .pool_count = 2};
static char text[1 << 20];

static int
prepare(void **state)
{
	assert_int_equal(shared_map_private(), 0);
	atomic_store(&shared->worker_threads, 2);
	pools[0] = (struct config_pool){
	    .name = BYTES("checked"), .health.kind = CHECK_TCP};
	pools[1] = (struct config_pool){.name = BYTES("plain")};
	memcpy(shared->roles[0].name, "worker", sizeof("worker"));
	atomic_store(&shared->roles[0].pid, 42);
	atomic_store(&shared->roles[0].restarts, 3);
	return 0;
}

static const char *
written(void)
{
	struct sink sink;

	sink_init(&sink, NULL, NULL);
	metrics_write(&sink, &snapshot, (instant){1000});
	assert_int_equal(sink_end(&sink), 0);
	assert_true(sink.out.length < sizeof(text));
	memcpy(text, sink.out.at, sink.out.length);
	text[sink.out.length] = '\0';
	sink_fini(&sink);
	return text;
}

static void
has_line(const char *line)
{
	size_t length = strlen(line);

	for (const char *at = written(); (at = strstr(at, line)) != NULL;
	     at++) {
		if (at[length] == '\n' && (at == text || at[-1] == '\n'))
			return;
	}
	fail_msg("no line %s in\n%s", line, text);
}

static void
sums_over_threads(void **state)
{
	shared->threads[0].requests = 5;
	shared->threads[1].requests = 7;
	shared->threads[2].requests = 1000; /* does not run */
	shared->threads[0].responses_5xx = 1;
	shared->threads[0].connections_open = (uint64_t)-1;
	has_line("weir_requests_total 12");
	has_line("weir_responses_total{class=\"5xx\"} 1");
	has_line("weir_connections_open 0");
	has_line("weir_role_up{role=\"worker\"} 1");
	has_line("weir_role_restarts_total{role=\"worker\"} 3");
	has_line("weir_build_info{version=\"" WEIR_VERSION "\"} 1");
}

static void
latency_is_cumulative(void **state)
{
	counters_use(&shared->threads[0]);
	counters_latency_add(10);
	counters_latency_add(64);
	counters_latency_add(65);
	counters_use(&shared->threads[1]);
	counters_latency_add(90000000);
	counters_use(NULL);
	has_line("weir_request_duration_seconds_bucket{le=\"0.000064\"} 2");
	has_line("weir_request_duration_seconds_bucket{le=\"0.000128\"} 3");
	has_line("weir_request_duration_seconds_bucket{le=\"67.108864\"} 3");
	has_line("weir_request_duration_seconds_bucket{le=\"+Inf\"} 4");
	has_line("weir_request_duration_seconds_sum 90.000139");
	has_line("weir_request_duration_seconds_count 4");
}

static void
servers(void **state)
{
	int a = verdict_claim(BYTES("checked"), BYTES("10.0.0.1:80"));
	int b = verdict_claim(BYTES("plain"), BYTES("unix:/run/a\"b"));

	shared->servers[0][a].requests = 2;
	shared->servers[1][a].requests = 3;
	shared->servers[1][a].responses[2] = 4;
	shared->servers[1][a].latency_sum_us = 1500000;
	atomic_store(&shared->verdicts[b].admin, ADMIN_DRAINED);
	has_line("weir_server_requests_total{pool=\"checked\","
		 "server=\"10.0.0.1:80\"} 5");
	has_line("weir_server_responses_total{pool=\"checked\","
		 "server=\"10.0.0.1:80\",class=\"2xx\"} 4");
	has_line("weir_server_response_wait_seconds_total{pool=\"checked\","
		 "server=\"10.0.0.1:80\"} 1.500000");
	/* Not checked yet is not up; without checks it is. */
	has_line("weir_server_up{pool=\"checked\",server=\"10.0.0.1:80\"} 0");
	has_line("weir_server_up{pool=\"plain\","
		 "server=\"unix:/run/a\\\"b\"} 1");
	has_line("weir_server_admin_state{pool=\"plain\","
		 "server=\"unix:/run/a\\\"b\",state=\"drained\"} 1");
	has_line("weir_server_admin_state{pool=\"plain\","
		 "server=\"unix:/run/a\\\"b\",state=\"ready\"} 0");
	verdict_publish(a, HEALTH_UP, "200", (instant){1});
	has_line("weir_server_up{pool=\"checked\",server=\"10.0.0.1:80\"} 1");
	verdict_release(a);
	assert_null(strstr(written(), "10.0.0.1:80"));
}

/* ---- the rules of promtool check metrics ---- */

struct family {
	char name[128];
	char type[16];
};

static bool
ends_with(const char *name, const char *end)
{
	size_t a = strlen(name), b = strlen(end);

	return a >= b && strcmp(name + a - b, end) == 0;
}

static void
lint_family(const struct family *f)
{
	static const char *const units[] = {"_ms", "_us", "_milliseconds",
	    "_kilobytes", "_percent", "_minutes", "_count", "_sum", "_bucket"};

	assert_int_equal(
	    strcmp(f->type, "counter") == 0, ends_with(f->name, "_total"));
	for (size_t i = 0; i < array_count(units); i++) {
		char inside[32];

		snprintf(inside, sizeof(inside), "%s_", units[i]);
		assert_false(ends_with(f->name, units[i]));
		assert_null(strstr(f->name, inside));
	}
	for (const char *at = f->name; *at != '\0'; at++)
		assert_true((*at >= 'a' && *at <= 'z') || *at == '_');
}

/* Whether @line is a sample of @f. */
static bool
lint_sample(const struct family *f, const char *line)
{
	size_t length = strlen(f->name);

	if (strncmp(line, f->name, length) != 0)
		return false;
	line += length;
	if (strcmp(f->type, "histogram") == 0)
		line += strcspn(line, "{ ");
	return *line == '{' || *line == ' ';
}

static void
lint(void **state)
{
	static struct family seen[200];
	static char *lines[5000];
	size_t families = 0, samples = 0;
	char *save = NULL;

	assert_true(verdict_claim(BYTES("plain"), BYTES("a")) >= 0);
	assert_true(verdict_claim(BYTES("plain"), BYTES("b")) >= 0);
	written();
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		struct family *f = &seen[families];

		if (strncmp(line, "# HELP ", 7) == 0) {
			char help[256], *type;

			assert_int_equal(sscanf(line, "# HELP %127s %255[^\n]",
					     f->name, help),
			    2);
			type = strtok_r(NULL, "\n", &save);
			assert_int_equal(
			    sscanf(type, "# TYPE %*s %15s", f->type), 1);
			assert_memory_equal(type + 7, f->name, strlen(f->name));
			lint_family(f);
			for (size_t i = 0; i < families; i++)
				assert_string_not_equal(seen[i].name, f->name);
			families++;
			continue;
		}
		assert_true(families > 0);
		assert_true(lint_sample(&seen[families - 1], line));
		lines[samples] = line;
		*strrchr(line, ' ') = '\0';
		for (size_t i = 0; i < samples; i++)
			assert_string_not_equal(lines[i], line);
		samples++;
	}
	assert_true(families > 40 && samples > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(sums_over_threads, prepare),
	    cmocka_unit_test_setup(latency_is_cumulative, prepare),
	    cmocka_unit_test_setup(servers, prepare),
	    cmocka_unit_test_setup(lint, prepare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
