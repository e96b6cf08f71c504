#include "edge/files/cache.h"

static uint64_t
cache_hash(const struct files_cache *cache, const struct entry_key *key)
{
	return hash_pair(hash_keyed(&cache->hash_key, key->path),
	    key->instance ^ (uint64_t)key->codings << 48);
}

void
files_cache_init(struct files_cache *cache,
    const struct files_cache_limits *limits, struct hash_key hash_key)
{
	*cache = (struct files_cache){.limits = *limits, .hash_key = hash_key};
	list_init(&cache->entries);
}

void
files_cache_fini(struct files_cache *cache)
{
	while (!list_empty(&cache->entries))
		files_cache_remove(cache,
		    container_of(
			cache->entries.next, struct files_entry, node));
	must(cache->count == 0 && cache->bytes == 0);
}

static struct files_entry **
cache_bucket(struct files_cache *cache, uint64_t hash)
{
	return &cache->buckets[hash % FILES_CACHE_BUCKETS];
}

struct files_entry *
files_cache_find(struct files_cache *cache, const struct entry_key *key)
{
	uint64_t hash = cache_hash(cache, key);
	struct files_entry *entry = *cache_bucket(cache, hash);

	for (; entry != NULL; entry = entry->next) {
		if (entry->hash == hash &&
		    entry->key.instance == key->instance &&
		    entry->key.codings == key->codings &&
		    bytes_equal(entry->key.path, key->path)) {
			entry->used = true;
			return entry;
		}
	}
	return NULL;
}

/* An entry is passed over once at most, so two rounds find one. */
static void
cache_evict(struct files_cache *cache)
{
	for (;;) {
		struct files_entry *entry =
		    container_of(cache->entries.next, struct files_entry, node);

		if (!entry->used) {
			files_cache_remove(cache, entry);
			return;
		}
		entry->used = false;
		list_remove(&entry->node);
		list_push_back(&cache->entries, &entry->node);
	}
}

static bool
cache_has_room(const struct files_cache *cache, const struct files_entry *entry)
{
	return cache->count < cache->limits.count &&
	    entry->bytes <= cache->limits.bytes - cache->bytes &&
	    (entry->fd < 0 || cache->descriptors < cache->limits.descriptors);
}

void
files_cache_insert(struct files_cache *cache, struct files_entry *entry)
{
	struct files_entry **bucket;

	must(!entry->cached);
	if (entry->bytes > cache->limits.bytes)
		return;
	while (!cache_has_room(cache, entry))
		cache_evict(cache);
	entry->hash = cache_hash(cache, &entry->key);
	bucket = cache_bucket(cache, entry->hash);
	entry->next = *bucket;
	*bucket = entry;
	list_push_back(&cache->entries, &entry->node);
	entry->cached = true;
	entry_ref(entry);
	cache->bytes += entry->bytes;
	cache->count++;
	cache->descriptors += entry->fd >= 0;
	must_slow((files_cache_check(cache), true));
}

void
files_cache_remove(struct files_cache *cache, struct files_entry *entry)
{
	struct files_entry **link = cache_bucket(cache, entry->hash);

	must(entry->cached);
	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	list_remove(&entry->node);
	entry->cached = false;
	cache->bytes -= entry->bytes;
	cache->count--;
	cache->descriptors -= entry->fd >= 0;
	entry_unref(entry);
	must_slow((files_cache_check(cache), true));
}

void
files_cache_sweep(struct files_cache *cache, instant now)
{
	list_each_safe (node, &cache->entries) {
		struct files_entry *entry =
		    container_of(node, struct files_entry, node);

		if (instant_since(now, entry->checked).ns >
		    duration_s(FILES_IDLE_S).ns)
			files_cache_remove(cache, entry);
	}
}

void
files_cache_check(const struct files_cache *cache)
{
	size_t bytes = 0;
	unsigned count = 0, descriptors = 0;

	list_each (node, &cache->entries) {
		const struct files_entry *entry =
		    container_of(node, struct files_entry, node);

		must(entry->cached && entry->references > 0);
		bytes += entry->bytes;
		count++;
		descriptors += entry->fd >= 0;
	}
	must(bytes == cache->bytes && bytes <= cache->limits.bytes);
	must(count == cache->count && count <= cache->limits.count);
	must(descriptors == cache->descriptors &&
	    descriptors <= cache->limits.descriptors);
}
