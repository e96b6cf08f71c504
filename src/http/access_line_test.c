#include "http/access_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "base/error.h"

#define NOON_NS (INT64_C(1795521600) * 1000000000 + 123456789)

static struct exchange ex;
static struct config_site site;
static struct config_route route;
static char line[2 * LOGFILE_PIECE_BYTES];

static instant
at_us(int64_t us)
{
	return (instant){1000000000 + us * 1000};
}

static void
field_add(enum http_field_id id, struct bytes value)
{
	struct http_field *f = &ex.request.fields[ex.request.field_count++];
	struct bytes name = BYTES("x");

	f->name = name.at;
	f->name_length = (uint8_t)name.length;
	f->value = value.at;
	f->value_length = (uint16_t)value.length;
	f->id = (uint8_t)id;
	ex.request.present |= UINT64_C(1) << id;
}

/* A proxied request with everything usual. */
static int
usual(void **state)
{
	memset(&ex, 0, sizeof(ex));
	site = (struct config_site){.name = BYTES("shop.example.com")};
	route = (struct config_route){.index = 2, .log = true};
	ex.site = &site;
	ex.route = &route;
	ex.client = BYTES("192.0.2.7");
	ex.peer = BYTES("192.0.2.7");
	ex.request.method_name = BYTES("GET");
	ex.request.host = BYTES("shop.example.com");
	ex.request.path = BYTES("/api/cart");
	ex.request.version = 11;
	ex.status = 200;
	ex.bytes_out = 1234;
	ex.pool_name = BYTES("shop");
	ex.server_name = BYTES("10.0.0.1:8080");
	ex.attempts = 1;
	ex.server_reused = true;
	ex.timeline.first_byte = at_us(0);
	ex.timeline.head_received = at_us(12);
	ex.timeline.server_chosen = at_us(20);
	ex.timeline.request_sent = at_us(50);
	ex.timeline.answer_head = at_us(1550);
	ex.timeline.ended = at_us(1601);
	return 0;
}

static const char *
written(enum config_log_format format)
{
	struct appender a = appender_over(line, sizeof(line) - 1);

	access_line_append(&a, &ex, format, NOON_NS);
	assert_false(a.overflowed);
	line[a.length] = '\0';
	return line;
}

static void
logfmt_golden(void **state)
{
	assert_string_equal(written(LOG_FORMAT_LOGFMT),
	    "time=2026-11-24T12:00:00.123Z client=192.0.2.7 method=GET "
	    "host=shop.example.com path=/api/cart protocol=HTTP/1.1 "
	    "status=200 in=0 out=1234 site=shop.example.com route=2 pool=shop "
	    "server=10.0.0.1:8080 attempts=1 reused=true head_ms=0.012 "
	    "wait_ms=1.500 total_ms=1.601\n");
}

static void
json_golden(void **state)
{
	ex.error = E_UPSTREAM_TIMEOUT;
	ex.peer = BYTES("10.9.9.9");
	ex.timeline.queued = at_us(13);
	ex.timeline.connected = at_us(40);
	ex.request.query = BYTES("a=\"1\"");
	field_add(FIELD_USER_AGENT, BYTES("curl/7.88"));
	field_add(FIELD_REFERER, BYTES("http://a/\"\n"));
	assert_string_equal(written(LOG_FORMAT_JSON),
	    "{\"time\":\"2026-11-24T12:00:00.123Z\",\"client\":\"192.0.2.7\","
	    "\"peer\":\"10.9.9.9\",\"method\":\"GET\","
	    "\"host\":\"shop.example.com\","
	    "\"path\":\"/api/cart?a=\\\"1\\\"\",\"protocol\":\"HTTP/1.1\","
	    "\"status\":200,\"in\":0,\"out\":1234,"
	    "\"site\":\"shop.example.com\",\"route\":2,\"pool\":\"shop\","
	    "\"server\":\"10.0.0.1:8080\",\"attempts\":1,\"reused\":true,"
	    "\"error\":\"UPSTREAM_TIMEOUT\",\"head_ms\":0.012,"
	    "\"queue_ms\":0.007,\"connect_ms\":0.020,\"wait_ms\":1.500,"
	    "\"total_ms\":1.601,\"referer\":\"http://a/\\\"\\n\","
	    "\"agent\":\"curl/7.88\"}\n");
}

static void
combined_golden(void **state)
{
	ex.request.query = BYTES("q=\"x\"\x7f");
	field_add(FIELD_USER_AGENT, BYTES("a\\b\xc3\xa9"));
	assert_string_equal(written(LOG_FORMAT_COMBINED),
	    "192.0.2.7 - - [24/Nov/2026:12:00:00 +0000] "
	    "\"GET /api/cart?q=\\x22x\\x22\\x7F HTTP/1.1\" 200 1234 \"-\" "
	    "\"a\\x5Cb\\xC3\\xA9\"\n");
}

/* A request that could not be parsed has nothing but its connection. */
static void
malformed_request(void **state)
{
	memset(&ex, 0, sizeof(ex));
	ex.client = ex.peer = BYTES("unix:");
	ex.status = 400;
	ex.error = E_H1_BARE_LF;
	ex.timeline.first_byte = at_us(0);
	ex.timeline.ended = at_us(7);
	assert_string_equal(written(LOG_FORMAT_LOGFMT),
	    "time=2026-11-24T12:00:00.123Z client=unix: status=400 in=0 out=0 "
	    "error=H1_BARE_LF total_ms=0.007\n");
	assert_string_equal(written(LOG_FORMAT_COMBINED),
	    "unix: - - [24/Nov/2026:12:00:00 +0000] \"- - -\" 400 0 \"-\" "
	    "\"-\"\n");
}

static void
logfmt_quotes(void **state)
{
	static const struct {
		const char *host, *expected;
	} rows[] = {
	    {"plain", " host=plain "},
	    {"", " host=\"\" "},
	    {"a b", " host=\"a b\" "},
	    {"a=b", " host=\"a=b\" "},
	    {"a\"b", " host=\"a\\\"b\" "},
	    {"a\nstatus=200", " host=\"a\\nstatus=200\" "},
	    {"\x1b[31m", " host=\"\\u001b[31m\" "},
	    {"caf\xc3\xa9", " host=\"caf\xc3\xa9\" "},
	};

	for (size_t i = 0; i < array_count(rows); i++) {
		ex.request.host = bytes_from(rows[i].host);
		assert_non_null(
		    strstr(written(LOG_FORMAT_LOGFMT), rows[i].expected));
	}
}

static void
seconds_change(void **state)
{
	struct appender a = appender_over(line, sizeof(line));

	written(LOG_FORMAT_LOGFMT);
	access_line_append(&a, &ex, LOG_FORMAT_LOGFMT, NOON_NS + 1000000000);
	assert_memory_equal(line, "time=2026-11-24T12:00:01.123Z", 29);
}

/* The most hostile exchange fits the piece that is written at once. */
static void
longest_line_fits(void **state)
{
	static char hostile[65000];
	struct bytes all = bytes_of(hostile, sizeof(hostile));

	static const char fills[] = {'a', '\x01', '"', '\xff'};

	for (size_t i = 0; i < sizeof(fills); i++) {
		usual(NULL);
		memset(hostile, fills[i], sizeof(hostile));
		ex.client = ex.request.method_name = ex.request.host = all;
		ex.peer = bytes_skip(all, 1);
		ex.request.path = ex.request.query = all;
		ex.pool_name = ex.server_name = site.name = all;
		ex.status = ex.attempts = UINT16_MAX;
		ex.bytes_in = ex.bytes_out = UINT64_MAX;
		route.index = UINT32_MAX;
		ex.error = E_H1_LENGTH_AND_CHUNKED;
		ex.timeline.queued = at_us(0);
		ex.timeline.connected = (instant){INT64_MAX};
		ex.timeline.head_received = (instant){INT64_MAX};
		ex.timeline.answer_head = (instant){INT64_MAX};
		ex.timeline.ended = (instant){INT64_MAX};
		field_add(FIELD_USER_AGENT, all);
		field_add(FIELD_REFERER, all);
		for (int f = LOG_FORMAT_LOGFMT; f <= LOG_FORMAT_COMBINED; f++)
			assert_true(
			    strlen(written((enum config_log_format)f)) <=
			    ACCESS_LINE_BYTES);
	}
}

/* JSON of random bytes parses, with one object on one line. */
static void
json_always_parses(void **state)
{
	char text[40];

	srandom(11);
	for (unsigned round = 0; round < 20000; round++) {
		struct json_object *o;
		const char *at;

		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = (char)random();
		ex.request.path = bytes_of(text, 10);
		ex.request.query = bytes_of(text + 10, 10);
		ex.request.host = bytes_of(text + 20, 10);
		ex.request.method_name = bytes_of(text + 30, 10);
		at = written(LOG_FORMAT_JSON);
		assert_ptr_equal(strchr(at, '\n'), at + strlen(at) - 1);
		o = json_tokener_parse(at);
		assert_non_null(o);
		assert_int_equal(
		    json_object_get_int(json_object_object_get(o, "status")),
		    200);
		json_object_put(o);
	}
}

/* Not a limit on machines we do not know: it only reports. */
static void
cost(void **state)
{
	const int rounds = 200000;
	clock_t begin;

	ex.request.query = BYTES("page=2&sort=price");
	field_add(FIELD_USER_AGENT,
	    BYTES("Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 "
		  "Firefox/115.0"));
	for (int f = LOG_FORMAT_LOGFMT; f <= LOG_FORMAT_COMBINED; f++) {
		begin = clock();
		for (int i = 0; i < rounds; i++)
			written((enum config_log_format)f);
		print_message("format %d: %ld ns of CPU a line\n", f,
		    (long)((clock() - begin) * 1000 / rounds));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(logfmt_golden, usual),
	    cmocka_unit_test_setup(json_golden, usual),
	    cmocka_unit_test_setup(combined_golden, usual),
	    cmocka_unit_test_setup(malformed_request, usual),
	    cmocka_unit_test_setup(logfmt_quotes, usual),
	    cmocka_unit_test_setup(seconds_change, usual),
	    cmocka_unit_test_setup(longest_line_fits, usual),
	    cmocka_unit_test_setup(json_always_parses, usual),
	    cmocka_unit_test_setup(cost, usual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
