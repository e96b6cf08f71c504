#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "edge/files/files.h"
#include "edge/files/listing_page.h"
#include "edge/files/root.h"
#include "http/exchange_fake.h"
#include "runtime/runtime.h"

/* Long enough for every stamp made before to be old (entry_stable). */
#define SETTLE_US 120000

static char base[64]; /* holds the root "www" and what lies outside it */
static struct files_worker worker;
static struct exchange_fake fake;
static struct config_files config;
static instant now = {1000000000};

static const char *
in_base(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	return path;
}

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(in_base(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
put_large(const char *name, size_t size)
{
	FILE *f = fopen(in_base(name), "w");

	assert_non_null(f);
	for (size_t i = 0; i < size; i++)
		fputc('a' + (int)(i % 26), f);
	fclose(f);
}

static void
link_to(const char *target, const char *name)
{
	assert_int_equal(symlink(target, in_base(name)), 0);
}

static void
folder(const char *name)
{
	assert_int_equal(mkdir(in_base(name), 0755), 0);
}

static void
special_files(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(mkfifo(in_base("www/fifo"), 0644), 0);
	memccpy(address.sun_path, in_base("www/socket"), '\0',
	    sizeof(address.sun_path));
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static int
setup(void **state)
{
	snprintf(base, sizeof(base), "/tmp/weir-files-XXXXXX");
	assert_non_null(mkdtemp(base));
	folder("www");
	folder("www/dir");
	folder("www/empty");
	folder("www/.git");
	folder("www/.well-known");
	folder("www/dir/.x");
	folder("outside");
	put("outside/secret", "secret");
	put("www/hello.txt", "hello\n");
	put("www/a b%.txt", "odd");
	put("www/dir/index.html", "<p>index");
	put("www/.git/config", "secret");
	put("www/.well-known/acme", "token");
	put("www/dir/.x/y", "secret");
	put("www/404.html", "not here");
	put("www/app.js", "plain");
	put("www/app.js.gz", "gzipped");
	put("www/app.js.br", "brotli!");
	put_large("www/large.bin", ENTRY_BODY_BYTES_MAX + 1000);
	link_to("hello.txt", "www/inside");
	link_to("../outside/secret", "www/climbs");
	link_to("../outside", "www/climbs-dir");
	link_to("/etc/passwd", "www/absolute");
	link_to("/proc/self/root/etc/passwd", "www/magic");
	link_to("loop", "www/loop");
	special_files();
	usleep(SETTLE_US);
	return 0;
}

static int
teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

static int
begin(void **state)
{
	static struct bytes index[1];
	static char root[128];
	const struct files_cache_limits limits = {1 << 20, 20, 5};

	snprintf(root, sizeof(root), "%s/www", base);
	index[0] = BYTES("index.html");
	config = (struct config_files){.root = bytes_from(root),
	    .index = index,
	    .index_count = 1,
	    .mount = true,
	    .instance = 1};
	files_worker_init(&worker, &limits);
	fake_init(&fake, HTTP_GET, "/");
	fake.route.action = ACTION_FILES;
	fake.route.match = PATH_PREFIX;
	fake.route.files = &config;
	fake.ex.matched = BYTES("/");
	return 0;
}

static int
end(void **state)
{
	files_cache_check(&worker.cache);
	files_worker_fini(&worker);
	fake_fini(&fake);
	return 0;
}

static int
ask(enum http_method method, const char *path)
{
	fake_again(&fake, method, path);
	return files_answer(&worker, &fake.ex, now);
}

static int
ask_with(const char *path, enum http_field_id id, const char *value)
{
	fake_again(&fake, HTTP_GET, path);
	fake_ask(&fake, id, value);
	return files_answer(&worker, &fake.ex, now);
}

static void
test_get(void **state)
{
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask(HTTP_GET, "/hello.txt"), 0);
		assert_int_equal(fake.status, 200);
		assert_true(fake_body_is(&fake, "hello\n"));
		assert_int_equal(fake.length, 6);
		assert_true(fake.ended);
		assert_string_equal(fake_field(&fake, "Content-Type"),
		    "text/plain; charset=utf-8");
		assert_string_equal(
		    fake_field(&fake, "Accept-Ranges"), "bytes");
		assert_non_null(fake_field(&fake, "ETag"));
		assert_non_null(fake_field(&fake, "Last-Modified"));
		assert_null(fake_field(&fake, "Vary"));
		assert_null(fake_field(&fake, "Cache-Control"));
	}
	assert_int_equal(worker.cache.count, 1);
	assert_int_equal(ask(HTTP_HEAD, "/hello.txt"), 0);
	assert_int_equal(fake.status, 200);
	assert_int_equal(fake.length, 6);
	assert_int_equal(fake.body_length, 0);
	assert_int_equal(ask(HTTP_GET, "/a%20b%25.txt"), 0);
	assert_true(fake_body_is(&fake, "odd"));
}

static void
test_large(void **state)
{
	assert_int_equal(ask(HTTP_GET, "/large.bin"), 0);
	assert_int_equal(fake.status, 200);
	assert_int_equal(fake.body_length, ENTRY_BODY_BYTES_MAX + 1000);
	assert_int_equal(worker.cache.descriptors, 1);
	assert_int_equal(ask_with("/large.bin", FIELD_RANGE, "bytes=26-51"), 0);
	assert_int_equal(fake.status, 206);
	assert_true(fake_body_is(&fake, "abcdefghijklmnopqrstuvwxyz"));
}

static void
test_methods(void **state)
{
	assert_int_equal(ask(HTTP_POST, "/hello.txt"), 0);
	assert_int_equal(fake.status, 405);
	assert_string_equal(fake_field(&fake, "Allow"), "GET, HEAD, OPTIONS");
	assert_int_equal(ask(HTTP_OPTIONS, "/hello.txt"), 0);
	assert_int_equal(fake.status, 204);
	assert_string_equal(fake_field(&fake, "Allow"), "GET, HEAD, OPTIONS");
}

/* Nothing of these is there, whatever lies on the disk. */
static const char *const absent[] = {
    "/nothing",
    "/dir/nothing",
    "/hello.txt/",
    "/hello.txt/x",
    "/empty/",
    "/fifo",
    "/socket",
    "/fifo/",
    "/.git/config",
    "/.git/",
    "/.git",
    "/dir/.x/y",
    "/dir/.well-known/x",
    "/climbs",
    "/climbs-dir/secret",
    "/climbs-dir/",
    "/absolute",
    "/magic",
    "/loop",
    "/..",
    "/../outside/secret",
    "/dir/../../outside/secret",
    "/./hello.txt",
    "/.",
    "/dir/..",
};

static void
test_absent(void **state)
{
	for (int symlinks = 0; symlinks < 2; symlinks++) {
		config.symlinks = symlinks;
		for (size_t i = 0; i < array_count(absent); i++) {
			if (ask(HTTP_GET, absent[i]) != E_NO_FILE)
				fail_msg("%s: %d", absent[i], fake.status);
		}
	}
	/* Only names that begin with '.' are told apart by hidden. */
	config.hidden = true;
	assert_int_equal(ask(HTTP_GET, "/.git/config"), 0);
	assert_int_equal(ask(HTTP_GET, "/dir/.x/y"), 0);
	assert_int_equal(ask(HTTP_GET, "/../outside/secret"), E_NO_FILE);
	assert_int_equal(ask(HTTP_GET, "/dir/.."), E_NO_FILE);
}

static void
test_escapes(void **state)
{
	/* The normal form holds none of these; files does not rely on it. */
	assert_true(ask(HTTP_GET, "/dir%2findex.html") < 0);
	assert_true(ask(HTTP_GET, "/hello.txt%00") < 0);
	assert_int_equal(ask(HTTP_GET, "/%2e%2e/outside/secret"), E_NO_FILE);
	assert_int_equal(ask(HTTP_GET, "/%2egit/config"), E_NO_FILE);
	assert_true(ask(HTTP_GET, "/hello.txt%5c") < 0);
}

static void
test_links(void **state)
{
	assert_int_equal(ask(HTTP_GET, "/inside"), E_NO_FILE);
	config.symlinks = true;
	assert_int_equal(ask(HTTP_GET, "/inside"), 0);
	assert_true(fake_body_is(&fake, "hello\n"));
	assert_int_equal(ask(HTTP_GET, "/.well-known/acme"), 0);
	assert_true(fake_body_is(&fake, "token"));
}

static void
test_directories(void **state)
{
	assert_int_equal(ask(HTTP_GET, "/dir/"), 0);
	assert_true(fake_body_is(&fake, "<p>index"));
	assert_string_equal(
	    fake_field(&fake, "Content-Type"), "text/html; charset=utf-8");
	assert_int_equal(ask(HTTP_GET, "/dir"), 0);
	assert_int_equal(fake.status, 301);
	assert_string_equal(fake_field(&fake, "Location"), "/dir/");
	assert_int_equal(ask(HTTP_GET, "/dir?a=b&c"), 0);
	assert_string_equal(fake_field(&fake, "Location"), "/dir/?a=b&c");
}

static void
test_mount(void **state)
{
	fake.ex.matched = BYTES("/static");
	assert_int_equal(ask(HTTP_GET, "/static/hello.txt"), 0);
	assert_true(fake_body_is(&fake, "hello\n"));
	assert_int_equal(ask(HTTP_GET, "/static/dir/"), 0);
	assert_int_equal(ask(HTTP_GET, "/static/dir"), 0);
	assert_string_equal(fake_field(&fake, "Location"), "/static/dir/");
	assert_int_equal(ask(HTTP_GET, "/static"), 0);
	assert_int_equal(fake.status, 301);
	assert_string_equal(fake_field(&fake, "Location"), "/static/");
	fake.ex.matched = BYTES("/static/");
	assert_int_equal(ask(HTTP_GET, "/static/hello.txt"), 0);
	assert_int_equal(ask(HTTP_GET, "/static/"), E_NO_FILE);
	config.mount = false;
	assert_int_equal(ask(HTTP_GET, "/static/hello.txt"), E_NO_FILE);
	/* An exact route names a file, not a directory. */
	config.mount = true;
	config.instance = 2;
	fake.route.match = PATH_EXACT;
	fake.ex.matched = BYTES("/hello.txt");
	assert_int_equal(ask(HTTP_GET, "/hello.txt"), 0);
	assert_true(fake_body_is(&fake, "hello\n"));
}

static void
test_conditions(void **state)
{
	char etag[64], date[64];

	config.cache_control = BYTES("max-age=60");
	assert_int_equal(ask(HTTP_GET, "/hello.txt"), 0);
	snprintf(etag, sizeof(etag), "%s", fake_field(&fake, "ETag"));
	snprintf(date, sizeof(date), "%s", fake_field(&fake, "Last-Modified"));
	assert_string_equal(fake_field(&fake, "Cache-Control"), "max-age=60");

	assert_int_equal(ask_with("/hello.txt", FIELD_IF_NONE_MATCH, etag), 0);
	assert_int_equal(fake.status, 304);
	assert_int_equal(fake.body_length, 0);
	assert_string_equal(fake_field(&fake, "ETag"), etag);
	assert_string_equal(fake_field(&fake, "Cache-Control"), "max-age=60");
	assert_null(fake_field(&fake, "Content-Type"));
	assert_int_equal(
	    ask_with("/hello.txt", FIELD_IF_MODIFIED_SINCE, date), 0);
	assert_int_equal(fake.status, 304);
	assert_int_equal(ask_with("/hello.txt", FIELD_IF_MATCH, "\"x\""), 0);
	assert_int_equal(fake.status, 412);
	assert_int_equal(ask_with("/hello.txt", FIELD_IF_MATCH, etag), 0);
	assert_int_equal(fake.status, 200);
}

static void
test_ranges(void **state)
{
	assert_int_equal(ask_with("/hello.txt", FIELD_RANGE, "bytes=1-3"), 0);
	assert_int_equal(fake.status, 206);
	assert_true(fake_body_is(&fake, "ell"));
	assert_int_equal(fake.length, 3);
	assert_string_equal(fake_field(&fake, "Content-Range"), "bytes 1-3/6");
	assert_int_equal(ask_with("/hello.txt", FIELD_RANGE, "bytes=6-"), 0);
	assert_int_equal(fake.status, 416);
	assert_string_equal(fake_field(&fake, "Content-Range"), "bytes */6");
	assert_int_equal(ask_with("/hello.txt", FIELD_RANGE, "lines=1"), 0);
	assert_int_equal(fake.status, 200);

	/* Range is of GET alone, and only while If-Range holds. */
	fake_again(&fake, HTTP_HEAD, "/hello.txt");
	fake_ask(&fake, FIELD_RANGE, "bytes=1-3");
	assert_int_equal(files_answer(&worker, &fake.ex, now), 0);
	assert_int_equal(fake.status, 200);
	fake_again(&fake, HTTP_GET, "/hello.txt");
	fake_ask(&fake, FIELD_RANGE, "bytes=1-3");
	fake_ask(&fake, FIELD_IF_RANGE, "\"other\"");
	assert_int_equal(files_answer(&worker, &fake.ex, now), 0);
	assert_int_equal(fake.status, 200);
}

static void
test_multipart(void **state)
{
	const char *paths[] = {"/hello.txt", "/large.bin"};
	char expected[1024], boundary[64];

	for (int i = 0; i < 2; i++) {
		const char *type;

		assert_int_equal(
		    ask_with(paths[i], FIELD_RANGE, "bytes=0-1,4-5"), 0);
		assert_int_equal(fake.status, 206);
		type = fake_field(&fake, "Content-Type");
		assert_int_equal(
		    sscanf(
			type, "multipart/byteranges; boundary=%63s", boundary),
		    1);
		assert_int_equal(strlen(boundary), 24);
		type = i == 0 ? "text/plain; charset=utf-8"
			      : "application/octet-stream";
		snprintf(expected, sizeof(expected),
		    "--%s\r\nContent-Type: %s\r\n"
		    "Content-Range: bytes 0-1/%d\r\n\r\n%s\r\n"
		    "--%s\r\nContent-Type: %s\r\n"
		    "Content-Range: bytes 4-5/%d\r\n\r\n%s\r\n--%s--\r\n",
		    boundary, type, i == 0 ? 6 : ENTRY_BODY_BYTES_MAX + 1000,
		    i == 0 ? "he" : "ab", boundary, type,
		    i == 0 ? 6 : ENTRY_BODY_BYTES_MAX + 1000,
		    i == 0 ? "o\n" : "ef", boundary);
		assert_true(fake_body_is(&fake, expected));
		assert_int_equal(fake.length, fake.body_length);
		assert_null(fake_field(&fake, "Content-Range"));
	}
}

static void
test_precompressed(void **state)
{
	char plain[64], gzip[64];

	config.precompressed[0] = BYTES("br");
	config.precompressed[1] = BYTES("zstd");
	config.precompressed[2] = BYTES("gzip");
	config.precompressed_count = 3;
	assert_int_equal(ask(HTTP_GET, "/app.js"), 0);
	assert_true(fake_body_is(&fake, "plain"));
	assert_string_equal(fake_field(&fake, "Vary"), "Accept-Encoding");
	assert_null(fake_field(&fake, "Content-Encoding"));
	snprintf(plain, sizeof(plain), "%s", fake_field(&fake, "ETag"));

	assert_int_equal(ask_with("/app.js", FIELD_ACCEPT_ENCODING, "gzip"), 0);
	assert_true(fake_body_is(&fake, "gzipped"));
	assert_string_equal(fake_field(&fake, "Content-Encoding"), "gzip");
	assert_string_equal(fake_field(&fake, "Vary"), "Accept-Encoding");
	assert_string_equal(fake_field(&fake, "Content-Type"),
	    "text/javascript; charset=utf-8");
	snprintf(gzip, sizeof(gzip), "%s", fake_field(&fake, "ETag"));
	assert_string_not_equal(plain, gzip);

	assert_int_equal(
	    ask_with("/app.js", FIELD_ACCEPT_ENCODING, "zstd, br"), 0);
	assert_string_equal(fake_field(&fake, "Content-Encoding"), "br");
	assert_string_not_equal(fake_field(&fake, "ETag"), gzip);

	/* The only coding on offer is not there: the file itself. */
	assert_int_equal(ask_with("/app.js", FIELD_ACCEPT_ENCODING, "zstd"), 0);
	assert_true(fake_body_is(&fake, "plain"));
	assert_string_equal(fake_field(&fake, "ETag"), plain);
	assert_int_equal(
	    ask_with("/hello.txt", FIELD_ACCEPT_ENCODING, "gzip"), 0);
	assert_null(fake_field(&fake, "Content-Encoding"));
	assert_string_equal(fake_field(&fake, "Vary"), "Accept-Encoding");

	/* A range is one of the variant. */
	fake_again(&fake, HTTP_GET, "/app.js");
	fake_ask(&fake, FIELD_ACCEPT_ENCODING, "gzip");
	fake_ask(&fake, FIELD_RANGE, "bytes=1-3");
	fake_ask(&fake, FIELD_IF_RANGE, gzip);
	assert_int_equal(files_answer(&worker, &fake.ex, now), 0);
	assert_true(fake_body_is(&fake, "zip"));
	assert_string_equal(fake_field(&fake, "Content-Range"), "bytes 1-3/7");
}

static void
test_not_found(void **state)
{
	config.not_found = BYTES("404.html");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(HTTP_GET, "/nothing"), 0);
		assert_int_equal(fake.status, 404);
		assert_true(fake_body_is(&fake, "not here"));
		assert_string_equal(fake_field(&fake, "Content-Type"),
		    "text/html; charset=utf-8");
		assert_null(fake_field(&fake, "ETag"));
		assert_null(fake_field(&fake, "Accept-Ranges"));
	}
	config.not_found = BYTES("nothing.html");
	assert_int_equal(ask(HTTP_GET, "/nothing"), E_NO_FILE);
}

static void
replace(const char *name, const char *text)
{
	char from[256];

	put("new", text);
	snprintf(from, sizeof(from), "%s", in_base("new"));
	assert_int_equal(rename(from, in_base(name)), 0);
}

static void
pass(int64_t ms)
{
	now = instant_after(now, duration_ms(ms));
}

static void
test_change(void **state)
{
	put("www/changes", "one");
	usleep(SETTLE_US);
	assert_int_equal(ask(HTTP_GET, "/changes"), 0);
	assert_true(fake_body_is(&fake, "one"));
	replace("www/changes", "two");
	usleep(SETTLE_US);
	/* Believed for a while, then looked at again. */
	pass(FILES_CHECK_MS - 1);
	assert_int_equal(ask(HTTP_GET, "/changes"), 0);
	assert_true(fake_body_is(&fake, "one"));
	pass(1);
	assert_int_equal(ask(HTTP_GET, "/changes"), 0);
	assert_true(fake_body_is(&fake, "two"));
	/* Unchanged: the same entry goes on. */
	pass(FILES_CHECK_MS);
	assert_int_equal(ask(HTTP_GET, "/changes"), 0);
	assert_int_equal(worker.cache.count, 1);
	assert_int_equal(unlink(in_base("www/changes")), 0);
	pass(FILES_CHECK_MS);
	assert_int_equal(ask(HTTP_GET, "/changes"), E_NO_FILE);
	assert_int_equal(worker.cache.count, 0);
}

/* A file written a moment ago could change without a trace: not kept. */
static void
test_young(void **state)
{
	put("www/young", "one");
	assert_int_equal(ask(HTTP_GET, "/young"), 0);
	assert_int_equal(worker.cache.count, 0);
	/* The entry is gone, and no field of the answer points into it. */
	assert_int_equal(fake.ex.response.field_count, 0);
	put("www/young", "two");
	assert_int_equal(ask(HTTP_GET, "/young"), 0);
	assert_true(fake_body_is(&fake, "two"));
}

/* Deployment by moving a link. */
static void
test_root_moves(void **state)
{
	static char root[256];

	folder("v1");
	folder("v2");
	put("v1/f", "one");
	put("v2/f", "two");
	link_to("v1", "current");
	usleep(SETTLE_US);
	snprintf(root, sizeof(root), "%s", in_base("current"));
	config.root = bytes_from(root);
	assert_int_equal(ask(HTTP_GET, "/f"), 0);
	assert_true(fake_body_is(&fake, "one"));
	assert_int_equal(unlink(root), 0);
	link_to("v2", "current");
	pass(FILES_ROOT_CHECK_MS + FILES_CHECK_MS);
	assert_int_equal(ask(HTTP_GET, "/f"), 0);
	assert_true(fake_body_is(&fake, "two"));
	assert_int_equal(unlink(root), 0);
	pass(FILES_ROOT_CHECK_MS + FILES_CHECK_MS);
	assert_int_equal(ask(HTTP_GET, "/f"), E_NO_FILE);
}

static void
evict_meanwhile(struct exchange_fake *f)
{
	files_cache_fini(&worker.cache);
}

/* The entry is thrown out while it is sent. */
static void
test_evicted(void **state)
{
	fake.meanwhile = evict_meanwhile;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(HTTP_GET, "/hello.txt"), 0);
		assert_true(fake_body_is(&fake, "hello\n"));
		assert_int_equal(
		    ask_with("/large.bin", FIELD_RANGE, "bytes=0-1,3-4"), 0);
		assert_int_equal(fake.body_length, fake.length);
	}
}

static void
shrink_meanwhile(struct exchange_fake *f)
{
	assert_int_equal(truncate(in_base("www/shrinks"), 10), 0);
}

static void
test_truncated(void **state)
{
	put_large("www/shrinks", ENTRY_BODY_BYTES_MAX + 1);
	fake.meanwhile = shrink_meanwhile;
	assert_int_equal(ask(HTTP_GET, "/shrinks"), -EIO);
	assert_false(fake.ended);
}

static void
test_prepare(void **state)
{
	struct config_site site = {.routes = &fake.route, .route_count = 1};
	struct snapshot snapshot = {.sites = &site, .site_count = 1};
	char text[256];
	struct appender why = appender_over(text, sizeof(text));

	config.instance = 0;
	fake.route.where = (struct config_where){"weir.yaml", 7, 3};
	assert_int_equal(files_feature.prepare(&snapshot, &why), 0);
	assert_int_not_equal(config.instance, 0);
	config.root = BYTES("/nonexistent/www");
	assert_int_equal(files_feature.prepare(&snapshot, &why), -ENOENT);
	assert_true(bytes_starts_with(appender_bytes(&why),
	    BYTES("weir.yaml:7: cannot open the root /nonexistent/www")));
}

/* ---- listing ---- */

static void
test_listing_read(void **state)
{
	struct listing listing = {.root = -1, .path = BYTES("")};
	char text[512];
	struct appender names = appender_over(text, sizeof(text));

	arena_init(&listing.arena, NULL, 0, 0);
	listing.dir = open(in_base("www"), O_RDONLY | O_DIRECTORY);
	assert_int_equal(listing_read(&listing), 0);
	assert_false(listing.cut);
	for (unsigned i = 0; i < listing.count; i++) {
		append_bytes(&names, listing.entries[i].name);
		append_text(&names, listing.entries[i].directory ? "/ " : " ");
	}
	append_char(&names, '\0');
	/* No hidden names, no links, nothing that is not served. */
	assert_string_equal(text,
	    "dir/ empty/ 404.html a b%.txt app.js app.js.br app.js.gz "
	    "hello.txt large.bin shrinks young ");
	arena_reset(&listing.arena);
}

static void
test_listing_links(void **state)
{
	struct listing listing = {.path = BYTES("")};
	unsigned links = 0;

	arena_init(&listing.arena, NULL, 0, 0);
	listing.root = open(in_base("www"), O_PATH | O_DIRECTORY);
	listing.dir = open(in_base("www"), O_RDONLY | O_DIRECTORY);
	assert_int_equal(listing_read(&listing), 0);
	for (unsigned i = 0; i < listing.count; i++) {
		const char *name = listing.entries[i].name.at;

		links += strcmp(name, "inside") == 0;
		assert_string_not_equal(name, "climbs");
		assert_string_not_equal(name, "absolute");
		assert_string_not_equal(name, "magic");
	}
	assert_int_equal(links, 1);
	close(listing.root);
	arena_reset(&listing.arena);
}

static void
test_listing_page(void **state)
{
	struct listing_entry entries[] = {
	    {BYTES("<b>\"&'"), true, 0, 784111777},
	    {BYTES("a b\xff.txt"), false, 1536, 784111777},
	};
	struct listing listing = {.entries = entries, .count = 2, .cut = true};

	fake_again(&fake, HTTP_GET, "/x/");
	assert_int_equal(listing_page_send(&fake.ex, &listing), 0);
	fake.body[fake.body_length] = '\0';
	assert_non_null(strstr(fake.body,
	    "<tr><td><a href=\"%3Cb%3E%22%26%27/\">"
	    "&lt;b&gt;&quot;&amp;&#39;/</a><td><td>1994-11-06 08:49\n"));
	assert_non_null(strstr(fake.body, "<td>1.5 KiB<td>"));
	assert_non_null(strstr(fake.body, "only 2 entries are shown"));
	assert_non_null(strstr(fake.body, "href=\"../\""));

	fake_again(&fake, HTTP_GET, "/x/");
	fake_ask(&fake, FIELD_ACCEPT, "application/json");
	assert_int_equal(listing_page_send(&fake.ex, &listing), 0);
	assert_string_equal(
	    fake_field(&fake, "Content-Type"), "application/json");
	assert_true(fake_body_is(&fake,
	    "{\"path\":\"/x/\",\"cut\":true,\"entries\":[\n"
	    "{\"name\":\"<b>\\\"&'\",\"link\":\"%3Cb%3E%22%26%27/\","
	    "\"type\":\"directory\",\"modified\":\"1994-11-06T08:49:37Z\"},\n"
	    "{\"name\":\"a b\\u00ff.txt\",\"link\":\"a%20b%FF.txt\","
	    "\"type\":\"file\",\"size\":1536,"
	    "\"modified\":\"1994-11-06T08:49:37Z\"}\n]}\n"));
}

static int
ask_listing(void *arg)
{
	fake_again(&fake, HTTP_GET, "/");
	fake_ask(&fake, FIELD_ACCEPT, "application/json");
	return files_answer(&worker, &fake.ex, now);
}

static int
ask_stopped(void *arg)
{
	*(int *)arg = ask_listing(NULL);
	return 0;
}

/* @arg  how many steps the task may make before it is stopped */
static int
stop_asking(void *arg)
{
	struct scope scope;
	int result = 0;

	scope_init(&scope, instant_never());
	if (task_start(&scope, "asks", ask_stopped, &result) < 0)
		return -ENOMEM;
	for (int i = 0; i < *(int *)arg; i++)
		(void)task_yield();
	scope_cancel(&scope, -ECANCELED);
	(void)scope_fini(&scope);
	return result;
}

/* The whole road, on the runtime: the directory is read by another thread. */
static void
test_listing_answer(void **state)
{
	const struct runtime_options options = {.worker_count = 1};
	int steps, r;

	config.listing = true;
	config.index_count = 0;
	for (int symlinks = 0; symlinks < 2; symlinks++) {
		config.symlinks = symlinks;
		assert_int_equal(runtime_run(&options, ask_listing, NULL), 0);
		assert_int_equal(fake.status, 200);
		fake.body[fake.body_length] = '\0';
		assert_non_null(strstr(fake.body, "\"hello.txt\""));
		assert_int_equal(
		    strstr(fake.body, "\"inside\"") != NULL, symlinks);
	}
	/* Stopped before the directory is read, or while it is: nothing is
	 * left behind (the sanitizers watch). */
	steps = 0;
	assert_int_equal(
	    runtime_run(&options, stop_asking, &steps), -ECANCELED);
	steps = 1;
	r = runtime_run(&options, stop_asking, &steps);
	assert_true(r == -ECANCELED || r == 0);
}

/* Entries of the greatest length fit the pieces they are written in. */
static void
test_listing_long(void **state)
{
	static char name[256];
	struct listing_entry entries[40];
	struct listing listing = {.entries = entries, .count = 40};

	memset(name, '\'', 255);
	for (unsigned i = 0; i < 40; i++)
		entries[i] = (struct listing_entry){bytes_of(name, 255), true,
		    UINT64_MAX, INT64_MAX / 1000000000};
	fake_again(&fake, HTTP_GET, "/x/");
	assert_int_equal(listing_page_send(&fake.ex, &listing), 0);
	memset(name, '\x01', 255);
	fake_again(&fake, HTTP_GET, "/x/");
	fake_ask(&fake, FIELD_ACCEPT, "application/json");
	assert_int_equal(listing_page_send(&fake.ex, &listing), 0);
	assert_true(fake.body_length > 40 * 255 * 9);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_get),
	    TEST(test_large),
	    TEST(test_methods),
	    TEST(test_absent),
	    TEST(test_escapes),
	    TEST(test_links),
	    TEST(test_directories),
	    TEST(test_mount),
	    TEST(test_conditions),
	    TEST(test_ranges),
	    TEST(test_multipart),
	    TEST(test_precompressed),
	    TEST(test_not_found),
	    TEST(test_change),
	    TEST(test_young),
	    TEST(test_root_moves),
	    TEST(test_evicted),
	    TEST(test_truncated),
	    TEST(test_prepare),
	    TEST(test_listing_read),
	    TEST(test_listing_links),
	    TEST(test_listing_page),
	    TEST(test_listing_long),
	    TEST(test_listing_answer),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
