/*
 * wire_test.c - answers, chunks, trailers, URLs, dates, and the vector routine
 * held to its scalar twin
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <time.h>

#include "base/error.h"
#include "wire/chars_find.h"
#include "wire/http1.h"
#include "wire/url.h"

static const struct http1_limits limits = {
    .line_bytes = 200, .head_bytes = 400, .field_count = 8};

/* ---- answers ---- */

static void
responses(void **state)
{
	static const struct {
		const char *text;
		enum http_method method;
		int result;
		enum http_framing framing;
	} cases[] = {
	    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", HTTP_GET, 0,
		HTTP_BODY_LENGTH},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", HTTP_HEAD, 0,
		HTTP_BODY_NONE},
	    {"HTTP/1.1 200\r\n\r\n", HTTP_GET, 0, HTTP_BODY_UNTIL_CLOSE},
	    {"HTTP/1.1 200 \r\n\r\n", HTTP_GET, 0, HTTP_BODY_UNTIL_CLOSE},
	    {"HTTP/1.0 200 OK\r\n\r\n", HTTP_GET, 0, HTTP_BODY_UNTIL_CLOSE},
	    {"HTTP/1.1 204 x\r\nContent-Length: 3\r\n\r\n", HTTP_GET, 0,
		HTTP_BODY_NONE},
	    {"HTTP/1.1 304 x\r\n\r\n", HTTP_GET, 0, HTTP_BODY_NONE},
	    {"HTTP/1.1 100 x\r\n\r\n", HTTP_GET, 0, HTTP_BODY_NONE},
	    {"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_GET,
		0, HTTP_BODY_CHUNKED},
	    {"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n"
	     "Content-Length: 3\r\n\r\n",
		HTTP_GET, E_H1_LENGTH_AND_CHUNKED, 0},
	    {"HTTP/2.0 200 OK\r\n\r\n", HTTP_GET, E_H1_BAD_STATUS, 0},
	    {"HTTP/1.1 20 OK\r\n\r\n", HTTP_GET, E_H1_BAD_STATUS, 0},
	    {"HTTP/1.1 2000 OK\r\n\r\n", HTTP_GET, E_H1_BAD_STATUS, 0},
	    {"HTTP/1.1 600 OK\r\n\r\n", HTTP_GET, E_H1_BAD_STATUS, 0},
	    {"HTTP/1.1 099 OK\r\n\r\n", HTTP_GET, E_H1_BAD_STATUS, 0},
	    {"SSH-2.0", HTTP_GET, E_H1_BAD_STATUS, 0},
	    {"HTTP/1.1 200 OK\n\n", HTTP_GET, E_H1_BARE_LF, 0},
	    {"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", HTTP_GET, E_H1_FOLDED, 0},
	    {"HTTP/1.1 200 OK\r\n", HTTP_GET, -EAGAIN, 0},
	    {"HTTP", HTTP_GET, -EAGAIN, 0},
	};

	for (unsigned i = 0; i < array_count(cases); i++) {
		size_t length = strlen(cases[i].text);
		ssize_t wanted =
		    cases[i].result == 0 ? (ssize_t)length : cases[i].result;
		char *copy = malloc(length + 1);
		struct http1_scan scan = {0};
		struct http_head head;
		ssize_t r = -EAGAIN;

		memcpy(copy, cases[i].text, length);
		for (size_t n = 0; n <= length && r == -EAGAIN; n++)
			r = http1_parse_response(
			    &scan, copy, n, &limits, cases[i].method, &head);
		if (r != wanted)
			fail_msg("%s: %s", cases[i].text, error_name((int)r));
		if (r > 0)
			assert_int_equal(head.framing, cases[i].framing);
		free(copy);
	}
	(void)state;
}

/* ---- chunks ---- */

/* The decoded body, or an error; the bytes left over in *ret_left. */
static int
chunks_decode(const char *text, size_t step, char *body, size_t *ret_left)
{
	struct http1_chunks chunks;
	size_t length = strlen(text), at = 0, end = 0, out = 0;
	int r = -EAGAIN;

	http1_chunks_init(&chunks);
	while (r == -EAGAIN && end < length) {
		end = min_of(end + step, length);
		for (;;) {
			struct bytes input = bytes_of(text + at, end - at);
			struct bytes data;

			r = http1_chunks_next(&chunks, &input, &data);
			at = end - input.length;
			if (r != 1)
				break;
			memcpy(body + out, data.at, data.length);
			out += data.length;
		}
	}
	body[out] = '\0';
	*ret_left = length - at;
	return r;
}

static void
chunked_bodies(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *body;
		size_t left;
	} cases[] = {
	    {"3\r\nabc\r\n0\r\n\r\n", 0, "abc", 2},
	    {"0\r\nX: y\r\n\r\n", 0, "", 8},
	    {"a;x=\"y\";z\r\n0123456789\r\n00\r\n", 0, "0123456789", 0},
	    {"1\r\na\r\n1\r\nb\r\n", -EAGAIN, "ab", 0},
	    {"0000000000000003\r\nabc\r\n0\r\n", 0, "abc", 0},
	    {"00000000000000003\r\nabc\r\n", E_H1_BAD_CHUNK, "", 0},
	    {"3\nabc\n0\n", E_H1_BAD_CHUNK, "", 0},
	    {"3\r\nabcd\r\n", E_H1_BAD_CHUNK, "abc", 0},
	    {"3\r\nabc\n", E_H1_BAD_CHUNK, "abc", 0},
	    {"3 \r\nabc\r\n", E_H1_BAD_CHUNK, "", 0},
	    {" 3\r\nabc\r\n", E_H1_BAD_CHUNK, "", 0},
	    {"-1\r\n", E_H1_BAD_CHUNK, "", 0},
	    {"\r\n", E_H1_BAD_CHUNK, "", 0},
	    {"0x3\r\nabc\r\n", E_H1_BAD_CHUNK, "", 0},
	    {"3;a = b ;c=\"d;\\\"\\\\e\" ; f\r\nabc\r\n0\r\n", 0, "abc", 0},
	    {"3 \t;a\r\nabc\r\n0;b\r\n", 0, "abc", 0},
	    {"3;\r\n", E_H1_BAD_CHUNK, "", 0},
	    {"3;;a\r\n", E_H1_BAD_CHUNK, "", 0},
	    {"3;a=\r\n", E_H1_BAD_CHUNK, "", 0},
	    {"3;a \r\n", E_H1_BAD_CHUNK, "", 0},
	    {"3;a b\r\n", E_H1_BAD_CHUNK, "", 0},
	    {"3;a=b \r\n", E_H1_BAD_CHUNK, "", 0},
	    {"3;a=\"b\r\n", E_H1_BAD_CHUNK, "", 0},
	    {"3;a=\"b\"c\r\n", E_H1_BAD_CHUNK, "", 0},
	    {"3;\x80\r\n", E_H1_BAD_CHUNK, "", 0},
	    {"3;a=\"\x01", E_H1_BAD_CHUNK, "", 0},
	    {"3;a=\"\n", E_H1_BAD_CHUNK, "", 0},
	    {"8000000000000000\r\n", E_H1_BAD_CHUNK, "", 0},
	    {"3 a\r\n", E_H1_BAD_CHUNK, "", 0},
	    {"3\r\r\n", E_H1_BAD_CHUNK, "", 0},
	    {"3\rabc", E_H1_BAD_CHUNK, "", 0},
	    {"3\r\nabc\rx", E_H1_BAD_CHUNK, "abc", 0},
	    {"3;a\rb\r\nabc\r\n", E_H1_BAD_CHUNK, "", 0},
	    {"3;a\nb\r\nabc\r\n", E_H1_BAD_CHUNK, "", 0},
	};
	char body[256];

	for (unsigned i = 0; i < array_count(cases); i++) {
		for (size_t step = 1; step < 40; step++) {
			size_t left;
			int r = chunks_decode(cases[i].text, step, body, &left);

			assert_int_equal(r, cases[i].result);
			assert_string_equal(body, cases[i].body);
			/* With single bytes nothing is read ahead. */
			if (r == 0 && step > strlen(cases[i].text))
				assert_int_equal(left, cases[i].left);
		}
	}
	(void)state;
}

static void
chunk_line_is_bounded(void **state)
{
	static char text[6000];
	char body[16];
	size_t left;

	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "3;", 2);
	assert_int_equal(
	    chunks_decode(text, 100, body, &left), E_H1_CHUNK_TOO_LONG);
	(void)state;
}

static void
trailers(void **state)
{
	static const struct {
		const char *text;
		ssize_t result;
	} cases[] = {
	    {"\r\n", 2},
	    {"X: y\r\n\r\nrest", 8},
	    {"X: y\r\n", -EAGAIN},
	    {"Content-Length: 1\r\n\r\n", E_H1_BAD_TRAILER},
	    {"Host: a\r\n\r\n", E_H1_BAD_TRAILER},
	    {"Transfer-Encoding: x\r\n\r\n", E_H1_BAD_TRAILER},
	    {"\n", E_H1_BARE_LF},
	    {" X: y\r\n\r\n", E_H1_FOLDED},
	};

	for (unsigned i = 0; i < array_count(cases); i++) {
		struct http1_scan scan = {0};
		struct http_head head;
		char *copy = strdup(cases[i].text);

		assert_int_equal(http1_parse_trailers(
				     &scan, copy, strlen(copy), &limits, &head),
		    cases[i].result);
		free(copy);
	}
	(void)state;
}

/* ---- URLs ---- */

static void
paths(void **state)
{
	static const struct {
		const char *from;
		const char *to; /* NULL: an error */
		int error;
	} cases[] = {
	    {"/", "/", 0},
	    {"/a/b", "/a/b", 0},
	    {"//", "/", 0},
	    {"/a//b///c", "/a/b/c", 0},
	    {"/.", "/", 0},
	    {"/./", "/", 0},
	    {"/a/.", "/a/", 0},
	    {"/a/./b", "/a/b", 0},
	    {"/a/..", "/", 0},
	    {"/a/../", "/", 0},
	    {"/a/b/../c", "/a/c", 0},
	    {"/a/b/..", "/a/", 0},
	    {"/a/../b", "/b", 0},
	    {"/.a/..b/...", "/.a/..b/...", 0},
	    {"/%61%2Db", "/a-b", 0},
	    {"/%7Ea", "/~a", 0},
	    {"/a%20b%c3%a4", "/a%20b%C3%A4", 0},
	    {"/a/%2e%2e/b", "/b", 0},
	    {"/a;x=1/b", "/a;x=1/b", 0},
	    {"/..", NULL, E_URL_ABOVE_ROOT},
	    {"/a/../..", NULL, E_URL_ABOVE_ROOT},
	    {"/%2e%2e/", NULL, E_URL_ABOVE_ROOT},
	    {"/%2F", NULL, E_URL_ESCAPED_SLASH},
	    {"/a%5cb", NULL, E_URL_ESCAPED_SLASH},
	    {"/a\\b", NULL, E_URL_ESCAPED_SLASH},
	    {"/%00", NULL, E_URL_NUL},
	    {"/%0a", NULL, E_URL_BAD_CHAR},
	    {"/[slug]/a|b^c", "/[slug]/a|b^c", 0},
	    {"/a{b}", NULL, E_URL_BAD_CHAR},
	    {"/ ", NULL, E_URL_BAD_CHAR},
	    {"/%", NULL, E_URL_BAD_ESCAPE},
	    {"/%4", NULL, E_URL_BAD_ESCAPE},
	    {"a", NULL, E_URL_BAD_FORM},
	    {"", NULL, E_URL_BAD_FORM},
	};

	for (unsigned i = 0; i < array_count(cases); i++) {
		char *copy = strdup(cases[i].from);
		ssize_t n = url_path_normalise(copy, strlen(copy));

		if (cases[i].to == NULL) {
			assert_int_equal(n, cases[i].error);
		} else {
			assert_int_equal(n, strlen(cases[i].to));
			assert_memory_equal(copy, cases[i].to, (size_t)n);
			assert_int_equal(
			    url_path_normalise(copy, (size_t)n), n);
		}
		free(copy);
	}
	(void)state;
}

static void
urls(void **state)
{
	struct url u;

	assert_int_equal(
	    url_parse(BYTES("http://u:p@[::1]:8080/a%20b?q=1?2#f"), &u), 0);
	assert_true(bytes_equal(u.scheme, BYTES("http")));
	assert_true(bytes_equal(u.userinfo, BYTES("u:p")));
	assert_true(bytes_equal(u.host, BYTES("::1")) && u.host_is_ipv6);
	assert_int_equal(u.port, 8080);
	assert_true(bytes_equal(u.path, BYTES("/a%20b")));
	assert_true(bytes_equal(u.query, BYTES("q=1?2")));
	assert_true(bytes_equal(u.fragment, BYTES("f")));
	assert_int_equal(url_parse(BYTES("/a/b"), &u), 0);
	assert_null(u.scheme.at);
	assert_null(u.query.at);
	assert_int_equal(
	    url_parse(BYTES("http://a b/"), &u), E_URL_BAD_AUTHORITY);
	assert_int_equal(url_parse(BYTES("/a b"), &u), E_URL_BAD_CHAR);
	assert_int_equal(url_parse(BYTES("/%zz"), &u), E_URL_BAD_ESCAPE);
	(void)state;
}

/* ---- dates ---- */

static void
dates(void **state)
{
	static const struct {
		const char *text;
		int64_t unix_s;
	} cases[] = {
	    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
	    {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
	    {"Sun Nov  6 08:49:37 1994", 784111777},
	    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
	    {"Thu, 29 Feb 2024 23:59:60 GMT", 1709251200},
	};
	static const char *const bad[] = {"", "Sun, 06 Nov 1994 08:49:37",
	    "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
	    "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
	    "Sun, 06 Nov 1994 08:49:37 GMT ", "784111777"};
	char text[HTTP_DATE_BYTES + 1] = "";
	int64_t value;

	for (unsigned i = 0; i < array_count(cases); i++) {
		assert_int_equal(
		    http_date_parse(bytes_from(cases[i].text), &value), 0);
		assert_int_equal(value, cases[i].unix_s);
	}
	for (unsigned i = 0; i < array_count(bad); i++)
		assert_int_equal(
		    http_date_parse(bytes_from(bad[i]), &value), -EINVAL);
	/* Every day for 200 years, against the C library. */
	for (int64_t s = 3600; s < 200ll * 366 * 86400; s += 86399) {
		char wanted[64];
		struct tm tm;
		time_t t = (time_t)s;

		gmtime_r(&t, &tm);
		strftime(
		    wanted, sizeof(wanted), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		http_date_write(text, s);
		assert_string_equal(text, wanted);
		assert_int_equal(http_date_parse(bytes_from(text), &value), 0);
		assert_int_equal(value, s);
	}
	(void)state;
}

/* ---- heads and lists ---- */

static void
lists(void **state)
{
	struct bytes list = BYTES(" a ,, \"b,\\\"c\" ,d"), item;

	assert_true(http_list_next(&list, &item));
	assert_true(bytes_equal(item, BYTES("a")));
	assert_true(http_list_next(&list, &item));
	assert_true(bytes_equal(item, BYTES("\"b,\\\"c\"")));
	assert_true(http_list_next(&list, &item));
	assert_true(bytes_equal(item, BYTES("d")));
	assert_false(http_list_next(&list, &item));
	assert_true(http_list_has(BYTES("x, Close"), BYTES("close")));
	assert_false(http_list_has(BYTES("xclose"), BYTES("close")));
	assert_true(bytes_equal(
	    http_cookie_find(BYTES("a=1; sid=x=y; b"), BYTES("sid")),
	    BYTES("x=y")));
	assert_null(http_cookie_find(BYTES("asid=1"), BYTES("sid")).at);
	(void)state;
}

static void
field_names(void **state)
{
	for (unsigned id = 1; id < FIELD_COUNT; id++) {
		struct bytes name = http_field_name((enum http_field_id)id);
		char upper[64];

		assert_int_equal(http_field_lookup(name.at, name.length), id);
		for (size_t i = 0; i < name.length; i++)
			upper[i] = name.at[i] >= 'a' && name.at[i] <= 'z'
			    ? (char)(name.at[i] - 32)
			    : name.at[i];
		assert_int_equal(http_field_lookup(upper, name.length), id);
		assert_int_equal(http_field_lookup(name.at, name.length - 1) ==
			(enum http_field_id)id,
		    0);
	}
	(void)state;
}

static void
hop_by_hop(void **state)
{
	struct http_head head;

	http_head_init(&head);
	assert_int_equal(
	    http_head_add(&head, FIELD_CONNECTION, BYTES("x-a, close")), 0);
	assert_int_equal(
	    http_head_add_named(&head, BYTES("X-A"), BYTES("1")), 0);
	assert_int_equal(http_head_add(&head, FIELD_TE, BYTES("gzip")), 0);
	assert_int_equal(http_head_add(&head, FIELD_VIA, BYTES("1.1 a")), 0);
	assert_int_equal(http_head_strip_hop(&head), 0);
	assert_null(http_head_find(&head, BYTES("x-a")).at);
	assert_false(http_head_has(&head, FIELD_TE));
	assert_false(http_head_has(&head, FIELD_CONNECTION));
	assert_true(http_head_has(&head, FIELD_VIA));
	assert_int_equal(
	    http_head_add(&head, FIELD_CONNECTION, BYTES("cookie")), 0);
	assert_int_equal(http_head_strip_hop(&head), E_H1_BAD_CONNECTION);
	assert_int_equal(
	    http_head_add(&head, FIELD_VIA, BYTES("a\r\nb: c")), -EINVAL);
	(void)state;
}

/* ---- writing ---- */

static void
written_heads(void **state)
{
	char text[512];
	struct appender a = appender_over(text, sizeof(text));
	struct http_head head;

	http_head_init(&head);
	head.method_name = BYTES("PUT");
	head.path = BYTES("/p");
	head.query = BYTES("");
	head.authority = BYTES("h:1");
	head.framing = HTTP_BODY_CHUNKED;
	head.keep_alive = true;
	head.version = 10;
	assert_int_equal(http_head_add(&head, FIELD_HOST, BYTES("no")), 0);
	assert_int_equal(
	    http_head_add(&head, FIELD_CONTENT_LENGTH, BYTES("9")), 0);
	assert_int_equal(
	    http_head_add_named(&head, BYTES("X-y"), BYTES("z")), 0);
	http1_write_request(&a, &head);
	append_char(&a, '\0');
	assert_string_equal(text,
	    "PUT /p? HTTP/1.1\r\nHost: h:1\r\nX-y: z\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n");
	a = appender_over(text, sizeof(text));
	http_head_remove(&head, FIELD_HOST);
	head.status = 404;
	head.framing = HTTP_BODY_LENGTH;
	head.content_length = 7;
	http1_write_response(&a, &head);
	append_char(&a, '\0');
	assert_string_equal(text,
	    "HTTP/1.1 404 Not Found\r\nX-y: z\r\nContent-Length: 7\r\n"
	    "Connection: keep-alive\r\n\r\n");
	a = appender_over(text, 20);
	http1_write_response(&a, &head);
	assert_true(a.overflowed);
	(void)state;
}

/* ---- the vector routine ---- */

static void
vector_equals_scalar(void **state)
{
	char text[160];

	srand(7);
	for (unsigned round = 0; round < 200000; round++) {
		size_t start = (size_t)rand() % 17;
		size_t length = (size_t)rand() % 128;

		for (size_t i = 0; i < length; i++)
			text[start + i] = rand() % 40 == 0
			    ? (char)rand()
			    : (char)(' ' + rand() % 90);
		assert_ptr_equal(
		    chars_find_control(text + start, text + start + length),
		    chars_find_control_scalar(
			text + start, text + start + length));
	}
	for (int c = 0; c < 256; c++) {
		memset(text, 'a', sizeof(text));
		text[5] = (char)c;
		assert_ptr_equal(chars_find_control(text, text + 32),
		    chars_find_control_scalar(text, text + 32));
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(responses),
	    cmocka_unit_test(chunked_bodies),
	    cmocka_unit_test(chunk_line_is_bounded),
	    cmocka_unit_test(trailers),
	    cmocka_unit_test(paths),
	    cmocka_unit_test(urls),
	    cmocka_unit_test(dates),
	    cmocka_unit_test(lists),
	    cmocka_unit_test(field_names),
	    cmocka_unit_test(hop_by_hop),
	    cmocka_unit_test(written_heads),
	    cmocka_unit_test(vector_equals_scalar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
