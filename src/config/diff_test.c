#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/config.h"
#include "config/diff.h"

static struct snapshot *
build(const char *text)
{
	struct config_errors errors;
	struct snapshot *snapshot = NULL;

	config_errors_init(&errors, "/w.yaml", bytes_from(text));
	if (snapshot_build(bytes_from(text), "/w.yaml", &errors, &snapshot) < 0)
		config_errors_print(&errors, stderr, false);
	config_errors_fini(&errors);
	assert_non_null(snapshot);
	return snapshot;
}

static void
collect(void *arg, const char *text)
{
	struct appender *into = arg;

	append_text(into, text);
	append_char(into, '\n');
}

static void
differ(const char *before, const char *after, const char *expected)
{
	struct snapshot *old = build(before), *new = build(after);
	char text[4096];
	struct appender into = appender_over(text, sizeof(text));
	int lines = config_diff(old, new, collect, &into);

	append_char(&into, '\0');
	assert_string_equal(text, expected);
	assert_int_equal(lines == 0, expected[0] == '\0');
	snapshot_free(old);
	snapshot_free(new);
}

#define SITE "sites: [{listen: 127.0.0.1:80, routes: [{respond: x}]}]\n"
#define POOLS                                                                  \
	"sites: [{listen: 127.0.0.1:80, routes: [{reverse: p}]}]\n"            \
	"pools:\n"

static void
test_program(void **state)
{
	differ(SITE, SITE "# a comment\n", "");
	differ(SITE, "limits: {idle_timeout: 30s}\n" SITE,
	    "limits.idle_timeout 75s -> 30s\n"
	    "site default: limits.idle_timeout 75s -> 30s\n");
	differ("log: {level: info}\n" SITE,
	    "log: {error: {to: a.log, level: debug}, access: off}\n" SITE,
	    "log.level info -> debug\n"
	    "log.error stderr -> /a.log\n"
	    "log.access stdout -> off\n");
	differ("admin: {listen: 127.0.0.1:9, token: 0123456789abcdef}\n" SITE,
	    "admin: {listen: 127.0.0.1:9, token: 0123456789abcdeF}\n" SITE,
	    "admin.token changed\n");
	differ(SITE, "trust: 10.0.0.0/8\nuser: x\n" SITE,
	    "user nothing -> x\ntrust changed\n");
	differ(SITE, "limits: {idle_timeout: 75s}\n" SITE,
	    "the top level is written differently\n");
}

static void
test_sites(void **state)
{
	differ(SITE,
	    "sites: [{listen: [127.0.0.1:80, 127.0.0.1:81], routes: "
	    "[{respond: x}]}, {hosts: [a], listen: 127.0.0.1:81, routes: "
	    "[{respond: y}]}]\n",
	    "listener 127.0.0.1:81 added\n"
	    "site default: listens on 127.0.0.1:81\n"
	    "site a added\n");
	differ("sites:\n"
	       "  - hosts: [a, b]\n"
	       "    listen: 127.0.0.1:80\n"
	       "    routes:\n"
	       "      - {path: /a, respond: a}\n"
	       "      - {path: /b, respond: b}\n",
	    "sites:\n"
	    "  - hosts: [a, c]\n"
	    "    listen: 127.0.0.1:80\n"
	    "    routes:\n"
	    "      - {path: /b, respond: b}\n"
	    "      - {path: /a, respond: c}\n",
	    "site a: host b removed\n"
	    "site a: host c added\n"
	    "site a: the route of line 5 of the file before is gone or was "
	    "changed\n"
	    "site a: the route of line 6 is new or was changed\n");
}

static void
test_pools(void **state)
{
	differ(POOLS "  p: {servers: [10.0.0.1:1, 10.0.0.2:1], health: /a}\n",
	    POOLS "  p: {servers: [{weight: 2, address: 10.0.0.1:1}, "
		  "10.0.0.3:1], health: {http: /b, every: 1s, expect: "
		  "{status: 200}}, panic: 20%}\n"
		  "  q: 10.0.0.1:1\n",
	    "pool p: server 10.0.0.2:1 removed\n"
	    "pool p: server 10.0.0.1:1: weight 1 -> 2\n"
	    "pool p: server 10.0.0.3:1 added\n"
	    "pool p: health.http /a -> /b\n"
	    "pool p: health.every 2s -> 1s\n"
	    "pool p: panic 0% -> 20%\n"
	    "pool p: health.expect.status 200-399 -> 200-200\n"
	    "pool q added\n");
	differ(POOLS "  p: {servers: 10.0.0.1:1, balance: hash, hash: uri}\n",
	    POOLS "  p: {servers: 10.0.0.1:1, balance: hash_ring, hash: path, "
		  "health: tcp}\n",
	    "pool p: balance hash -> hash_ring\n"
	    "pool p: hash.on changed\n"
	    "pool p: the kind of health check changed\n");
}

static void
test_restart(void **state)
{
	struct snapshot *old = build(SITE);
	struct snapshot *same = build("limits: {body_bytes: 1}\n" SITE);
	struct snapshot *new = build(
	    "runtime: {threads: 3}\nuser: www-data\nadmin: /a.sock\n" SITE);
	char why[64];

	assert_false(config_needs_restart(old, same, why, sizeof(why)));
	assert_string_equal(why, "");
	assert_true(config_needs_restart(old, new, why, sizeof(why)));
	assert_string_equal(why, "runtime.threads, user");
	snapshot_free(old);
	snapshot_free(same);
	snapshot_free(new);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_program),
	    cmocka_unit_test(test_sites),
	    cmocka_unit_test(test_pools),
	    cmocka_unit_test(test_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
