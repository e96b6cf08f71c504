/*
 * cache.h - the hot files of one worker thread
 *
 * Layer      edge/files
 * Threads    one: the worker whose cache it is
 * Memory     limits.bytes of entries and limits.count of them; an entry that
 *            is being sent counts no more once it was evicted
 * Cost       find: one hash of the path, one comparison
 * Limits     at the limit the entry is dropped that was not used since the
 *            hand last passed it (second chance)
 * Invariant  bytes, count and descriptors are the sums over the linked entries
 */
#pragma once

#include "base/hash.h"
#include "edge/files/entry.h"

#define FILES_CACHE_BYTES       (64 << 20)
#define FILES_CACHE_ENTRIES     1024
#define FILES_CACHE_DESCRIPTORS 256
#define FILES_CACHE_BUCKETS     2048

/* How long what was found out about a file is believed. With that of a root
 * (root.h) it stays under a second. */
#define FILES_CHECK_MS 750
/* An entry nobody asked for is dropped after this: it may hold the last
 * descriptor of a file that was deleted. */
#define FILES_IDLE_S 30

struct files_cache_limits {
	size_t bytes;
	unsigned count;
	unsigned descriptors;
};

struct files_cache {
	struct files_cache_limits limits;
	struct files_entry *buckets[FILES_CACHE_BUCKETS];
	struct list entries; /* the hand is at the front */
	struct hash_key hash_key;
	size_t bytes;
	unsigned count;
	unsigned descriptors;
};

/* @hash_key  random: clients choose the paths that are hashed */
void files_cache_init(struct files_cache *cache,
    const struct files_cache_limits *limits, struct hash_key hash_key);
/* Drops every entry; those being sent live until their last reference. */
void files_cache_fini(struct files_cache *cache);

/* The entry of @key, borrowed: whoever suspends takes a reference. NULL:
 * absent. */
struct files_entry *
files_cache_find(struct files_cache *cache, const struct entry_key *key);

/* Puts @entry (with one more reference) in; there must be none of its key.
 * What is larger than the whole cache stays out. */
void files_cache_insert(struct files_cache *cache, struct files_entry *entry);
void files_cache_remove(struct files_cache *cache, struct files_entry *entry);

/* Drops what was not looked at for FILES_IDLE_S. */
void files_cache_sweep(struct files_cache *cache, instant now);

void files_cache_check(const struct files_cache *cache);
