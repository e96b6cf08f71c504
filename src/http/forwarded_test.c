#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "http/forwarded.h"

/* 10.0.0.0/8 and fd00::/8 */
static struct config_network trusted[] = {
    {.address = {[10] = 0xff, [11] = 0xff, [12] = 10}, .bits = 104},
    {.address = {0xfd}, .bits = 8},
};
static const struct snapshot snapshot = {
    .trusted = trusted, .trusted_count = 2};

static union conn_address
address_of(const char *text)
{
	union conn_address a = {0};

	if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1)
		a.family = AF_INET;
	else if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) == 1)
		a.family = AF_INET6;
	else
		a.family = AF_UNIX;
	return a;
}

static void
exchange_begin_test(struct exchange *ex, const char *const *lists)
{
	memset(ex, 0, sizeof(*ex));
	ex->snapshot = &snapshot;
	arena_init(&ex->arena, NULL, 0, 0);
	http_head_init(&ex->request);
	for (; *lists != NULL; lists++)
		assert_int_equal(http_head_add(&ex->request,
				     FIELD_X_FORWARDED_FOR, bytes_from(*lists)),
		    0);
}

static void
clients(void **state)
{
	static const struct {
		const char *peer;
		const char *lists[3];
		const char *client;
		bool trusted;
	} cases[] = {
	    {"192.0.2.1", {NULL}, "192.0.2.1", false},
	    {"192.0.2.1", {"1.2.3.4", NULL}, "192.0.2.1", false},
	    {"10.0.0.1", {"1.2.3.4", NULL}, "1.2.3.4", true},
	    {"10.0.0.1", {"6.6.6.6, 1.2.3.4", NULL}, "1.2.3.4", true},
	    {"10.0.0.1", {"1.2.3.4, 10.9.9.9", NULL}, "1.2.3.4", true},
	    {"10.0.0.1", {"6.6.6.6, 1.2.3.4", "10.2.2.2", NULL}, "1.2.3.4",
		true},
	    {"10.0.0.1", {"10.1.1.1, 10.2.2.2", NULL}, "10.1.1.1", true},
	    {"10.0.0.1", {"junk", NULL}, "10.0.0.1", true},
	    {"10.0.0.1", {"1.2.3.4, junk, 10.2.2.2", NULL}, "10.2.2.2", true},
	    {"10.0.0.1", {"", NULL}, "10.0.0.1", true},
	    {"10.0.0.1", {"[2001:db8::1]:80", NULL}, "2001:db8::1", true},
	    {"10.0.0.1", {"1.2.3.4:5678", NULL}, "1.2.3.4", true},
	    {"::ffff:10.0.0.1", {"1.2.3.4", NULL}, "1.2.3.4", true},
	    {"::ffff:192.0.2.1", {"1.2.3.4", NULL}, "192.0.2.1", false},
	    {"fd00::1", {"2001:db8::2", NULL}, "2001:db8::2", true},
	    {"fe00::1", {"2001:db8::2", NULL}, "fe00::1", false},
	    {"unix", {"1.2.3.4", NULL}, "1.2.3.4", true},
	};

	for (unsigned i = 0; i < array_count(cases); i++) {
		union conn_address peer = address_of(cases[i].peer);
		struct exchange *ex = malloc(sizeof(*ex));

		exchange_begin_test(ex, cases[i].lists);
		assert_int_equal(forwarded_read(ex, &peer), 0);
		assert_string_equal(ex->client.at, cases[i].client);
		assert_int_equal(ex->peer_trusted, cases[i].trusted);
		arena_reset(&ex->arena);
		free(ex);
	}
	(void)state;
}

static unsigned
field_lines(const struct http_head *head, enum http_field_id id)
{
	unsigned count = 0;

	for (unsigned i = 0; i < head->field_count; i++)
		count += head->fields[i].name_length != 0 &&
		    head->fields[i].id == id;
	return count;
}

static void
untrusted_fields_are_replaced(void **state)
{
	static const char *const lists[] = {"1.2.3.4", "5.6.7.8", NULL};
	union conn_address peer = address_of("192.0.2.1");
	struct exchange *ex = malloc(sizeof(*ex));
	struct http_head *head = &ex->request;

	exchange_begin_test(ex, lists);
	head->authority = BYTES("a.example");
	assert_int_equal(
	    http_head_add(head, FIELD_X_FORWARDED_PROTO, BYTES("https")), 0);
	assert_int_equal(
	    http_head_add(head, FIELD_FORWARDED, BYTES("for=1.1.1.1")), 0);
	assert_int_equal(forwarded_read(ex, &peer), 0);
	assert_int_equal(forwarded_write(ex, false), 0);
	assert_int_equal(field_lines(head, FIELD_X_FORWARDED_FOR), 1);
	assert_true(bytes_equal(
	    http_head_get(head, FIELD_X_FORWARDED_FOR), BYTES("192.0.2.1")));
	assert_true(bytes_equal(
	    http_head_get(head, FIELD_X_FORWARDED_PROTO), BYTES("http")));
	assert_true(bytes_equal(
	    http_head_get(head, FIELD_X_FORWARDED_HOST), BYTES("a.example")));
	assert_int_equal(field_lines(head, FIELD_FORWARDED), 0);
	arena_reset(&ex->arena);
	free(ex);
	(void)state;
}

static void
rfc7239_form(void **state)
{
	static const struct {
		const char *peer;
		const char *value;
	} cases[] = {
	    {"192.0.2.1", "for=192.0.2.1;proto=http;host=\"h\""},
	    {"2001:db8::1", "for=\"[2001:db8::1]\";proto=http;host=\"h\""},
	    {"unix", "for=unknown;proto=http;host=\"h\""},
	};
	static const char *const none[] = {NULL};

	for (unsigned i = 0; i < array_count(cases); i++) {
		union conn_address peer = address_of(cases[i].peer);
		struct exchange *ex = malloc(sizeof(*ex));

		exchange_begin_test(ex, none);
		ex->request.authority = BYTES("h");
		assert_int_equal(forwarded_read(ex, &peer), 0);
		assert_int_equal(forwarded_write(ex, true), 0);
		assert_true(
		    bytes_equal(http_head_get(&ex->request, FIELD_FORWARDED),
			bytes_from(cases[i].value)));
		arena_reset(&ex->arena);
		free(ex);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(clients),
	    cmocka_unit_test(untrusted_fields_are_replaced),
	    cmocka_unit_test(rfc7239_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
