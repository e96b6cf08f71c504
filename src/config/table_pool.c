/*
 * table_pool.c - pools, their servers and how they are checked
 */
#include <errno.h>
#include <stdio.h>

#include "config/nearest.h"
#include "config/read_site.h"

#define POOL_NAME_MAX   63
#define POOL_KEY_MAX    190 /* "pool/server" in the verdict table */
#define POOL_WEIGHT_MAX 65535

/* ---- servers ---- */

static void
server_address(struct reader *reader, const struct node *node, void *into)
{
	struct config_server *server = into;
	struct address_error error;
	int r;

	if (node->kind != NODE_TEXT) {
		reader_mismatch(reader, node,
		    "an address (10.0.0.1:8080), a name with a port or "
		    "unix:PATH",
		    NULL);
		return;
	}
	r = address_parse(node->text, reader->folder, true, reader->arena,
	    &server->address, &error);
	if (r == -ENOMEM)
		reader->out_of_memory = true;
	else if (r < 0)
		reader_error(reader, node,
		    error.remedy[0] != '\0' ? error.remedy : NULL, "`%.*s`: %s",
		    (int)min_of(node->text.length, (size_t)80), node->text.at,
		    error.text);
}

static void
server_name(struct reader *reader, const struct node *node, void *into)
{
	struct bytes name = reader_text(reader, node, "a name");

	for (size_t i = 0; i < name.length; i++) {
		unsigned char c = (unsigned char)name.at[i];

		if (c <= ' ' || c >= 0x7f || strchr("/\"\\", c) != NULL) {
			reader_error(reader, node, NULL,
			    "a server's name has visible ASCII characters, "
			    "without `/`, quotes and backslashes");
			return;
		}
	}
	*(struct bytes *)into = name;
}

static const struct shape server_address_shape = {
    .kind = SHAPE_TEXT, .word = "address", .read = server_address};
static const struct shape server_name_shape = {
    .kind = SHAPE_TEXT, .word = "name", .scalar = true, .read = server_name};

static const struct key server_keys[] = {
    KEY_REQUIRED("address", &server_address_shape,
	"`10.0.0.1:8080`, `[fd00::1]:8080`, `app.internal:8080` (looked up, "
	"and again every `resolve_every`) or `unix:/run/app.sock`."),
    KEY_OPTIONAL(struct config_server, name, "name", &server_name_shape,
	"its address", "What it is called in logs, metrics and commands."),
    KEY(struct config_server, weight, "weight",
	SHAPE_COUNT_OF(0, POOL_WEIGHT_MAX), "1",
	"Its share of the requests. 0: it takes none."),
    KEY_OPTIONAL(struct config_server, max_requests, "max_requests",
	SHAPE_COUNT_OF(0, UINT32_MAX), "as the pool",
	"Requests in flight at a time, of all workers together. 0: no limit."),
    KEY(struct config_server, backup, "backup", &shape_bool, "false",
	"Used when no other server is usable."),
};
const struct table table_server = {
    .name = "server",
    .title = "pools.NAME.servers[]",
    .intro = "An address alone is a server of weight 1.",
    TABLE(server_keys),
};

/* The pool as it is read: `max_requests` is of its servers. */
struct pool_reading {
	struct config_pool pool;
	uint32_t max_requests;
};

static void
server_read(struct reader *reader, const struct node *node,
    const struct pool_reading *reading, struct config_server *server)
{
	const char *before = reader->key;

	server->where = reader_where(reader, node);
	reader_defaults(reader, &table_server, server);
	reader->key = before;
	server->max_requests = reading->max_requests;
	if (node->kind == NODE_MAP)
		reader_map(reader, &table_server, node, server);
	else
		server_address(reader, node, server);
	if (server->name.at == NULL)
		server->name = server->address.text;
}

static void
pool_servers(struct reader *reader, const struct node *node, void *into)
{
	struct pool_reading *reading = into;
	struct config_pool *pool = &reading->pool;

	if (node->kind == NODE_NULL ||
	    (node->kind == NODE_LIST && node->count == 0)) {
		reader_error(reader, node, NULL, "this pool has no servers");
		return;
	}
	if (node->kind == NODE_LIST && node->count > CONFIG_POOL_SERVERS_MAX) {
		reader_error(reader, node, NULL,
		    "a pool has at most %d servers", CONFIG_POOL_SERVERS_MAX);
		return;
	}
	pool->servers = reader_items(
	    reader, node, sizeof(*pool->servers), &pool->server_count);
	for (unsigned i = 0; i < pool->server_count; i++)
		server_read(
		    reader, reader_item(node, i), reading, &pool->servers[i]);
}

static const struct shape pool_server = {
    .kind = SHAPE_ONE_OF,
    .forms = (const struct shape *const[]){&server_address_shape,
	&(const struct shape){.kind = SHAPE_MAP, .table = &table_server}, NULL},
};
static const struct shape pool_servers_shape = {
    .kind = SHAPE_LIST,
    .item = &pool_server,
    .filled = true,
    .read = pool_servers,
};

/* ---- hash ---- */

static void
hash_on(struct reader *reader, const struct node *node, void *into)
{
	static const char *const names[] = {
	    [HASH_CLIENT] = "client", [HASH_URI] = "uri", [HASH_PATH] = "path"};
	struct config_pool *pool = into;
	bool header = bytes_starts_with(node->text, BYTES("header:"));

	for (unsigned i = 0; i < array_count(names); i++) {
		if (bytes_equal(node->text, bytes_from(names[i]))) {
			pool->hash_on = i;
			return;
		}
	}
	if (node->kind == NODE_TEXT &&
	    (header || bytes_starts_with(node->text, BYTES("cookie:"))) &&
	    text_is_token(bytes_skip(node->text, 7))) {
		pool->hash_on = header ? HASH_HEADER : HASH_COOKIE;
		pool->hash_name =
		    reader_copy(reader, bytes_skip(node->text, 7));
		return;
	}
	reader_mismatch(reader, node,
	    "client, uri, path, header:NAME or cookie:NAME", NULL);
}

static const struct shape hash_on_shape = {
    .kind = SHAPE_TEXT,
    .word = "`client`, `uri`, `path`, `header:NAME` or `cookie:NAME`",
    .pattern = "^(client|uri|path|(header|cookie):.+)$",
    .read = hash_on,
};

static const struct key hash_keys[] = {
    {
	.name = "on",
	.shape = &hash_on_shape,
	.standard = "client",
	.meaning = "What is hashed: the client's address, the path with the "
		   "query (`uri`), the path, a header field or a cookie.",
    },
    KEY(struct config_pool, hash_bound_percent, "bound",
	SHAPE_PERCENT_OF(0, 1000), "0",
	"A server with more than this share of the average load passes "
	"requests on, also those of clients it has served before. 0: no bound; "
	"else at least 100%, 125% for example."),
};
static const struct table table_hash = {
    .name = "hash",
    .title = "pools.NAME.hash",
    .intro = "For `balance: hash` and `hash_ring`. A text alone is its `on`.",
    TABLE(hash_keys),
};

static void
pool_hash(struct reader *reader, const struct node *node, void *into)
{
	struct config_pool *pool = into;
	const struct node *bound = node_get(node, "bound");

	if (node->kind != NODE_MAP) {
		hash_on(reader, node, pool);
		return;
	}
	reader_map(reader, &table_hash, node, pool);
	if (bound != NULL && pool->hash_bound_percent > 0 &&
	    pool->hash_bound_percent < 100)
		reader_error(reader, bound, NULL,
		    "`bound` is 0 or at least 100%%: servers cannot all be "
		    "below the average");
}

static const struct shape pool_hash_shape = {
    .kind = SHAPE_ONE_OF,
    .forms = (const struct shape *const[]){&hash_on_shape,
	&(const struct shape){.kind = SHAPE_MAP, .table = &table_hash}, NULL},
    .read = pool_hash,
};

/* ---- queue, passive, retry ---- */

static const struct key queue_keys[] = {
    KEY(struct config_pool, queue_max, "max", SHAPE_COUNT_OF(0, 1000000),
	"1000",
	"Requests that may wait for a server, for each worker thread. "
	"0: none waits."),
    KEY(struct config_pool, queue_timeout, "timeout",
	SHAPE_DURATION_OF(1, SHAPE_HOUR), "5s",
	"How long one may wait; then it is answered with 503."),
};
static const struct table table_queue = {
    .name = "queue",
    .title = "pools.NAME.queue",
    .intro = "Where requests wait when every server has `max_requests` in "
	     "flight.",
    TABLE(queue_keys),
};

static const struct key passive_keys[] = {
    KEY(struct config_pool, passive_failures, "failures",
	SHAPE_COUNT_OF(0, 1000000), "5",
	"Failures in a row (no connection, no answer) after which a server is "
	"left out. 0: never."),
    KEY(struct config_pool, passive_hold, "hold",
	SHAPE_DURATION_OF(100, SHAPE_DAY), "10s",
	"For how long; then one request tries it again. Where no other server "
	"is usable one does so every second."),
};
static const struct table table_passive = {
    .name = "passive",
    .title = "pools.NAME.passive",
    .intro = "What real requests tell of a server.",
    TABLE(passive_keys),
};

static const struct key retry_keys[] = {
    KEY(struct config_pool, retry_attempts, "attempts", SHAPE_COUNT_OF(0, 10),
	"2",
	"Further servers that are tried, for requests that may safely be "
	"sent again. 0: none."),
    KEY(struct config_pool, retry_percent, "budget", SHAPE_PERCENT_OF(0, 100),
	"20%",
	"Retries among all requests at most, so that a pool in trouble "
	"does not get more of it."),
};
static const struct table table_retry = {
    .name = "retry",
    .title = "pools.NAME.retry",
    .intro = "Requests that failed, and are tried on another server.",
    TABLE(retry_keys),
};

/* ---- the pool ---- */

static const char *const pool_balances[] = {
#define BALANCE(name, meaning) #name,
#include "config/balances.tbl"
#undef BALANCE
    NULL,
};
static const char *const pool_balance_meanings[] = {
#define BALANCE(name, meaning) meaning,
#include "config/balances.tbl"
#undef BALANCE
};
static const struct shape pool_balance = {
    .kind = SHAPE_ENUM,
    .names = pool_balances,
    .meanings = pool_balance_meanings,
};

#define POOL_OFFSET offsetof(struct pool_reading, pool)
_Static_assert(POOL_OFFSET == 0, "keys of a pool fill the reading too");

static const struct key pool_keys[] = {
    KEY(struct config_pool, balance, "balance", &pool_balance, "round_robin",
	"How a server is chosen."),
    {
	.name = "hash",
	.shape = &pool_hash_shape,
	.absent = "`{on: client, bound: 125%}`",
	.meaning = "What `balance: hash` and `hash_ring` go by.",
    },
    KEY(struct pool_reading, max_requests, "max_requests",
	SHAPE_COUNT_OF(0, UINT32_MAX), "0",
	"Requests in flight at a time on each server, of all workers together. "
	"0: no limit."),
    KEY_REQUIRED(
	"servers", &pool_servers_shape, "Addresses or mappings, 1 to 1024."),
    {.name = "queue", .shape = SHAPE_MAP_OF(&table_queue)},
    {
	.name = "health",
	.shape = &shape_health,
	.absent = "none: every server counts as up",
	.meaning = "How servers are checked, whether there are requests or "
		   "not. A path alone is its `http`.",
	.offset = offsetof(struct config_pool, health),
	.width = sizeof(struct config_health),
    },
    {.name = "passive", .shape = SHAPE_MAP_OF(&table_passive)},
    KEY(struct config_pool, slow_start, "slow_start",
	SHAPE_DURATION_OF(0, SHAPE_HOUR), "0",
	"How long a server that came up takes to get its whole share. 0: at "
	"once."),
    KEY(struct config_pool, connect_timeout, "connect_timeout",
	SHAPE_DURATION_OF(1, SHAPE_HOUR), "2s", "For a new connection."),
    KEY(struct config_pool, response_timeout, "response_timeout",
	SHAPE_DURATION_OF(1, SHAPE_DAY), "60s",
	"From the end of the request to the header of the answer."),
    KEY(struct config_pool, send_timeout, "send_timeout",
	SHAPE_DURATION_OF(1, SHAPE_HOUR), "30s",
	"The longest time that a server takes nothing of a request."),
    KEY(struct config_pool, idle_timeout, "idle_timeout",
	SHAPE_DURATION_OF(1, SHAPE_DAY), "60s",
	"How long a connection is kept for the next request. Keep it below the "
	"servers' own."),
    KEY(struct config_pool, keepalive, "keepalive", SHAPE_COUNT_OF(0, 65535),
	"256", "Connections kept for each worker thread and server. 0: none."),
    KEY(struct config_pool, resolve_every, "resolve_every",
	SHAPE_DURATION_OF(1000, SHAPE_DAY), "30s",
	"How often host names of servers are looked up again."),
    {.name = "retry", .shape = SHAPE_MAP_OF(&table_retry)},
    KEY(struct config_pool, panic_percent, "panic", SHAPE_PERCENT_OF(0, 100),
	"0%",
	"When fewer than this share of the servers is up, all of them "
	"are used: the checks may be what is broken. 0: never."),
    KEY(struct config_pool, retry_after, "retry_after",
	SHAPE_DURATION_OF(0, SHAPE_DAY), "5s",
	"The Retry-After field of the 503 when no server is usable."),
};
const struct table table_pool = {
    .name = "pool",
    .title = "pools.NAME",
    .intro = "A list of servers, or one address, is a pool with just these "
	     "`servers`.",
    TABLE(pool_keys),
};

static bool
pool_name_check(struct reader *reader, const struct node *key)
{
	struct bytes name = key->text;
	bool valid = name.length != 0 && name.length <= POOL_NAME_MAX;

	for (size_t i = 0; i < name.length; i++) {
		char c = name.at[i];

		valid = valid &&
		    ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || strchr("._-", c) != NULL) &&
		    c != '\0';
	}
	if (!valid)
		reader_error(reader, key, NULL,
		    "a pool's name has letters, digits, `.`, `_` and `-`, at "
		    "most 63");
	return valid;
}
_Static_assert(POOL_NAME_MAX == 63, "the message names it");

static void
pool_read(struct reader *reader, const struct node_link *link, unsigned index,
    struct config_pool *pool)
{
	struct pool_reading reading = {0};

	reading.pool.where = reader_where(reader, link->key);
	reading.pool.index = index;
	reading.pool.digest = link->value->digest;
	if (pool_name_check(reader, link->key))
		reading.pool.name = reader_copy(reader, link->key->text);
	reader_defaults(reader, &table_pool, &reading);
	reader_defaults(reader, &table_hash, &reading.pool);
	health_defaults(reader, &reading.pool.health);
	if (link->value->kind == NODE_MAP) {
		reader->key = "pools";
		reader_map(reader, &table_pool, link->value, &reading);
	} else {
		reader->key = "servers";
		pool_servers(reader, link->value, &reading);
	}
	*pool = reading.pool;
}

static void
pools_read(struct reader *reader, const struct node *node, void *into)
{
	struct snapshot *snapshot = into;
	struct config_pool *pools;

	if (node->kind == NODE_NULL)
		return;
	if (node->kind != NODE_MAP) {
		reader_mismatch(reader, node, "a mapping of names to pools",
		    node->kind == NODE_LIST ? "write `NAME:` for each pool"
					    : NULL);
		return;
	}
	pools = reader_alloc(reader, max_of(node->count, 1u) * sizeof(*pools));
	if (pools == NULL)
		return;
	snapshot->pools = pools;
	for (const struct node_link *link = node->first; link != NULL;
	     link = link->next) {
		if (!reader_budget(reader, link->value))
			return;
		pool_read(reader, link, snapshot->pool_count,
		    &pools[snapshot->pool_count]);
		snapshot->pool_count++;
	}
}

static const struct shape pool_forms = {
    .kind = SHAPE_ONE_OF,
    .forms =
	(const struct shape *const[]){
	    &(const struct shape){.kind = SHAPE_MAP, .table = &table_pool},
	    &pool_servers_shape, &server_address_shape, NULL},
};
const struct shape shape_pools = {
    .kind = SHAPE_DICT,
    .word = "mapping of names to pools",
    .pattern = "^[A-Za-z0-9._-]{1,63}$",
    .item = &pool_forms,
    .read = pools_read,
};

const struct config_pool *
pool_named(struct reader *reader, const struct node *node)
{
	const struct config_pool *pool;
	struct nearest nearest;
	char remedy[128];

	if (node->kind != NODE_TEXT) {
		reader_mismatch(reader, node, "the name of a pool", NULL);
		return NULL;
	}
	pool = snapshot_pool_find(reader->snapshot, node->text);
	if (pool != NULL)
		return pool;
	nearest_init(&nearest, node->text);
	for (unsigned i = 0; i < reader->snapshot->pool_count; i++)
		nearest_offer(&nearest, reader->snapshot->pools[i].name);
	reader_error(reader, node,
	    reader_nearest_remedy(&nearest, remedy, sizeof(remedy)),
	    "no pool is named `%.*s`",
	    (int)min_of(node->text.length, (size_t)80), node->text.at);
	return NULL;
}
