#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "http/router.h"

static unsigned first_listener[] = {0};

static struct bytes shop_hosts[] = {
    {"shop.example", 12}, {"*.shop.example", 14}, {"*.a.shop.example", 16}};

static struct config_route routes[] = {
    {.index = 0, .match = PATH_EXACT, .path = {"/exact", 6}},
    {.index = 1, .match = PATH_PREFIX, .path = {"/api", 4}},
    {.index = 2, .match = PATH_PREFIX, .path = {"/dir/", 5}},
    {.index = 3,
	.match = PATH_EXACT,
	.path = {"/get", 4},
	.methods = 1u << HTTP_GET | 1u << HTTP_HEAD},
    {.index = 4,
	.match = PATH_EXACT,
	.path = {"/get", 4},
	.methods = 1u << HTTP_PUT},
};

static struct config_site sites[] = {
    {.index = 0,
	.name = {"shop", 4},
	.hosts = shop_hosts,
	.host_count = 3,
	.listeners = first_listener,
	.listener_count = 1,
	.routes = routes,
	.route_count = array_count(routes),
	.limits = {.header_bytes = 100, .header_count = 7}},
    {.index = 1,
	.name = {"default", 7},
	.listeners = first_listener,
	.listener_count = 1,
	.limits = {.header_bytes = 50, .header_count = 9}},
};

static struct config_listener listeners[] = {
    {.default_site = 1}, {.default_site = -1}};

static const struct snapshot snapshot = {
    .sites = sites,
    .site_count = 2,
    .listeners = listeners,
    .listener_count = 2,
};

static void
hosts(void **state)
{
	static const struct {
		const char *host;
		int site;
	} cases[] = {
	    {"shop.example", 0},
	    {"www.shop.example", 0},
	    {"x.y.shop.example", 0},
	    {"b.a.shop.example", 0},
	    {"xshop.example", 1},
	    {"example", 1},
	    {".shop.example", 1},
	    {"", 1},
	    {"a", 1},
	    {"other.test", 1},
	};
	struct router router;

	assert_int_equal(router_init(&router, &snapshot), 0);
	for (unsigned i = 0; i < array_count(cases); i++)
		assert_ptr_equal(
		    router_site(&router, 0, bytes_from(cases[i].host)),
		    &sites[cases[i].site]);
	/* A listener that no site uses and that has no default. */
	assert_null(router_site(&router, 1, bytes_from("shop.example")));
	assert_int_equal(router.listeners[0].limits.header_bytes, 100);
	assert_int_equal(router.listeners[0].limits.header_count, 9);
	router_fini(&router);
	(void)state;
}

static void
paths(void **state)
{
	static const struct {
		const char *path;
		enum http_method method;
		int route; /* or an error */
		const char *matched;
	} cases[] = {
	    {"/exact", HTTP_GET, 0, "/exact"},
	    {"/exact/", HTTP_GET, E_NO_ROUTE, ""},
	    {"/api", HTTP_GET, 1, "/api"},
	    {"/api/x", HTTP_POST, 1, "/api"},
	    {"/apix", HTTP_GET, E_NO_ROUTE, ""},
	    {"/dir", HTTP_GET, E_NO_ROUTE, ""},
	    {"/dir/", HTTP_GET, 2, "/dir/"},
	    {"/dir/a/b", HTTP_GET, 2, "/dir/"},
	    {"/get", HTTP_HEAD, 3, "/get"},
	    {"/get", HTTP_PUT, 4, "/get"},
	    {"/get", HTTP_DELETE, E_METHOD_REFUSED, ""},
	    {"/get", HTTP_METHOD_OTHER, E_METHOD_REFUSED, ""},
	};

	for (unsigned i = 0; i < array_count(cases); i++) {
		struct http_head head;
		struct router_match match;
		int r;

		http_head_init(&head);
		head.path = bytes_from(cases[i].path);
		head.method = (uint8_t)cases[i].method;
		r = router_route(&sites[0], &head, &match);
		if (cases[i].route < 0) {
			assert_int_equal(r, cases[i].route);
			continue;
		}
		assert_int_equal(r, 0);
		assert_ptr_equal(match.route, &routes[cases[i].route]);
		assert_true(
		    bytes_equal(match.matched, bytes_from(cases[i].matched)));
	}
	(void)state;
}

static void
methods_allowed_are_told(void **state)
{
	struct http_head head;
	struct router_match match;

	http_head_init(&head);
	head.path = BYTES("/get");
	head.method = HTTP_DELETE;
	assert_int_equal(
	    router_route(&sites[0], &head, &match), E_METHOD_REFUSED);
	assert_int_equal(
	    match.allowed, 1u << HTTP_GET | 1u << HTTP_HEAD | 1u << HTTP_PUT);
	(void)state;
}

static void
fields_decide(void **state)
{
	struct config_header_match wants[] = {
	    {.name = {"X-A", 3}, .exact = {"1", 1}},
	    {.name = {"X-B", 3}, .absent = true},
	};
	struct config_route route = {
	    .match = PATH_ANY, .headers = wants, .header_count = 2};
	struct config_site site = {.routes = &route, .route_count = 1};
	struct router_match match;
	struct http_head head;

	http_head_init(&head);
	head.path = BYTES("/");
	assert_int_equal(router_route(&site, &head, &match), E_NO_ROUTE);
	assert_int_equal(
	    http_head_add_named(&head, BYTES("x-a"), BYTES("1")), 0);
	assert_int_equal(router_route(&site, &head, &match), 0);
	assert_int_equal(
	    http_head_add_named(&head, BYTES("X-B"), BYTES("")), 0);
	assert_int_equal(router_route(&site, &head, &match), E_NO_ROUTE);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hosts),
	    cmocka_unit_test(paths),
	    cmocka_unit_test(methods_allowed_are_told),
	    cmocka_unit_test(fields_decide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
