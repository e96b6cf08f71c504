/*
 * http_test.c - heads, names, methods, statuses, lists
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "wire/chars_find.h"
#include "wire/http1.h"

static void
text_of_fields(const struct http_head *head, struct appender *into)
{
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *f = &head->fields[i];

		if (f->name_length == 0)
			continue;
		append(into, f->name, f->name_length);
		append_char(into, '=');
		append(into, f->value, f->value_length);
		append_char(into, ';');
	}
}

static void
fields_are(const struct http_head *head, const char *wanted)
{
	char text[1024];
	struct appender a = appender_over(text, sizeof(text) - 1);

	text_of_fields(head, &a);
	text[a.length] = '\0';
	assert_string_equal(text, wanted);
}

#define ADD(name, value)                                                       \
	assert_int_equal(                                                      \
	    http_head_add_named(&head, BYTES(name), BYTES(value)), 0)

static void
fields(void **state)
{
	struct http_head head;

	http_head_init(&head);
	ADD("a", "1");
	ADD("HOST", "h");
	ADD("A", "2");
	ADD("cookie", "c");
	ADD("Cookie", "d");
	assert_true(
	    bytes_equal(http_head_get(&head, FIELD_COOKIE), BYTES("c")));
	assert_true(
	    bytes_equal(http_head_find(&head, BYTES("cOOkie")), BYTES("c")));
	assert_true(bytes_equal(http_head_find(&head, BYTES("A")), BYTES("1")));
	assert_null(http_head_find(&head, BYTES("b")).at);
	assert_null(http_head_find(&head, BYTES("")).at);
	assert_null(http_head_get(&head, FIELD_DATE).at);
	http_head_remove(&head, FIELD_COOKIE);
	assert_false(http_head_has(&head, FIELD_COOKIE));
	assert_null(http_head_get(&head, FIELD_COOKIE).at);
	fields_are(&head, "a=1;HOST=h;A=2;");
	http_head_remove_named(&head, BYTES("a"));
	http_head_remove_named(&head, BYTES("host"));
	assert_false(http_head_has(&head, FIELD_HOST));
	fields_are(&head, "");
	assert_int_equal(http_head_add(&head, FIELD_DATE, BYTES("\tx\xff")), 0);
	fields_are(&head, "Date=\tx\xff;");
}

static void
fields_refused(void **state)
{
	static const struct bytes values[] = {BYTES("a\r\nb: c"), BYTES("\n"),
	    BYTES("\r"), BYTES("\0"), BYTES("a\x7f"), BYTES("\x1f")};
	static const struct bytes names[] = {BYTES(""), BYTES("a b"),
	    BYTES("a:"), BYTES("a\r\n"), BYTES("\xe9"), BYTES("a\0")};
	static char long_name[256], long_value[65536];
	struct http_head head;

	http_head_init(&head);
	for (size_t i = 0; i < array_count(values); i++)
		assert_int_equal(
		    http_head_add(&head, FIELD_DATE, values[i]), -EINVAL);
	for (size_t i = 0; i < array_count(names); i++)
		assert_int_equal(
		    http_head_add_named(&head, names[i], BYTES("")), -EINVAL);
	memset(long_name, 'n', sizeof(long_name));
	memset(long_value, 'v', sizeof(long_value));
	assert_int_equal(
	    http_head_add_named(&head, bytes_of(long_name, 256), BYTES("")),
	    -EINVAL);
	assert_int_equal(
	    http_head_add(&head, FIELD_DATE, bytes_of(long_value, 65536)),
	    -EINVAL);
	assert_int_equal(head.field_count, 0);
	assert_int_equal(http_head_add_named(&head, bytes_of(long_name, 255),
			     bytes_of(long_value, 65535)),
	    0);
}

/* The limit counts what is there, not what was removed. */
static void
fields_full(void **state)
{
	struct http_head head;

	http_head_init(&head);
	for (size_t i = 0; i < HTTP_FIELDS_MAX; i++)
		assert_int_equal(
		    http_head_add(
			&head, i == 5 ? FIELD_VIA : FIELD_DATE, BYTES("x")),
		    0);
	assert_int_equal(http_head_add(&head, FIELD_AGE, BYTES("1")), -E2BIG);
	assert_false(http_head_has(&head, FIELD_AGE));
	http_head_remove(&head, FIELD_VIA);
	assert_int_equal(http_head_add(&head, FIELD_AGE, BYTES("1")), 0);
	assert_int_equal(head.field_count, HTTP_FIELDS_MAX);
	assert_true(bytes_equal(http_head_get(&head, FIELD_AGE), BYTES("1")));
}

static void
hop(void **state)
{
	struct http_head head;

	http_head_init(&head);
	ADD("Connection", "close, X-One ,x-two, keep-alive, te, trailer");
	ADD("connection", "upgrade");
	ADD("X-One", "1");
	ADD("x-TWO", "2");
	ADD("X-Three", "3");
	ADD("Keep-Alive", "timeout=5");
	ADD("Proxy-Connection", "close");
	ADD("Proxy", "http://evil/");
	ADD("Proxy-Authorization", "x");
	ADD("TE", "gzip, trailers");
	ADD("Trailer", "X-Sum");
	ADD("Transfer-Encoding", "chunked");
	ADD("Upgrade", "h2c");
	head.te_trailers = true;
	assert_int_equal(http_head_strip_hop(&head), 0);
	fields_are(&head, "X-Three=3;Trailer=X-Sum;TE=trailers;");

	http_head_init(&head);
	ADD("TE", "gzip");
	assert_int_equal(http_head_strip_hop(&head), 0);
	fields_are(&head, "");
}

static void
hop_refused(void **state)
{
	static const struct bytes lists[] = {BYTES("host"),
	    BYTES("close, Content-Length"), BYTES("Authorization"),
	    BYTES("cookie"), BYTES("X-Forwarded-For"), BYTES("Forwarded"),
	    BYTES("x-real-ip"), BYTES("cache-control"), BYTES("Range")};
	struct http_head head;

	for (size_t i = 0; i < array_count(lists); i++) {
		http_head_init(&head);
		assert_int_equal(
		    http_head_add(&head, FIELD_CONNECTION, lists[i]), 0);
		assert_int_equal(
		    http_head_strip_hop(&head), E_H1_BAD_CONNECTION);
	}
}

/* Every byte of every name, in both cases and changed. */
static void
names(void **state)
{
	for (unsigned id = FIELD_OTHER + 1; id < FIELD_COUNT; id++) {
		struct bytes name = http_field_name(id);
		char text[32];

		for (size_t i = 0; i < name.length; i++) {
			for (int c = 0; c < 256; c++) {
				enum http_field_id found;

				memcpy(text, name.at, name.length);
				text[i] = (char)c;
				found = http_field_lookup(text, name.length);
				assert_int_equal(found == id,
				    char_lower((char)c) ==
					char_lower(name.at[i]));
			}
		}
		assert_int_not_equal(
		    http_field_lookup(name.at, name.length - 1), id);
	}
	assert_int_equal(http_field_lookup("", 0), FIELD_OTHER);
	assert_true(http_field_is_alias(BYTES("content_length")));
	assert_true(http_field_is_alias(BYTES("X_Forwarded-For")));
	assert_false(http_field_is_alias(BYTES("Content-Length")));
	assert_false(http_field_is_alias(BYTES("x_y")));
	assert_true(http_field_in_trailer(FIELD_ETAG));
	assert_true(http_field_in_trailer(FIELD_OTHER));
	assert_false(http_field_in_trailer(FIELD_CONTENT_LENGTH));
}

static void
methods(void **state)
{
	static const struct {
		const char *name;
		bool safe, idempotent;
	} rows[] = {
	    [HTTP_GET] = {"GET", true, true},
	    [HTTP_HEAD] = {"HEAD", true, true},
	    [HTTP_POST] = {"POST", false, false},
	    [HTTP_PUT] = {"PUT", false, true},
	    [HTTP_DELETE] = {"DELETE", false, true},
	    [HTTP_CONNECT] = {"CONNECT", false, false},
	    [HTTP_OPTIONS] = {"OPTIONS", true, true},
	    [HTTP_TRACE] = {"TRACE", true, true},
	    [HTTP_PATCH] = {"PATCH", false, false},
	    [HTTP_METHOD_OTHER] = {"", false, false},
	};

	for (unsigned m = 0; m < array_count(rows); m++) {
		struct bytes name = bytes_from(rows[m].name);

		assert_int_equal(http_method_lookup(name), m);
		assert_true(bytes_equal(http_method_text(m), name));
		assert_int_equal(http_method_safe(m), rows[m].safe);
		assert_int_equal(http_method_idempotent(m), rows[m].idempotent);
	}
	assert_int_equal(http_method_lookup(BYTES("get")), HTTP_METHOD_OTHER);
	assert_int_equal(http_method_lookup(BYTES("GETS")), HTTP_METHOD_OTHER);
}

static void
reasons(void **state)
{
	unsigned known = 0;

	for (unsigned status = 0; status < 700; status++)
		known += http_status_reason(status).length != 0;
	assert_int_equal(known, 61);
	assert_true(bytes_equal(http_status_reason(100), BYTES("Continue")));
	assert_true(bytes_equal(
	    http_status_reason(511), BYTES("Network Authentication Required")));
	assert_true(bytes_equal(http_status_reason(404), BYTES("Not Found")));
	assert_non_null(http_status_reason(499).at);
}

static void
cookies(void **state)
{
	static const struct {
		struct bytes cookies, name;
		const char *value; /* NULL: absent */
	} rows[] = {
	    {BYTES("a=1"), BYTES("a"), "1"},
	    {BYTES("a=1; b=2;c=\"3\""), BYTES("c"), "\"3\""},
	    {BYTES("a=1; a=2"), BYTES("a"), "1"},
	    {BYTES("ab=1; a=2"), BYTES("a"), "2"},
	    {BYTES("a=b=c"), BYTES("a"), "b=c"},
	    {BYTES("a="), BYTES("a"), ""},
	    {BYTES("a; b"), BYTES("a"), NULL},
	    {BYTES("A=1"), BYTES("a"), NULL},
	    {BYTES(""), BYTES("a"), NULL},
	    {BYTES(";;= ;"), BYTES("a"), NULL},
	};

	for (size_t i = 0; i < array_count(rows); i++) {
		struct bytes value =
		    http_cookie_find(rows[i].cookies, rows[i].name);

		assert_int_equal(value.at == NULL, rows[i].value == NULL);
		assert_true(bytes_equal(value, bytes_from(rows[i].value)));
	}
}

/* Every byte at every place of every length, at every alignment. */
static void
find_control(void **state)
{
	_Alignas(64) char text[128];

	for (size_t align = 0; align < 16; align++) {
		for (size_t length = 0; length < 70; length++) {
			const char *end = text + align + length;

			memset(text, 'a', sizeof(text));
			/* What stands around it must not be looked at. */
			text[align + length] = '\n';
			for (size_t at = 0; at < length; at++) {
				int c = (int)(at * 37 + length * 11) % 256;

				text[align + at] = (char)c;
				assert_ptr_equal(
				    chars_find_control(text + align, end),
				    chars_find_control_scalar(
					text + align, end));
				text[align + at] = '~';
			}
		}
	}
	for (int c = 0; c < 256; c++) {
		const char *hit;

		memset(text, ' ', 32);
		text[13] = (char)c;
		hit = chars_find_control(text, text + 32);
		assert_ptr_equal(hit,
		    (c < 32 && c != '\t') || c == 127 ? text + 13 : text + 32);
	}
}

/* Every byte, in a word and behind one. */
static void
lower(void **state)
{
	char text[11];

	for (int c = 0; c < 256; c++) {
		memset(text, c, sizeof(text));
		chars_lower(text, sizeof(text));
		for (size_t i = 0; i < sizeof(text); i++)
			assert_int_equal(text[i],
			    c >= 'A' && c <= 'Z' ? (char)(c + 32) : (char)c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields),
	    cmocka_unit_test(fields_refused),
	    cmocka_unit_test(fields_full),
	    cmocka_unit_test(hop),
	    cmocka_unit_test(hop_refused),
	    cmocka_unit_test(names),
	    cmocka_unit_test(methods),
	    cmocka_unit_test(reasons),
	    cmocka_unit_test(cookies),
	    cmocka_unit_test(find_control),
	    cmocka_unit_test(lower),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
