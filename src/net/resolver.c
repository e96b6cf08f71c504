/*
 * resolver.c - which files say what is known, and what they say now
 */
#include "net/resolver.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "net/resolve.h"
#include "os/file.h"
#include "os/log.h"
#include "os/path.h"
#include "runtime/runtime.h"

#define RESOLVE_PATH_BYTES  4096
#define RESOLVE_FILES_EVERY duration_s(1)

struct resolve_file {
	const char *path;
	bool known;
	int error; /* of the last look, 0 or -errno */
	struct file_stat seen;
};

struct resolver_own {
	struct resolver resolver;
	struct worker_end end;
	unsigned worker;
	unsigned edition; /* of the options */
	char resolv_path[RESOLVE_PATH_BYTES], hosts_path[RESOLVE_PATH_BYTES];
	instant looked;
	struct resolve_file resolv_file, hosts_file;
};

/* What resolve_configure() said last. */
static struct {
	pthread_mutex_t lock;
	_Atomic unsigned edition;
	char resolv_path[RESOLVE_PATH_BYTES], hosts_path[RESOLVE_PATH_BYTES];
	bool system;
} resolve_wishes = {.lock = PTHREAD_MUTEX_INITIALIZER,
    .edition = 1,
    .resolv_path = "/etc/resolv.conf",
    .hosts_path = "/etc/hosts"};

static struct resolver_own *resolvers[RUNTIME_WORKERS_MAX];

int
resolve_configure(const struct resolve_options *options)
{
	const char *resolv = options->resolv_conf != NULL ? options->resolv_conf
							  : "/etc/resolv.conf";
	const char *hosts =
	    options->hosts != NULL ? options->hosts : "/etc/hosts";

	if (strlen(resolv) >= RESOLVE_PATH_BYTES ||
	    strlen(hosts) >= RESOLVE_PATH_BYTES)
		return -ENAMETOOLONG;
	pthread_mutex_lock(&resolve_wishes.lock);
	memcpy(resolve_wishes.resolv_path, resolv, strlen(resolv) + 1);
	memcpy(resolve_wishes.hosts_path, hosts, strlen(hosts) + 1);
	resolve_wishes.system = options->system;
	atomic_fetch_add(&resolve_wishes.edition, 1);
	pthread_mutex_unlock(&resolve_wishes.lock);
	return 0;
}

/* ---- one worker's resolver ---- */

static void
resolver_free(struct worker_end *end)
{
	struct resolver_own *own = container_of(end, struct resolver_own, end);

	resolvers[own->worker] = NULL;
	resolve_cache_fini(&own->resolver.cache);
	hosts_free(&own->resolver.hosts);
	free(own);
}

static void
resolver_options_take(struct resolver_own *own)
{
	pthread_mutex_lock(&resolve_wishes.lock);
	own->edition = atomic_load(&resolve_wishes.edition);
	memcpy(
	    own->resolv_path, resolve_wishes.resolv_path, RESOLVE_PATH_BYTES);
	memcpy(own->hosts_path, resolve_wishes.hosts_path, RESOLVE_PATH_BYTES);
	own->resolver.system = resolve_wishes.system;
	pthread_mutex_unlock(&resolve_wishes.lock);
	own->resolv_file = (struct resolve_file){.path = own->resolv_path};
	own->hosts_file = (struct resolve_file){.path = own->hosts_path};
	own->looked = instant_past();
	resolve_cache_clear(&own->resolver.cache);
}

/* Whether it is another one than at the last look. */
static bool
resolve_file_changed(struct resolve_file *file)
{
	struct file_stat now = {0};
	int error = file_stat_path(file->path, &now);
	bool same = file->known && error == file->error &&
	    (error < 0 ||
		(now.device == file->seen.device &&
		    now.inode == file->seen.inode &&
		    now.size == file->seen.size &&
		    now.modified_ns == file->seen.modified_ns &&
		    now.changed_ns == file->seen.changed_ns));

	file->known = true;
	file->error = error;
	file->seen = now;
	return !same;
}

/* A file that is missing is as good as an empty one. NULL: it cannot be read,
 * and what was read before stays. */
static char *
resolve_file_read(struct resolve_file *file, size_t *ret_length)
{
	char *text;
	int r;

	*ret_length = 0;
	r = path_read(
	    file->path, RESOLV_FILE_BYTES_MAX, true, &text, ret_length);
	if (r == 0)
		return text;
	if (r == -ENOENT)
		return calloc(1, 1);
	log_warn("resolve", "cannot read %s (%s)", file->path, error_text(r));
	return NULL;
}

static void
resolver_files_look(struct resolver_own *own)
{
	struct resolver *resolver = &own->resolver;
	size_t length;
	char *text;

	if (instant_before(
		runtime_now(), instant_after(own->looked, RESOLVE_FILES_EVERY)))
		return;
	own->looked = runtime_now();
	if (resolve_file_changed(&own->resolv_file)) {
		text = resolve_file_read(&own->resolv_file, &length);
		if (text != NULL || resolver->conf.server_count == 0)
			resolv_conf_parse(
			    bytes_of(text, length), &resolver->conf);
		free(text);
		/* Other servers may know other names. */
		resolve_cache_clear(&resolver->cache);
	}
	if (resolve_file_changed(&own->hosts_file)) {
		text = resolve_file_read(&own->hosts_file, &length);
		if (text == NULL)
			return;
		hosts_free(&resolver->hosts);
		if (hosts_parse(text, length, &resolver->hosts) < 0)
			own->hosts_file.known = false;
	}
}

struct resolver *
resolver_here(void)
{
	unsigned worker = worker_self();
	struct resolver_own *own = resolvers[worker];

	if (own == NULL) {
		own = calloc(1, sizeof(*own));
		if (own == NULL)
			return NULL;
		own->worker = worker;
		own->end.run = resolver_free;
		resolve_cache_init(&own->resolver.cache);
		worker_at_end(&own->end);
		resolvers[worker] = own;
	}
	if (own->edition !=
	    atomic_load_explicit(&resolve_wishes.edition, memory_order_acquire))
		resolver_options_take(own);
	resolver_files_look(own);
	return &own->resolver;
}
