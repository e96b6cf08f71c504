/*
 * check.c - checks across sites, and of pools and folders
 */
#include "config/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/path.h"

#define CHECK_KEY_MAX 190 /* "pool/server" in the verdict table, bytes */

/* ---- hosts ---- */

struct check_host {
	unsigned listener, site, host;
	struct bytes name;
};

static int
check_host_compare(const void *left, const void *right)
{
	const struct check_host *a = left, *b = right;
	size_t length = min_of(a->name.length, b->name.length);
	int order;

	if (a->listener != b->listener)
		return a->listener < b->listener ? -1 : 1;
	order = length != 0 ? memcmp(a->name.at, b->name.at, length) : 0;
	if (order != 0)
		return order;
	if (a->name.length != b->name.length)
		return a->name.length < b->name.length ? -1 : 1;
	if (a->site != b->site)
		return a->site < b->site ? -1 : 1;
	return a->host < b->host ? -1 : a->host > b->host;
}

/* Where the host is written; a site without `hosts` stands for itself. */
static const struct node *
check_host_node(const struct reader *reader, const struct check_host *host)
{
	const struct node *site =
	    node_item(node_get(reader->root, "sites"), host->site);
	const struct node *hosts = node_get(site, "hosts");

	return hosts != NULL ? reader_item(hosts, host->host) : site;
}

static void
check_host_twice(struct reader *reader, const struct check_host *first,
    const struct check_host *second)
{
	const struct node *before = check_host_node(reader, first);
	const struct node *node = check_host_node(reader, second);

	/* The same for every address that they share: said once. */
	if (bytes_equal(second->name, BYTES("*")))
		reader_error(reader, node,
		    "name its `hosts`, or let it listen elsewhere",
		    "a second site for every host; the first is in line %d",
		    before->spot.line);
	else
		reader_error(reader, node, NULL,
		    "`%.*s` is taken by line %d already",
		    (int)second->name.length, second->name.at,
		    before->spot.line);
}

static size_t
check_hosts_collect(const struct snapshot *snapshot, struct check_host *into)
{
	size_t count = 0;

	for (unsigned s = 0; s < snapshot->site_count; s++) {
		const struct config_site *site = &snapshot->sites[s];

		for (unsigned l = 0; l < site->listener_count; l++) {
			for (unsigned h = 0; h < site->host_count; h++) {
				if (site->hosts[h].at == NULL)
					continue;
				if (into != NULL)
					into[count] = (struct check_host){
					    site->listeners[l], s, h,
					    site->hosts[h]};
				count++;
			}
		}
	}
	return count;
}

void
check_hosts(struct reader *reader)
{
	const struct snapshot *snapshot = reader->snapshot;
	size_t count = check_hosts_collect(snapshot, NULL);
	struct check_host *hosts =
	    calloc(max_of(count, (size_t)1), sizeof(*hosts));
	const struct check_host *first = hosts;

	if (hosts == NULL) {
		reader->out_of_memory = true;
		return;
	}
	check_hosts_collect(snapshot, hosts);
	qsort(hosts, count, sizeof(*hosts), check_host_compare);
	for (size_t i = 0; i < count; i++) {
		struct config_listener *listener =
		    &snapshot->listeners[hosts[i].listener];

		if (i == 0 || first->listener != hosts[i].listener ||
		    !bytes_equal(first->name, hosts[i].name))
			first = &hosts[i];
		else
			check_host_twice(reader, first, &hosts[i]);
		if (bytes_equal(hosts[i].name, BYTES("*")) &&
		    listener->default_site < 0)
			listener->default_site = (int)hosts[i].site;
	}
	free(hosts);
}

/* ---- the admin plane ---- */

static void
check_admin(struct reader *reader)
{
	const struct snapshot *snapshot = reader->snapshot;
	const struct node *node =
	    node_get(node_get(reader->root, "admin"), "listen");
	int index = snapshot_listener_find(snapshot, snapshot->admin.listen);

	if (node != NULL && index >= 0)
		reader_error(reader, node, NULL,
		    "the site of line %d listens on this address",
		    snapshot->listeners[index].where.line);
}

/* ---- pools ---- */

static const struct node *
check_servers_node(const struct reader *reader, struct bytes pool)
{
	const struct node_link *link =
	    node_find(node_get(reader->root, "pools"), pool);

	if (link == NULL)
		return NULL;
	return link->value->kind == NODE_MAP ? node_get(link->value, "servers")
					     : link->value;
}

static void
check_server_twice(struct reader *reader, const struct config_pool *pool,
    const struct node *servers, unsigned index)
{
	const struct config_server *server = &pool->servers[index];

	for (unsigned i = 0; i < index; i++) {
		if (!bytes_equal(pool->servers[i].name, server->name))
			continue;
		reader_error(reader, reader_item(servers, index),
		    "give one of them a `name`",
		    "the server of line %d is named `%.*s` too",
		    pool->servers[i].where.line, (int)server->name.length,
		    server->name.at);
		return;
	}
}

static void
check_pool_servers(struct reader *reader, const struct config_pool *pool,
    const struct node *servers)
{
	bool all_backup = pool->server_count != 0;

	for (unsigned i = 0; i < pool->server_count; i++) {
		const struct config_server *server = &pool->servers[i];

		all_backup = all_backup && server->backup;
		if (server->name.at == NULL)
			continue;
		check_server_twice(reader, pool, servers, i);
		if (pool->name.length + 1 + server->name.length > CHECK_KEY_MAX)
			reader_error(reader, reader_item(servers, i),
			    "give the server a short `name`",
			    "the names of pool and server have more than %d "
			    "characters",
			    CHECK_KEY_MAX);
	}
	if (all_backup)
		reader_error(reader, servers, NULL,
		    "every server of this pool is a backup");
}

static bool
check_pool_used(const struct snapshot *snapshot, const struct config_pool *pool)
{
	for (unsigned s = 0; s < snapshot->site_count; s++) {
		const struct config_site *site = &snapshot->sites[s];

		for (unsigned r = 0; r < site->route_count; r++) {
			const struct config_route *route = &site->routes[r];

			if (route->action == ACTION_REVERSE &&
			    route->reverse != NULL &&
			    route->reverse->pool == pool)
				return true;
		}
	}
	return false;
}

static void
check_pool(struct reader *reader, const struct config_pool *pool)
{
	const struct node_link *link =
	    node_find(node_get(reader->root, "pools"), pool->name);
	const struct node *servers = check_servers_node(reader, pool->name);
	const struct node *hash;

	if (link == NULL)
		return;
	if (servers != NULL)
		check_pool_servers(reader, pool, servers);
	hash = node_get(link->value, "hash");
	if (hash != NULL && !bytes_starts_with(pool->balance, BYTES("hash")))
		reader_warn(reader, hash,
		    "add `balance: hash` or leave `hash` out",
		    "`hash` has no effect with `balance: %.*s`",
		    (int)pool->balance.length, pool->balance.at);
	if (!check_pool_used(reader->snapshot, pool))
		reader_warn(reader, link->key, NULL,
		    "no route uses the pool `%.*s`", (int)pool->name.length,
		    pool->name.at);
}

void
check_pools(struct reader *reader)
{
	const struct snapshot *snapshot = reader->snapshot;
	unsigned servers = 0;

	for (unsigned i = 0; i < snapshot->pool_count; i++) {
		if (snapshot->pools[i].name.at != NULL)
			check_pool(reader, &snapshot->pools[i]);
		servers += snapshot->pools[i].server_count;
	}
	if (servers > CONFIG_SERVERS_MAX)
		reader_error(reader, node_get(reader->root, "pools"), NULL,
		    "%u servers in all pools; weir takes %d", servers,
		    CONFIG_SERVERS_MAX);
}

/* ---- folders ---- */

static void
check_root(struct reader *reader, const struct node *route_node,
    const struct config_files *files)
{
	const struct node *node = node_get(route_node, "files");
	int r;

	if (node != NULL && node->kind == NODE_MAP)
		node = node_get(node, "root");
	if (node == NULL || files->root.at == NULL)
		return;
	r = path_folder_check(files->root.at);
	/* Roles may not be allowed to look; the manager is. */
	if (r < 0 && r != -EACCES)
		reader_warn(reader, node, NULL, "%.*s is not a folder: %s",
		    (int)files->root.length, files->root.at, strerror(-r));
}

void
check_roots(struct reader *reader)
{
	const struct snapshot *snapshot = reader->snapshot;
	const struct node *sites = node_get(reader->root, "sites");

	for (unsigned s = 0; s < snapshot->site_count; s++) {
		const struct config_site *site = &snapshot->sites[s];
		const struct node *routes =
		    node_get(node_item(sites, s), "routes");

		for (unsigned r = 0; r < site->route_count; r++) {
			const struct config_route *route = &site->routes[r];

			if (route->action == ACTION_FILES &&
			    route->files != NULL)
				check_root(
				    reader, node_item(routes, r), route->files);
		}
	}
}

void
check_all(struct reader *reader)
{
	const struct snapshot *snapshot = reader->snapshot;
	const struct node *sites = node_get(reader->root, "sites");

	check_hosts(reader);
	check_admin(reader);
	for (unsigned s = 0; s < snapshot->site_count; s++)
		check_routes(reader, node_item(sites, s), &snapshot->sites[s]);
	check_pools(reader);
	check_roots(reader);
}
