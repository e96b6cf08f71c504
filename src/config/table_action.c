/*
 * table_action.c - what a route does
 */
#include <stdio.h>

#include "config/nearest.h"
#include "config/read_site.h"
#include "config/regex.h"

/* ---- files ---- */

static bool
action_is_name(struct bytes name)
{
	return name.length != 0 && !bytes_equal(name, BYTES(".")) &&
	    !bytes_equal(name, BYTES("..")) &&
	    bytes_find(name, '/') == name.length;
}

static void
action_index(struct reader *reader, const struct node *node, void *into)
{
	struct config_files *files = into;

	files->index = reader_items(
	    reader, node, sizeof(*files->index), &files->index_count);
	for (unsigned i = 0; i < files->index_count; i++) {
		const struct node *item = reader_item(node, i);

		files->index[i] = reader_text(reader, item, "a file's name");
		if (files->index[i].at != NULL &&
		    !action_is_name(files->index[i]))
			reader_error(reader, item, NULL,
			    "`index` names files, without a path");
	}
}

static const char *const action_codings[] = {"br", "zstd", "gzip", NULL};

static void
action_precompressed(struct reader *reader, const struct node *node, void *into)
{
	static const struct shape coding = {
	    .kind = SHAPE_ENUM, .names = action_codings};
	struct config_files *files = into;
	unsigned count = node->kind == NODE_LIST ? node->count : 1;

	for (unsigned i = 0; i < count; i++) {
		const struct node *item = reader_item(node, i);
		struct bytes name = bytes_of(NULL, 0);

		if (!reader_budget(reader, item))
			return;
		reader_value(reader, &coding, item, &name, sizeof(name));
		for (unsigned j = 0; j < files->precompressed_count; j++) {
			if (name.at != NULL &&
			    bytes_equal(files->precompressed[j], name)) {
				reader_error(reader, item, NULL,
				    "%s is here twice", name.at);
				name.at = NULL;
			}
		}
		if (name.at != NULL)
			files->precompressed[files->precompressed_count++] =
			    name;
	}
}

static void
action_cache_control(struct reader *reader, const struct node *node, void *into)
{
	struct bytes text = reader_text(reader, node, "a text");

	if (text.at != NULL && !text_is_field_value(text))
		reader_error(reader, node, NULL,
		    "a field's value has no space at its ends");
	*(struct bytes *)into = text;
}

/* A path beneath the root, kept without the slash in front. */
static void
action_not_found(struct reader *reader, const struct node *node, void *into)
{
	struct bytes text = reader_text(reader, node, "a path"), rest, segment;

	while (text.length != 0 && text.at[0] == '/')
		text = bytes_skip(text, 1);
	rest = text;
	while (bytes_split(&rest, '/', &segment)) {
		if (!action_is_name(segment)) {
			reader_error(reader, node, NULL,
			    "`not_found` is the path of a file beneath the "
			    "root");
			return;
		}
	}
	*(struct bytes *)into = text;
}

static const struct shape action_file_name = {
    .kind = SHAPE_TEXT, .word = "file name"};
static const struct shape action_index_shape = {
    .kind = SHAPE_LIST, .item = &action_file_name, .read = action_index};
static const struct shape action_coding = {
    .kind = SHAPE_ENUM, .names = action_codings};
static const struct shape action_precompressed_shape = {
    .kind = SHAPE_LIST,
    .item = &action_coding,
    .read = action_precompressed,
};
static const struct shape action_cache_control_shape = {
    .kind = SHAPE_TEXT, .read = action_cache_control};
static const struct shape action_not_found_shape = {
    .kind = SHAPE_TEXT, .word = "path", .read = action_not_found};

static const struct key files_keys[] = {
    {
	.name = "root",
	.shape = &shape_path,
	.absent = "required",
	.meaning = "The folder. Relative paths begin at the configuration "
		   "file's folder.",
	.offset = offsetof(struct config_files, root),
	.required = true,
    },
    {
	.name = "index",
	.shape = &action_index_shape,
	.standard = "index.html",
	.meaning = "Names that are tried, in this order, for a folder; `[]` "
		   "for none.",
    },
    KEY(struct config_files, listing, "listing", &shape_bool, "false",
	"Answer with a list of the folder when no index is there."),
    KEY(struct config_files, hidden, "hidden", &shape_bool, "false",
	"Serve names that begin with a dot."),
    KEY(struct config_files, symlinks, "symlinks", &shape_bool, "false",
	"Follow symbolic links that stay beneath the root."),
    KEY(struct config_files, mount, "mount", &shape_bool, "true",
	"Remove what the route's `path` matched: with `path: /static/`, "
	"`/static/a.css` is `a.css` beneath the root."),
    KEY_WHOLE("precompressed", &action_precompressed_shape, "none",
	"Codings whose files (`a.css.br`, `a.css.zst`, `a.css.gz`) are sent "
	"instead of `a.css` to clients that take them, the first one first."),
    KEY_OPTIONAL(struct config_files, cache_control, "cache_control",
	&action_cache_control_shape, "not sent",
	"The Cache-Control field of answers."),
    KEY_OPTIONAL(struct config_files, not_found, "not_found",
	&action_not_found_shape, "a short text",
	"A file beneath the root that is sent with 404."),
};
static const struct table table_files = {
    .name = "files", .title = "sites[].routes[].files", TABLE(files_keys)};

static void
action_files(struct reader *reader, const struct node *node, void *into)
{
	struct config_route *route = into;
	struct config_files *files = reader_alloc(reader, sizeof(*files));

	if (files == NULL)
		return;
	reader_defaults(reader, &table_files, files);
	reader->key = "files";
	if (node->kind == NODE_MAP) {
		/* `index` in the file replaces the default. */
		if (node_get(node, "index") != NULL)
			files->index_count = 0;
		reader_map(reader, &table_files, node, files);
	} else {
		shape_path.read(reader, node, &files->root);
	}
	/* Nothing would be left of a path that was matched whole. */
	if (route->match != PATH_PREFIX)
		files->mount = false;
	route->action = ACTION_FILES;
	route->files = files;
}

const struct shape shape_files = {
    .kind = SHAPE_ONE_OF,
    .forms = (const struct shape *const[]){&shape_path,
	&(const struct shape){.kind = SHAPE_MAP, .table = &table_files}, NULL},
    .read = action_files,
};

/* ---- reverse ---- */

static void
action_pool(struct reader *reader, const struct node *node, void *into)
{
	struct config_reverse *reverse = into;

	reverse->pool = pool_named(reader, node);
}

static void
action_host(struct reader *reader, const struct node *node, void *into)
{
	struct config_reverse *reverse = into;

	if (node->kind != NODE_TEXT)
		reader_mismatch(
		    reader, node, "received, server or a host", NULL);
	else if (bytes_equal(node->text, BYTES("server")))
		reverse->host_of_server = true;
	else if (bytes_equal(node->text, BYTES("received")))
		reverse->host = bytes_of(NULL, 0);
	else if (!text_is_field_value(node->text) ||
	    bytes_find(node->text, ' ') != node->text.length ||
	    bytes_find(node->text, '/') != node->text.length ||
	    node->text.length == 0)
		reader_error(reader, node, NULL,
		    "a host, with a port or without, is wanted");
	else
		reverse->host = reader_copy(reader, node->text);
}

static void
action_prefix(struct reader *reader, const struct node *node, void *into)
{
	struct bytes text = reader_text(reader, node, "a path");

	if (text.at == NULL)
		return;
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.at[i];

		if (c <= ' ' || c >= 0x7f || c == '?' || c == '#' ||
		    text.at[0] != '/') {
			reader_error(reader, node, NULL,
			    "`prefix` is a URL path: it begins with `/` and "
			    "has no space and no query");
			return;
		}
	}
	*(struct bytes *)into = text;
}

static void
action_request_headers(
    struct reader *reader, const struct node *node, void *into)
{
	struct config_reverse *reverse = into;

	reader_pairs(reader, node, true, &reverse->request_headers,
	    &reverse->request_header_count);
}

static void
action_response_headers(
    struct reader *reader, const struct node *node, void *into)
{
	struct config_reverse *reverse = into;

	reader_pairs(reader, node, true, &reverse->response_headers,
	    &reverse->response_header_count);
}

static const struct shape action_pool_shape = {
    .kind = SHAPE_TEXT, .word = "pool", .read = action_pool};
static const struct shape action_host_shape = {
    .kind = SHAPE_TEXT,
    .word = "`received`, `server` or a host",
    .read = action_host,
};
static const struct shape action_prefix_shape = {
    .kind = SHAPE_TEXT,
    .word = "URL path",
    .pattern = "^/",
    .read = action_prefix,
};
static const struct shape action_request_shape = {
    .kind = SHAPE_DICT,
    .word = "mapping of header fields",
    .item = &shape_header_edit,
    .read = action_request_headers,
};
static const struct shape action_response_shape = {
    .kind = SHAPE_DICT,
    .word = "mapping of header fields",
    .item = &shape_header_edit,
    .read = action_response_headers,
};

static const struct key reverse_keys[] = {
    KEY_REQUIRED("pool", &action_pool_shape, "A name of `pools`."),
    KEY(struct config_reverse, strip_prefix, "strip_prefix", &shape_bool,
	"false",
	"Remove what the route's `path` matched before the path is "
	"passed on."),
    KEY_OPTIONAL(struct config_reverse, prefix, "prefix", &action_prefix_shape,
	"none", "What is put in front of the path, after `strip_prefix`."),
    KEY_WHOLE("host", &action_host_shape, "`received`",
	"The Host field of the request to the server: as `received`, the "
	"`server`'s address, or this text."),
    KEY_WHOLE("request_headers", &action_request_shape, "none",
	"Fields that are set in the request to the server; null removes one."),
    KEY_WHOLE("response_headers", &action_response_shape, "none",
	"Fields that are set in the answer to the client; null removes one."),
    KEY_OPTIONAL(struct config_reverse, response_timeout, "response_timeout",
	SHAPE_DURATION_OF(1, SHAPE_DAY), "as the pool",
	"From the end of the request to the header of the answer."),
    KEY(struct config_reverse, request_timeout, "request_timeout",
	SHAPE_DURATION_OF(0, SHAPE_DAY), "0",
	"For the whole exchange, retries included. 0: no limit."),
    KEY(struct config_reverse, via, "via", &shape_bool, "true",
	"Add a Via field in both directions."),
    KEY(struct config_reverse, forwarded, "forwarded", &shape_bool, "false",
	"Send Forwarded (RFC 7239) beside the X-Forwarded fields."),
    KEY(struct config_reverse, upgrade, "upgrade", &shape_bool, "true",
	"Pass Upgrade on (WebSocket)."),
    KEY(struct config_reverse, tunnel_timeout, "tunnel_timeout",
	SHAPE_DURATION_OF(1000, 7 * SHAPE_DAY), "1h",
	"How long an upgraded connection may be silent."),
    KEY(struct config_reverse, abandon, "abandon", &shape_bool, "true",
	"End the request to the server when its client goes away, or closes "
	"its direction, while the server is waited for. false: the server is "
	"heard, and a client that has only closed its direction is answered."),
};
static const struct table table_reverse = {
    .name = "reverse",
    .title = "sites[].routes[].reverse",
    TABLE(reverse_keys),
};

static void
action_reverse(struct reader *reader, const struct node *node, void *into)
{
	struct config_route *route = into;
	struct config_reverse *reverse = reader_alloc(reader, sizeof(*reverse));

	if (reverse == NULL)
		return;
	reader_defaults(reader, &table_reverse, reverse);
	reader->key = "reverse";
	if (node->kind == NODE_MAP)
		reader_map(reader, &table_reverse, node, reverse);
	else
		action_pool(reader, node, reverse);
	if (reverse->response_timeout.ns == 0 && reverse->pool != NULL)
		reverse->response_timeout = reverse->pool->response_timeout;
	if (reverse->strip_prefix && route->match != PATH_PREFIX &&
	    node_get(node, "strip_prefix") != NULL)
		reader_error(reader, node_get(node, "strip_prefix"), NULL,
		    "`strip_prefix` needs a route with `path`");
	route->action = ACTION_REVERSE;
	route->reverse = reverse;
}

const struct shape shape_reverse = {
    .kind = SHAPE_ONE_OF,
    .forms = (const struct shape *const[]){&action_pool_shape,
	&(const struct shape){.kind = SHAPE_MAP, .table = &table_reverse},
	NULL},
    .read = action_reverse,
};
