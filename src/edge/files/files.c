/*
 * files.c - the road of one request
 *
 * The path behind the mount is the key: a hit is answered at once. A miss, or
 * an entry not checked for FILES_CHECK_MS, is resolved to an open file; when
 * it is still the one the entry was made from, the entry stays.
 */
#include "edge/files/files.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/counters.h"
#include "base/error.h"
#include "edge/files/answer.h"
#include "edge/files/listing.h"
#include "edge/files/resolve.h"
#include "edge/files/root.h"
#include "os/clock.h"
#include "os/random.h"
#include "runtime/runtime.h"
#include "wire/url.h"

/* A file that is being written may change between open and read. */
#define FILES_LOAD_TRIES 3

/* ---- from the request to a key ---- */

/* What of the request's path lies beneath the root: without the prefix of the
 * route when it is mounted there, without the leading slash. */
static struct bytes
files_path(const struct exchange *ex)
{
	struct bytes path = ex->request.path;

	if (ex->route->files->mount && ex->route->match == PATH_PREFIX &&
	    bytes_starts_with(path, ex->matched))
		path = bytes_skip(path, ex->matched.length);
	if (path.length != 0 && path.at[0] == '/')
		path = bytes_skip(path, 1);
	return path;
}

static struct entry_key
files_key(const struct exchange *ex, struct bytes path)
{
	const struct config_files *config = ex->route->files;
	struct entry_key key = {.instance = config->instance, .path = path};

	if (config->precompressed_count != 0)
		key.codings = negotiate_codings(&ex->request,
		    config->precompressed, config->precompressed_count);
	return key;
}

/* ---- from a key to an entry ---- */

/* The file that was found becomes an entry, cached if it may be. */
static int
files_entry_make(struct files_worker *worker, struct exchange *ex,
    const struct entry_key *key, const struct resolved *found, instant now,
    struct files_entry **ret_entry)
{
	const struct config_files *config = ex->route->files;
	struct files_entry *entry;
	int r = entry_new(
	    &(struct entry_options){
		.key = *key,
		.name = found->name,
		.coding = found->coding >= 0
		    ? config->precompressed[found->coding]
		    : bytes_of(NULL, 0),
		.cache_control = config->cache_control,
		.vary = config->precompressed_count != 0,
	    },
	    found->fd, &found->stat, &entry);

	if (r < 0)
		return r;
	entry->checked = now;
	if (entry_stable(entry, clock_wall_ns()))
		files_cache_insert(&worker->cache, entry);
	*ret_entry = entry;
	return 0;
}

/*
 * Look at the disk. @known is the entry we have of @key, or NULL; it is
 * dropped unless the same file is found. *@ret_entry has a reference for the
 * caller when *@ret says RESOLVED_FILE.
 */
static int
files_look(struct files_worker *worker, struct exchange *ex,
    const struct entry_key *key, struct files_entry *known, instant now,
    struct resolved *ret, struct files_entry **ret_entry)
{
	int root = files_root_get(&worker->roots, ex->route->files, now), r;

	r = root < 0 ? resolve_error(root)
		     : resolve_path(ex->route->files, root, key->path,
			   key->codings, &ex->arena, ret);
	if (known != NULL && r >= 0 && ret->kind == RESOLVED_FILE &&
	    entry_fresh(known, &ret->stat)) {
		file_close(ret->fd);
		known->checked = now;
		entry_ref(known);
		*ret_entry = known;
		return 0;
	}
	if (known != NULL)
		files_cache_remove(&worker->cache, known);
	if (r < 0 || ret->kind != RESOLVED_FILE)
		return r;
	return files_entry_make(worker, ex, key, ret, now, ret_entry);
}

static bool
files_entry_old(const struct files_entry *entry, instant now)
{
	return instant_since(now, entry->checked).ns >=
	    duration_ms(FILES_CHECK_MS).ns;
}

/*
 * What @key means now: from the cache, or from the disk, looked at again
 * while the file changes under our hands. As files_look() otherwise.
 */
static int
files_get(struct files_worker *worker, struct exchange *ex,
    const struct entry_key *key, instant now, struct resolved *ret,
    struct files_entry **ret_entry)
{
	struct files_entry *known = files_cache_find(&worker->cache, key);
	int r = -EAGAIN;

	if (likely(known != NULL && !files_entry_old(known, now))) {
		entry_ref(known);
		counters_here->file_cache_hits += known->fd < 0;
		ret->kind = RESOLVED_FILE;
		*ret_entry = known;
		return 0;
	}
	for (int i = 0; i < FILES_LOAD_TRIES && r == -EAGAIN; i++) {
		r = files_look(worker, ex, key, known, now, ret, ret_entry);
		known = NULL;
	}
	return r;
}

/* ---- the answer ---- */

/* A directory without its slash: relative links in its index need it. */
SUSPENDS
static int
files_add_slash(struct exchange *ex)
{
	struct bytes path = ex->request.path, query = ex->request.query;
	struct bytes to = exchange_format(ex, "%.*s/%s%.*s", (int)path.length,
	    path.at, query.at != NULL ? "?" : "", (int)query.length,
	    query.at != NULL ? query.at : "");
	int r;

	if (to.at == NULL)
		return -ENOMEM;
	r = http_head_add(&ex->response, FIELD_LOCATION, to);
	if (r < 0)
		return r;
	ex->response.status = 301;
	return exchange_respond(ex, bytes_of(NULL, 0));
}

SUSPENDS
static int
files_allow(struct exchange *ex)
{
	int r = http_head_add(
	    &ex->response, FIELD_ALLOW, BYTES("GET, HEAD, OPTIONS"));

	if (r < 0)
		return r;
	if (ex->request.method != HTTP_OPTIONS)
		return exchange_refuse(ex, E_METHOD_REFUSED);
	ex->response.status = 204;
	return exchange_respond(ex, bytes_of(NULL, 0));
}

/* The site's own page for what is not there, if it has one. */
SUSPENDS
static int
files_absent(struct files_worker *worker, struct exchange *ex, instant now)
{
	struct bytes name = ex->route->files->not_found;
	struct files_entry *entry;
	struct resolved found;
	struct appender path;
	struct entry_key key;
	char *memory;
	int r;

	if (name.at == NULL)
		return E_NO_FILE;
	memory = arena_alloc(&ex->arena, 3 * name.length);
	if (memory == NULL)
		return -ENOMEM;
	path = appender_over(memory, 3 * name.length);
	url_escape_path(name, &path);
	key = files_key(ex, appender_bytes(&path));
	r = files_get(worker, ex, &key, now, &found, &entry);
	if (r < 0)
		return r;
	if (found.kind != RESOLVED_FILE) {
		file_close(found.fd);
		return E_NO_FILE;
	}
	r = answer_page(ex, entry, 404);
	entry_unref(entry);
	return r;
}

/* What is no file: a redirect, a listing, or nothing. */
SUSPENDS
static int
files_answer_other(struct files_worker *worker, struct exchange *ex,
    const struct resolved *found, int error, instant now)
{
	int root;

	if (error == E_NO_FILE)
		return files_absent(worker, ex, now);
	if (error < 0)
		return error;
	if (found->kind == RESOLVED_SLASH)
		return files_add_slash(ex);
	root = files_root_get(&worker->roots, ex->route->files, now);
	if (root < 0) {
		file_close(found->fd);
		return resolve_error(root);
	}
	return listing_answer(ex, root, found->fd, found->name);
}

int
files_answer(struct files_worker *worker, struct exchange *ex, instant now)
{
	struct bytes path = files_path(ex);
	struct files_entry *entry;
	struct resolved found;
	struct entry_key key;
	int r;

	if (ex->request.method != HTTP_GET && ex->request.method != HTTP_HEAD)
		return files_allow(ex);
	/* The mount itself is a directory. */
	if (path.length == 0 &&
	    ex->request.path.at[ex->request.path.length - 1] != '/')
		return files_add_slash(ex);
	key = files_key(ex, path);
	r = files_get(worker, ex, &key, now, &found, &entry);
	if (unlikely(r < 0 || found.kind != RESOLVED_FILE))
		return files_answer_other(worker, ex, &found, r, now);
	counters_here->files_served++;
	r = answer_file(ex, entry);
	entry_unref(entry);
	return r;
}

/* ---- the worker ---- */

void
files_worker_init(
    struct files_worker *worker, const struct files_cache_limits *limits)
{
	struct hash_key key;

	random_fill(&key, sizeof(key));
	files_cache_init(&worker->cache, limits, key);
	list_init(&worker->roots);
}

void
files_worker_fini(struct files_worker *worker)
{
	files_cache_fini(&worker->cache);
	files_roots_fini(&worker->roots);
}

static bool
files_worker_empty(const struct files_worker *worker)
{
	return worker->cache.count == 0 && list_empty(&worker->roots);
}

static void
files_sweep(struct timer *timer)
{
	struct files_worker *worker =
	    container_of(timer, struct files_worker, sweep);
	instant now = runtime_now();

	files_cache_sweep(&worker->cache, now);
	files_roots_sweep(&worker->roots, now);
	if (!files_worker_empty(worker))
		timer_start(
		    timer, instant_after(now, duration_s(FILES_IDLE_S)));
}

static __thread struct files_worker *files_here;
static pthread_key_t files_key_of_thread;
static pthread_once_t files_once = PTHREAD_ONCE_INIT;

static void
files_thread_end(void *arg)
{
	files_worker_fini(arg);
	free(arg);
}

static void
files_thread_key(void)
{
	must(pthread_key_create(&files_key_of_thread, files_thread_end) == 0);
}

/* The calling thread's; its first call makes it. NULL: out of memory. */
static NOINLINE struct files_worker *
files_worker_new(void)
{
	static const struct files_cache_limits limits = {
	    .bytes = FILES_CACHE_BYTES,
	    .count = FILES_CACHE_ENTRIES,
	    .descriptors = FILES_CACHE_DESCRIPTORS,
	};
	struct files_worker *worker = malloc(sizeof(*worker));

	if (worker == NULL)
		return NULL;
	files_worker_init(worker, &limits);
	timer_init(&worker->sweep, files_sweep);
	pthread_once(&files_once, files_thread_key);
	if (pthread_setspecific(files_key_of_thread, worker) != 0) {
		files_thread_end(worker);
		return NULL;
	}
	files_here = worker;
	return worker;
}

SUSPENDS
static int
files_handle(struct exchange *ex)
{
	struct files_worker *worker = files_here;
	instant now = runtime_now();

	if (unlikely(worker == NULL)) {
		worker = files_worker_new();
		if (worker == NULL)
			return -ENOMEM;
	}
	/* It stops by itself once there is nothing left to drop. */
	if (unlikely(!timer_armed(&worker->sweep)))
		timer_start(&worker->sweep,
		    instant_after(now, duration_s(FILES_IDLE_S)));
	return files_answer(worker, ex, now);
}

/* ---- the configuration ---- */

static int
files_root_check(const struct config_route *route, struct appender *why)
{
	struct list roots;
	int r;

	list_init(&roots);
	r = files_root_get(&roots, route->files, instant_past());
	files_roots_fini(&roots);
	if (r < 0)
		append_format(why, "%s:%d: cannot open the root %.*s: %s",
		    route->where.file, route->where.line,
		    (int)route->files->root.length, route->files->root.at,
		    error_text(r));
	return r < 0 ? r : 0;
}

static int
files_prepare(const struct snapshot *snapshot, struct appender *why)
{
	static atomic_uint_fast64_t instances;
	int r = 0;

	for (unsigned i = 0; i < snapshot->site_count; i++) {
		const struct config_site *site = &snapshot->sites[i];

		for (unsigned j = 0; j < site->route_count && r == 0; j++) {
			const struct config_route *route = &site->routes[j];

			if (route->action != ACTION_FILES)
				continue;
			/* Nobody else sees the snapshot yet. */
			((struct config_files *)(uintptr_t)route->files)
			    ->instance = atomic_fetch_add(&instances, 1) + 1;
			r = file_beneath_check();
			if (r < 0)
				append_literal(why,
				    "files: this kernel has no openat2(); "
				    "Linux 5.6 or newer is needed");
			else
				r = files_root_check(route, why);
		}
	}
	return r;
}

const struct feature files_feature = {
    .action = ACTION_FILES,
    .handle = files_handle,
    .prepare = files_prepare,
};
