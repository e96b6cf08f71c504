/*
 * table_top.c - the keys of the program: everything but sites and pools
 */
#include <errno.h>
#include <stdlib.h>

#include "config/read_site.h"
#include "config/reader.h"
#include "os/log.h"
#include "os/path.h"

#define TOP_THREADS_MAX 64
#define TOP_TOKEN_MIN   16
#define TOP_TOKEN_MAX   512
/* As long as the resolver takes them. */
#define TOP_RESOLVER_PATH 4096

/* ---- runtime ---- */

static void
top_threads(struct reader *reader, const struct node *node, void *into)
{
	uint64_t threads;

	if (node->kind == NODE_TEXT && bytes_equal(node->text, BYTES("auto")))
		*(unsigned *)into = 0;
	else if (node->kind == NODE_TEXT &&
	    bytes_to_u64(node->text, TOP_THREADS_MAX, &threads) == 0 &&
	    threads > 0)
		*(unsigned *)into = (unsigned)threads;
	else
		reader_mismatch(reader, node, "auto or 1 to 64", NULL);
}
_Static_assert(TOP_THREADS_MAX == 64, "the message names it");

static const struct shape top_auto = {
    .kind = SHAPE_ENUM, .names = (const char *const[]){"auto", NULL}};
static const struct shape top_threads_shape = {
    .kind = SHAPE_ONE_OF,
    .forms = (const struct shape *const[]){&top_auto,
	&(const struct shape){
	    .kind = SHAPE_COUNT, .min = 1, .max = TOP_THREADS_MAX},
	NULL},
    .read = top_threads,
};
static const struct shape top_backend = {.kind = SHAPE_ENUM,
    .names = (const char *const[]){
	"auto", "epoll", "uring", "poll", "select", NULL}};

static const struct key runtime_keys[] = {
    KEY(struct snapshot, threads, "threads", &top_threads_shape, "auto",
	"Worker threads. `auto`: one for each CPU that weir may use."),
    KEY(struct snapshot, backend, "backend", &top_backend, "auto",
	"How the worker's threads wait for the kernel. `auto`: io_uring from "
	"Linux 6.12 on unless the kernel's settings or a container deny it, "
	"else epoll. `uring` is io_uring from 6.1 on, and epoll where it is "
	"denied; `poll` and `select` cost more with each connection. `weir "
	"status` and the log show what runs."),
    KEY(struct snapshot, gather, "gather", SHAPE_DURATION_OF(0, 1), "30us",
	"While events come one soon after another, a thread that waits for "
	"the next sleeps on for so long, to handle several at once: less CPU "
	"time at part load, and each event is delayed by about that. Where "
	"they are rare, or come one by one, none is. With io_uring, from "
	"Linux 6.12 on. `0`: never."),
};
static const struct table table_runtime = {
    .name = "runtime",
    .title = "runtime",
    .intro = "How the workers run. A change takes effect with a restart.",
    TABLE(runtime_keys),
};

/* ---- resolver ---- */

static const struct shape top_resolver_use = {
    .kind = SHAPE_ENUM,
    .names =
	(const char *const[]){
	    [RESOLVER_OWN] = "own", [RESOLVER_SYSTEM] = "system", NULL},
};

static const struct key resolver_keys[] = {
    KEY(struct config_resolver, use, "use", &top_resolver_use, "own",
	"`own`: weir asks the name servers itself and keeps answers, denials "
	"too, as long as they say. `system`: the C library is asked, and so "
	"whatever nsswitch.conf names (mDNS, LDAP); it tells no TTL, and every "
	"look-up goes to it."),
    KEY_OPTIONAL(struct config_resolver, resolv_conf, "resolv_conf",
	&shape_path, "/etc/resolv.conf",
	"The file with the name servers, for `use: own`; read again when it "
	"changes."),
    KEY_OPTIONAL(struct config_resolver, hosts, "hosts", &shape_path,
	"/etc/hosts",
	"The file with names of this machine's own, for `use: own`; read "
	"again when it changes."),
};
static const struct table table_resolver = {
    .name = "resolver",
    .title = "resolver",
    .intro = "How names of servers in `pools` become addresses. Addresses "
	     "that are known are looked up again after the pool's "
	     "`resolve_every`; a look-up that failed is repeated a second "
	     "later at the earliest.",
    TABLE(resolver_keys),
};

static void
top_resolver(struct reader *reader, const struct node *node, void *into)
{
	struct config_resolver *resolver = into;
	static const char *const own[] = {"resolv_conf", "hosts"};

	reader_map(reader, &table_resolver, node, resolver);
	for (unsigned i = 0; i < array_count(own); i++) {
		const struct node *key = node_get(node, own[i]);
		struct bytes path =
		    i == 0 ? resolver->resolv_conf : resolver->hosts;

		if (key == NULL)
			continue;
		if (resolver->use == RESOLVER_SYSTEM)
			reader_error(reader, key, NULL,
			    "`%s` is for `use: own`: the C library reads files "
			    "of its own",
			    own[i]);
		else if (path.at != NULL && path.length >= TOP_RESOLVER_PATH)
			reader_error(
			    reader, key, NULL, "a path has up to 4095 bytes");
	}
}
_Static_assert(TOP_RESOLVER_PATH == 4096, "the message names it");

static const struct shape top_resolver_shape = {
    .kind = SHAPE_MAP, .table = &table_resolver, .read = top_resolver};

/* ---- shutdown ---- */

static const struct key shutdown_keys[] = {
    KEY(struct snapshot, drain_timeout, "drain",
	SHAPE_DURATION_OF(0, SHAPE_DAY), "30s",
	"How long a stop, or a worker of the configuration before, waits for "
	"requests in flight."),
};
static const struct table table_shutdown = {
    .name = "shutdown",
    .title = "shutdown",
    .intro = "How weir stops.",
    TABLE(shutdown_keys),
};

/* ---- trust ---- */

static void
top_trust(struct reader *reader, const struct node *node, void *into)
{
	struct snapshot *snapshot = into;
	struct config_network *networks = reader_items(
	    reader, node, sizeof(*networks), &snapshot->trusted_count);

	snapshot->trusted = networks;
	for (unsigned i = 0; i < snapshot->trusted_count; i++) {
		const struct node *item = reader_item(node, i);
		struct address_error error;

		if (item->kind != NODE_TEXT)
			reader_mismatch(
			    reader, item, "a list of networks", NULL);
		else if (network_parse(item->text, &networks[i], &error) < 0)
			reader_error(reader, item, NULL, "`%.*s`: %s",
			    (int)min_of(item->text.length, (size_t)60),
			    item->text.at, error.text);
	}
}

static const struct shape top_network = {
    .kind = SHAPE_TEXT,
    .word = "network",
    .pattern = "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$",
};
static const struct shape top_networks = {
    .kind = SHAPE_LIST, .item = &top_network, .read = top_trust};

/* ---- limits ---- */

static const struct key limits_keys[] = {
    KEY(struct config_limits, request_line, "request_line",
	SHAPE_SIZE_OF(128, 64 << 10), "8KiB",
	"The longest request line; a longer one is answered with 414."),
    KEY(struct config_limits, header_bytes, "header_bytes",
	SHAPE_SIZE_OF(512, 256 << 10), "32KiB",
	"All header fields of a request together; more is answered with 431."),
    KEY(struct config_limits, header_count, "header_count",
	SHAPE_COUNT_OF(1, 128), "100",
	"Header fields of a request; more is answered with 431."),
    KEY(struct config_limits, body_bytes, "body_bytes",
	SHAPE_SIZE_OF(0, UINT64_MAX / 2), "0",
	"The largest body of a request; a larger one is answered with 413. 0: "
	"no limit."),
    KEY(struct config_limits, header_timeout, "header_timeout",
	SHAPE_DURATION_OF(100, SHAPE_HOUR), "10s",
	"From the first byte of a request to the end of its header."),
    KEY(struct config_limits, body_timeout, "body_timeout",
	SHAPE_DURATION_OF(100, SHAPE_HOUR), "30s",
	"The longest silence of a client inside of a body."),
    KEY(struct config_limits, send_timeout, "send_timeout",
	SHAPE_DURATION_OF(100, SHAPE_HOUR), "30s",
	"The longest time that a client takes nothing of its answer."),
    KEY(struct config_limits, idle_timeout, "idle_timeout",
	SHAPE_DURATION_OF(0, SHAPE_DAY), "75s",
	"How long a connection without a request is kept open."),
    KEY(struct config_limits, min_rate, "min_rate", SHAPE_SIZE_OF(0, 1 << 30),
	"240",
	"Bytes a second that a body must move at least, on average, in both "
	"directions. 0: no such limit."),
    KEY(struct config_limits, min_rate_grace, "min_rate_grace",
	SHAPE_DURATION_OF(0, SHAPE_HOUR), "10s",
	"How long a body may be slower than `min_rate` at its beginning."),
    KEY(struct config_limits, keepalive_requests, "keepalive_requests",
	SHAPE_COUNT_OF(0, UINT32_MAX), "0",
	"Requests on one connection, which is then closed. 0: no limit."),
};
const struct table table_limits = {
    .name = "limits",
    .title = "sites[].limits",
    .intro = "For one site; what is not given is as in the `limits` of the "
	     "top level.",
    TABLE(limits_keys),
};

static const struct key limits_top_keys[] = {
    KEY(struct snapshot, connections_max, "connections",
	SHAPE_COUNT_OF(0, 10000000), "0",
	"Connections of clients at a time, of all workers together. 0: as many "
	"as the limit of open files (RLIMIT_NOFILE) allows."),
};
static const struct table table_limits_top = {
    .name = "limits_top",
    .title = "limits",
    .intro = "What a client may ask for and how long it may take. A site may "
	     "state its own.",
    TABLE(limits_top_keys),
    .also = &table_limits,
    .also_offset = offsetof(struct snapshot, limits),
};

/* ---- log ---- */

static const char *const top_levels[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
    NULL,
};
static const struct shape top_level = {.kind = SHAPE_ENUM, .names = top_levels};

static const char *const top_formats[] = {
    [LOG_FORMAT_LOGFMT] = "logfmt",
    [LOG_FORMAT_JSON] = "json",
    [LOG_FORMAT_COMBINED] = "combined",
    NULL,
};
static const struct shape top_format = {
    .kind = SHAPE_ENUM, .names = top_formats};

/* A path, or a word that is not one. */
static void
top_log_to(struct reader *reader, const struct node *node, const char *word,
    const char *other_word, struct bytes *into)
{
	if (node->kind == NODE_TEXT &&
	    (bytes_equal(node->text, bytes_from(word)) ||
		bytes_equal(node->text, bytes_from(other_word))))
		*into = reader_copy(reader, node->text);
	else
		shape_path.read(reader, node, into);
}

static void
top_error_to(struct reader *reader, const struct node *node, void *into)
{
	struct config_log *log = into;

	top_log_to(reader, node, "stderr", "stderr", &log->error_to);
}

static void
top_access_to(struct reader *reader, const struct node *node, void *into)
{
	struct config_log *log = into;

	top_log_to(reader, node, "stdout", "off", &log->access_to);
}

static const struct shape top_error_to_shape = {
    .kind = SHAPE_TEXT, .word = "`stderr` or a path", .read = top_error_to};
static const struct shape top_access_to_shape = {
    .kind = SHAPE_TEXT,
    .word = "`stdout`, `off` or a path",
    .read = top_access_to,
};

static const struct key log_error_keys[] = {
    KEY_WHOLE(
	"to", &top_error_to_shape, "as in `log.error`", "Where the lines go."),
    KEY_OPTIONAL(struct config_log, error_level, "level", &top_level,
	"as in `log.level`", "The least important lines that are written."),
};
static const struct table table_log_error = {
    .name = "log_error", .title = "log.error", TABLE(log_error_keys)};

static const struct key log_access_keys[] = {
    KEY_WHOLE("to", &top_access_to_shape, "as in `log.access`",
	"Where the lines go."),
    KEY_OPTIONAL(struct config_log, access_format, "format", &top_format,
	"as in `log.format`", "How a line is written."),
};
static const struct table table_log_access = {
    .name = "log_access", .title = "log.access", TABLE(log_access_keys)};

static void
top_log_error(struct reader *reader, const struct node *node, void *into)
{
	if (node->kind == NODE_MAP)
		reader_map(reader, &table_log_error, node, into);
	else
		top_error_to(reader, node, into);
}

static void
top_log_access(struct reader *reader, const struct node *node, void *into)
{
	if (node->kind == NODE_MAP)
		reader_map(reader, &table_log_access, node, into);
	else
		top_access_to(reader, node, into);
}

static const struct shape top_log_error_shape = {
    .kind = SHAPE_ONE_OF,
    .forms = (const struct shape *const[]){&top_error_to_shape,
	&(const struct shape){.kind = SHAPE_MAP, .table = &table_log_error},
	NULL},
    .read = top_log_error,
};
static const struct shape top_log_access_shape = {
    .kind = SHAPE_ONE_OF,
    .forms = (const struct shape *const[]){&top_access_to_shape,
	&(const struct shape){.kind = SHAPE_MAP, .table = &table_log_access},
	NULL},
    .read = top_log_access,
};

static const struct key log_keys[] = {
    KEY(struct config_log, error_level, "level", &top_level, "info",
	"The least important lines of the error log."),
    KEY(struct config_log, access_format, "format", &top_format, "logfmt",
	"How a line of the access log is written."),
    {
	.name = "error",
	.shape = &top_log_error_shape,
	.standard = "stderr",
	.meaning = "Where the error log goes: `stderr`, or a file that is "
		   "opened again after SIGUSR1.",
    },
    {
	.name = "access",
	.shape = &top_log_access_shape,
	.standard = "stdout",
	.meaning = "Where the access log goes: `stdout`, `off`, or a file "
		   "that is opened again after SIGUSR1.",
    },
};
static const struct table table_log = {
    .name = "log",
    .title = "log",
    .intro = "What is written of errors and of requests, and where.",
    TABLE(log_keys),
};

/* ---- admin ---- */

static void
top_token_check(
    struct reader *reader, const struct node *node, struct bytes token)
{
	bool visible = true;

	for (size_t i = 0; i < token.length; i++) {
		unsigned char c = (unsigned char)token.at[i];

		visible = visible && c > 0x20 && c < 0x7f;
	}
	if (!visible)
		reader_error(reader, node, NULL,
		    "a token is made of visible ASCII characters");
	else if (token.length < TOP_TOKEN_MIN || token.length > TOP_TOKEN_MAX)
		reader_error(reader, node, "openssl rand -hex 16 makes one",
		    "a token has 16 to 512 characters");
}
_Static_assert(
    TOP_TOKEN_MIN == 16 && TOP_TOKEN_MAX == 512, "the message names them");

static void
top_token(struct reader *reader, const struct node *node, void *into)
{
	struct bytes token = reader_text(reader, node, "a text");

	if (token.at == NULL)
		return;
	top_token_check(reader, node, token);
	*(struct bytes *)into = token;
}

/* Roles read the same file again after they have given up the right to read
 * this one: for them, and for `weir check` of a user, that is no mistake. */
static void
top_token_file(struct reader *reader, const struct node *node, void *into)
{
	struct config_admin *admin = into;
	struct bytes path = bytes_of(NULL, 0), token;
	char *text;
	size_t length;
	int r;

	shape_path.read(reader, node, &path);
	if (path.at == NULL)
		return;
	r = path_read(path.at, TOP_TOKEN_MAX + 2, true, &text, &length);
	if (r == -EACCES) {
		reader_warn(reader, node, NULL,
		    "the token cannot be read by this user");
		return;
	}
	if (r < 0) {
		reader_error(reader, node, NULL, "cannot read %.*s: %s",
		    (int)path.length, path.at, strerror(-r));
		return;
	}
	token = bytes_of(text, length);
	while (token.length != 0 &&
	    strchr("\r\n", token.at[token.length - 1]) != NULL)
		token.length--;
	top_token_check(reader, node, token);
	admin->token = reader_copy(reader, token);
	free(text);
}

static void
top_admin_listen(struct reader *reader, const struct node *node, void *into)
{
	struct config_admin *admin = into;
	struct address_error error;
	int r;

	if (node->kind != NODE_TEXT) {
		reader_mismatch(
		    reader, node, "an address (127.0.0.1:9180)", NULL);
		return;
	}
	r = address_parse(node->text, reader->folder, false, reader->arena,
	    &admin->listen_address, &error);
	if (r == -ENOMEM)
		reader->out_of_memory = true;
	else if (r < 0)
		reader_error(reader, node,
		    error.remedy[0] != '\0' ? error.remedy : NULL,
		    "`listen`: %s", error.text);
	else if (!address_is_loopback(&admin->listen_address))
		reader_error(reader, node, "write 127.0.0.1 or [::1]",
		    "the admin plane listens on a loopback address only");
	else
		admin->listen = admin->listen_address.text;
}

static const struct shape top_address = {
    .kind = SHAPE_TEXT, .word = "address", .read = top_admin_listen};
static const struct shape top_token_shape = {
    .kind = SHAPE_TEXT, .word = "text", .secret = true, .read = top_token};
static const struct shape top_token_file_shape = {
    .kind = SHAPE_TEXT, .word = "path", .read = top_token_file};

static const struct key admin_keys[] = {
    KEY_OPTIONAL(struct config_admin, socket, "socket", &shape_path, "off",
	"A Unix socket for the verbs of `weir`; its owner alone may use it."),
    KEY_WHOLE("listen", &top_address, "off",
	"A loopback address for HTTP clients; needs a token."),
    KEY_OPTIONAL(struct config_admin, token, "token", &top_token_shape, "none",
	"What clients of `listen` must send as `Authorization: Bearer`."),
    KEY_WHOLE("token_file", &top_token_file_shape, "none",
	"A file that holds the token alone."),
};
static const struct table table_admin = {
    .name = "admin", .title = "admin", TABLE(admin_keys)};

static void
top_admin(struct reader *reader, const struct node *node, void *into)
{
	struct config_admin *admin = into;

	if (node->kind == NODE_TEXT) {
		shape_path.read(reader, node, &admin->socket);
		return;
	}
	reader_map(reader, &table_admin, node, admin);
	if (node_get(node, "token") != NULL &&
	    node_get(node, "token_file") != NULL)
		reader_error(reader, node_get(node, "token_file"), NULL,
		    "`token` and `token_file` exclude each other");
	else if (node_get(node, "listen") != NULL &&
	    node_get(node, "token") == NULL &&
	    node_get(node, "token_file") == NULL)
		reader_error(reader, node_get(node, "listen"),
		    "add `token` or `token_file`",
		    "`admin.listen` needs a token: every user of this machine "
		    "can connect to it");
}

static const struct shape top_admin_shape = {
    .kind = SHAPE_ONE_OF,
    .forms = (const struct shape *const[]){&shape_path,
	&(const struct shape){.kind = SHAPE_MAP, .table = &table_admin}, NULL},
    .read = top_admin,
};

/* ---- the file ---- */

static const struct shape top_user = {
    .kind = SHAPE_TEXT,
    .word = "name",
    .article_word = "a user's name",
    .scalar = true,
};
static const struct shape top_group = {
    .kind = SHAPE_TEXT,
    .word = "name",
    .article_word = "a group's name",
    .scalar = true,
};

static const struct key top_keys[] = {
    {.name = "runtime", .shape = SHAPE_MAP_OF(&table_runtime)},
    KEY_OPTIONAL(struct snapshot, user, "user", &top_user,
	"`www-data`, or else `nobody`",
	"Who the roles that face the network "
	"run as, when weir is started as root. A change takes effect with a "
	"restart."),
    KEY_OPTIONAL(struct snapshot, group, "group", &top_group,
	"the user's group",
	"The group of those roles. A change takes effect with a restart."),
    KEY_OPTIONAL(struct snapshot, pid_file, "pid_file", &shape_path, "none",
	"Where the manager's process number is written."),
    {.name = "shutdown", .shape = SHAPE_MAP_OF(&table_shutdown)},
    KEY_WHOLE("trust", &top_networks, "nobody",
	"Peers whose X-Forwarded-For, X-Forwarded-Proto and Forwarded fields "
	"are believed."),
    {.name = "limits", .shape = SHAPE_MAP_OF(&table_limits_top)},
    {
	.name = "log",
	.shape = SHAPE_MAP_OF(&table_log),
	.offset = offsetof(struct snapshot, log),
    },
    {
	.name = "resolver",
	.shape = &top_resolver_shape,
	.absent = "see its keys",
	.offset = offsetof(struct snapshot, resolver),
    },
    {
	.name = "admin",
	.shape = &top_admin_shape,
	.absent = "off",
	.meaning = "How the running program is asked and told. A path alone "
		   "is its `socket`.",
	.offset = offsetof(struct snapshot, admin),
    },
    KEY_WHOLE("pools", &shape_pools, "none", "Groups of servers, by name."),
    KEY_REQUIRED("sites", &shape_sites, "What is served, and where."),
};
const struct table table_top = {
    .name = "weir",
    .title = "The file",
    .intro = "The keys of the top level.",
    TABLE(top_keys),
};
