#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "config/config.h"
#include "config/regex.h"
#include "config/snapshot.h"

/* A file that must be right. */
static struct snapshot *
build(const char *text)
{
	struct config_errors errors;
	struct snapshot *snapshot = NULL;
	int r;

	config_errors_init(&errors, "/etc/weir/weir.yaml", bytes_from(text));
	r = snapshot_build(
	    bytes_from(text), "/etc/weir/weir.yaml", &errors, &snapshot);
	if (r < 0)
		config_errors_print(&errors, stderr, false);
	assert_int_equal(r, 0);
	assert_int_equal(errors.count, 0);
	config_errors_fini(&errors);
	return snapshot;
}

#define assert_text(bytes_, text_)                                             \
	do {                                                                   \
		struct bytes b_ = (bytes_);                                    \
		assert_non_null(b_.at);                                        \
		assert_int_equal(b_.length, strlen(text_));                    \
		assert_memory_equal(b_.at, (text_), b_.length);                \
	} while (0)

static void
test_program(void **state)
{
	struct snapshot *s = build(
	    "runtime: {threads: 4, backend: epoll}\n"
	    "user: www-data\n"
	    "pid_file: run/weir.pid\n"
	    "shutdown: {drain: 1m30s}\n"
	    "trust: [10.0.0.0/8, 127.0.0.1, '::1']\n"
	    "limits: {request_line: 4KiB, connections: 1000, min_rate: 1KB}\n"
	    "log: {level: debug, access: {to: ./a.log, format: json}}\n"
	    "resolver: {resolv_conf: own/resolv.conf, hosts: /h}\n"
	    "admin: {socket: /run/w.sock, listen: '[::1]:9180', token: "
	    "0123456789abcdef}\n"
	    "sites: [{listen: 80, routes: [{respond: x}]}]\n");

	assert_int_equal(s->threads, 4);
	assert_text(s->backend, "epoll");
	assert_int_equal(s->resolver.use, RESOLVER_OWN);
	assert_text(s->resolver.resolv_conf, "/etc/weir/own/resolv.conf");
	assert_text(s->resolver.hosts, "/h");
	assert_text(s->user, "www-data");
	assert_null(s->group.at);
	assert_text(s->pid_file, "/etc/weir/run/weir.pid");
	assert_int_equal(s->drain_timeout.ns, 90 * INT64_C(1000000000));
	assert_int_equal(s->trusted_count, 3);
	assert_int_equal(s->trusted[0].bits, 104);
	assert_int_equal(s->trusted[0].address[10], 0xff);
	assert_int_equal(s->trusted[0].address[12], 10);
	assert_int_equal(s->trusted[1].bits, 128);
	assert_int_equal(s->trusted[2].address[15], 1);
	assert_int_equal(s->limits.request_line, 4096);
	assert_int_equal(s->limits.header_bytes, 32768); /* default */
	assert_int_equal(s->limits.min_rate, 1000);
	assert_int_equal(s->connections_max, 1000);
	assert_text(s->log.error_to, "stderr");
	assert_int_equal(s->log.error_level, 3);
	assert_text(s->log.access_to, "/etc/weir/a.log");
	assert_int_equal(s->log.access_format, LOG_FORMAT_JSON);
	assert_text(s->admin.socket, "/run/w.sock");
	assert_text(s->admin.listen, "[::1]:9180");
	assert_text(s->admin.token, "0123456789abcdef");
	snapshot_free(s);
}

static void
test_sites(void **state)
{
	struct snapshot *s = build(
	    "limits: {body_bytes: 1MiB, idle_timeout: 9s}\n"
	    "sites:\n"
	    "  - hosts: [Shop.Example.com, '*.example.com']\n"
	    "    listen: [80, '127.0.0.1:8080', {address: 'unix:run/x.sock', "
	    "backlog: 16}]\n"
	    "    limits: {body_bytes: 10MiB}\n"
	    "    routes: [{respond: 404, limits: {body_bytes: 5}}, ]\n"
	    "  - listen: [127.0.0.1:8080, '[::]:81']\n"
	    "    routes: [{respond: {body: '404', type: text/html}}]\n");
	const struct config_site *site = &s->sites[0];

	assert_int_equal(s->site_count, 2);
	assert_int_equal(s->listener_count, 5);
	assert_text(s->listeners[0].address.text, "0.0.0.0:80");
	assert_false(s->listeners[0].optional);
	assert_text(s->listeners[1].address.text, "[::]:80");
	assert_true(s->listeners[1].optional);
	assert_int_equal(s->listeners[1].backlog, 4096);
	assert_text(s->listeners[3].address.text, "unix:/etc/weir/run/x.sock");
	assert_int_equal(s->listeners[3].backlog, 16);
	assert_false(s->listeners[4].optional);
	assert_int_equal(s->listeners[2].default_site, 1);
	assert_int_equal(s->listeners[0].default_site, -1);
	assert_int_equal(snapshot_listener_find(s, BYTES("[::]:81")), 4);
	assert_int_equal(snapshot_listener_find(s, BYTES("[::]:82")), -1);

	assert_text(site->name, "shop.example.com");
	assert_text(site->hosts[1], "*.example.com");
	assert_int_equal(site->listener_count, 4);
	assert_int_equal(site->limits.body_bytes, 10 << 20);
	assert_int_equal(site->limits.idle_timeout.ns, 9000000000);
	assert_int_equal(site->routes[0].body_bytes, 5);
	assert_int_equal(site->routes[0].respond->status, 404);
	assert_int_equal(site->routes[0].respond->body.length, 0);
	assert_text(s->sites[1].name, "default");
	assert_text(s->sites[1].hosts[0], "*");
	assert_int_equal(s->sites[1].where.line, 7);
	assert_int_equal(s->sites[1].limits.body_bytes, 1 << 20);
	assert_int_equal(s->sites[1].routes[0].body_bytes, 1 << 20);
	assert_text(s->sites[1].routes[0].respond->body, "404");
	assert_text(s->sites[1].routes[0].respond->content_type, "text/html");
	snapshot_free(s);
}

static void
test_routes(void **state)
{
	struct snapshot *s = build(
	    "sites:\n"
	    "  - listen: 80\n"
	    "    routes:\n"
	    "      - {path: /static/, files: /}\n"
	    "      - path: /api/\n"
	    "        methods: [GET, PURGE]\n"
	    "        headers: {X-A: 1, X-B: {present: true}, X-C: {absent: "
	    "true}, X-D: {regex: ^a}}\n"
	    "        log: false\n"
	    "        reverse: {pool: p, strip_prefix: true, host: server,\n"
	    "          request_headers: {X-Y: b, Cookie: null}}\n"
	    "      - {exact: /ping, files: {root: /, index: [a, b],\n"
	    "         precompressed: [zstd, gzip], not_found: /404.html}}\n"
	    "      - {regex: '^/(a|b)/(.*)$', redirect: {to: '/{2}', status: "
	    "308}}\n"
	    "      - {methods: TRACE, reverse: p}\n"
	    "pools: {p: 127.0.0.1:1}\n");
	const struct config_route *r = s->sites[0].routes;
	struct bytes captures[10];

	assert_int_equal(s->sites[0].route_count, 5);
	assert_int_equal(r[0].match, PATH_PREFIX);
	assert_text(r[0].path, "/static/");
	assert_text(r[0].files->root, "/");
	assert_text(r[0].files->index[0], "index.html");
	assert_true(r[0].files->mount);
	assert_true(r[0].log);
	assert_int_equal(r[1].index, 1);
	assert_int_equal(r[1].where.line, 5);
	assert_int_equal(r[1].methods, 3); /* GET and HEAD */
	assert_text(r[1].method_names[0], "PURGE");
	assert_int_equal(r[1].header_count, 4);
	assert_text(r[1].headers[0].exact, "1");
	assert_null(r[1].headers[1].exact.at);
	assert_false(r[1].headers[1].absent);
	assert_true(r[1].headers[2].absent);
	assert_true(
	    config_regex_match(r[1].headers[3].regex, BYTES("ab"), NULL));
	assert_false(
	    config_regex_match(r[1].headers[3].regex, BYTES("ba"), NULL));
	assert_false(r[1].log);
	assert_true(r[1].reverse->strip_prefix);
	assert_true(r[1].reverse->host_of_server);
	assert_ptr_equal(r[1].reverse->pool, &s->pools[0]);
	assert_text(r[1].reverse->request_headers[0].value, "b");
	assert_null(r[1].reverse->request_headers[1].value.at);
	assert_int_equal(r[1].reverse->response_timeout.ns, 60000000000);
	assert_false(r[2].files->mount);
	assert_int_equal(r[2].files->index_count, 2);
	assert_text(r[2].files->precompressed[0], "zstd");
	assert_text(r[2].files->not_found, "404.html");
	assert_int_equal(r[3].redirect->status, 308);
	assert_true(config_regex_match(r[3].regex, BYTES("/b/c/d"), captures));
	assert_text(captures[0], "/b/c/d");
	assert_text(captures[2], "c/d");
	assert_null(captures[3].at);
	assert_int_equal(r[4].match, PATH_ANY);
	assert_true(r[4].trace_allowed);
	snapshot_free(s);
}

static void
test_pools(void **state)
{
	struct snapshot *s = build(
	    "sites: [{listen: 80, routes: [{path: /a, reverse: a}, {path: /b, "
	    "reverse: b}, {reverse: c}]}]\n"
	    "pools:\n"
	    "  a:\n"
	    "    servers: [10.0.0.1:8080, {address: '10.0.0.2:8080', weight: "
	    "2, max_requests: 7, backup: true, name: two}, 'unix:app.sock', "
	    "'App.internal:80', '[fd00::1]:1']\n"
	    "    max_requests: 9\n"
	    "    balance: hash_ring\n"
	    "    hash: cookie:sid\n"
	    "    health: {http: /up, expect: {status: 200, body: ok}, port: "
	    "9}\n"
	    "    retry: {budget: 0%}\n"
	    "    queue: {max: 5}\n"
	    "  b: [127.0.0.1:1]\n"
	    "  c: {servers: 127.0.0.1:1, health: tcp, slow_start: 1m, hash: "
	    "{on: 'header:X-K', bound: 0}, balance: hash}\n");
	const struct config_pool *a = snapshot_pool_find(s, BYTES("a"));
	const struct config_pool *c = snapshot_pool_find(s, BYTES("c"));

	assert_null(snapshot_pool_find(s, BYTES("d")));
	assert_int_equal(a->server_count, 5);
	assert_text(a->servers[0].name, "10.0.0.1:8080");
	assert_int_equal(a->servers[0].weight, 1);
	assert_int_equal(a->servers[0].max_requests, 9);
	assert_int_equal(a->servers[1].max_requests, 7);
	assert_true(a->servers[1].backup);
	assert_text(a->servers[1].name, "two");
	assert_text(a->servers[2].name, "unix:/etc/weir/app.sock");
	assert_text(a->servers[3].address.text, "app.internal:80");
	assert_text(a->servers[3].address.name, "app.internal");
	assert_int_equal(a->servers[3].address.length, 0);
	assert_int_equal(a->servers[3].address.port, 80);
	assert_text(a->servers[4].address.text, "[fd00::1]:1");
	assert_text(a->balance, "hash_ring");
	assert_int_equal(a->hash_on, HASH_COOKIE);
	assert_text(a->hash_name, "sid");
	assert_int_equal(a->hash_bound_percent, 0);
	assert_int_equal(a->health.kind, CHECK_HTTP);
	assert_text(a->health.path, "/up");
	assert_int_equal(a->health.status_min, 200);
	assert_int_equal(a->health.status_max, 200);
	assert_text(a->health.method, "GET");
	assert_int_equal(a->health.jitter_percent, 10);
	assert_int_equal(a->health.port, 9);
	assert_int_equal(a->queue_max, 5);
	assert_int_equal(a->queue_timeout.ns, 5000000000);
	assert_int_equal(a->retry_attempts, 2);
	assert_int_equal(a->retry_percent, 0);
	assert_int_equal(s->pools[1].health.kind, CHECK_NONE);
	assert_int_equal(s->pools[1].index, 1);
	assert_int_equal(c->health.kind, CHECK_TCP);
	assert_int_equal(c->hash_on, HASH_HEADER);
	assert_int_equal(c->hash_bound_percent, 0);
	assert_int_equal(c->slow_start.ns, 60000000000);
	snapshot_free(s);
}

/* Anchors, aliases, merges: explicit keys win, then earlier mappings. */
static void
test_merges(void **state)
{
	struct snapshot *s = build(
	    "sites: [{listen: 80, routes: [{path: /a, reverse: a}, {reverse: "
	    "b}]}]\n"
	    "pools:\n"
	    "  a: &a\n"
	    "    servers: &servers [10.0.0.1:1]\n"
	    "    keepalive: 3\n"
	    "    panic: 20%\n"
	    "  b:\n"
	    "    <<: [{keepalive: 5}, *a]\n"
	    "    panic: 30%\n");
	const struct config_pool *b = snapshot_pool_find(s, BYTES("b"));

	assert_int_equal(b->keepalive, 5);
	assert_int_equal(b->panic_percent, 30);
	assert_int_equal(b->server_count, 1);
	snapshot_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_program),
	    cmocka_unit_test(test_sites),
	    cmocka_unit_test(test_routes),
	    cmocka_unit_test(test_pools),
	    cmocka_unit_test(test_merges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
