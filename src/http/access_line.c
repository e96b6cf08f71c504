/*
 * access_line.c - the fields are named once; logfmt and JSON differ in how a
 * key and a value are written
 */
#include "http/access_line.h"

#include <time.h>

#include "base/error.h"
#include "base/escape.h"

struct line {
	struct appender *into;
	bool json;
};

/* ---- time ---- */

struct line_second {
	int64_t second;
	char rfc3339[19]; /* 2026-11-24T12:00:00 */
	char clf[26]; /* 24/Nov/2026:12:00:00 +0000 */
};
static __thread struct line_second line_second_last = {.second = INT64_MIN};

static const struct line_second *
line_second_of(int64_t second)
{
	struct line_second *last = &line_second_last;
	struct appender a = appender_over(last->rfc3339, sizeof(last->rfc3339));
	char text[32];
	time_t t = (time_t)second;
	struct tm tm;

	if (last->second == second)
		return last;
	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	append(&a, text, sizeof(last->rfc3339));
	a = appender_over(last->clf, sizeof(last->clf));
	strftime(text, sizeof(text), "%d/%b/%Y:%H:%M:%S +0000", &tm);
	append(&a, text, sizeof(last->clf));
	last->second = second;
	return last;
}

static void
line_three_digits(struct appender *into, unsigned value)
{
	char digits[3] = {(char)('0' + value / 100),
	    (char)('0' + value / 10 % 10), (char)('0' + value % 10)};

	append(into, digits, sizeof(digits));
}

static void
line_rfc3339(struct appender *into, int64_t wall_ns)
{
	const struct line_second *s = line_second_of(wall_ns / 1000000000);

	append(into, s->rfc3339, sizeof(s->rfc3339));
	append_char(into, '.');
	line_three_digits(into, (unsigned)(wall_ns / 1000000 % 1000));
	append_char(into, 'Z');
}

/* ---- keys and values ---- */

/* A key with what stands before and behind it, in both formats. */
struct line_key {
	struct bytes logfmt;
	struct bytes json;
};
#define KEY(name)                                                              \
	((struct line_key){BYTES(" " name "="), BYTES(",\"" name "\":")})

static void
line_key(struct line *l, struct line_key key)
{
	append_bytes(l->into, l->json ? key.json : key.logfmt);
}

static void
line_text(struct line *l, struct line_key key, struct bytes value, size_t max)
{
	if (value.at == NULL)
		return;
	line_key(l, key);
	if (!l->json && value.length <= max && text_is_bare(value)) {
		append_bytes(l->into, value);
		return;
	}
	append_char(l->into, '"');
	append_escaped(l->into, value, ESCAPE_JSON, max);
	append_char(l->into, '"');
}

static void
line_number(struct line *l, struct line_key key, uint64_t value)
{
	line_key(l, key);
	append_u64(l->into, value);
}

static void
line_flag(struct line *l, struct line_key key, bool value)
{
	line_key(l, key);
	append_bytes(l->into, value ? BYTES("true") : BYTES("false"));
}

/* Milliseconds with three decimals from @begin to @end, if both happened. */
static void
line_ms(struct line *l, struct line_key key, instant begin, instant end)
{
	int64_t us;

	if (begin.ns == 0 || end.ns == 0)
		return;
	us = instant_since(end, begin).ns / 1000;
	if (us < 0)
		us = 0;
	line_key(l, key);
	append_u64(l->into, (uint64_t)us / 1000);
	append_char(l->into, '.');
	line_three_digits(l->into, (unsigned)(us % 1000));
}

/* ---- what an exchange says ---- */

static struct bytes
line_protocol(const struct exchange *ex)
{
	switch (ex->request.version) {
	case 10:
		return BYTES("HTTP/1.0");
	case 11:
		return BYTES("HTTP/1.1");
	case 20:
		return BYTES("HTTP/2.0");
	default:
		return bytes_of(NULL, 0);
	}
}

/* Path and query; the raw target when the head could not be parsed. One byte
 * more than is shown is enough for the cut to be seen. */
static struct bytes
line_path(const struct exchange *ex, char into[ACCESS_PATH_BYTES + 1])
{
	const struct http_head *head = &ex->request;
	struct appender a = appender_over(into, ACCESS_PATH_BYTES + 1);
	struct bytes rest = head->query;

	if (head->path.at == NULL)
		return head->target;
	if (rest.at == NULL)
		return head->path;
	append(&a, head->path.at, min_of(head->path.length, a.capacity));
	if (appender_room(&a) > 0)
		append_char(&a, '?');
	append(&a, rest.at, min_of(rest.length, appender_room(&a)));
	return appender_bytes(&a);
}

static struct bytes
line_error(const struct exchange *ex)
{
	return ex->error != 0 ? bytes_from(error_name(ex->error))
			      : bytes_of(NULL, 0);
}

static void
line_request(struct line *l, const struct exchange *ex)
{
	char path[ACCESS_PATH_BYTES + 1];

	line_text(l, KEY("client"), ex->client, ACCESS_ADDRESS_BYTES);
	if (!bytes_equal(ex->client, ex->peer))
		line_text(l, KEY("peer"), ex->peer, ACCESS_ADDRESS_BYTES);
	line_text(
	    l, KEY("method"), ex->request.method_name, ACCESS_METHOD_BYTES);
	line_text(l, KEY("host"), ex->request.host, ACCESS_HOST_BYTES);
	line_text(l, KEY("path"), line_path(ex, path), ACCESS_PATH_BYTES);
	line_text(l, KEY("protocol"), line_protocol(ex), 16);
	line_number(l, KEY("status"), ex->status);
	line_number(l, KEY("in"), ex->bytes_in);
	line_number(l, KEY("out"), ex->bytes_out);
}

static void
line_decision(struct line *l, const struct exchange *ex)
{
	if (ex->site != NULL)
		line_text(l, KEY("site"), ex->site->name, ACCESS_NAME_BYTES);
	if (ex->route != NULL)
		line_number(l, KEY("route"), ex->route->index);
	line_text(l, KEY("pool"), ex->pool_name, ACCESS_NAME_BYTES);
	line_text(l, KEY("server"), ex->server_name, ACCESS_NAME_BYTES);
	if (ex->attempts != 0) {
		line_number(l, KEY("attempts"), ex->attempts);
		line_flag(l, KEY("reused"), ex->server_reused);
	}
	line_text(l, KEY("error"), line_error(ex), ACCESS_NAME_BYTES);
}

static void
line_timeline(struct line *l, const struct timeline *t)
{
	line_ms(l, KEY("head_ms"), t->first_byte, t->head_received);
	line_ms(l, KEY("queue_ms"), t->queued, t->server_chosen);
	line_ms(l, KEY("connect_ms"), t->server_chosen, t->connected);
	line_ms(l, KEY("wait_ms"), t->request_sent, t->answer_head);
	line_ms(l, KEY("total_ms"), t->first_byte, t->ended);
}

static void
line_keyed(struct appender *into, const struct exchange *ex, bool json,
    int64_t wall_ns)
{
	struct line l = {.into = into, .json = json};

	append_bytes(into, json ? BYTES("{\"time\":\"") : BYTES("time="));
	line_rfc3339(into, wall_ns);
	if (json)
		append_char(into, '"');
	line_request(&l, ex);
	line_decision(&l, ex);
	line_timeline(&l, &ex->timeline);
	line_text(&l, KEY("referer"),
	    http_head_get(&ex->request, FIELD_REFERER), ACCESS_REFERER_BYTES);
	line_text(&l, KEY("agent"),
	    http_head_get(&ex->request, FIELD_USER_AGENT), ACCESS_AGENT_BYTES);
	if (json)
		append_char(into, '}');
}

static void
line_combined_text(struct appender *into, struct bytes value, size_t max)
{
	if (value.length == 0)
		append_char(into, '-');
	else
		append_escaped(into, value, ESCAPE_HEX, max);
}

static void
line_combined(struct appender *into, const struct exchange *ex, int64_t wall_ns)
{
	const struct http_head *head = &ex->request;
	const struct line_second *s = line_second_of(wall_ns / 1000000000);
	char path[ACCESS_PATH_BYTES + 1];

	line_combined_text(into, ex->client, ACCESS_ADDRESS_BYTES);
	append_literal(into, " - - [");
	append(into, s->clf, sizeof(s->clf));
	append_literal(into, "] \"");
	line_combined_text(into, head->method_name, ACCESS_METHOD_BYTES);
	append_char(into, ' ');
	line_combined_text(into, line_path(ex, path), ACCESS_PATH_BYTES);
	append_char(into, ' ');
	line_combined_text(into, line_protocol(ex), 16);
	append_literal(into, "\" ");
	append_u64(into, ex->status);
	append_char(into, ' ');
	append_u64(into, ex->bytes_out);
	append_literal(into, " \"");
	line_combined_text(
	    into, http_head_get(head, FIELD_REFERER), ACCESS_REFERER_BYTES);
	append_literal(into, "\" \"");
	line_combined_text(
	    into, http_head_get(head, FIELD_USER_AGENT), ACCESS_AGENT_BYTES);
	append_char(into, '"');
}

void
access_line_append(struct appender *into, const struct exchange *ex,
    enum config_log_format format, int64_t wall_ns)
{
	if (format == LOG_FORMAT_COMBINED)
		line_combined(into, ex, wall_ns);
	else
		line_keyed(into, ex, format == LOG_FORMAT_JSON, wall_ns);
	append_char(into, '\n');
}
