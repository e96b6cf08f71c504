/*
 * check_routes.c - routes that never match because an earlier one does
 *
 * Route B can never match when an earlier route A takes all of its requests:
 * A's paths hold B's, A's methods hold B's, and every condition of A's on a
 * header field follows from one of B's. Sets of regular expressions are not
 * compared; equal ones are, and an exact path is tried against them.
 */
#include "config/check.h"
#include "config/regex.h"

/* The comparison is of every pair. */
#define CHECK_ROUTES_MAX 2000

/* As http/router has it: "/api" holds /api and /api/x, not /apix. */
static bool
check_prefix_holds(struct bytes prefix, struct bytes path)
{
	return bytes_starts_with(path, prefix) &&
	    (prefix.length == path.length ||
		prefix.at[prefix.length - 1] == '/' ||
		path.at[prefix.length] == '/');
}

static bool
check_paths_hold(const struct config_route *a, const struct config_route *b)
{
	if (a->match == PATH_ANY ||
	    (a->match == PATH_PREFIX && bytes_equal(a->path, BYTES("/"))))
		return true;
	if (b->match == PATH_ANY)
		return false;
	if (a->match == PATH_REGEX && b->match == PATH_REGEX)
		return bytes_equal(a->path, b->path);
	if (b->match == PATH_REGEX)
		return false;
	if (a->match == PATH_REGEX) /* NULL: it did not compile */
		return b->match == PATH_EXACT && a->regex != NULL &&
		    config_regex_match(a->regex, b->path, NULL);
	if (a->match == PATH_EXACT)
		return b->match == PATH_EXACT && bytes_equal(a->path, b->path);
	return check_prefix_holds(a->path, b->path);
}

static bool
check_methods_hold(const struct config_route *a, const struct config_route *b)
{
	if (a->methods == 0 && a->method_name_count == 0)
		return true;
	if ((b->methods == 0 && b->method_name_count == 0) ||
	    (b->methods & ~a->methods) != 0)
		return false;
	for (unsigned i = 0; i < b->method_name_count; i++) {
		bool found = false;

		for (unsigned j = 0; j < a->method_name_count; j++)
			found = found ||
			    bytes_equal(a->method_names[j], b->method_names[i]);
		if (!found)
			return false;
	}
	return true;
}

/* Whether the condition @a holds wherever @b does. */
static bool
check_header_follows(
    const struct config_header_match *a, const struct config_header_match *b)
{
	if (!bytes_equal_nocase(a->name, b->name) || a->absent != b->absent)
		return false;
	if (a->absent)
		return true;
	if (a->regex != NULL)
		return b->regex != NULL
		    ? bytes_equal(config_regex_pattern(a->regex),
			  config_regex_pattern(b->regex))
		    : b->exact.at != NULL &&
			config_regex_match(a->regex, b->exact, NULL);
	if (a->exact.at != NULL)
		return b->exact.at != NULL && bytes_equal(a->exact, b->exact);
	return true; /* presence */
}

static bool
check_headers_hold(const struct config_route *a, const struct config_route *b)
{
	for (unsigned i = 0; i < a->header_count; i++) {
		bool follows = false;

		for (unsigned j = 0; j < b->header_count; j++)
			follows = follows ||
			    check_header_follows(
				&a->headers[i], &b->headers[j]);
		if (!follows)
			return false;
	}
	return true;
}

/* Whether what it matches was read without a mistake. */
static bool
check_route_sound(const struct config_route *route, const struct node *node)
{
	if (node == NULL || node->kind != NODE_MAP)
		return false;
	if (route->match == PATH_REGEX && route->regex == NULL)
		return false;
	if ((node_get(node, "path") != NULL ||
		node_get(node, "exact") != NULL ||
		node_get(node, "regex") != NULL) == (route->match == PATH_ANY))
		return false;
	if (node_get(node, "methods") != NULL && route->methods == 0 &&
	    route->method_name_count == 0)
		return false;
	for (unsigned i = 0; i < route->header_count; i++) {
		if (route->headers[i].name.at == NULL)
			return false;
	}
	return true;
}

/* What it matches by, where there is something. */
static const struct node *
check_route_spot(const struct node *node)
{
	static const char *const keys[] = {"path", "exact", "regex"};

	for (size_t i = 0; i < array_count(keys); i++) {
		if (node_get(node, keys[i]) != NULL)
			return node_get(node, keys[i]);
	}
	return node;
}

static void
check_route(struct reader *reader, const struct node *routes,
    const struct config_site *site, unsigned index)
{
	const struct config_route *route = &site->routes[index];
	const struct node *node = node_item(routes, index);

	if (!check_route_sound(route, node))
		return;
	for (unsigned i = 0; i < index; i++) {
		const struct config_route *earlier = &site->routes[i];

		if (!check_paths_hold(earlier, route) ||
		    !check_methods_hold(earlier, route) ||
		    !check_headers_hold(earlier, route) ||
		    !check_route_sound(earlier, node_item(routes, i)))
			continue;
		reader_error(reader, check_route_spot(node),
		    "put the more special route first",
		    "this route never matches: the one of line %d takes all "
		    "of its requests",
		    earlier->where.line);
		return;
	}
}

void
check_routes(struct reader *reader, const struct node *site_node,
    const struct config_site *site)
{
	const struct node *routes = node_get(site_node, "routes");
	unsigned count = min_of(site->route_count, (unsigned)CHECK_ROUTES_MAX);

	for (unsigned i = 1; i < count; i++)
		check_route(reader, routes, site, i);
}
