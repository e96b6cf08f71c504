#include "control/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <json-c/json.h>

static void
document(struct json_writer *json)
{
	json_write_object_begin(json, NULL);
	json_write_text(json, "text", BYTES("a\"b\n"));
	json_write_text(json, "none", bytes_of(NULL, 0));
	json_write_u64(json, "big", UINT64_MAX);
	json_write_array_begin(json, "list");
	json_write_bool(json, NULL, true);
	json_write_bool(json, NULL, false);
	json_write_null(json, NULL);
	json_write_array_begin(json, NULL);
	json_write_array_end(json);
	json_write_object_begin(json, NULL);
	json_write_object_end(json);
	json_write_array_end(json);
	json_write_milli(json, "one", 1005);
	json_write_milli(json, "less", -50);
	json_write_milli(json, "least", INT64_MIN);
	json_write_object_end(json);
	json_write_end(json);
}

#define DOCUMENT                                                               \
	"{\"text\":\"a\\\"b\\n\",\"none\":null,"                               \
	"\"big\":18446744073709551615,"                                        \
	"\"list\":[true,false,null,[],{}],\"one\":1.005,\"less\":-0.050,"      \
	"\"least\":-9223372036854775.808}"

static void
in_memory(void **state)
{
	struct sink sink;
	struct json_writer json;

	sink_init(&sink, NULL, NULL);
	json_write_init(&json, &sink);
	document(&json);
	assert_int_equal(sink_end(&sink), 0);
	assert_int_equal(sink.out.length, strlen(DOCUMENT));
	assert_memory_equal(sink.out.at, DOCUMENT, sink.out.length);
	sink_fini(&sink);
}

struct gathered {
	char text[64 << 10];
	size_t length;
	unsigned writes;
	unsigned fail_at; /* 0: never */
};

static int
gather(struct sink *sink, struct bytes data)
{
	struct gathered *g = sink->to;

	g->writes++;
	if (g->writes == g->fail_at)
		return -EPIPE;
	assert_true(data.length <= sizeof(g->text) - g->length);
	memcpy(g->text + g->length, data.at, data.length);
	g->length += data.length;
	return 0;
}

static void
many_texts(struct json_writer *json, unsigned count)
{
	json_write_array_begin(json, NULL);
	for (unsigned i = 0; i < count; i++)
		json_write_text(json, NULL, BYTES("0123456789"));
	json_write_array_end(json);
	json_write_end(json);
}

static void
as_stream(void **state)
{
	static struct gathered g;
	struct json_object *o;
	struct sink sink;
	struct json_writer json;

	sink_init(&sink, gather, &g);
	json_write_init(&json, &sink);
	many_texts(&json, 4000);
	assert_int_equal(sink_end(&sink), 0);
	sink_fini(&sink);
	assert_true(g.writes >= 3);
	g.text[g.length] = '\0';
	o = json_tokener_parse(g.text);
	assert_int_equal(json_object_array_length(o), 4000);
	json_object_put(o);
}

/* The writer goes on after an error, nothing more reaches the stream. */
static void
stream_fails(void **state)
{
	static struct gathered g;
	struct sink sink;
	struct json_writer json;

	g.fail_at = 2;
	sink_init(&sink, gather, &g);
	json_write_init(&json, &sink);
	many_texts(&json, 10000);
	assert_int_equal(sink_end(&sink), -EPIPE);
	assert_int_equal(g.writes, 2);
	sink_fini(&sink);
}

static void
memory_is_limited(void **state)
{
	struct sink sink;
	struct json_writer json;

	sink_init(&sink, NULL, NULL);
	json_write_init(&json, &sink);
	many_texts(&json, SINK_MEMORY_BYTES / 10);
	assert_int_equal(sink_end(&sink), -E2BIG);
	assert_true(sink.out.capacity <= SINK_MEMORY_BYTES);
	sink_fini(&sink);
}

/* A value longer than the buffer of a stream passes through it. */
static void
long_text(void **state)
{
	static char text[SINK_STREAM_BYTES];
	static struct gathered g;
	struct sink sink;
	struct json_writer json;

	memset(text, 'x', sizeof(text));
	sink_init(&sink, gather, &g);
	json_write_init(&json, &sink);
	json_write_array_begin(&json, NULL);
	json_write_text(&json, NULL, bytes_of(text, sizeof(text)));
	json_write_array_end(&json);
	assert_int_equal(sink_end(&sink), 0);
	assert_int_equal(g.length, sizeof(text) + 4);
	sink_fini(&sink);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(in_memory),
	    cmocka_unit_test(as_stream),
	    cmocka_unit_test(stream_fails),
	    cmocka_unit_test(memory_is_limited),
	    cmocka_unit_test(long_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
