/*
 * entry.h - one file, open or in memory, with its head fields ready
 *
 * Layer      edge/files
 * Threads    the worker that made it
 * Memory     one block: the struct, its path and strings, then the body when
 *            it is at most ENTRY_BODY_BYTES_MAX; else an open descriptor
 * Invariant  references >= 1; the cache's own is one of them, so an entry
 *            that was evicted lives until its last answer is sent
 * Sources    research on this machine: up to about 100 KB one send() of head
 *            and body from memory beats sendfile(2)
 */
#pragma once

#include "base/list.h"
#include "base/time.h"
#include "edge/files/condition.h"
#include "edge/files/negotiate.h"
#include "os/file.h"

#define ENTRY_BODY_BYTES_MAX (128 << 10)
#define ENTRY_FIELDS_MAX     7

/* What was asked for: same key, same answer while the files stay the same. */
struct entry_key {
	uint64_t instance; /* of the config_files */
	struct bytes path; /* as in the request, behind the mount */
	coding_order codings;
};

struct files_entry {
	struct list node; /* of the cache: first in, first looked at */
	struct files_entry *next; /* of its bucket */
	uint64_t hash;
	struct entry_key key;
	uint32_t references;
	bool cached;
	bool used; /* since the cache last looked */
	instant checked; /* when the file was last seen to be this one */

	struct file_stat stat;
	int fd; /* -1: the body is in memory */
	struct bytes body;
	struct validators validators;
	struct bytes type;
	/* Those of a 304 first; the last one is Content-Type. */
	struct http_field fields[ENTRY_FIELDS_MAX];
	uint8_t field_count;
	uint8_t validator_count; /* fields that a 304 sends too */
	size_t bytes; /* of the block */
};

struct entry_options {
	struct entry_key key;
	struct bytes name; /* whose end tells the media type */
	struct bytes coding; /* of the content; at == NULL: none */
	struct bytes cache_control; /* at == NULL: none */
	bool vary; /* Vary: Accept-Encoding */
};

/*
 * entry_new - take over an open regular file
 *
 * @fd_take  consumed in every case
 * @stat     of @fd_take
 *
 * Reads the body when it is small (from the page cache or the disk; the
 * worker waits for it). Returns 0 and *@ret_entry with one reference, or
 * -ENOMEM, -EIO, -EAGAIN (the file shrank or changed while it was read).
 */
MUST_CHECK
int entry_new(const struct entry_options *options, int fd_take,
    const struct file_stat *stat, struct files_entry **ret_entry);

/*
 * Whether an equal file_stat proves an equal content: a file that changed a
 * moment before @wall_ns may change again without a new time stamp (they move
 * with the kernel's tick), so an entry of it is not to be cached.
 */
bool entry_stable(const struct files_entry *entry, int64_t wall_ns);

/* Whether @stat is of the file that the entry was made from, unchanged. */
bool entry_fresh(const struct files_entry *entry, const struct file_stat *stat);

static inline void
entry_ref(struct files_entry *entry)
{
	entry->references++;
}
void entry_unref(struct files_entry *entry);

/* Append the first @count ready fields to @head, without checking again what
 * was checked when they were made. Returns 0 or -E2BIG. */
MUST_CHECK
int entry_fields_add(
    const struct files_entry *entry, unsigned count, struct http_head *head);
