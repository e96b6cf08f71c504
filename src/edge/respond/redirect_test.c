#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edge/respond/respond.h"
#include "http/exchange_fake.h"

static struct exchange_fake fake;

struct row {
	const char *to;
	const char *path;
	const char *capture; /* {1} */
	const char *expected;
};

static const struct row rows[] = {
    {"https://{host}{uri}", "/a?b=c", NULL, "https://example.com/a?b=c"},
    {"https://{host}{uri}", "/a", NULL, "https://example.com/a"},
    {"https://{host}{uri}", "/a?", NULL, "https://example.com/a?"},
    {"{scheme}://{host}:{port}{path}", "/x?y", NULL, "http://example.com:80/x"},
    {"/new?old={query}", "/x?a=1&b=2", NULL, "/new?old=a=1&b=2"},
    {"/new?{query}", "/x", NULL, "/new?"},
    {"/u/{1}/profile", "/user/7", "7", "/u/7/profile"},
    {"/{2}", "/", "x", "/"},
    {"/{0}/{nothing}/{/}", "/", NULL, "/%7B0%7D/%7Bnothing%7D/%7B/%7D"},
    {"/{", "/", NULL, "/%7B"},
    {"/caf\xc3\xa9 x", "/", NULL, "/caf%C3%A9%20x"},
    {"/%20", "/", NULL, "/%20"},
    {"//cdn.example.com{path}", "/a", NULL, "//cdn.example.com/a"},
    {"https://example.com:8443{path}", "/a", NULL,
	"https://example.com:8443/a"},
    {"https://h{uri}", "/a//b?c=//d", NULL, "https://h/a//b?c=//d"},
    /* a client does not choose the host */
    {"/{1}", "/", "/evil.example", "/evil.example"},
    {"/{1}", "/", "///evil.example", "/evil.example"},
    {"/{2}{1}", "/", "//evil.example", "/evil.example"},
    {"{1}", "/", "//evil.example", "/evil.example"},
    {"/a{1}", "/", "//b", "/a//b"},
    {"https://{host}{1}", "/", "@evil.example/",
	"https://example.com%40evil.example/"},
    {"https://{1}.example.com/", "/", "shop", "https://shop.example.com/"},
    {"https://{1}.example.com/", "/", "a\\b", "https://a%5Cb.example.com/"},
    {"https://{host}{1}", "/", "/a@b", "https://example.com/a@b"},
    /* nor ends the field */
    {"/x/{1}", "/", "a\r\nSet-Cookie: b", "/x/a%0D%0ASet-Cookie:%20b"},
    {"/x?{query}", "/x?a\"<b>", NULL, "/x?a%22%3Cb%3E"},
};

static void
test_rows(void **state)
{
	for (size_t i = 0; i < array_count(rows); i++) {
		char text[256];
		struct appender got = appender_over(text, sizeof(text));

		fake_init(&fake, HTTP_GET, rows[i].path);
		fake.ex.captures[1] = bytes_from(rows[i].capture);
		assert_int_equal(
		    redirect_expand(&fake.ex, bytes_from(rows[i].to), &got), 0);
		append_char(&got, '\0');
		assert_string_equal(text, rows[i].expected);
		fake_fini(&fake);
	}
}

static void
test_hosts(void **state)
{
	char text[64];
	struct appender got = appender_over(text, sizeof(text));

	fake_init(&fake, HTTP_GET, "/");
	fake.ex.request.host = BYTES("::1");
	fake.ex.request.port = 8080;
	fake.ex.scheme = BYTES("https");
	assert_int_equal(
	    redirect_expand(&fake.ex, BYTES("{scheme}://{host}:{port}/"), &got),
	    0);
	assert_true(
	    bytes_equal(appender_bytes(&got), BYTES("https://[::1]:8080/")));
	fake_fini(&fake);
}

static void
test_overflow(void **state)
{
	char text[8];

	fake_init(&fake, HTTP_GET, "/abcdefg");
	for (size_t room = 0; room < 9; room++) {
		struct appender got = appender_over(text, min_of(room, 8ul));

		assert_int_equal(
		    redirect_expand(&fake.ex, BYTES("{path}"), &got),
		    room >= 8 ? 0 : -ENAMETOOLONG);
	}
	fake_fini(&fake);
}

static void
test_answer(void **state)
{
	const struct config_redirect config = {
	    .status = 308, .to = BYTES("https://{host}{uri}")};

	fake_init(&fake, HTTP_GET, "/a?b=1&c=2");
	fake.route.redirect = &config;
	assert_int_equal(redirect_feature.handle(&fake.ex), 0);
	assert_int_equal(fake.status, 308);
	assert_string_equal(
	    fake_field(&fake, "Location"), "https://example.com/a?b=1&c=2");
	assert_string_equal(
	    fake_field(&fake, "Content-Type"), "text/html; charset=utf-8");
	fake.body[fake.body_length] = '\0';
	assert_non_null(
	    strstr(fake.body, "href=\"https://example.com/a?b=1&amp;c=2\""));
	fake_fini(&fake);
}

static void
test_respond(void **state)
{
	struct config_pair headers[] = {
	    {BYTES("X-One"), BYTES("1")},
	    {BYTES("content-type"), BYTES("text/css")},
	};
	const struct config_respond config = {.status = 200,
	    .body = BYTES("hello\n"),
	    .content_type = BYTES("text/plain"),
	    .headers = headers,
	    .header_count = 2};

	fake_init(&fake, HTTP_POST, "/");
	fake.route.respond = &config;
	assert_int_equal(respond_feature.handle(&fake.ex), 0);
	assert_int_equal(fake.status, 200);
	assert_true(fake_body_is(&fake, "hello\n"));
	assert_string_equal(fake_field(&fake, "X-One"), "1");
	assert_string_equal(fake_field(&fake, "Content-Type"), "text/css");

	fake_again(&fake, HTTP_HEAD, "/");
	assert_int_equal(respond_feature.handle(&fake.ex), 0);
	assert_int_equal(fake.length, 6);
	assert_int_equal(fake.body_length, 0);
	fake_fini(&fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_hosts),
	    cmocka_unit_test(test_overflow),
	    cmocka_unit_test(test_answer),
	    cmocka_unit_test(test_respond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
