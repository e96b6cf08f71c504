#include "http/router.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/hash.h"
#include "config/regex.h"

struct router_host {
	struct bytes name; /* ".example.com" for a wildcard */
	const struct config_site *site;
};

/* ---- hosts ---- */

static struct router_host *
router_host_slot(const struct router_listener *l, struct bytes name)
{
	uint32_t i = (uint32_t)hash_bytes(name, 0) & l->mask;

	while (l->hosts[i].site != NULL && !bytes_equal(l->hosts[i].name, name))
		i = (i + 1) & l->mask;
	return &l->hosts[i];
}

static bool
site_listens(const struct config_site *site, unsigned listener)
{
	for (unsigned i = 0; i < site->listener_count; i++) {
		if (site->listeners[i] == listener)
			return true;
	}
	return false;
}

static void
limits_raise(struct config_limits *most, const struct config_limits *limits)
{
	most->request_line = max_of(most->request_line, limits->request_line);
	most->header_bytes = max_of(most->header_bytes, limits->header_bytes);
	most->header_count = max_of(most->header_count, limits->header_count);
	if (most->header_timeout.ns < limits->header_timeout.ns)
		most->header_timeout = limits->header_timeout;
}

static int
router_listener_init(
    struct router_listener *l, const struct snapshot *snapshot, unsigned index)
{
	int fallback = snapshot->listeners[index].default_site;
	uint32_t names = 1, size = 8;

	l->limits = snapshot->limits;
	l->fallback = fallback >= 0 ? &snapshot->sites[fallback] : NULL;
	for (unsigned s = 0; s < snapshot->site_count; s++)
		names += snapshot->sites[s].host_count;
	while (size < names * 2)
		size *= 2;
	l->hosts = calloc(size, sizeof(*l->hosts));
	if (l->hosts == NULL)
		return -ENOMEM;
	l->mask = size - 1;
	for (unsigned s = 0; s < snapshot->site_count; s++) {
		const struct config_site *site = &snapshot->sites[s];

		if (!site_listens(site, index))
			continue;
		limits_raise(&l->limits, &site->limits);
		for (unsigned h = 0; h < site->host_count; h++) {
			struct bytes name = site->hosts[h];

			if (bytes_starts_with(name, BYTES("*.")))
				name = bytes_skip(name, 1);
			*router_host_slot(l, name) =
			    (struct router_host){name, site};
		}
	}
	return 0;
}

int
router_init(struct router *router, const struct snapshot *snapshot)
{
	unsigned count = snapshot->listener_count;

	router->listeners =
	    calloc(max_of(count, 1u), sizeof(*router->listeners));
	if (router->listeners == NULL)
		return -ENOMEM;
	router->listener_count = count;
	for (unsigned i = 0; i < count; i++) {
		if (router_listener_init(&router->listeners[i], snapshot, i) <
		    0) {
			router_fini(router);
			return -ENOMEM;
		}
	}
	return 0;
}

void
router_fini(struct router *router)
{
	for (unsigned i = 0; i < router->listener_count; i++)
		free(router->listeners[i].hosts);
	free(router->listeners);
	*router = (struct router){0};
}

const struct config_site *
router_site(const struct router *router, unsigned listener, struct bytes host)
{
	const struct router_listener *l = &router->listeners[listener];
	const struct config_site *site;

	/* A leading dot would be taken for the name of a wildcard. */
	if (host.length == 0 || host.at[0] == '.')
		return l->fallback;
	site = router_host_slot(l, host)->site;
	/* ".b.c" then ".c" for a.b.c: the longest wildcard first. */
	while (site == NULL) {
		size_t dot = bytes_find(bytes_skip(host, 1), '.') + 1;

		if (dot >= host.length)
			return l->fallback;
		host = bytes_skip(host, dot);
		site = router_host_slot(l, host)->site;
	}
	return site;
}

/* ---- routes ---- */

static bool
route_prefix_matches(struct bytes prefix, struct bytes path)
{
	if (!bytes_starts_with(path, prefix))
		return false;
	/* "/api" takes /api and /api/x, not /apix; "/api/" needs its slash. */
	return prefix.length == path.length ||
	    prefix.at[prefix.length - 1] == '/' ||
	    path.at[prefix.length] == '/';
}

static bool
route_path_matches(const struct config_route *route, struct bytes path,
    struct router_match *match)
{
	match->matched = path;
	switch (route->match) {
	case PATH_ANY:
		match->matched = bytes_of(path.at, 0);
		return true;
	case PATH_PREFIX:
		match->matched = bytes_of(path.at, route->path.length);
		return route_prefix_matches(route->path, path);
	case PATH_EXACT:
		return bytes_equal(route->path, path);
	case PATH_REGEX:
		return config_regex_match(route->regex, path, match->captures);
	}
	return false;
}

static bool
route_header_matches(
    const struct config_header_match *want, const struct http_head *head)
{
	struct bytes value = http_head_find(head, want->name);

	if (want->absent)
		return value.at == NULL;
	if (value.at == NULL)
		return false;
	if (want->regex != NULL) {
		struct bytes captures[10];

		return config_regex_match(want->regex, value, captures);
	}
	return want->exact.at == NULL || bytes_equal(want->exact, value);
}

static bool
route_headers_match(
    const struct config_route *route, const struct http_head *head)
{
	for (unsigned i = 0; i < route->header_count; i++) {
		if (!route_header_matches(&route->headers[i], head))
			return false;
	}
	return true;
}

static bool
route_method_matches(
    const struct config_route *route, const struct http_head *head)
{
	if (route->methods == 0 && route->method_name_count == 0)
		return true;
	if (head->method != HTTP_METHOD_OTHER)
		return (route->methods >> head->method & 1) != 0;
	for (unsigned i = 0; i < route->method_name_count; i++) {
		if (bytes_equal(route->method_names[i], head->method_name))
			return true;
	}
	return false;
}

int
router_route(const struct config_site *site, const struct http_head *head,
    struct router_match *match)
{
	match->allowed = 0;
	for (unsigned i = 0; i < site->route_count; i++) {
		const struct config_route *route = &site->routes[i];

		if (!route_path_matches(route, head->path, match) ||
		    !route_headers_match(route, head))
			continue;
		if (!route_method_matches(route, head)) {
			match->allowed |= route->methods;
			continue;
		}
		match->route = route;
		return 0;
	}
	match->route = NULL;
	return match->allowed != 0 ? E_METHOD_REFUSED : E_NO_ROUTE;
}
