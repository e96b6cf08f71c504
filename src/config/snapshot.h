/*
 * snapshot.h - a configuration, checked and immutable
 *
 * Layer      config
 * Threads    any may read; nobody writes after snapshot_build()
 * Memory     one arena per snapshot; snapshot_free() frees all of it at once
 * Invariant  what is here is valid: names resolve, numbers are in range,
 *            regular expressions compile, paths are absolute
 *
 * Sizes are bytes, times are durations, percentages 0-100. `where` fields say
 * the line of the file that decided, for explain and for error messages.
 */
#pragma once

#include <sys/socket.h>

#include "base/bytes.h"
#include "base/time.h"

struct config_where {
	const char *file;
	int line;
	int column;
};

/* A network in CIDR form; IPv4 is kept as IPv4-mapped IPv6. */
struct config_network {
	uint8_t address[16];
	uint8_t bits; /* 0-128 */
};

struct config_regex; /* a compiled PCRE2 pattern: http/match.h runs it */

/* A socket address as configured. */
struct config_address {
	struct bytes text; /* as written, normalised: "127.0.0.1:80",
			      "[::1]:80", "unix:/path", "name:80" */
	struct bytes name; /* a host name to be resolved; at == NULL: none */
	uint16_t port;
	socklen_t length; /* 0 when it is a name */
	struct sockaddr_storage socket;
};

struct config_pair {
	struct bytes name;
	struct bytes value; /* at == NULL: remove (header edits) */
};

/* ---- limits: per site, defaults at the top level ---- */
struct config_limits {
	uint32_t request_line; /* limits.request_line, 8 KiB */
	uint32_t header_bytes; /* limits.header_bytes, 32 KiB */
	uint16_t header_count; /* limits.header_count, 100 (max 128) */
	uint64_t body_bytes; /* limits.body_bytes, 0: none; default 0 */
	duration header_timeout; /* whole head, 10 s */
	duration body_timeout; /* between two reads, 30 s */
	duration send_timeout; /* between two writes, 30 s */
	duration idle_timeout; /* kept connection, 75 s */
	uint64_t min_rate; /* bytes a second, bodies both ways; 240; 0: off */
	duration min_rate_grace; /* 10 s */
	uint32_t keepalive_requests; /* 0: no limit (default) */
};

/* ---- what a route does ---- */
enum config_action {
	ACTION_FILES,
	ACTION_REVERSE,
	ACTION_RESPOND,
	ACTION_REDIRECT,
};

struct config_files {
	struct bytes root; /* absolute directory */
	struct bytes *index; /* names, tried in order */
	unsigned index_count;
	bool listing;
	bool hidden; /* serve names that start with '.' */
	bool symlinks; /* follow links that stay beneath the root */
	bool mount; /* remove the matched prefix (default true) */
	struct bytes precompressed[3]; /* "br", "zstd", "gzip" in order */
	unsigned precompressed_count;
	struct bytes cache_control; /* at == NULL: not sent */
	struct bytes not_found; /* path beneath the root, served with 404 */
	uint64_t instance; /* unique in the process; set by edge/files */
};

struct config_reverse {
	const struct config_pool *pool;
	bool strip_prefix; /* remove the matched prefix before forwarding */
	struct bytes prefix; /* put this in front of the path; may be empty */
	/* Host sent upstream: NULL at == as received; else this. */
	struct bytes host;
	bool host_of_server; /* host: server */
	struct config_pair *request_headers; /* set; at == NULL removes */
	unsigned request_header_count;
	struct config_pair *response_headers;
	unsigned response_header_count;
	duration response_timeout; /* until the answer's head; pool's default */
	duration request_timeout; /* whole exchange; 0: none */
	bool via; /* send Via (default true) */
	bool forwarded; /* send Forwarded too (default false) */
	bool upgrade; /* carry Upgrade (default true) */
	duration tunnel_timeout; /* idle upgraded connection, 1 h */
	bool abandon; /* a request whose client is gone (default true) */
};

struct config_respond {
	uint16_t status;
	struct bytes body;
	struct bytes content_type;
	struct config_pair *headers;
	unsigned header_count;
};

struct config_redirect {
	uint16_t status; /* 301 302 303 307 308 */
	/* With {scheme} {host} {port} {path} {query} {uri} and, on regex
	 * routes, {1}..{9}. Checked when the snapshot was built. */
	struct bytes to;
};

enum config_path_match { PATH_ANY, PATH_PREFIX, PATH_EXACT, PATH_REGEX };

struct config_header_match {
	struct bytes name;
	struct bytes exact; /* at == NULL: any value (presence) */
	const struct config_regex *regex; /* or NULL */
	bool absent; /* matches when the field is not there */
};

struct config_route {
	struct config_where where;
	uint64_t digest; /* of what the file says of it: config/diff */
	unsigned index; /* in its site, from 0 */
	enum config_path_match match;
	/* PREFIX "/api/" takes /api/...; "/api" takes /api and /api/... */
	struct bytes path;
	const struct config_regex *regex;
	uint32_t methods; /* bit per enum http_method value; 0: any */
	struct bytes *method_names; /* tokens beyond those known */
	unsigned method_name_count;
	struct config_header_match *headers; /* all must match */
	unsigned header_count;
	enum config_action action;
	union {
		const struct config_files *files;
		const struct config_reverse *reverse;
		const struct config_respond *respond;
		const struct config_redirect *redirect;
	};
	uint64_t body_bytes; /* limits.body_bytes of this route */
	bool trace_allowed; /* methods names TRACE */
	bool log; /* access log lines (default true) */
};

struct config_site {
	struct config_where where;
	uint64_t digest; /* of what the file says of it: config/diff */
	unsigned index;
	struct bytes name; /* the first host, or "default" */
	struct bytes *hosts; /* lower case; "*.example.com"; "*" */
	unsigned host_count;
	unsigned *listeners; /* indices into snapshot.listeners */
	unsigned listener_count;
	struct config_limits limits;
	struct config_route *routes; /* first match in file order wins */
	unsigned route_count;
};

struct config_listener {
	struct config_where where;
	unsigned index;
	struct config_address address;
	unsigned backlog; /* 4096 */
	int default_site; /* site that answers unknown hosts; -1: 421 */
	bool admin; /* the admin plane's loopback listener */
	/* The IPv6 half of a port alone: that it cannot be opened because the
	 * system has no IPv6 is no mistake. */
	bool optional;
};

/* ---- pools ---- */
enum config_hash_on {
	HASH_CLIENT,
	HASH_URI, /* path and query */
	HASH_PATH,
	HASH_HEADER,
	HASH_COOKIE,
};

struct config_server {
	struct config_where where;
	struct config_address address;
	struct bytes name; /* unique in the pool; default: address.text */
	uint32_t weight; /* 1 by default, 0-65535; 0: takes nothing */
	uint32_t max_requests; /* in flight, all workers; 0: no limit */
	bool backup; /* used when no other is usable */
};

enum config_check { CHECK_NONE, CHECK_TCP, CHECK_HTTP };

struct config_health {
	enum config_check kind;
	struct bytes path; /* HTTP */
	struct bytes method; /* GET or HEAD */
	struct bytes host; /* Host sent; default: the server's address */
	uint16_t status_min, status_max; /* 200-399 */
	struct bytes body; /* must occur in the first 64 KiB; NULL: any */
	uint16_t port; /* 0: the server's */
	duration every; /* 2 s */
	duration timeout; /* 1 s */
	uint16_t fall, rise; /* 3, 2 */
	uint8_t jitter_percent; /* 10 */
};

struct config_pool {
	struct config_where where;
	uint64_t digest; /* of what the file says of it: config/diff */
	unsigned index;
	struct bytes name;
	struct bytes balance; /* name of a policy (policy/balance.h) */
	enum config_hash_on hash_on;
	struct bytes hash_name; /* header or cookie */
	uint32_t hash_bound_percent; /* 0: unbounded */
	struct config_server *servers;
	unsigned server_count;
	uint32_t queue_max; /* requests waiting, per worker; 1000 */
	duration queue_timeout; /* 5 s */
	struct config_health health;
	uint32_t passive_failures; /* 5; 0: off */
	duration passive_hold; /* 10 s */
	duration slow_start; /* 0: off */
	duration connect_timeout; /* 2 s */
	duration response_timeout; /* 60 s */
	duration send_timeout; /* between two writes, 30 s */
	duration idle_timeout; /* kept connections, 60 s */
	uint32_t keepalive; /* kept idle per worker and server; 256; 0: none */
	duration resolve_every; /* names looked up again, 30 s */
	uint32_t retry_attempts; /* beyond the first, 2 */
	uint32_t retry_percent; /* budget, 20 */
	/* When fewer than this share of the servers is up, verdicts are not
	 * believed and all are used. 0: never. */
	uint32_t panic_percent;
	duration retry_after; /* of the 503 when nothing is usable, 5 s */
};

/* ---- the program ---- */
enum config_log_format {
	LOG_FORMAT_LOGFMT,
	LOG_FORMAT_JSON,
	LOG_FORMAT_COMBINED
};

struct config_log {
	struct bytes error_to; /* path, or "stderr" */
	int error_level; /* enum log_level */
	struct bytes access_to; /* path, "stdout", or "off" */
	enum config_log_format access_format;
};

struct config_admin {
	struct bytes socket; /* Unix path; at == NULL: off */
	struct bytes listen; /* loopback address, or at == NULL */
	struct config_address listen_address;
	struct bytes token; /* required with listen */
};

enum config_resolver_use { RESOLVER_OWN, RESOLVER_SYSTEM };

/* How names of servers become addresses. */
struct config_resolver {
	int use; /* enum config_resolver_use */
	struct bytes resolv_conf; /* path; at == NULL: that of the system */
	struct bytes hosts;
};

struct snapshot {
	uint64_t version; /* set by the manager, from 1 */
	uint64_t digest; /* of the file but for its sites and pools */
	struct bytes file; /* path it was read from */
	unsigned threads; /* runtime.threads; 0: one per CPU */
	struct bytes backend; /* runtime.backend: "auto", "epoll", ... */
	duration gather; /* runtime.gather */
	struct bytes user, group; /* at == NULL: default */
	struct bytes pid_file; /* at == NULL: none */
	duration drain_timeout; /* shutdown.drain, 30 s */
	uint32_t connections_max; /* limits.connections, all workers; 0: by
				     RLIMIT_NOFILE */
	struct config_network *trusted; /* trust: peers whose forwarded
					   fields are believed */
	unsigned trusted_count;
	struct config_limits limits;
	struct config_log log;
	struct config_resolver resolver;
	struct config_admin admin;
	struct config_site *sites;
	unsigned site_count;
	struct config_listener *listeners; /* without the admin's */
	unsigned listener_count;
	struct config_pool *pools;
	unsigned pool_count;
	struct arena *arena; /* owns everything above */
};

/*
 * snapshot_build - read, check and build
 *
 * @text    the bytes of the file; @path names it in messages and is the base
 *          of relative paths
 * @errors  appended: every mistake, each with file:line:column, the line, a
 *          caret and, for unknown keys, the nearest valid one
 *
 * Returns 0 and *@ret (free with snapshot_free), E_CONFIG_INVALID, -ENOMEM.
 */
struct config_errors;
MUST_CHECK
int snapshot_build(struct bytes text, const char *path,
    struct config_errors *errors, struct snapshot **ret);
void snapshot_free(struct snapshot *snapshot);

/* The index of the listener with that address text, or -1. */
int snapshot_listener_find(const struct snapshot *snapshot, struct bytes text);
const struct config_pool *
snapshot_pool_find(const struct snapshot *snapshot, struct bytes name);
