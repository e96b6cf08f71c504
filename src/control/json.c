/*
 * json.c - a comma before all but the first, and a check of the form
 */
#include "control/json.h"

#include "base/escape.h"

#define JSON_ESCAPED_MAX 6 /* bytes one byte may become: \u00XX */

void
json_write_init(struct json_writer *json, struct sink *sink)
{
	*json = (struct json_writer){.sink = sink};
}

void
json_write_end(const struct json_writer *json)
{
	must(json->depth == 0 && json->complete);
}

static bool
json_in_object(const struct json_writer *json)
{
	return json->depth > 0 && (json->objects >> json->depth & 1) != 0;
}

/* What comes before a value of @bytes; returns where the value goes. */
static struct appender *
json_before(struct json_writer *json, const char *key, size_t bytes)
{
	size_t key_bytes = key != NULL ? strlen(key) : 0;
	struct appender *out = sink_room(json->sink, bytes + key_bytes + 4);

	must(json->depth > 0 || !json->complete);
	must((key != NULL) == json_in_object(json));
	if (json->begun)
		append_char(out, ',');
	json->begun = true;
	json->complete = json->depth == 0;
	if (key != NULL) {
		append_char(out, '"');
		append(out, key, key_bytes);
		append_literal(out, "\":");
	}
	return out;
}

static void
json_open(struct json_writer *json, const char *key, bool object)
{
	append_char(json_before(json, key, 1), object ? '{' : '[');
	json->depth++;
	must(json->depth < JSON_DEPTH_MAX);
	json->objects &= ~(UINT32_C(1) << json->depth);
	json->objects |= (uint32_t)object << json->depth;
	json->begun = false;
}

static void
json_close(struct json_writer *json, bool object)
{
	must(json->depth > 0 && json_in_object(json) == object);
	append_char(sink_room(json->sink, 1), object ? '}' : ']');
	json->depth--;
	json->begun = true;
	json->complete = json->depth == 0;
}

void
json_write_object_begin(struct json_writer *json, const char *key)
{
	json_open(json, key, true);
}

void
json_write_object_end(struct json_writer *json)
{
	json_close(json, true);
}

void
json_write_array_begin(struct json_writer *json, const char *key)
{
	json_open(json, key, false);
}

void
json_write_array_end(struct json_writer *json)
{
	json_close(json, false);
}

void
json_write_text(struct json_writer *json, const char *key, struct bytes value)
{
	struct appender *out;

	if (value.at == NULL) {
		json_write_null(json, key);
		return;
	}
	out = json_before(json, key, value.length * JSON_ESCAPED_MAX + 2);
	append_char(out, '"');
	append_escaped(out, value, ESCAPE_JSON, 0);
	append_char(out, '"');
}

void
json_write_u64(struct json_writer *json, const char *key, uint64_t value)
{
	append_u64(json_before(json, key, 20), value);
}

void
json_write_bool(struct json_writer *json, const char *key, bool value)
{
	append_bytes(
	    json_before(json, key, 5), value ? BYTES("true") : BYTES("false"));
}

void
json_write_null(struct json_writer *json, const char *key)
{
	append_literal(json_before(json, key, 4), "null");
}

void
json_write_milli(struct json_writer *json, const char *key, int64_t thousandths)
{
	struct appender *out = json_before(json, key, 26);
	uint64_t size =
	    thousandths < 0 ? -(uint64_t)thousandths : (uint64_t)thousandths;
	unsigned rest = (unsigned)(size % 1000);

	if (thousandths < 0)
		append_char(out, '-');
	append_u64(out, size / 1000);
	append_char(out, '.');
	append_char(out, (char)('0' + rest / 100));
	append_char(out, (char)('0' + rest / 10 % 10));
	append_char(out, (char)('0' + rest % 10));
}
