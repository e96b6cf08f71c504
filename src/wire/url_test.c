/*
 * url_test.c - authorities, references, dot segments, escapes
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "wire/url.h"

static void
ipv6(void **state)
{
	static const struct {
		struct bytes text;
		bool valid;
	} rows[] = {
	    {BYTES("[::]"), true},
	    {BYTES("[::1]"), true},
	    {BYTES("[1::]"), true},
	    {BYTES("[1:2:3:4:5:6:7:8]"), true},
	    {BYTES("[1:2:3:4:5:6:7::]"), true},
	    {BYTES("[::2:3:4:5:6:7:8]"), true},
	    {BYTES("[1::3:4:5:6:7:8]"), true},
	    {BYTES("[2001:DB8::ff00:42]"), true},
	    {BYTES("[::ffff:192.0.2.1]"), true},
	    {BYTES("[1:2:3:4:5:6:192.0.2.1]"), true},
	    {BYTES("[]"), false},
	    {BYTES("[:]"), false},
	    {BYTES("[:::]"), false},
	    {BYTES("[:1]"), false},
	    {BYTES("[1:]"), false},
	    {BYTES("[1]"), false},
	    {BYTES("[1::2::3]"), false},
	    {BYTES("[12345::]"), false},
	    {BYTES("[g::]"), false},
	    {BYTES("[1:2:3:4:5:6:7]"), false},
	    {BYTES("[1:2:3:4:5:6:7:8:9]"), false},
	    {BYTES("[1:2:3:4:5:6:7:8::]"), false},
	    {BYTES("[1:2:3:4::5:6:7:8]"), false},
	    {BYTES("[1:2:3:4:5:6:7:192.0.2.1]"), false},
	    {BYTES("[::192.0.2]"), false},
	    {BYTES("[::192.0.2.256]"), false},
	    {BYTES("[::192.0.02.1]"), false},
	    {BYTES("[::192.0.2.1.1]"), false},
	    {BYTES("[::192.0.2.1:1]"), false},
	    {BYTES("[fe80::1%25eth0]"), false},
	    {BYTES("[v1.a]"), false},
	};

	for (size_t i = 0; i < array_count(rows); i++) {
		struct bytes host;
		uint16_t port;
		bool six;

		assert_int_equal(
		    url_parse_authority(rows[i].text, &host, &six, &port),
		    rows[i].valid ? 0 : E_URL_BAD_AUTHORITY);
	}
}

static void
authorities(void **state)
{
	static const struct {
		struct bytes text;
		const char *host; /* NULL: refused */
		unsigned port;
	} rows[] = {
	    {BYTES("a"), "a", 0},
	    {BYTES("a.b-c_d~:65535"), "a.b-c_d~", 65535},
	    {BYTES("a."), "a.", 0},
	    {BYTES("192.0.2.1:1"), "192.0.2.1", 1},
	    {BYTES("[::1]:00080"), "::1", 80},
	    {BYTES(""), NULL, 0},
	    {BYTES(":80"), NULL, 0},
	    {BYTES("a:"), NULL, 0},
	    {BYTES("a:0"), NULL, 0},
	    {BYTES("a:65536"), NULL, 0},
	    {BYTES("a:000080"), NULL, 0},
	    {BYTES("a:8 0"), NULL, 0},
	    {BYTES("a:80:80"), NULL, 0},
	    {BYTES("."), NULL, 0},
	    {BYTES("a..b"), NULL, 0},
	    {BYTES("a.."), NULL, 0},
	    {BYTES(".a"), NULL, 0},
	    {BYTES("a@b"), NULL, 0},
	    {BYTES("a/b"), NULL, 0},
	    {BYTES("a%41"), NULL, 0},
	    {BYTES("a,b"), NULL, 0},
	    {BYTES("a b"), NULL, 0},
	    {BYTES("a\0b"), NULL, 0},
	    {BYTES("\xc3\xa9"), NULL, 0},
	    {BYTES("[::1"), NULL, 0},
	    {BYTES("[::1]a"), NULL, 0},
	    {BYTES("[::1]:"), NULL, 0},
	    {BYTES("::1"), NULL, 0},
	};
	char name[257];
	struct bytes host;
	uint16_t port;
	bool six;

	for (size_t i = 0; i < array_count(rows); i++) {
		int r = url_parse_authority(rows[i].text, &host, &six, &port);

		assert_int_equal(
		    r, rows[i].host != NULL ? 0 : E_URL_BAD_AUTHORITY);
		if (r < 0)
			continue;
		assert_true(bytes_equal(host, bytes_from(rows[i].host)));
		assert_int_equal(port, rows[i].port);
	}
	memset(name, 'a', sizeof(name));
	assert_int_equal(
	    url_parse_authority(bytes_of(name, 255), &host, &six, &port), 0);
	assert_int_equal(
	    url_parse_authority(bytes_of(name, 256), &host, &six, &port),
	    E_URL_BAD_AUTHORITY);
}

static void
references(void **state)
{
	static const struct {
		struct bytes text;
		int result;
		const char *scheme, *host, *path, *query, *fragment;
	} rows[] = {
	    {BYTES(""), 0, NULL, NULL, "", NULL, NULL},
	    {BYTES("a/b:c"), 0, NULL, NULL, "a/b:c", NULL, NULL},
	    {BYTES("?#"), 0, NULL, NULL, "", "", ""},
	    {BYTES("#a?b"), 0, NULL, NULL, "", NULL, "a?b"},
	    {BYTES("unix:/run/x"), 0, "unix", NULL, "/run/x", NULL, NULL},
	    {BYTES("//h?q"), 0, NULL, "h", "", "q", NULL},
	    {BYTES("a+b-1.c://h"), 0, "a+b-1.c", "h", "", NULL, NULL},
	    {BYTES("1a:b"), E_URL_BAD_FORM, 0, 0, 0, 0, 0},
	    {BYTES("a_b:c"), E_URL_BAD_FORM, 0, 0, 0, 0, 0},
	    {BYTES(":a"), E_URL_BAD_FORM, 0, 0, 0, 0, 0},
	    {BYTES("http://"), E_URL_BAD_AUTHORITY, 0, 0, 0, 0, 0},
	    {BYTES("http://a@b@c/"), E_URL_BAD_AUTHORITY, 0, 0, 0, 0, 0},
	    {BYTES("http://u%4/@h"), E_URL_BAD_AUTHORITY, 0, 0, 0, 0, 0},
	    {BYTES("http://u%4@h"), E_URL_BAD_ESCAPE, 0, 0, 0, 0, 0},
	    {BYTES("/a%2"), E_URL_BAD_ESCAPE, 0, 0, 0, 0, 0},
	    {BYTES("/?%"), E_URL_BAD_ESCAPE, 0, 0, 0, 0, 0},
	    {BYTES("/\\"), E_URL_BAD_CHAR, 0, 0, 0, 0, 0},
	    {BYTES("/?\0"), E_URL_BAD_CHAR, 0, 0, 0, 0, 0},
	    {BYTES("/#a#b"), E_URL_BAD_CHAR, 0, 0, 0, 0, 0},
	};

	for (size_t i = 0; i < array_count(rows); i++) {
		struct url u;

		assert_int_equal(url_parse(rows[i].text, &u), rows[i].result);
		if (rows[i].result < 0)
			continue;
		assert_true(bytes_equal(u.scheme, bytes_from(rows[i].scheme)));
		assert_true(bytes_equal(u.host, bytes_from(rows[i].host)));
		assert_true(bytes_equal(u.path, bytes_from(rows[i].path)));
		assert_true(bytes_equal(u.query, bytes_from(rows[i].query)));
		assert_int_equal(u.query.at == NULL, rows[i].query == NULL);
		assert_true(
		    bytes_equal(u.fragment, bytes_from(rows[i].fragment)));
	}
}

/* What servlet containers would read as a dot segment is refused. */
static void
dot_parameters(void **state)
{
	static const char *const refused[] = {
	    "/..;", "/a/..;/b", "/.;/b", "/a/%2e%2E;x=1/b", "/a/.%2e;"};
	static const char *const kept[] = {
	    "/...;/b", "/a;/b", "/.a;/b", "/..a/b", "/;../b"};
	char path[32];

	for (size_t i = 0; i < array_count(refused); i++) {
		memcpy(path, refused[i], strlen(refused[i]));
		assert_int_equal(url_path_normalise(path, strlen(refused[i])),
		    E_URL_DOT_PARAMETERS);
	}
	for (size_t i = 0; i < array_count(kept); i++) {
		memcpy(path, kept[i], strlen(kept[i]));
		assert_int_equal(
		    url_path_normalise(path, strlen(kept[i])), strlen(kept[i]));
		assert_memory_equal(path, kept[i], strlen(kept[i]));
	}
}

static void
escapes(void **state)
{
	char memory[32];
	struct appender a = appender_over(memory, sizeof(memory));

	assert_int_equal(url_unescape(BYTES("/a%20%C3%a9%25b"), &a), 0);
	assert_true(bytes_equal(appender_bytes(&a), BYTES("/a \xc3\xa9%b")));
	a = appender_over(memory, 2);
	assert_int_equal(url_unescape(BYTES("/%41"), &a), 0);
	a = appender_over(memory, 2);
	assert_int_equal(url_unescape(BYTES("/%41b"), &a), -ENAMETOOLONG);
	assert_int_equal(url_unescape(BYTES("%00"), &a), E_URL_NUL);
	assert_int_equal(url_unescape(BYTES("%2f"), &a), E_URL_ESCAPED_SLASH);
	assert_int_equal(url_unescape(BYTES("%4"), &a), E_URL_BAD_ESCAPE);
	a = appender_over(memory, sizeof(memory));
	url_escape_path(BYTES("/a ~%\xff!<"), &a);
	assert_true(
	    bytes_equal(appender_bytes(&a), BYTES("/a%20~%25%FF%21%3C")));
}

/* The examples of RFC 3986 §5.4 that our paths do not refuse. */
static void
joins(void **state)
{
	static const struct {
		const char *reference;
		const char *joined; /* NULL: refused */
	} rows[] = {
	    {"g", "http://a/b/c/g"},
	    {"./g", "http://a/b/c/g"},
	    {"g/", "http://a/b/c/g/"},
	    {"/g", "http://a/g"},
	    {"//g", "http://g/"},
	    {"//g:81/x", "http://g:81/x"},
	    {"//[::1]/", "http://[::1]/"},
	    {"?y", "http://a/b/c/d?y"},
	    {"g?y", "http://a/b/c/g?y"},
	    {"#s", "http://a/b/c/d?q"},
	    {"g?y#s", "http://a/b/c/g?y"},
	    {"", "http://a/b/c/d?q"},
	    {".", "http://a/b/c/"},
	    {"..", "http://a/b/"},
	    {"../g", "http://a/b/g"},
	    {"../../g", "http://a/g"},
	    {"https://other/x/../y", "https://other/y"},
	    {"../../../g", NULL},
	    {"mailto:me", NULL},
	    {"/a b", NULL},
	};
	struct url base;
	char memory[64];

	(void)state;
	assert_int_equal(url_parse(BYTES("http://a/b/c/d?q"), &base), 0);
	for (size_t i = 0; i < array_count(rows); i++) {
		struct appender a = appender_over(memory, sizeof(memory));
		int error = url_join(&base, bytes_from(rows[i].reference), &a);

		print_message("%s\n", rows[i].reference);
		assert_int_equal(error < 0, rows[i].joined == NULL);
		if (error == 0)
			assert_true(bytes_equal(
			    appender_bytes(&a), bytes_from(rows[i].joined)));
	}
	assert_int_equal(url_parse(BYTES("http://a"), &base), 0);
	struct appender a = appender_over(memory, sizeof(memory));
	assert_int_equal(url_join(&base, BYTES("g"), &a), 0);
	assert_true(bytes_equal(appender_bytes(&a), BYTES("http://a/g")));
	a = appender_over(memory, 8);
	assert_int_equal(url_join(&base, BYTES("g"), &a), -ENAMETOOLONG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ipv6),
	    cmocka_unit_test(authorities),
	    cmocka_unit_test(references),
	    cmocka_unit_test(dot_parameters),
	    cmocka_unit_test(escapes),
	    cmocka_unit_test(joins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
