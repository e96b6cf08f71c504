/*
 * table_health.c - how the servers of a pool are checked
 */
#include <stdio.h>

#include "config/read_site.h"

/* ---- what is expected ---- */

static bool
health_status_parse(struct bytes text, uint16_t *ret_min, uint16_t *ret_max)
{
	size_t dash = bytes_find(text, '-');
	uint64_t low, high;

	if (bytes_to_u64(bytes_of(text.at, dash), 599, &low) < 0 || low < 100)
		return false;
	high = low;
	if (dash != text.length &&
	    (bytes_to_u64(bytes_skip(text, dash + 1), 599, &high) < 0 ||
		high < low))
		return false;
	*ret_min = (uint16_t)low;
	*ret_max = (uint16_t)high;
	return true;
}

static void
health_status(struct reader *reader, const struct node *node, void *into)
{
	struct config_health *health = into;

	if (node->kind != NODE_TEXT ||
	    !health_status_parse(
		node->text, &health->status_min, &health->status_max))
		reader_mismatch(
		    reader, node, "a status (200) or a range (200-399)", NULL);
}

static const struct shape health_status_shape = {
    .kind = SHAPE_TEXT,
    .word = "status or range",
    .pattern = "^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$",
    .scalar = true,
    .read = health_status,
};

static const struct key expect_keys[] = {
    {
	.name = "status",
	.shape = &health_status_shape,
	.standard = "200-399",
	.meaning = "A status, or a range of them.",
    },
    KEY_OPTIONAL(struct config_health, body, "body", &shape_text, "any body",
	"A text that occurs in the first 64 KiB of the body."),
};
static const struct table table_expect = {
    .name = "expect",
    .title = "pools.NAME.health.expect",
    .intro = "What makes an answer to `http` a good one.",
    TABLE(expect_keys),
};

/* ---- the check ---- */

struct health_reading {
	struct config_health health;
	bool tcp;
};

static void
health_http(struct reader *reader, const struct node *node, void *into)
{
	struct config_health *health =
	    container_of(into, struct config_health, path);
	struct bytes path = reader_text(reader, node, "a path");

	if (path.at == NULL)
		return;
	if (path.at[0] != '/' || bytes_find(path, ' ') != path.length ||
	    bytes_find(path, '#') != path.length) {
		reader_error(reader, node, NULL,
		    "`http` is a path: it begins with `/` and has no space");
		return;
	}
	health->kind = CHECK_HTTP;
	health->path = path;
}

static void
health_host(struct reader *reader, const struct node *node, void *into)
{
	struct bytes host = reader_text(reader, node, "a host");

	if (host.at != NULL && bytes_find(host, ' ') != host.length)
		reader_error(reader, node, NULL, "a host has no space");
	*(struct bytes *)into = host;
}

static const struct shape health_path = {
    .kind = SHAPE_TEXT,
    .word = "URL path",
    .pattern = "^/",
    .read = health_http,
};
static const struct shape health_host_shape = {
    .kind = SHAPE_TEXT, .word = "host", .read = health_host};
static const struct shape health_method = {
    .kind = SHAPE_ENUM, .names = (const char *const[]){"GET", "HEAD", NULL}};

static const struct key health_keys[] = {
    KEY_OPTIONAL(struct config_health, path, "http", &health_path, "-",
	"Ask for this path and look at the answer."),
    KEY_OPTIONAL(struct health_reading, tcp, "tcp", &shape_bool, "-",
	"`true`: it is enough that a connection opens."),
    KEY(struct config_health, every, "every",
	SHAPE_DURATION_OF(100, SHAPE_HOUR), "2s",
	"From one check of a server to its next."),
    KEY(struct config_health, timeout, "timeout",
	SHAPE_DURATION_OF(10, SHAPE_HOUR), "1s", "For a whole check."),
    KEY(struct config_health, fall, "fall", SHAPE_COUNT_OF(1, 100), "3",
	"Checks in a row that must fail before a server is down."),
    KEY(struct config_health, rise, "rise", SHAPE_COUNT_OF(1, 100), "2",
	"Checks in a row that must pass before it is up again."),
    {.name = "expect", .shape = SHAPE_MAP_OF(&table_expect)},
    KEY(struct config_health, method, "method", &health_method, "GET",
	"The method of `http`."),
    KEY_OPTIONAL(struct config_health, host, "host", &health_host_shape,
	"the server's address", "The Host field of `http`."),
    KEY_OPTIONAL(struct config_health, port, "port",
	SHAPE_COUNT_OF(1, UINT16_MAX), "the server's",
	"Another port to check."),
    KEY(struct config_health, jitter_percent, "jitter", SHAPE_PERCENT_OF(0, 50),
	"10%",
	"How much `every` varies, so that checks do not come all at once."),
};
const struct table table_health = {
    .name = "health",
    .title = "pools.NAME.health",
    .intro = "One of `http` and `tcp`.",
    .one_of = (const char *const[]){"http", "tcp", NULL},
    TABLE(health_keys),
};

void
health_defaults(struct reader *reader, struct config_health *health)
{
	struct health_reading reading = {0};

	reader_defaults(reader, &table_health, &reading);
	*health = reading.health;
}

static void
health_read(struct reader *reader, const struct node *node, void *into)
{
	struct config_health *health = into;
	struct health_reading reading = {0};
	const struct node *timeout = node_get(node, "timeout");

	reader_defaults(reader, &table_health, &reading);
	reader->key = "health";
	if (node->kind == NODE_TEXT && bytes_equal(node->text, BYTES("tcp")))
		reading.tcp = true;
	else if (node->kind == NODE_TEXT)
		health_http(reader, node, &reading.health.path);
	else
		reader_map(reader, &table_health, node, &reading);
	if (node->kind == NODE_MAP &&
	    (node_get(node, "http") != NULL) == reading.tcp)
		reader_error(reader, node, "write `http: /PATH` or `tcp: true`",
		    "a check is either `http` or `tcp`");
	if (reading.tcp)
		reading.health.kind = CHECK_TCP;
	if (timeout != NULL &&
	    reading.health.timeout.ns > reading.health.every.ns)
		reader_error(
		    reader, timeout, NULL, "`timeout` is longer than `every`");
	*health = reading.health;
}

static const struct shape health_tcp = {
    .kind = SHAPE_ENUM, .names = (const char *const[]){"tcp", NULL}};
const struct shape shape_health = {
    .kind = SHAPE_ONE_OF,
    .forms = (const struct shape *const[]){&health_path, &health_tcp,
	&(const struct shape){.kind = SHAPE_MAP, .table = &table_health}, NULL},
    .read = health_read,
};
