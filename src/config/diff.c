/*
 * diff.c - two snapshots compared
 *
 * Single values are found along the tables, so that a new key is told without
 * a line here. What has no one text (routes, conditions) is compared by the
 * digest of what the file says of it.
 */
#include "config/diff.h"

#include <stdarg.h>
#include <stdio.h>

#include "config/shape.h"

#define DIFF_TOLD_MAX 64

struct diff {
	void (*line)(void *arg, const char *text);
	void *arg;
	const char *about; /* "pool shop: ", or "" */
	/* Fields told already: two keys may fill one field (log.level and
	 * log.error.level). */
	const void *told[DIFF_TOLD_MAX];
	int count;
};

static void diff_line(struct diff *d, const char *format, ...) PRINTF(2, 3);

static void
diff_line(struct diff *d, const char *format, ...)
{
	char text[CONFIG_DIFF_LINE_BYTES];
	int length = snprintf(text, sizeof(text), "%s", d->about);
	va_list args;

	if (length < 0 || (size_t)length >= sizeof(text))
		length = 0;
	va_start(args, format);
	vsnprintf(text + length, sizeof(text) - (size_t)length, format, args);
	va_end(args);
	d->line(d->arg, text);
	d->count++;
}

/* Whether it is the first time, of late, that @field is told. */
static bool
diff_tell(struct diff *d, const void *field)
{
	for (size_t i = 0; i < DIFF_TOLD_MAX; i++) {
		if (d->told[i] == field)
			return false;
	}
	d->told[d->count % DIFF_TOLD_MAX] = field;
	return true;
}

/* Of a text in a line; longer ones are cut. */
#define DIFF_TEXT(b) (int)min_of((b).length, (size_t)100), (b).at

/* ---- values along a table ---- */

static void
diff_value(struct diff *d, const char *prefix, const struct key *key,
    const char *old, const char *new)
{
	char texts[2][CONFIG_DIFF_LINE_BYTES];
	struct appender before = appender_over(texts[0], sizeof(texts[0]));
	struct appender after = appender_over(texts[1], sizeof(texts[1]));

	if (!shape_place_write(key->shape, old, key->width, &before) ||
	    !shape_place_write(key->shape, new, key->width, &after) ||
	    bytes_equal(appender_bytes(&before), appender_bytes(&after)) ||
	    !diff_tell(d, new))
		return;
	if (key->shape->secret)
		diff_line(d, "%s%s changed", prefix, key->name);
	else
		diff_line(d, "%s%s %.*s -> %.*s", prefix, key->name,
		    DIFF_TEXT(appender_bytes(&before)),
		    DIFF_TEXT(appender_bytes(&after)));
}

/* The table that a mapping has at the key, in one form or as its only one. */
static const struct table *
diff_key_table(const struct key *key)
{
	const struct shape *const *form = key->shape->forms;

	if (key->shape->kind == SHAPE_MAP)
		return key->shape->table;
	for (; form != NULL && *form != NULL; form++) {
		if ((*form)->kind == SHAPE_MAP)
			return (*form)->table;
	}
	return NULL;
}

/* @size  of the struct at @old and @new: some tables fill more than it while
 *        they are read */
static void
diff_table(struct diff *d, const char *prefix, const struct table *table,
    const void *old, const void *new, size_t size)
{
	const struct key *key;
	size_t base;

	for (unsigned i = 0; (key = table_key(table, i, &base)) != NULL; i++) {
		size_t offset = base + key->offset;
		const struct table *inner = diff_key_table(key);
		const char *a = (const char *)old + offset;
		const char *b = (const char *)new + offset;
		char name[128];

		if (offset + key->width > size)
			continue;
		snprintf(name, sizeof(name), "%s%s.", prefix, key->name);
		if (inner != NULL)
			diff_table(d, name, inner, a, b,
			    key->width != 0 ? key->width : size - offset);
		else
			diff_value(d, prefix, key, a, b);
	}
}

/* ---- the program ---- */

static void
diff_program(
    struct diff *d, const struct snapshot *old, const struct snapshot *new)
{
	int before = d->count;

	diff_table(d, "", &table_top, old, new, sizeof(*old));
	if (old->threads != new->threads)
		diff_line(d, "runtime.threads %u -> %u%s", old->threads,
		    new->threads,
		    old->threads == 0 || new->threads == 0 ? " (0: auto)" : "");
	if (old->trusted_count != new->trusted_count ||
	    (old->trusted_count != 0 &&
		memcmp(old->trusted, new->trusted,
		    old->trusted_count * sizeof(*old->trusted)) != 0))
		diff_line(d, "trust changed");
	if (!bytes_equal(old->log.error_to, new->log.error_to))
		diff_line(d, "log.error %.*s -> %.*s",
		    DIFF_TEXT(old->log.error_to), DIFF_TEXT(new->log.error_to));
	if (!bytes_equal(old->log.access_to, new->log.access_to))
		diff_line(d, "log.access %.*s -> %.*s",
		    DIFF_TEXT(old->log.access_to),
		    DIFF_TEXT(new->log.access_to));
	if (!bytes_equal(old->admin.listen, new->admin.listen))
		diff_line(d, "admin.listen changed");
	if (d->count == before && old->digest != new->digest)
		diff_line(d, "the top level is written differently");
}

/* ---- listeners ---- */

static void
diff_listeners(
    struct diff *d, const struct snapshot *old, const struct snapshot *new)
{
	for (unsigned i = 0; i < old->listener_count; i++) {
		struct bytes text = old->listeners[i].address.text;

		if (snapshot_listener_find(new, text) < 0)
			diff_line(d, "listener %.*s removed", DIFF_TEXT(text));
	}
	for (unsigned i = 0; i < new->listener_count; i++) {
		const struct config_listener *listener = &new->listeners[i];
		struct bytes text = listener->address.text;
		int index = snapshot_listener_find(old, text);

		if (index < 0)
			diff_line(d, "listener %.*s added", DIFF_TEXT(text));
		else if (old->listeners[index].backlog != listener->backlog)
			diff_line(d, "listener %.*s: backlog %u -> %u",
			    DIFF_TEXT(text), old->listeners[index].backlog,
			    listener->backlog);
	}
}

/* ---- pools ---- */

static const struct config_server *
diff_server_find(const struct config_pool *pool, struct bytes name)
{
	for (unsigned i = 0; i < pool->server_count; i++) {
		if (bytes_equal(pool->servers[i].name, name))
			return &pool->servers[i];
	}
	return NULL;
}

static void
diff_server(struct diff *d, const struct config_server *old,
    const struct config_server *new)
{
	char prefix[160];

	snprintf(prefix, sizeof(prefix), "server %.*s: ", DIFF_TEXT(new->name));
	if (!bytes_equal(old->address.text, new->address.text))
		diff_line(d, "%saddress %.*s -> %.*s", prefix,
		    DIFF_TEXT(old->address.text), DIFF_TEXT(new->address.text));
	diff_table(d, prefix, &table_server, old, new, sizeof(*old));
}

static void
diff_pool(struct diff *d, const struct config_pool *old,
    const struct config_pool *new)
{
	int before = d->count;

	for (unsigned i = 0; i < old->server_count; i++) {
		struct bytes name = old->servers[i].name;

		if (diff_server_find(new, name) == NULL)
			diff_line(d, "server %.*s removed", DIFF_TEXT(name));
	}
	for (unsigned i = 0; i < new->server_count; i++) {
		struct bytes name = new->servers[i].name;
		const struct config_server *same = diff_server_find(old, name);

		if (same == NULL)
			diff_line(d, "server %.*s added", DIFF_TEXT(name));
		else
			diff_server(d, same, &new->servers[i]);
	}
	diff_table(d, "", &table_pool, old, new, sizeof(*old));
	if (old->hash_on != new->hash_on ||
	    !bytes_equal(old->hash_name, new->hash_name))
		diff_line(d, "hash.on changed");
	if (old->health.kind != new->health.kind)
		diff_line(d, "the kind of health check changed");
	if (old->health.status_min != new->health.status_min ||
	    old->health.status_max != new->health.status_max)
		diff_line(d, "health.expect.status %u-%u -> %u-%u",
		    old->health.status_min, old->health.status_max,
		    new->health.status_min, new->health.status_max);
	if (d->count == before && old->digest != new->digest)
		diff_line(d, "written differently");
}

static void
diff_pools(
    struct diff *d, const struct snapshot *old, const struct snapshot *new)
{
	char about[128];

	for (unsigned i = 0; i < old->pool_count; i++) {
		struct bytes name = old->pools[i].name;

		if (snapshot_pool_find(new, name) == NULL)
			diff_line(d, "pool %.*s removed", DIFF_TEXT(name));
	}
	for (unsigned i = 0; i < new->pool_count; i++) {
		struct bytes name = new->pools[i].name;
		const struct config_pool *same = snapshot_pool_find(old, name);

		if (same == NULL) {
			diff_line(d, "pool %.*s added", DIFF_TEXT(name));
			continue;
		}
		snprintf(about, sizeof(about), "pool %.*s: ", DIFF_TEXT(name));
		d->about = about;
		diff_pool(d, same, &new->pools[i]);
		d->about = "";
	}
}

/* ---- sites ---- */

/* Names need not differ (two default sites on two listeners): the n-th site
 * of a name is compared with the n-th. */
static const struct config_site *
diff_site_find(const struct snapshot *in, const struct snapshot *of,
    const struct config_site *site)
{
	unsigned nth = 0;

	for (unsigned i = 0; i < site->index; i++)
		nth += bytes_equal(of->sites[i].name, site->name);
	for (unsigned i = 0; i < in->site_count; i++) {
		if (bytes_equal(in->sites[i].name, site->name) && nth-- == 0)
			return &in->sites[i];
	}
	return NULL;
}

static bool
diff_has_host(const struct config_site *site, struct bytes host)
{
	for (unsigned i = 0; i < site->host_count; i++) {
		if (bytes_equal(site->hosts[i], host))
			return true;
	}
	return false;
}

static bool
diff_has_address(const struct snapshot *snapshot,
    const struct config_site *site, struct bytes text)
{
	for (unsigned i = 0; i < site->listener_count; i++) {
		if (bytes_equal(
			snapshot->listeners[site->listeners[i]].address.text,
			text))
			return true;
	}
	return false;
}

static void
diff_site_hosts(struct diff *d, const struct config_site *has,
    const struct config_site *lacks, const char *what)
{
	for (unsigned i = 0; i < has->host_count; i++) {
		if (!diff_has_host(lacks, has->hosts[i]))
			diff_line(
			    d, "host %.*s %s", DIFF_TEXT(has->hosts[i]), what);
	}
}

static void
diff_site_listen(struct diff *d, const struct snapshot *in,
    const struct config_site *has, const struct snapshot *other,
    const struct config_site *lacks, const char *what)
{
	for (unsigned i = 0; i < has->listener_count; i++) {
		struct bytes text =
		    in->listeners[has->listeners[i]].address.text;

		if (!diff_has_address(other, lacks, text))
			diff_line(d, "%s %.*s", what, DIFF_TEXT(text));
	}
}

/* How many of the site's routes before this one say the same. */
static unsigned
diff_routes_same(
    const struct config_site *site, unsigned before, uint64_t digest)
{
	unsigned same = 0;

	for (unsigned i = 0; i < before; i++)
		same += site->routes[i].digest == digest;
	return same;
}

static void
diff_site_routes(struct diff *d, const struct config_site *has,
    const struct config_site *lacks, const char *format)
{
	for (unsigned i = 0; i < has->route_count; i++) {
		const struct config_route *route = &has->routes[i];

		if (diff_routes_same(has, i, route->digest) >=
		    diff_routes_same(lacks, lacks->route_count, route->digest))
			diff_line(d, "the route of line %d%s",
			    route->where.line, format);
	}
}

static void
diff_site(struct diff *d, const struct snapshot *old,
    const struct config_site *before, const struct snapshot *new,
    const struct config_site *after)
{
	int count = d->count;

	diff_site_hosts(d, before, after, "removed");
	diff_site_hosts(d, after, before, "added");
	diff_site_listen(d, old, before, new, after, "no longer listens on");
	diff_site_listen(d, new, after, old, before, "listens on");
	diff_table(d, "limits.", &table_limits, &before->limits, &after->limits,
	    sizeof(before->limits));
	diff_site_routes(
	    d, before, after, " of the file before is gone or was changed");
	diff_site_routes(d, after, before, " is new or was changed");
	if (d->count == count && before->digest != after->digest)
		diff_line(d,
		    "its routes changed places, or it is written "
		    "differently");
}

static void
diff_sites(
    struct diff *d, const struct snapshot *old, const struct snapshot *new)
{
	char about[128];

	for (unsigned i = 0; i < old->site_count; i++) {
		const struct config_site *site = &old->sites[i];

		if (diff_site_find(new, old, site) == NULL)
			diff_line(
			    d, "site %.*s removed", DIFF_TEXT(site->name));
	}
	for (unsigned i = 0; i < new->site_count; i++) {
		const struct config_site *site = &new->sites[i];
		const struct config_site *same = diff_site_find(old, new, site);

		if (same == NULL) {
			diff_line(d, "site %.*s added", DIFF_TEXT(site->name));
			continue;
		}
		snprintf(
		    about, sizeof(about), "site %.*s: ", DIFF_TEXT(site->name));
		d->about = about;
		diff_site(d, old, same, new, site);
		d->about = "";
	}
}

int
config_diff(const struct snapshot *old, const struct snapshot *new,
    void (*line)(void *arg, const char *text), void *arg)
{
	struct diff d = {.line = line, .arg = arg, .about = ""};

	diff_program(&d, old, new);
	diff_listeners(&d, old, new);
	diff_pools(&d, old, new);
	diff_sites(&d, old, new);
	return d.count;
}

bool
config_needs_restart(const struct snapshot *old, const struct snapshot *new,
    char *why, size_t capacity)
{
	const struct {
		const char *name;
		bool changed;
	} keys[] = {
	    {"runtime.threads", old->threads != new->threads},
	    {"runtime.backend", !bytes_equal(old->backend, new->backend)},
	    {"runtime.gather", old->gather.ns != new->gather.ns},
	    {"user", !bytes_equal(old->user, new->user)},
	    {"group", !bytes_equal(old->group, new->group)},
	    {"pid_file", !bytes_equal(old->pid_file, new->pid_file)},
	};
	struct appender into = appender_over(why, capacity - 1);

	for (size_t i = 0; i < array_count(keys); i++) {
		if (!keys[i].changed)
			continue;
		if (into.length != 0)
			append_literal(&into, ", ");
		append_text(&into, keys[i].name);
	}
	why[into.length] = '\0';
	return into.length != 0;
}
