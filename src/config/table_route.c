/*
 * table_route.c - what a route matches
 */
#include <stdio.h>

#include "config/nearest.h"
#include "config/read_site.h"
#include "config/regex.h"

#define ROUTE_METHOD_MAX 32 /* characters of a method */

/* ---- paths ---- */

static bool
route_is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') ||
	    (c >= 'a' && c <= 'f');
}

static int
route_hex(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* RFC 3986 §2.3 */
static bool
route_is_unreserved(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' ||
	    c == '~';
}

/* An escape as normal paths have it: upper case, and only where needed. */
static const char *
route_escape_mistake(struct bytes path, size_t i)
{
	if (i + 2 >= path.length || !route_is_hex(path.at[i + 1]) ||
	    !route_is_hex(path.at[i + 2]))
		return "`%` is followed by two hexadecimal digits";
	if (path.at[i + 1] >= 'a' || path.at[i + 2] >= 'a')
		return "escapes have upper-case digits";
	if (route_is_unreserved((char)(route_hex(path.at[i + 1]) * 16 +
		route_hex(path.at[i + 2]))))
		return "this escape is undone before routes are looked at; "
		       "write the character itself";
	return NULL;
}

static const char *
route_segments_mistake(struct bytes path)
{
	struct bytes rest = bytes_skip(path, 1), segment;

	while (bytes_split(&rest, '/', &segment)) {
		if (segment.length == 0 && rest.at != NULL)
			return "repeated slashes are merged before routes are "
			       "looked at";
		if (bytes_equal(segment, BYTES(".")) ||
		    bytes_equal(segment, BYTES("..")))
			return "`.` and `..` are resolved before routes are "
			       "looked at";
	}
	return NULL;
}

/* Requests are matched in the one normal form of their path: a route that is
 * written otherwise would never match. */
static const char *
route_path_mistake(struct bytes path)
{
	if (path.length == 0 || path.at[0] != '/')
		return "a path begins with `/`";
	for (size_t i = 0; i < path.length; i++) {
		char c = path.at[i];
		const char *mistake;

		if (c == '?' || c == '#')
			return "routes look at the path, not at the query";
		if (c == '%') {
			mistake = route_escape_mistake(path, i);
			if (mistake != NULL)
				return mistake;
		} else if (!route_is_unreserved(c) &&
		    (c == '\0' || strchr("!$&'()*+,;=:@/", c) == NULL)) {
			return "this character stands escaped (%XX) in paths";
		}
	}
	return route_segments_mistake(path);
}

static void
route_path_set(struct reader *reader, const struct node *node,
    enum config_path_match match, struct config_route *route)
{
	const char *mistake;

	if (node->kind != NODE_TEXT) {
		reader_mismatch(reader, node, "a path", NULL);
		return;
	}
	mistake = route_path_mistake(node->text);
	if (mistake != NULL) {
		reader_error(
		    reader, node, NULL, "`%s`: %s", reader->key, mistake);
		return;
	}
	if (node->text.at[node->text.length - 1] == '*')
		reader_warn(reader, node,
		    match == PATH_PREFIX
			? "a path is a prefix already: leave the `*` out"
			: "use `path` for a prefix",
		    "`*` is taken literally in `%s`", reader->key);
	route->match = match;
	route->path = reader_copy(reader, node->text);
}

static void
route_prefix_read(struct reader *reader, const struct node *node, void *into)
{
	route_path_set(reader, node, PATH_PREFIX, into);
}

static void
route_exact_read(struct reader *reader, const struct node *node, void *into)
{
	route_path_set(reader, node, PATH_EXACT, into);
}

static void
route_regex_read(struct reader *reader, const struct node *node, void *into)
{
	struct config_route *route = into;

	route->match = PATH_REGEX;
	route->regex = reader_regex(reader, node);
	route->path = reader_copy(reader, node->text);
}

static const struct shape route_prefix = {
    .kind = SHAPE_TEXT,
    .word = "path prefix",
    .pattern = "^/",
    .read = route_prefix_read,
};
static const struct shape route_exact = {
    .kind = SHAPE_TEXT,
    .word = "URL path",
    .pattern = "^/",
    .read = route_exact_read,
};
static const struct shape route_regex = {
    .kind = SHAPE_TEXT,
    .word = "regular expression",
    .read = route_regex_read,
};

/* ---- methods ---- */

static const char *const route_methods[] = {
#define METHOD(name) #name,
#include "config/methods.tbl"
#undef METHOD
};

static int
route_method_find(struct bytes name)
{
	for (unsigned i = 0; i < array_count(route_methods); i++) {
		if (bytes_equal(name, bytes_from(route_methods[i])))
			return (int)i;
	}
	return -1;
}

static bool
route_method_check(struct reader *reader, const struct node *node)
{
	struct nearest nearest;
	char remedy[64];

	if (node->kind != NODE_TEXT || !text_is_token(node->text) ||
	    node->text.length > ROUTE_METHOD_MAX) {
		reader_mismatch(
		    reader, node, "a list of methods (GET, POST)", NULL);
		return false;
	}
	if (bytes_equal(node->text, BYTES("CONNECT"))) {
		reader_error(reader, node, NULL, "weir does not serve CONNECT");
		return false;
	}
	/* Methods are case-sensitive (RFC 9110 §9.1): `get` is another. */
	nearest_init(&nearest, node->text);
	for (unsigned i = 0; i < array_count(route_methods); i++) {
		if (bytes_equal_nocase(
			node->text, bytes_from(route_methods[i])))
			nearest_offer(&nearest, bytes_from(route_methods[i]));
	}
	if (route_method_find(node->text) < 0 && nearest.best.at != NULL) {
		reader_error(reader, node,
		    reader_nearest_remedy(&nearest, remedy, sizeof(remedy)),
		    "methods are written in upper case");
		return false;
	}
	return true;
}

static void
route_methods_read(struct reader *reader, const struct node *node, void *into)
{
	struct config_route *route = into;
	unsigned count;
	struct bytes *names =
	    reader_items(reader, node, sizeof(*names), &count);

	if (node->kind == NODE_LIST && node->count == 0)
		reader_error(reader, node, NULL, "`methods` is empty");
	route->method_names = names;
	for (unsigned i = 0; i < count; i++) {
		const struct node *item = reader_item(node, i);
		int method;

		if (!route_method_check(reader, item))
			continue;
		method = route_method_find(item->text);
		if (method >= 0)
			route->methods |= UINT32_C(1) << method;
		else
			names[route->method_name_count++] =
			    reader_copy(reader, item->text);
	}
	if ((route->methods & 1) != 0)
		route->methods |= 2; /* GET answers HEAD */
	route->trace_allowed =
	    (route->methods >> (unsigned)route_method_find(BYTES("TRACE")) &
		1) != 0;
}

static const struct shape route_method = {
    .kind = SHAPE_TEXT, .word = "method", .pattern = "^[!-~]+$"};
static const struct shape route_methods_shape = {
    .kind = SHAPE_LIST,
    .item = &route_method,
    .filled = true,
    .read = route_methods_read,
};

/* ---- header fields ---- */

struct route_header {
	struct config_header_match match;
	bool present;
};

static void
route_header_exact(struct reader *reader, const struct node *node, void *into)
{
	struct route_header *header = into;

	if (node->kind != NODE_TEXT)
		reader_mismatch(reader, node, "a text", NULL);
	else if (!text_is_field_value(node->text))
		reader_error(reader, node, NULL,
		    "no field can have this value: it has control characters "
		    "or spaces at its ends");
	else
		header->match.exact = reader_copy(reader, node->text);
}

static void
route_header_regex(struct reader *reader, const struct node *node, void *into)
{
	struct route_header *header = into;

	header->match.regex = reader_regex(reader, node);
}

static const struct shape route_header_text = {
    .kind = SHAPE_TEXT, .scalar = true, .read = route_header_exact};
static const struct shape route_header_pattern = {
    .kind = SHAPE_TEXT,
    .word = "regular expression",
    .read = route_header_regex,
};

static const struct key header_keys[] = {
    KEY_WHOLE("exact", &route_header_text, "not asked for",
	"The field's whole value."),
    KEY_WHOLE("regex", &route_header_pattern, "not asked for",
	"Found in the field's value."),
    KEY_OPTIONAL(struct route_header, present, "present", &shape_bool,
	"not asked for", "`true`: the field is there, with any value."),
    KEY_OPTIONAL(struct route_header, match.absent, "absent", &shape_bool,
	"not asked for", "`true`: the field is not there."),
};
static const struct table table_header = {
    .name = "header",
    .title = "sites[].routes[].headers.FIELD",
    .intro = "One of these. A text alone is `exact`.",
    .one_of =
	(const char *const[]){"exact", "regex", "present", "absent", NULL},
    TABLE(header_keys),
};

static void
route_header_read(struct reader *reader, const struct node_link *link,
    struct config_header_match *match)
{
	struct route_header header = {0};
	struct bytes name = link->key->text;
	unsigned mistakes = reader->errors->count;

	if (!text_is_token(name)) {
		reader_error(reader, link->key, NULL,
		    "`%.*s` is not a header field's name",
		    (int)min_of(name.length, (size_t)60), name.at);
		return;
	}
	if (link->value->kind != NODE_MAP) {
		route_header_exact(reader, link->value, &header);
	} else {
		reader_map(reader, &table_header, link->value, &header);
		if (link->value->count != 1)
			reader_error(reader, link->key, NULL,
			    "one of exact, regex, present and absent is "
			    "wanted");
		else if (header.match.exact.at == NULL &&
		    header.match.regex == NULL && !header.present &&
		    !header.match.absent)
			reader_error(reader, link->key, NULL,
			    "this condition asks for nothing");
	}
	/* Without a name it is a mistake, and compared with nothing. */
	*match = header.match;
	if (reader->errors->count == mistakes)
		match->name = reader_copy(reader, name);
}

static void
route_headers_read(struct reader *reader, const struct node *node, void *into)
{
	struct config_route *route = into;

	if (node->kind != NODE_MAP) {
		reader_mismatch(
		    reader, node, "a mapping of header fields", NULL);
		return;
	}
	route->headers = reader_alloc(
	    reader, max_of(node->count, 1u) * sizeof(*route->headers));
	if (route->headers == NULL)
		return;
	for (const struct node_link *link = node->first; link != NULL;
	     link = link->next) {
		const char *before = reader->key;

		if (!reader_budget(reader, link->value))
			return;
		reader->key = link->key->text.at;
		route_header_read(
		    reader, link, &route->headers[route->header_count++]);
		reader->key = before;
	}
}

static const struct shape route_header = {
    .kind = SHAPE_ONE_OF,
    .forms = (const struct shape *const[]){&route_header_text,
	&(const struct shape){.kind = SHAPE_MAP, .table = &table_header}, NULL},
};
static const struct shape route_headers = {
    .kind = SHAPE_DICT,
    .word = "mapping of header fields",
    .item = &route_header,
    .read = route_headers_read,
};

/* ---- the route ---- */

static const struct key route_limits_keys[] = {
    KEY_OPTIONAL(struct config_route, body_bytes, "body_bytes",
	SHAPE_SIZE_OF(0, UINT64_MAX / 2), "as the site",
	"The largest body of a request. 0: no limit."),
};
static const struct table table_route_limits = {
    .name = "route_limits",
    .title = "sites[].routes[].limits",
    .intro = "What a route takes.",
    TABLE(route_limits_keys),
};

static const struct key route_keys[] = {
    KEY_WHOLE("path", &route_prefix, "any path",
	"A prefix by segments: `/api/` takes `/api/x`; `/api` takes `/api` and "
	"`/api/x`, not `/apix`. Paths are compared in their normal form."),
    KEY_WHOLE("exact", &route_exact, "any path", "The whole path."),
    KEY_WHOLE("regex", &route_regex, "any path",
	"A regular expression (PCRE2) that is found in the path; `^` and `$` "
	"bind it to its ends."),
    KEY_WHOLE("methods", &route_methods_shape, "any method",
	"Methods that the route takes. GET takes HEAD too; TRACE must be named "
	"to be served at all."),
    KEY_WHOLE("headers", &route_headers, "any",
	"Conditions on header fields; all must hold."),
    {.name = "limits", .shape = SHAPE_MAP_OF(&table_route_limits)},
    KEY(struct config_route, log, "log", &shape_bool, "true",
	"Whether requests are written to the access log."),
    KEY_WHOLE("files", &shape_files, "-",
	"Serve files of a folder. A path alone is its `root`."),
    KEY_WHOLE("reverse", &shape_reverse, "-",
	"Pass the request to a server of a pool. A name alone is its `pool`."),
    KEY_WHOLE("respond", &shape_respond, "-",
	"Answer with a fixed text. A text alone is its `body`, three digits "
	"alone its `status`."),
    KEY_WHOLE("redirect", &shape_redirect, "-",
	"Send the client elsewhere. A text alone is its `to`."),
};
static const char *const route_matches[] = {"path", "exact", "regex", NULL};
static const char *const route_actions[] = {
    "files", "reverse", "respond", "redirect", NULL};
const struct table table_route = {
    .name = "route",
    .title = "sites[].routes[]",
    .intro = "At most one of `path`, `exact` and `regex`, and one of `files`, "
	     "`reverse`, `respond` and `redirect`.",
    .one_of = route_actions,
    .one_at_most = route_matches,
    TABLE(route_keys),
};

/* How many of the keys are there; *ret_second is the second one's node. */
static unsigned
route_keys_count(const struct node *node, const char *const *names,
    const struct node **ret_second)
{
	unsigned count = 0;

	for (const struct node_link *link = node->first; link != NULL;
	     link = link->next) {
		for (unsigned i = 0; names[i] != NULL; i++) {
			if (bytes_equal(
				link->key->text, bytes_from(names[i])) &&
			    ++count == 2)
				*ret_second = link->key;
		}
	}
	return count;
}

static void
route_choices_check(struct reader *reader, const struct node *node)
{
	const struct node *second = NULL;
	unsigned count;

	if (route_keys_count(node, route_matches, &second) > 1)
		reader_error(reader, second, NULL,
		    "a route has one of `path`, `exact` and `regex`");
	count = route_keys_count(node, route_actions, &second);
	if (count > 1)
		reader_error(reader, second, NULL,
		    "a route does one thing: `files`, `reverse`, `respond` or "
		    "`redirect`");
	else if (count == 0)
		reader_error(reader, node,
		    "add `files`, `reverse`, `respond` or `redirect`",
		    "this route does nothing");
}

void
route_read(struct reader *reader, const struct node *node,
    const struct config_site *site, struct config_route *route)
{
	route->where = reader_where(reader, node);
	route->digest = node->digest;
	reader_defaults(reader, &table_route, route);
	route->body_bytes = site->limits.body_bytes;
	reader->key = "routes";
	if (node->kind != NODE_MAP) {
		reader_mismatch(reader, node, "a list of routes", NULL);
		return;
	}
	reader_map(reader, &table_route, node, route);
	route_choices_check(reader, node);
}
