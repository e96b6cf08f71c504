/*
 * table_site.c - sites: their hosts and where they listen
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/read_site.h"

#define SITE_BACKLOG_MAX 65535

/* ---- listeners ---- */

static int
listener_find(const struct snapshot *snapshot, struct bytes text)
{
	for (unsigned i = 0; i < snapshot->listener_count; i++) {
		if (bytes_equal(snapshot->listeners[i].address.text, text))
			return (int)i;
	}
	return -1;
}

/* Room for one more: the array doubles at every power of two. */
static bool
listener_room(struct reader *reader)
{
	struct snapshot *snapshot = reader->snapshot;
	unsigned count = snapshot->listener_count;
	struct config_listener *larger;

	if ((count & (count - 1)) != 0)
		return true;
	larger = reader_alloc(reader, max_of(2 * count, 1u) * sizeof(*larger));
	if (larger == NULL)
		return false;
	if (count != 0)
		memcpy(larger, snapshot->listeners, count * sizeof(*larger));
	snapshot->listeners = larger;
	return true;
}

int
listener_add(struct reader *reader, const struct node *node,
    const struct config_address *address, unsigned backlog, bool optional)
{
	struct snapshot *snapshot = reader->snapshot;
	int index = listener_find(snapshot, address->text);
	struct config_listener *listener;

	if (index >= 0) {
		listener = &snapshot->listeners[index];
		listener->optional = listener->optional && optional;
		if (listener->backlog != backlog)
			reader_error(reader, node, NULL,
			    "%.*s has a backlog of %u here and of %u in line "
			    "%d",
			    (int)address->text.length, address->text.at,
			    backlog, listener->backlog, listener->where.line);
		return index;
	}
	if (!listener_room(reader))
		return -1;
	listener = &snapshot->listeners[snapshot->listener_count];
	*listener = (struct config_listener){
	    .where = reader_where(reader, node),
	    .index = snapshot->listener_count,
	    .address = *address,
	    .backlog = backlog,
	    .default_site = -1,
	    .optional = optional,
	};
	return (int)snapshot->listener_count++;
}

/* ---- listen ---- */

struct site_listen {
	struct config_address address;
	bool any; /* a port alone: port of `address`, IPv4 and IPv6 */
	unsigned backlog;
};

static void
site_listen_address(struct reader *reader, const struct node *node, void *into)
{
	struct site_listen *listen = into;
	struct address_error error;
	uint64_t number;
	int r;

	if (node->kind != NODE_TEXT) {
		reader_mismatch(reader, node,
		    "a port, an address (127.0.0.1:8080) or a mapping", NULL);
		return;
	}
	if (address_port(node->text, &listen->address.port)) {
		listen->any = true;
		return;
	}
	if (bytes_to_u64(node->text, UINT64_MAX, &number) == 0) {
		reader_error(reader, node, NULL, "a port is 1 to 65535");
		return;
	}
	r = address_parse(node->text, reader->folder, false, reader->arena,
	    &listen->address, &error);
	if (r == -ENOMEM)
		reader->out_of_memory = true;
	else if (r < 0)
		reader_error(reader, node,
		    error.remedy[0] != '\0' ? error.remedy : NULL, "`%.*s`: %s",
		    (int)min_of(node->text.length, (size_t)120), node->text.at,
		    error.text);
}

static const struct shape site_address = {
    .kind = SHAPE_TEXT,
    .word = "address",
    .read = site_listen_address,
};
static const struct shape site_port = {
    .kind = SHAPE_COUNT, .word = "port", .min = 1, .max = UINT16_MAX};
static const struct shape site_address_or_port = {
    .kind = SHAPE_ONE_OF,
    .forms = (const struct shape *const[]){&site_port, &site_address, NULL},
    .read = site_listen_address,
};

static const struct key listen_keys[] = {
    KEY_REQUIRED("address", &site_address_or_port,
	"A port (of every IPv4 and IPv6 address), an address with a port, or "
	"`unix:PATH`."),
    KEY(struct site_listen, backlog, "backlog",
	SHAPE_COUNT_OF(1, SITE_BACKLOG_MAX), CONFIG_BACKLOG_STANDARD,
	"Connections that may wait to be accepted; the kernel's "
	"`net.core.somaxconn` is the upper limit."),
};
static const struct table table_listen = {
    .name = "listen", .title = "sites[].listen[]", TABLE(listen_keys)};

static void
site_listener_use(struct reader *reader, struct config_site *site, int listener)
{
	if (listener < 0)
		return;
	for (unsigned i = 0; i < site->listener_count; i++) {
		if (site->listeners[i] == (unsigned)listener)
			return;
	}
	site->listeners[site->listener_count++] = (unsigned)listener;
}

static void
site_listen_any(struct reader *reader, const struct node *node,
    const struct site_listen *listen, struct config_site *site)
{
	static const int families[] = {AF_INET, AF_INET6};

	for (size_t i = 0; i < array_count(families); i++) {
		struct config_address address;

		if (address_any(families[i], listen->address.port,
			reader->arena, &address) < 0) {
			reader->out_of_memory = true;
			return;
		}
		site_listener_use(reader, site,
		    listener_add(reader, node, &address, listen->backlog,
			families[i] == AF_INET6));
	}
}

static void
site_listen_one(
    struct reader *reader, const struct node *node, struct config_site *site)
{
	struct site_listen listen = {0};
	const char *before = reader->key;

	reader_defaults(reader, &table_listen, &listen);
	reader->key = before;
	if (node->kind == NODE_MAP)
		reader_map(reader, &table_listen, node, &listen);
	else
		site_listen_address(reader, node, &listen);
	if (listen.any)
		site_listen_any(reader, node, &listen, site);
	else if (listen.address.length != 0)
		site_listener_use(reader, site,
		    listener_add(
			reader, node, &listen.address, listen.backlog, false));
}

static void
site_listen_read(struct reader *reader, const struct node *node, void *into)
{
	struct config_site *site = into;
	unsigned count;
	/* A port alone makes two. */
	unsigned *listeners =
	    reader_items(reader, node, 2 * sizeof(*listeners), &count);

	site->listeners = listeners;
	if (node->kind == NODE_LIST && node->count == 0)
		reader_error(reader, node, NULL, "`listen` is empty");
	for (unsigned i = 0; i < count; i++)
		site_listen_one(reader, reader_item(node, i), site);
}

static const struct shape site_listen_item = {
    .kind = SHAPE_ONE_OF,
    .forms = (const struct shape *const[]){&site_port, &site_address,
	&(const struct shape){.kind = SHAPE_MAP, .table = &table_listen}, NULL},
};
static const struct shape site_listen_shape = {
    .kind = SHAPE_LIST,
    .item = &site_listen_item,
    .filled = true,
    .read = site_listen_read,
};

/* ---- hosts ---- */

static struct bytes
host_refuse(struct reader *reader, const struct node *node, const char *remedy,
    const char *why)
{
	reader_error(reader, node, remedy, "`%.*s`: %s",
	    (int)min_of(node->text.length, (size_t)80), node->text.at, why);
	return bytes_of(NULL, 0);
}

/* "[::1]": kept as requests have it, without the brackets. */
static struct bytes
host_read_v6(struct reader *reader, const struct node *node)
{
	struct bytes text = node->text;
	char copy[INET6_ADDRSTRLEN] = "";
	struct in6_addr in6;

	if (text.length >= 2 && text.length - 2 < sizeof(copy))
		memcpy(copy, text.at + 1, text.length - 2);
	if (text.at[text.length - 1] != ']' ||
	    inet_pton(AF_INET6, copy, &in6) != 1)
		return host_refuse(reader, node, NULL,
		    "what stands in brackets is not an IPv6 address");
	inet_ntop(AF_INET6, &in6, copy, sizeof(copy));
	return reader_copy(reader, bytes_from(copy));
}

static const char *
host_mistake(struct bytes text, const char **ret_remedy)
{
	struct bytes name = text;

	*ret_remedy = NULL;
	if (bytes_starts_with(name, BYTES("*.")))
		name = bytes_skip(name, 2);
	for (size_t i = 0; i < text.length; i++) {
		if ((unsigned char)text.at[i] >= 0x80) {
			*ret_remedy = "write it as requests have it: xn--...";
			return "a host name is ASCII";
		}
	}
	if (bytes_find(name, '*') != name.length) {
		*ret_remedy = "write *.example.com";
		return "a wildcard is `*.` in front of a name, or `*` alone";
	}
	if (bytes_find(name, '/') != name.length)
		return "a host name without scheme and path is wanted";
	if (bytes_find(name, ':') != name.length) {
		*ret_remedy = "ports stand in `listen`, IPv6 addresses in "
			      "brackets";
		return "a host name without a port is wanted";
	}
	if (name.length != 0 && name.at[name.length - 1] == '.')
		return "a host name has no dot at its end here";
	return "not a host name";
}

struct bytes
host_read(struct reader *reader, const struct node *node)
{
	struct bytes text = node->text, name;
	struct config_network network;
	struct address_error error;
	const char *remedy, *mistake;

	if (node->kind != NODE_TEXT || text.length == 0) {
		reader_mismatch(reader, node, "a list of host names", NULL);
		return bytes_of(NULL, 0);
	}
	if (bytes_equal(text, BYTES("*")))
		return reader_copy(reader, text);
	if (text.at[0] == '[')
		return host_read_v6(reader, node);
	name =
	    bytes_starts_with(text, BYTES("*.")) ? bytes_skip(text, 2) : text;
	if (!address_is_name(name) &&
	    (bytes_find(text, ':') != text.length ||
		bytes_find(text, '/') != text.length ||
		name.length != text.length ||
		network_parse(text, &network, &error) < 0)) {
		mistake = host_mistake(text, &remedy);
		return host_refuse(reader, node, remedy, mistake);
	}
	text = reader_copy(reader, text);
	reader_lower(text);
	return text;
}

static void
site_hosts_read(struct reader *reader, const struct node *node, void *into)
{
	struct config_site *site = into;

	if (node->kind == NODE_LIST && node->count == 0) {
		reader_error(reader, node,
		    "leave `hosts` out for a site that takes every host",
		    "`hosts` is empty");
		return;
	}
	site->hosts =
	    reader_items(reader, node, sizeof(*site->hosts), &site->host_count);
	for (unsigned i = 0; i < site->host_count; i++)
		site->hosts[i] = host_read(reader, reader_item(node, i));
}

static const struct shape site_host = {
    .kind = SHAPE_TEXT,
    .word = "host",
    .pattern = "^(\\*|(\\*\\.)?[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*|"
	       "\\[[0-9A-Fa-f:.]+\\])$",
};
static const struct shape site_hosts_shape = {
    .kind = SHAPE_LIST,
    .item = &site_host,
    .filled = true,
    .read = site_hosts_read,
};

/* ---- routes and the site ---- */

static void
site_routes_read(struct reader *reader, const struct node *node, void *into)
{
	struct config_site *site = into;

	if (node->kind == NODE_NULL ||
	    (node->kind == NODE_LIST && node->count == 0)) {
		reader_error(reader, node, NULL, "this site has no routes");
		return;
	}
	if (node->kind != NODE_LIST) {
		reader_mismatch(reader, node, "a list of routes", NULL);
		return;
	}
	site->routes = reader_items(
	    reader, node, sizeof(*site->routes), &site->route_count);
	for (unsigned i = 0; i < site->route_count; i++) {
		site->routes[i].index = i;
		route_read(reader, node_item(node, i), site, &site->routes[i]);
	}
}

static const struct shape site_routes_shape = {
    .kind = SHAPE_LIST,
    .item = SHAPE_MAP_OF(&table_route),
    .filled = true,
    .list_only = true,
    .read = site_routes_read,
};

static const struct key site_keys[] = {
    KEY_WHOLE("hosts", &site_hosts_shape, "every host that no other site has",
	"Host names of requests: exact (`shop.example.com`), every name below "
	"one (`*.example.com`), or `*` for those that no other site has. The "
	"exact name wins, then the longest wildcard."),
    KEY_REQUIRED("listen", &site_listen_shape,
	"Where connections are accepted: ports, addresses (`127.0.0.1:8080`, "
	"`[::1]:8080`, `unix:/run/x.sock`) or mappings. A port alone means "
	"every IPv4 and IPv6 address. Sites may share an address."),
    {
	.name = "limits",
	.shape = SHAPE_MAP_OF(&table_limits),
	.offset = offsetof(struct config_site, limits),
    },
    KEY_REQUIRED("routes", &site_routes_shape,
	"What answers; the first route that matches takes the request."),
};
const struct table table_site = {
    .name = "site",
    .title = "sites[]",
    .intro = "What some host names are answered with.",
    TABLE(site_keys),
};

static void
site_read(struct reader *reader, const struct node *node, unsigned index,
    struct config_site *site)
{
	site->where = reader_where(reader, node);
	site->index = index;
	site->digest = node->digest;
	site->limits = reader->snapshot->limits;
	if (node->kind != NODE_MAP) {
		reader_mismatch(reader, node, "a list of sites", NULL);
		return;
	}
	reader_map(reader, &table_site, node, site);
	if (node_get(node, "hosts") == NULL) {
		site->hosts = reader_alloc(reader, sizeof(*site->hosts));
		if (site->hosts == NULL)
			return;
		site->hosts[site->host_count++] = BYTES("*");
	}
	site->name =
	    site->host_count != 0 && !bytes_equal(site->hosts[0], BYTES("*"))
	    ? site->hosts[0]
	    : BYTES("default");
}

static void
sites_read(struct reader *reader, const struct node *node, void *into)
{
	struct snapshot *snapshot = into;

	if (node->kind == NODE_LIST && node->count == 0) {
		reader_error(reader, node, NULL, "`sites` is empty");
		return;
	}
	if (node->kind != NODE_LIST) {
		reader_mismatch(reader, node, "a list of sites",
		    node->kind == NODE_MAP ? "begin each site with `- `"
					   : NULL);
		return;
	}
	snapshot->sites = reader_items(
	    reader, node, sizeof(*snapshot->sites), &snapshot->site_count);
	for (unsigned i = 0; i < snapshot->site_count; i++) {
		site_read(reader, node_item(node, i), i, &snapshot->sites[i]);
		reader->key = "sites";
	}
}

const struct shape shape_sites = {
    .kind = SHAPE_LIST,
    .item = SHAPE_MAP_OF(&table_site),
    .filled = true,
    .list_only = true,
    .read = sites_read,
};
