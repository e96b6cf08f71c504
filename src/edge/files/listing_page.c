#include "edge/files/listing_page.h"

#include <errno.h>
#include <time.h>

#include "base/escape.h"
#include "edge/files/negotiate.h"
#include "wire/url.h"

static const char listing_style[] =
    "<style>:root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;"
    "padding:0 1em}table{border-collapse:collapse;width:100%}"
    "td,th{padding:.2em .6em;text-align:left;border-bottom:1px solid #8884}"
    "td:nth-child(n+2),th:nth-child(n+2){text-align:right;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}a{text-decoration:none}"
    "a:hover{text-decoration:underline}</style>";

void
append_html(struct appender *page, struct bytes text)
{
	for (size_t i = 0; i < text.length; i++) {
		switch (text.at[i]) {
		case '&':
			append_literal(page, "&amp;");
			break;
		case '<':
			append_literal(page, "&lt;");
			break;
		case '>':
			append_literal(page, "&gt;");
			break;
		case '"':
			append_literal(page, "&quot;");
			break;
		case '\'':
			append_literal(page, "&#39;");
			break;
		default:
			append_char(page, text.at[i]);
		}
	}
}

static void
append_json(struct appender *page, struct bytes text)
{
	append_char(page, '"');
	append_escaped(page, text, ESCAPE_JSON, 0);
	append_char(page, '"');
}

static void
listing_time(struct appender *page, int64_t unix_s, const char *format)
{
	time_t time = unix_s;
	char text[32];
	struct tm tm;

	if (gmtime_r(&time, &tm) == NULL)
		return;
	append(page, text, strftime(text, sizeof(text), format, &tm));
}

static void
listing_size(struct appender *page, uint64_t size)
{
	static const char units[][5] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double value = (double)size;
	unsigned unit = 0;

	while (value >= 1024 && unit + 1 < array_count(units)) {
		value /= 1024;
		unit++;
	}
	append_format(
	    page, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static void
listing_link(struct appender *page, const struct listing_entry *entry)
{
	url_escape_path(entry->name, page);
	if (entry->directory)
		append_char(page, '/');
}

void
listing_entry_html(struct appender *page, const struct listing_entry *entry)
{
	append_literal(page, "<tr><td><a href=\"");
	listing_link(page, entry);
	append_literal(page, "\">");
	append_html(page, entry->name);
	if (entry->directory)
		append_char(page, '/');
	append_literal(page, "</a><td>");
	if (!entry->directory)
		listing_size(page, entry->size);
	append_literal(page, "<td>");
	listing_time(page, entry->modified_s, "%Y-%m-%d %H:%M");
	append_char(page, '\n');
}

void
listing_entry_json(struct appender *page, const struct listing_entry *entry)
{
	append_literal(page, "{\"name\":");
	append_json(page, entry->name);
	append_literal(page, ",\"link\":\"");
	listing_link(page, entry);
	append_literal(page, "\",\"type\":");
	if (entry->directory) {
		append_literal(page, "\"directory\"");
	} else {
		append_literal(page, "\"file\",\"size\":");
		append_u64(page, entry->size);
	}
	append_literal(page, ",\"modified\":\"");
	listing_time(page, entry->modified_s, "%Y-%m-%dT%H:%M:%SZ");
	append_literal(page, "\"}");
}

static void
listing_head_html(struct appender *page, struct bytes path)
{
	append_literal(page,
	    "<!doctype html>\n<html lang=en><meta charset=utf-8>"
	    "<meta name=viewport content=\"width=device-width\"><title>");
	append_html(page, path);
	append_literal(page, "</title>");
	append_text(page, listing_style);
	append_literal(page, "\n<h1>");
	append_html(page, path);
	append_literal(
	    page, "</h1>\n<table><tr><th>Name<th>Size<th>Modified (UTC)\n");
	if (path.length > 1)
		append_literal(
		    page, "<tr><td><a href=\"../\">../</a><td><td>\n");
}

static void
listing_tail_html(struct appender *page, const struct listing *listing)
{
	append_literal(page, "</table>\n");
	if (listing->cut)
		append_format(page,
		    "<p>The directory is larger: only %u entries are shown.\n",
		    listing->count);
}

static void
listing_head_json(struct appender *page, struct bytes path, bool cut)
{
	append_literal(page, "{\"path\":");
	append_json(page, path);
	append_text(page, cut ? ",\"cut\":true" : ",\"cut\":false");
	append_literal(page, ",\"entries\":[\n");
}

SUSPENDS
static int
listing_flush(struct exchange *ex, struct appender *page)
{
	int r;

	must(!page->overflowed);
	r = exchange_write(ex, appender_bytes(page));
	page->length = 0;
	return r;
}

SUSPENDS
static int
listing_body_send(struct exchange *ex, const struct listing *listing, bool json,
    struct appender *page)
{
	int r;

	for (unsigned i = 0; i < listing->count; i++) {
		if (appender_room(page) < LISTING_ENTRY_BYTES) {
			r = listing_flush(ex, page);
			if (r < 0)
				return r;
		}
		if (json && i != 0)
			append_literal(page, ",\n");
		if (json)
			listing_entry_json(page, &listing->entries[i]);
		else
			listing_entry_html(page, &listing->entries[i]);
	}
	r = listing_flush(ex, page);
	if (json)
		append_literal(page, "\n]}\n");
	else
		listing_tail_html(page, listing);
	return r < 0 ? r : listing_flush(ex, page);
}

/* The page changes whenever a file does, and with Accept; nothing in it is
 * ever to run. */
static int
listing_fields(struct http_head *head, bool json)
{
	int r = http_head_add(head, FIELD_CONTENT_TYPE,
	    json ? BYTES("application/json")
		 : BYTES("text/html; charset=utf-8"));

	if (r == 0)
		r = http_head_add(head, FIELD_VARY, BYTES("Accept"));
	if (r == 0)
		r = http_head_add(head, FIELD_CACHE_CONTROL, BYTES("no-cache"));
	if (r == 0)
		r = http_head_add_named(head, BYTES("Content-Security-Policy"),
		    BYTES("default-src 'none'; style-src 'unsafe-inline'"));
	return r;
}

int
listing_page_send(struct exchange *ex, const struct listing *listing)
{
	struct bytes path = ex->request.path;
	bool json = negotiate_json(&ex->request);
	/* The head holds the path twice, each byte escaped into six. */
	size_t capacity = LISTING_PIECE_BYTES + 12 * path.length;
	char *memory = arena_alloc(&ex->arena, capacity);
	struct appender page = appender_over(memory, capacity);
	int r = listing_fields(&ex->response, json);

	if (memory == NULL)
		return -ENOMEM;
	if (r < 0)
		return r;
	ex->response.status = 200;
	r = exchange_begin(ex, -1);
	if (r < 0)
		return r;
	if (json)
		listing_head_json(&page, path, listing->cut);
	else
		listing_head_html(&page, path);
	if (ex->request.method != HTTP_HEAD)
		r = listing_body_send(ex, listing, json, &page);
	return r < 0 ? r : exchange_end(ex);
}
