/*
 * http1_request_test.c - what is a request and what is refused
 *
 * Every case is parsed whole, and again grown byte by byte with one scan kept:
 * both must end the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>

#include "base/error.h"
#include "wire/http1.h"

static const struct http1_limits limits = {
    .line_bytes = 100, .head_bytes = 400, .field_count = 8};

#define H "Host: a\r\n"

struct request_case {
	const char *text;
	int result; /* 0: a whole head */
};

static const struct request_case cases[] = {
    {"GET / HTTP/1.1\r\n" H "\r\n", 0},
    {"\r\nGET / HTTP/1.1\r\n" H "\r\n", 0},
    {"GET / HTTP/1.0\r\n\r\n", 0},
    {"M-SEARCH / HTTP/1.1\r\n" H "\r\n", 0},
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", 0},
    {"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 0},
    {"GET http://a/x HTTP/1.1\r\n" H "\r\n", 0},
    {"GET http://a HTTP/1.1\r\n" H "\r\n", 0},
    {"GET http://A?q HTTP/1.1\r\n" H "\r\n", 0},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\n" H "X:\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\n" H "X: \t a b \t\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\n" H "X: \xc3\xa4\r\n\r\n", 0},
    {"GET /?a=b&c[]=%20 HTTP/1.1\r\n" H "\r\n", 0},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" H "transfer-encoding: Chunked\r\n\r\n", 0},
    {"", -EAGAIN},
    {"G", -EAGAIN},
    {"\r", -EAGAIN},
    {"GET / HTTP/1.1\r\n" H "\r", -EAGAIN},
    {"GET / HTTP/1.1\r\n" H, -EAGAIN},
    /* lines */
    {"GET / HTTP/1.1\n" H "\r\n", E_H1_BARE_LF},
    {"\nGET / HTTP/1.1\r\n" H "\r\n", E_H1_BARE_LF},
    {"\rGET / HTTP/1.1\r\n" H "\r\n", E_H1_BARE_CR},
    {"GET / HTTP/1.1\r\n" H "X: a\n\r\n", E_H1_BARE_LF},
    {"GET / HTTP/1.1\r\n" H "\n", E_H1_BARE_LF},
    {"GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n", E_H1_BARE_CR},
    {"GET / HTTP/1.1\r\n" H "\r\r\n", E_H1_BARE_CR},
    {"\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", E_H1_BAD_METHOD},
    {"\x16\x03\x01", E_H1_BAD_METHOD},
    {"(GET) / HTTP/1.1\r\n" H "\r\n", E_H1_BAD_METHOD},
    {" GET / HTTP/1.1\r\n" H "\r\n", E_H1_BAD_METHOD},
    {"GET / HTTP/1.1 \r\n" H "\r\n", E_H1_BAD_LINE},
    {"GET  / HTTP/1.1\r\n" H "\r\n", E_H1_BAD_LINE},
    {"GET /  HTTP/1.1\r\n" H "\r\n", E_H1_BAD_LINE},
    {"GET /\r\n" H "\r\n", E_H1_BAD_LINE},
    {"GET\r\n" H "\r\n", E_H1_BAD_METHOD},
    {"GET / http/1.1\r\n" H "\r\n", E_H1_BAD_LINE},
    {"GET / HTTP/1.10\r\n" H "\r\n", E_H1_BAD_LINE},
    {"GET / HTTP/11\r\n" H "\r\n", E_H1_BAD_LINE},
    {"GET / HTTP/2.0\r\n" H "\r\n", E_H1_BAD_VERSION},
    {"GET / HTTP/1.2\r\n" H "\r\n", E_H1_BAD_VERSION},
    {"GET / HTTP/0.9\r\n" H "\r\n", E_H1_BAD_VERSION},
    {"PRI * HTTP/2.0\r\n\r\n", E_H1_BAD_VERSION},
    /* targets */
    {"GET a HTTP/1.1\r\n" H "\r\n", E_URL_BAD_FORM},
    {"GET * HTTP/1.1\r\n" H "\r\n", E_URL_BAD_FORM},
    {"GET ftp://a/ HTTP/1.1\r\n" H "\r\n", E_URL_BAD_FORM},
    {"GET /#f HTTP/1.1\r\n" H "\r\n", E_URL_BAD_CHAR},
    {"GET /?#f HTTP/1.1\r\n" H "\r\n", E_URL_BAD_CHAR},
    {"GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", E_URL_BAD_CHAR},
    {"GET /a\\b HTTP/1.1\r\n" H "\r\n", E_URL_ESCAPED_SLASH},
    {"GET /%2f HTTP/1.1\r\n" H "\r\n", E_URL_ESCAPED_SLASH},
    {"GET /%5C HTTP/1.1\r\n" H "\r\n", E_URL_ESCAPED_SLASH},
    {"GET /%00 HTTP/1.1\r\n" H "\r\n", E_URL_NUL},
    {"GET /%0d HTTP/1.1\r\n" H "\r\n", E_URL_BAD_CHAR},
    {"GET /%g0 HTTP/1.1\r\n" H "\r\n", E_URL_BAD_ESCAPE},
    {"GET /%a HTTP/1.1\r\n" H "\r\n", E_URL_BAD_ESCAPE},
    {"GET /.. HTTP/1.1\r\n" H "\r\n", E_URL_ABOVE_ROOT},
    {"GET /a/%2e%2E/../b HTTP/1.1\r\n" H "\r\n", E_URL_ABOVE_ROOT},
    {"GET http:///x HTTP/1.1\r\n" H "\r\n", E_URL_BAD_AUTHORITY},
    {"GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n", E_H1_BAD_HOST},
    {"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", E_URL_BAD_AUTHORITY},
    /* hosts */
    {"GET / HTTP/1.1\r\n\r\n", E_H1_BAD_HOST},
    {"GET / HTTP/1.1\r\n" H H "\r\n", E_H1_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", E_H1_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", E_H1_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: a..b\r\n\r\n", E_H1_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: .a\r\n\r\n", E_H1_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", E_H1_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: a:70000\r\n\r\n", E_H1_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", E_H1_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: [x]\r\n\r\n", E_H1_BAD_HOST},
    {"GET http://b/ HTTP/1.1\r\n" H "\r\n", E_H1_HOST_MISMATCH},
    {"GET http://a:80/ HTTP/1.1\r\n" H "\r\n", E_H1_HOST_MISMATCH},
    /* fields */
    {"GET / HTTP/1.1\r\n" H "X : a\r\n\r\n", E_H1_BAD_NAME},
    {"GET / HTTP/1.1\r\n" H "X\r\n\r\n", E_H1_BAD_NAME},
    {"GET / HTTP/1.1\r\n" H ": a\r\n\r\n", E_H1_BAD_NAME},
    {"GET / HTTP/1.1\r\n" H "X(: a\r\n\r\n", E_H1_BAD_NAME},
    {"GET / HTTP/1.1\r\n" H "Content_Length: 1\r\n\r\n", E_H1_BAD_NAME},
    {"GET / HTTP/1.1\r\n" H "X-Forwarded_For: 1\r\n\r\n", E_H1_BAD_NAME},
    {"GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n", E_H1_BAD_VALUE},
    {"GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n", E_H1_BAD_VALUE},
    {"GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", E_H1_FOLDED},
    {"GET / HTTP/1.1\r\n X: a\r\n" H "\r\n", E_H1_FOLDED},
    /* framing */
    {"P / HTTP/1.1\r\n" H "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
	E_H1_BAD_LENGTH},
    {"P / HTTP/1.1\r\n" H "Content-Length: 1,1\r\n\r\n", E_H1_BAD_LENGTH},
    {"P / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", E_H1_BAD_LENGTH},
    {"P / HTTP/1.1\r\n" H "Content-Length: 0x1\r\n\r\n", E_H1_BAD_LENGTH},
    {"P / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", E_H1_BAD_LENGTH},
    {"P / HTTP/1.1\r\n" H "Content-Length: 9223372036854775808\r\n\r\n",
	E_H1_BAD_LENGTH},
    {"P / HTTP/1.1\r\n" H "Content-Length: 1\r\n"
     "Transfer-Encoding: chunked\r\n\r\n",
	E_H1_LENGTH_AND_CHUNKED},
    {"P / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n",
	E_H1_CODING_IN_10},
    {"P / HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n\r\n", E_H1_BAD_CODING},
    {"P / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n",
	E_H1_BAD_CODING},
    {"P / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n",
	E_H1_BAD_CODING},
    {"P / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
     "chunked\r\n\r\n",
	E_H1_BAD_VALUE},
    {"P / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n"
     "Transfer-Encoding: chunked\r\n\r\n",
	E_H1_BAD_CODING},
    {"P / HTTP/1.1\r\n" H "Expect: tea\r\n\r\n", E_H1_BAD_EXPECT},
};

static ssize_t
parse_whole(const char *text, size_t length, struct http_head *head)
{
	/* An exact allocation lets the sanitizers see an overread. */
	char *copy = malloc(length + 1);
	struct http1_scan scan = {0};
	ssize_t r;

	memcpy(copy, text, length);
	r = http1_parse_request(&scan, copy, length, &limits, head);
	free(copy);
	return r;
}

static ssize_t
parse_growing(const char *text, size_t length, struct http_head *head)
{
	char *copy = malloc(length + 1);
	struct http1_scan scan = {0};
	ssize_t r = -EAGAIN;

	memcpy(copy, text, length);
	for (size_t n = 0; n <= length && r == -EAGAIN; n++)
		r = http1_parse_request(&scan, copy, n, &limits, head);
	free(copy);
	return r;
}

static void
every_case(void **state)
{
	for (unsigned i = 0; i < array_count(cases); i++) {
		const struct request_case *c = &cases[i];
		size_t length = strlen(c->text);
		struct http_head head;
		ssize_t whole = parse_whole(c->text, length, &head);
		ssize_t growing = parse_growing(c->text, length, &head);
		ssize_t wanted = c->result == 0 ? (ssize_t)length : c->result;

		if (whole != wanted)
			fail_msg("%s: %s, not %s", c->text,
			    error_name((int)whole), error_name((int)wanted));
		assert_int_equal(growing, whole);
	}
	(void)state;
}

static void
limits_hold(void **state)
{
	static const char line[] = "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	char many[1000] = "GET / HTTP/1.1\r\n" H;
	char large[1000] = "GET / HTTP/1.1\r\n" H "X: ";
	struct http_head head;

	assert_int_equal(
	    parse_growing(line, sizeof(line) - 1, &head), E_H1_LINE_TOO_LONG);
	for (int i = 0; i < 8; i++)
		strncat(many, "A: b\r\n", sizeof(many) - 1);
	strncat(many, "\r\n", sizeof(many) - 1);
	assert_int_equal(
	    parse_whole(many, strlen(many), &head), E_H1_TOO_MANY_FIELDS);
	memset(large + strlen(large), 'x', 500);
	assert_int_equal(
	    parse_growing(large, strlen(large), &head), E_H1_HEAD_TOO_LARGE);
	(void)state;
}

static void
parts(void **state)
{
	char text[] = "POST http://Shop.Example.:81/a/./b%41?q=1 HTTP/1.1\r\n"
		      "Host: shop.example.:81\r\n"
		      "Content-Length: 12\r\n"
		      "Connection: keep-alive, Upgrade\r\n"
		      "Upgrade: x\r\n"
		      "TE: trailers\r\n"
		      "Expect: 100-Continue\r\n\r\nbody";
	struct http1_scan scan = {0};
	struct http_head head;

	assert_int_equal(http1_parse_request(&scan, text, sizeof(text) - 1,
			     &(struct http1_limits){1000, 1000, 10}, &head),
	    sizeof(text) - 5);
	assert_int_equal(head.method, HTTP_POST);
	assert_int_equal(head.version, 11);
	assert_true(bytes_equal(head.host, BYTES("shop.example")));
	assert_int_equal(head.port, 81);
	assert_true(bytes_equal(head.path, BYTES("/a/bA")));
	assert_true(bytes_equal(head.query, BYTES("q=1")));
	assert_int_equal(head.framing, HTTP_BODY_LENGTH);
	assert_int_equal(head.content_length, 12);
	assert_true(head.keep_alive && head.upgrade && head.te_trailers &&
	    head.expect_continue);
	assert_int_equal(head.field_count, 6);
	(void)state;
}

static void
connection_options(void **state)
{
	static const struct {
		const char *text;
		bool keep_alive;
	} options[] = {
	    {"GET / HTTP/1.1\r\n" H "\r\n", true},
	    {"GET / HTTP/1.1\r\n" H "Connection: CLOSE\r\n\r\n", false},
	    {"GET / HTTP/1.1\r\n" H "Connection: x, close\r\n\r\n", false},
	    {"GET / HTTP/1.1\r\n" H
	     "Connection: close\r\nConnection: keep-alive\r\n\r\n",
		false},
	    {"GET / HTTP/1.0\r\n\r\n", false},
	    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
	    {"GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n", false},
	};

	for (unsigned i = 0; i < array_count(options); i++) {
		struct http_head head;

		assert_true(parse_whole(options[i].text,
				strlen(options[i].text), &head) > 0);
		assert_int_equal(head.keep_alive, options[i].keep_alive);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_case),
	    cmocka_unit_test(limits_hold),
	    cmocka_unit_test(parts),
	    cmocka_unit_test(connection_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
