#include "edge/files/listing.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "edge/files/listing_page.h"
#include "os/file.h"
#include "runtime/runtime.h"

/* ---- reading: on a thread of the pool ---- */

/* A link counts as what it leads to, if that lies beneath the root. */
static int
listing_follow(
    struct listing *listing, const char *name, struct file_stat *stat)
{
	char path[4096];
	struct appender full = appender_over(path, sizeof(path) - 1);
	int fd, r;

	if (listing->root < 0)
		return -ELOOP;
	append_bytes(&full, listing->path);
	append_text(&full, name);
	if (full.overflowed)
		return -ENAMETOOLONG;
	path[full.length] = '\0';
	fd = file_open_beneath(listing->root, path, FILE_FOLLOW | FILE_LOOK);
	if (fd < 0)
		return fd;
	r = file_stat_get(fd, stat);
	file_close(fd);
	return r;
}

/* Adds the entry unless a request for it would find nothing either. */
static int
listing_add(struct listing *listing, int dir, const char *name)
{
	struct listing_entry *entry = &listing->entries[listing->count];
	struct file_stat stat;
	int r;

	if (name[0] == '.' && !listing->hidden)
		return 0;
	r = file_stat_entry(dir, name, &stat);
	if (r >= 0 && stat.kind == FILE_LINK)
		r = listing_follow(listing, name, &stat);
	if (r < 0 || (stat.kind != FILE_REGULAR && stat.kind != FILE_DIRECTORY))
		return 0;
	if (listing->count == LISTING_ENTRIES_MAX) {
		listing->cut = true;
		return 0;
	}
	*entry = (struct listing_entry){
	    .name = arena_copy(&listing->arena, bytes_from(name)),
	    .directory = stat.kind == FILE_DIRECTORY,
	    .size = stat.size,
	    .modified_s = stat.modified_ns / 1000000000,
	};
	if (entry->name.at == NULL)
		return -ENOMEM;
	listing->count++;
	return 0;
}

static int
listing_compare(const void *left, const void *right)
{
	const struct listing_entry *a = left, *b = right;

	if (a->directory != b->directory)
		return a->directory ? -1 : 1;
	return strcmp(a->name.at, b->name.at);
}

int
listing_read(struct listing *listing)
{
	struct file_dir *dir = file_dir_open(listing->dir);
	const char *name;
	int r = 0;

	listing->dir = -1;
	if (dir == NULL)
		return -ENOMEM;
	listing->entries = arena_alloc(&listing->arena,
	    (LISTING_ENTRIES_MAX + 1) * sizeof(listing->entries[0]));
	if (listing->entries == NULL)
		r = -ENOMEM;
	while (r >= 0 && !listing->cut) {
		r = file_dir_next(dir, &name);
		if (r <= 0)
			break;
		r = listing_add(listing, file_dir_fd(dir), name);
	}
	file_dir_close(dir);
	if (r >= 0)
		qsort(listing->entries, listing->count,
		    sizeof(listing->entries[0]), listing_compare);
	return r;
}

/* 0 says that it ran; how it went is in the listing. */
static int
listing_job(void *arg)
{
	struct listing *listing = arg;

	listing->result = listing_read(listing);
	return 0;
}

static void
listing_free(void *arg)
{
	struct listing *listing = arg;

	file_close(listing->dir);
	file_close(listing->root);
	arena_reset(&listing->arena);
	free(listing);
}

/* ---- answering ---- */

static struct listing *
listing_new(struct exchange *ex, int root, int dir_take, struct bytes path)
{
	const struct config_files *config = ex->route->files;
	struct listing *listing = malloc(sizeof(*listing));

	if (listing == NULL) {
		file_close(dir_take);
		return NULL;
	}
	*listing = (struct listing){
	    .root = -1, .dir = dir_take, .hidden = config->hidden};
	arena_init(&listing->arena, NULL, 0, 0);
	/* The pool's thread may outlive the exchange. */
	listing->path = arena_copy(&listing->arena, path);
	if (config->symlinks)
		listing->root = file_duplicate(root);
	if (listing->path.at == NULL ||
	    (config->symlinks && listing->root < 0)) {
		listing_free(listing);
		return NULL;
	}
	return listing;
}

int
listing_answer(struct exchange *ex, int root, int dir_take, struct bytes path)
{
	struct listing *listing = listing_new(ex, root, dir_take, path);
	int r;

	if (listing == NULL)
		return -ENOMEM;
	r = offload_run(listing_job, listing, listing_free, ex->deadline);
	if (r < 0)
		return r;
	r = listing->result;
	if (r == 0)
		r = listing_page_send(ex, listing);
	listing_free(listing);
	return r;
}
