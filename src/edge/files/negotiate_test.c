#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edge/files/media_type.h"
#include "edge/files/negotiate.h"

static const struct bytes offered[] = {{"br", 2}, {"zstd", 4}, {"gzip", 4}};

struct row {
	const char *accept; /* lines parted by '|'; NULL: no field */
	const char *expected; /* names, best first */
};

static const struct row coding_rows[] = {
    {NULL, ""},
    {"", ""},
    {"gzip", "gzip"},
    {"GZip", "gzip"},
    {"x-gzip", "gzip"},
    {"gzip, deflate, br", "br gzip"},
    {"gzip, deflate, br, zstd", "br zstd gzip"},
    {"gzip|br", "br gzip"},
    {"br;q=0, gzip", "gzip"},
    {"br;q=0.5, gzip;q=1.0", "gzip br"},
    {"br;q=0.001, gzip;Q=0.002", "gzip br"},
    {"br ; q=0.5 , gzip ; q=0.4", "br gzip"},
    {"*", "br zstd gzip"},
    {"*;q=0", ""},
    {"gzip, *;q=0", "gzip"},
    {"*, br;q=0", "zstd gzip"},
    {"br;q=0.1, *;q=0.5", "zstd gzip br"},
    {"identity", ""},
    {"identity, gzip;q=0.5", ""},
    {"identity;q=0.5, gzip;q=0.5", "gzip"},
    {"identity;q=0, gzip", "gzip"},
    {"identity;q=0", ""},
    /* a weight that is none counts as zero */
    {"gzip;q=2", ""},
    {"gzip;q=1.001", ""},
    {"gzip;q=0.5000", ""},
    {"gzip;q=", ""},
    {"gzip;q=abc", ""},
    {"gzip;q=-1", ""},
    {"gzip;q=0.5;x=y", "gzip"},
    {"gzipp, bro", ""},
    {",, gzip ,,", "gzip"},
};

static void
ask(struct http_head *head, enum http_field_id id, const char *lines)
{
	struct bytes rest = bytes_from(lines), line;

	http_head_init(head);
	while (lines != NULL && bytes_split(&rest, '|', &line))
		assert_int_equal(http_head_add(head, id, line), 0);
}

static void
test_codings(void **state)
{
	for (size_t i = 0; i < array_count(coding_rows); i++) {
		struct http_head head;
		char text[64];
		struct appender got = appender_over(text, sizeof(text));
		coding_order order;

		ask(&head, FIELD_ACCEPT_ENCODING, coding_rows[i].accept);
		order = negotiate_codings(&head, offered, 3);
		for (unsigned j = 0; coding_at(order, j) >= 0; j++) {
			if (j != 0)
				append_char(&got, ' ');
			append_bytes(&got, offered[coding_at(order, j)]);
		}
		append_char(&got, '\0');
		if (strcmp(text, coding_rows[i].expected) != 0)
			fail_msg("%s: \"%s\", not \"%s\"",
			    coding_rows[i].accept, text,
			    coding_rows[i].expected);
	}
}

static const struct {
	const char *accept;
	bool json;
} json_rows[] = {
    {NULL, false},
    {"*/*", false},
    {"application/json", true},
    {"Application/JSON; charset=utf-8", true},
    {"application/json, */*", true},
    {"application/json, text/html", false},
    {"application/json, text/html;q=0.9", true},
    {"application/json;q=0.9, text/html", false},
    {"application/json;q=0.9, */*", false},
    {"application/*", true},
    {"text/*, application/*", false},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false},
    {"application/json;q=0", false},
    {"application/json;q=0, */*;q=0", false},
};

static void
test_json(void **state)
{
	for (size_t i = 0; i < array_count(json_rows); i++) {
		struct http_head head;

		ask(&head, FIELD_ACCEPT, json_rows[i].accept);
		if (negotiate_json(&head) != json_rows[i].json)
			fail_msg("Accept: %s", json_rows[i].accept);
	}
}

static const char *const extensions[] = {
#define MEDIA_TYPE(extension, type) extension,
#include "edge/files/media_types.tbl"
#undef MEDIA_TYPE
};

static void
test_media_table(void **state)
{
	for (size_t i = 1; i < array_count(extensions); i++) {
		if (strcmp(extensions[i - 1], extensions[i]) >= 0)
			fail_msg("media_types.tbl: %s is out of order",
			    extensions[i]);
	}
#define MEDIA_TYPE(extension, type)                                            \
	assert_true(                                                           \
	    bytes_equal(media_type_of(BYTES("a." extension)), BYTES(type)));
#include "edge/files/media_types.tbl"
#undef MEDIA_TYPE
}

static const struct {
	const char *name;
	const char *type;
} media_rows[] = {
    {"index.html", "text/html; charset=utf-8"},
    {"a/b.c/INDEX.HTML", "text/html; charset=utf-8"},
    {"app.min.js", "text/javascript; charset=utf-8"},
    {"x.json", "application/json"},
    {"x.tar.gz", "application/gzip"},
    {"x.woff2", "font/woff2"},
    {"x.svg", "image/svg+xml"},
    {"README", "application/octet-stream"},
    {"a.html/README", "application/octet-stream"},
    {".html", "application/octet-stream"},
    {"a/.html", "application/octet-stream"},
    {"x.", "application/octet-stream"},
    {"x.unknown", "application/octet-stream"},
    {"x.averyveryverylongextension", "application/octet-stream"},
    {"", "application/octet-stream"},
};

static void
test_media_names(void **state)
{
	for (size_t i = 0; i < array_count(media_rows); i++) {
		if (!bytes_equal(media_type_of(bytes_from(media_rows[i].name)),
			bytes_from(media_rows[i].type)))
			fail_msg("%s is not %s", media_rows[i].name,
			    media_rows[i].type);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_codings),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_media_table),
	    cmocka_unit_test(test_media_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
