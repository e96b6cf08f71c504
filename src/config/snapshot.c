/*
 * snapshot.c - build, find, free
 */
#include "config/snapshot.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/hash.h"
#include "config/check.h"
#include "config/config.h"
#include "config/reader.h"
#include "config/regex.h"
#include "os/path.h"

#define SNAPSHOT_FOLDER_MAX 4096

/* A compiled pattern is memory of PCRE2's, not the arena's. */
struct snapshot_regex {
	struct snapshot_regex *next;
	const struct config_regex *regex;
};

struct snapshot_owner {
	struct snapshot snapshot;
	struct arena arena;
	struct snapshot_regex *regexes;
};

static void
snapshot_regex_keep(struct reader *reader, const struct config_regex *regex)
{
	struct snapshot_owner *owner = reader->owner;
	struct snapshot_regex *kept = reader_alloc(reader, sizeof(*kept));

	if (kept == NULL) {
		config_regex_free(regex);
		return;
	}
	kept->regex = regex;
	kept->next = owner->regexes;
	owner->regexes = kept;
}

static struct snapshot_owner *
snapshot_new(void)
{
	struct snapshot_owner *owner = calloc(1, sizeof(*owner));

	if (owner == NULL)
		return NULL;
	arena_init(&owner->arena, NULL, 0, 0);
	owner->snapshot.arena = &owner->arena;
	return owner;
}

void
snapshot_free(struct snapshot *snapshot)
{
	struct snapshot_owner *owner;

	if (snapshot == NULL)
		return;
	owner = container_of(snapshot, struct snapshot_owner, snapshot);
	for (struct snapshot_regex *kept = owner->regexes; kept != NULL;
	     kept = kept->next)
		config_regex_free(kept->regex);
	arena_reset(&owner->arena);
	free(owner);
}

/* The absolute folder of the file: relative paths begin there. */
static int
snapshot_folder(
    struct bytes path, struct arena *arena, struct bytes *ret_folder)
{
	char current[SNAPSHOT_FOLDER_MAX];
	struct appender folder = appender_over(current, sizeof(current));
	int r;

	while (path.length != 0 && path.at[path.length - 1] != '/')
		path.length--;
	if (path.length == 0 || path.at[0] != '/') {
		r = path_current(&folder);
		if (r < 0)
			return r;
	}
	*ret_folder = path_absolute(path, appender_bytes(&folder), arena);
	return ret_folder->at != NULL ? 0 : -ENOMEM;
}

static uint64_t
snapshot_digest(const struct node *root)
{
	uint64_t digest = 0;

	for (const struct node_link *link = root->kind == NODE_MAP ? root->first
								   : NULL;
	     link != NULL; link = link->next) {
		if (!bytes_equal(link->key->text, BYTES("sites")) &&
		    !bytes_equal(link->key->text, BYTES("pools")))
			digest +=
			    hash_pair(link->key->digest, link->value->digest);
	}
	return digest;
}

static int
snapshot_read(struct reader *reader, struct bytes text)
{
	struct arena nodes;
	int r;

	arena_init(&nodes, NULL, 0, 0);
	r = yaml_read(text, &nodes, reader->errors, &reader->root);
	if (r == 0 &&
	    (reader->root == NULL || reader->root->kind == NODE_NULL)) {
		config_errors_add(reader->errors, (struct config_spot){0}, NULL,
		    "the file is empty");
	} else if (r == 0) {
		reader_defaults(reader, &table_top, reader->snapshot);
		reader->key = "the file";
		reader_map(reader, &table_top, reader->root, reader->snapshot);
		reader->snapshot->digest = snapshot_digest(reader->root);
		check_all(reader);
	}
	arena_reset(&nodes);
	return r == -ENOMEM || reader->out_of_memory ? -ENOMEM : 0;
}

int
snapshot_build(struct bytes text, const char *path,
    struct config_errors *errors, struct snapshot **ret)
{
	struct snapshot_owner *owner = snapshot_new();
	struct reader reader = {.errors = errors, .owner = owner};
	unsigned before = errors->count;
	int r;

	if (owner == NULL)
		return -ENOMEM;
	reader.arena = &owner->arena;
	reader.snapshot = &owner->snapshot;
	reader.regex_keep = snapshot_regex_keep;
	owner->snapshot.file = reader_copy(&reader, bytes_from(path));
	r = snapshot_folder(bytes_from(path), reader.arena, &reader.folder);
	if (r == 0)
		r = snapshot_read(&reader, text);
	config_errors_finish(errors);
	if (r == 0 && errors->count != before)
		r = E_CONFIG_INVALID;
	if (r < 0) {
		snapshot_free(&owner->snapshot);
		return r;
	}
	*ret = &owner->snapshot;
	return 0;
}

int
snapshot_listener_find(const struct snapshot *snapshot, struct bytes text)
{
	for (unsigned i = 0; i < snapshot->listener_count; i++) {
		if (bytes_equal(snapshot->listeners[i].address.text, text))
			return (int)i;
	}
	return -1;
}

const struct config_pool *
snapshot_pool_find(const struct snapshot *snapshot, struct bytes name)
{
	for (unsigned i = 0; i < snapshot->pool_count; i++) {
		if (bytes_equal(snapshot->pools[i].name, name))
			return &snapshot->pools[i];
	}
	return NULL;
}

int
config_read_file(const char *path, char **ret_text, size_t *ret_length)
{
	return path_read(
	    path, CONFIG_FILE_BYTES_MAX, false, ret_text, ret_length);
}
