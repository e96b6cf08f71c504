/*
 * table_answer.c - routes that answer by themselves: respond, redirect
 */
#include <stdio.h>

#include "config/nearest.h"
#include "config/read_site.h"
#include "config/regex.h"

/* ---- respond ---- */

static void
answer_body(struct reader *reader, const struct node *node, void *into)
{
	struct config_respond *respond = into;

	if (node->kind != NODE_TEXT)
		reader_mismatch(reader, node, "a text", NULL);
	else
		respond->body = reader_copy(reader, node->text);
}

static void
answer_type(struct reader *reader, const struct node *node, void *into)
{
	struct bytes text = reader_text(reader, node, "a media type");
	size_t slash = bytes_find(text, '/');

	if (text.at == NULL)
		return;
	if (slash == 0 || slash + 1 >= text.length ||
	    !text_is_field_value(text))
		reader_error(reader, node, "write text/plain, say",
		    "a media type has the form TYPE/SUBTYPE");
	*(struct bytes *)into = text;
}

static void
answer_headers(struct reader *reader, const struct node *node, void *into)
{
	struct config_respond *respond = into;

	reader_pairs(
	    reader, node, false, &respond->headers, &respond->header_count);
}

static const struct shape answer_status = {
    .kind = SHAPE_COUNT, .word = "status", .min = 200, .max = 599};
static const struct shape answer_body_shape = {
    .kind = SHAPE_TEXT, .scalar = true, .read = answer_body};
static const struct shape answer_type_shape = {
    .kind = SHAPE_TEXT, .word = "media type", .read = answer_type};
static const struct shape answer_headers_shape = {
    .kind = SHAPE_DICT,
    .word = "mapping of header fields",
    .item = &shape_header_value,
    .read = answer_headers,
};

static const struct key respond_keys[] = {
    KEY(struct config_respond, status, "status", &answer_status, "200",
	"The status."),
    KEY_WHOLE("body", &answer_body_shape, "empty", "The body."),
    KEY(struct config_respond, content_type, "type", &answer_type_shape,
	"text/plain; charset=utf-8", "The Content-Type field."),
    KEY_WHOLE("headers", &answer_headers_shape, "none", "More fields."),
};
static const struct table table_respond = {
    .name = "respond",
    .title = "sites[].routes[].respond",
    TABLE(respond_keys),
};

/* `respond: 404`: a number alone is a status; "404" in quotes is a body. */
static bool
answer_is_status(const struct node *node)
{
	uint64_t status;

	return node->kind == NODE_TEXT && node->plain &&
	    node->text.length == 3 &&
	    bytes_to_u64(node->text, 999, &status) == 0;
}

static void
answer_respond(struct reader *reader, const struct node *node, void *into)
{
	struct config_route *route = into;
	struct config_respond *respond = reader_alloc(reader, sizeof(*respond));

	if (respond == NULL)
		return;
	reader_defaults(reader, &table_respond, respond);
	reader->key = "respond";
	if (node->kind == NODE_MAP)
		reader_map(reader, &table_respond, node, respond);
	else if (answer_is_status(node))
		reader_value(reader, &answer_status, node, &respond->status,
		    sizeof(respond->status));
	else
		answer_body(reader, node, respond);
	/* RFC 9110 §15.3.5, §15.3.6, §15.4.5. */
	if (respond->body.length != 0 &&
	    (respond->status == 204 || respond->status == 205 ||
		respond->status == 304))
		reader_error(reader, node_get(node, "body"), NULL,
		    "an answer with status %u has no body", respond->status);
	route->action = ACTION_RESPOND;
	route->respond = respond;
}

const struct shape shape_respond = {
    .kind = SHAPE_ONE_OF,
    .forms = (const struct shape *const[]){&answer_body_shape, &answer_status,
	&(const struct shape){.kind = SHAPE_MAP, .table = &table_respond},
	NULL},
    .read = answer_respond,
};

/* ---- redirect ---- */

struct answer_redirect {
	struct config_redirect redirect;
	const struct config_route *route;
};

static const char *const answer_placeholders[] = {
    "scheme", "host", "port", "path", "query", "uri", NULL};

static void
answer_placeholder_check(struct reader *reader, const struct node *node,
    const struct config_route *route, struct bytes name)
{
	struct nearest nearest;
	char remedy[64];
	unsigned groups =
	    route->regex != NULL ? config_regex_groups(route->regex) : 0;

	if (name.length == 1 && name.at[0] >= '1' && name.at[0] <= '9') {
		/* A pattern that does not compile was noted already. */
		if (route->match == PATH_REGEX && route->regex == NULL)
			return;
		if (route->match != PATH_REGEX)
			reader_error(reader, node, NULL,
			    "`{%c}` needs a route with `regex`", name.at[0]);
		else if ((unsigned)(name.at[0] - '0') > groups)
			reader_error(reader, node, NULL,
			    "`{%c}`: the route's `regex` has %u group%s",
			    name.at[0], groups, groups == 1 ? "" : "s");
		return;
	}
	nearest_init(&nearest, name);
	for (unsigned i = 0; answer_placeholders[i] != NULL; i++) {
		struct bytes known = bytes_from(answer_placeholders[i]);

		if (bytes_equal(name, known))
			return;
		nearest_offer(&nearest, known);
	}
	reader_error(reader, node,
	    reader_nearest_remedy(&nearest, remedy, sizeof(remedy)),
	    "unknown placeholder `{%.*s}`",
	    (int)min_of(name.length, (size_t)40), name.at);
}

/* The part of the node's text, where it stands in the file byte for byte. */
static struct node
answer_part(const struct node *node, size_t from, size_t length)
{
	struct node part = *node;

	if (node->text.length + 2 * !node->plain == (size_t)node->spot.width) {
		part.spot.column += (int)from + !node->plain;
		part.spot.width = (int)length;
	}
	return part;
}

static void
answer_placeholders_check(struct reader *reader, const struct node *node,
    const struct config_route *route)
{
	struct bytes to = node->text;

	for (size_t i = 0; i < to.length; i++) {
		size_t length = bytes_find(bytes_skip(to, i), '}');
		struct node part = answer_part(node, i, length + 1);

		if (to.at[i] != '{')
			continue;
		if (i + length == to.length) {
			part = answer_part(node, i, 1);
			reader_error(
			    reader, &part, NULL, "this `{` is not closed");
			return;
		}
		answer_placeholder_check(
		    reader, &part, route, bytes_of(to.at + i + 1, length - 1));
		i += length;
	}
}

static void
answer_to(struct reader *reader, const struct node *node, void *into)
{
	struct answer_redirect *answer = into;
	struct bytes text = reader_text(reader, node, "a URL");

	if (text.at == NULL)
		return;
	if (text.at[0] != '/' && text.at[0] != '{' &&
	    memmem(text.at, text.length, "://", 3) == NULL)
		reader_error(reader, node, NULL,
		    "a redirect goes to a URL (https://...) or a path (/...)");
	answer_placeholders_check(reader, node, answer->route);
	answer->redirect.to = text;
}

static void
answer_redirect_status(
    struct reader *reader, const struct node *node, void *into)
{
	static const uint16_t statuses[] = {301, 302, 303, 307, 308};
	uint64_t status = 0;

	if (node->kind == NODE_TEXT &&
	    bytes_to_u64(node->text, 999, &status) < 0)
		status = 0;
	for (size_t i = 0; i < array_count(statuses); i++) {
		if (status == statuses[i]) {
			*(uint16_t *)into = statuses[i];
			return;
		}
	}
	reader_mismatch(reader, node, "301, 302, 303, 307 or 308", NULL);
}

static const struct shape answer_to_shape = {
    .kind = SHAPE_TEXT, .word = "URL", .read = answer_to};
static const struct shape answer_redirect_status_shape = {
    .kind = SHAPE_COUNT,
    .word = "301, 302, 303, 307 or 308",
    .min = 301,
    .max = 308,
    .read = answer_redirect_status,
};

static const struct key redirect_keys[] = {
    KEY_REQUIRED("to", &answer_to_shape,
	"A URL or a path, with `{scheme}`, `{host}`, `{port}`, `{path}`, "
	"`{query}`, `{uri}` (path and query) of the request and, when the "
	"route has a `regex`, its groups `{1}` to `{9}`."),
    KEY(struct answer_redirect, redirect.status, "status",
	&answer_redirect_status_shape, "302",
	"301 and 308 are permanent, 302 and 307 are not; 307 and 308 keep the "
	"method; 303 asks for GET."),
};
static const struct table table_redirect = {
    .name = "redirect",
    .title = "sites[].routes[].redirect",
    TABLE(redirect_keys),
};

static void
answer_redirect(struct reader *reader, const struct node *node, void *into)
{
	struct config_route *route = into;
	struct answer_redirect answer = {.route = route};
	struct config_redirect *redirect =
	    reader_alloc(reader, sizeof(*redirect));

	if (redirect == NULL)
		return;
	reader_defaults(reader, &table_redirect, &answer);
	reader->key = "redirect";
	if (node->kind == NODE_MAP)
		reader_map(reader, &table_redirect, node, &answer);
	else
		answer_to(reader, node, &answer);
	*redirect = answer.redirect;
	route->action = ACTION_REDIRECT;
	route->redirect = redirect;
}

const struct shape shape_redirect = {
    .kind = SHAPE_ONE_OF,
    .forms = (const struct shape *const[]){&answer_to_shape,
	&(const struct shape){.kind = SHAPE_MAP, .table = &table_redirect},
	NULL},
    .read = answer_redirect,
};
