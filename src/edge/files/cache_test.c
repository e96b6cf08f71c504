#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "edge/files/cache.h"
#include "os/clock.h"

/* A file that has no name any more: @size bytes, the first of them 'x'. */
static int
file_of(uint64_t size)
{
	char path[] = "/tmp/weir-cache-XXXXXX", text[64];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	memset(text, 'x', sizeof(text));
	assert_int_equal(pwrite(fd, text, sizeof(text), 0), sizeof(text));
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static struct files_entry *
entry_of(const char *path, uint64_t size)
{
	int fd = file_of(size);
	struct files_entry *entry;
	struct file_stat stat;

	assert_int_equal(file_stat_get(fd, &stat), 0);
	assert_int_equal(
	    entry_new(&(struct entry_options){.key = {1, bytes_from(path), 0},
			  .name = bytes_from(path)},
		fd, &stat, &entry),
	    0);
	return entry;
}

static void
add(struct files_cache *cache, const char *path, uint64_t size)
{
	struct files_entry *entry = entry_of(path, size);

	files_cache_insert(cache, entry);
	entry_unref(entry);
	files_cache_check(cache);
}

static struct files_entry *
find(struct files_cache *cache, const char *path)
{
	return files_cache_find(
	    cache, &(struct entry_key){1, bytes_from(path), 0});
}

static void
init(struct files_cache *cache, size_t bytes, unsigned count,
    unsigned descriptors)
{
	files_cache_init(cache,
	    &(struct files_cache_limits){bytes, count, descriptors},
	    (struct hash_key){1, 2});
}

static struct files_cache cache;

static void
test_keys(void **state)
{
	struct files_entry *entry;
	struct entry_key key = {1, BYTES("a/bb"), 0};

	init(&cache, 1 << 20, 10, 10);
	add(&cache, "a/bb", 10);
	entry = files_cache_find(&cache, &key);
	assert_non_null(entry);
	assert_int_equal(entry->body.length, 10);
	assert_int_equal(entry->fd, -1);
	key.instance = 2;
	assert_null(files_cache_find(&cache, &key));
	key = (struct entry_key){1, BYTES("a/bb"), 1};
	assert_null(files_cache_find(&cache, &key));
	assert_null(find(&cache, "a/b"));
	assert_null(find(&cache, "a/bbc"));
	assert_null(find(&cache, ""));
	files_cache_fini(&cache);
}

static void
test_second_chance(void **state)
{
	init(&cache, 1 << 20, 3, 10);
	add(&cache, "a", 1);
	add(&cache, "b", 1);
	add(&cache, "c", 1);
	assert_non_null(find(&cache, "a"));
	add(&cache, "d", 1);
	/* "a" was used, so "b" went. */
	assert_null(find(&cache, "b"));
	assert_non_null(find(&cache, "a"));
	assert_non_null(find(&cache, "c"));
	assert_non_null(find(&cache, "d"));
	assert_int_equal(cache.count, 3);
	/* All were used: the hand goes once around and takes the first. */
	add(&cache, "e", 1);
	assert_int_equal(cache.count, 3);
	assert_non_null(find(&cache, "e"));
	files_cache_fini(&cache);
}

static void
test_bytes(void **state)
{
	init(&cache, 100000, 1000, 10);
	add(&cache, "a", 40000);
	add(&cache, "b", 40000);
	assert_non_null(find(&cache, "a"));
	assert_non_null(find(&cache, "b"));
	add(&cache, "c", 40000);
	assert_int_equal(cache.count, 2);
	/* Larger than all of it: stays out and evicts nobody. */
	add(&cache, "d", 110000);
	assert_null(find(&cache, "d"));
	assert_int_equal(cache.count, 2);
	files_cache_fini(&cache);
}

static void
test_descriptors(void **state)
{
	char name[8];

	init(&cache, 1 << 20, 1000, 2);
	add(&cache, "small", 10);
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "big%d", i);
		add(&cache, name, ENTRY_BODY_BYTES_MAX + 1);
	}
	assert_int_equal(cache.descriptors, 2);
	assert_true(find(&cache, "big4")->fd >= 0);
	assert_true(find(&cache, "big4")->body.at == NULL);
	assert_null(find(&cache, "big0"));
	files_cache_fini(&cache);
}

/* An entry that is being sent outlives its place in the cache. */
static void
test_reference(void **state)
{
	struct files_entry *entry, *big;

	init(&cache, 1 << 20, 1, 1);
	add(&cache, "a", 5);
	entry = find(&cache, "a");
	entry_ref(entry);
	add(&cache, "big", ENTRY_BODY_BYTES_MAX + 1);
	assert_null(find(&cache, "a"));
	assert_false(entry->cached);
	assert_int_equal(entry->references, 1);
	assert_true(bytes_equal(entry->body, BYTES("xxxxx")));
	entry_unref(entry);

	big = find(&cache, "big");
	entry_ref(big);
	files_cache_fini(&cache);
	assert_true(fcntl(big->fd, F_GETFD) >= 0);
	entry_unref(big);
}

static void
test_sweep(void **state)
{
	instant start = {1000000000};
	instant later = instant_after(start, duration_s(FILES_IDLE_S));

	init(&cache, 1 << 20, 10, 10);
	add(&cache, "a", 1);
	add(&cache, "b", 1);
	find(&cache, "a")->checked = start;
	find(&cache, "b")->checked = instant_after(start, duration_ms(1));
	files_cache_sweep(&cache, later);
	assert_int_equal(cache.count, 2);
	files_cache_sweep(&cache, instant_after(later, duration_ms(1)));
	assert_null(find(&cache, "a"));
	assert_non_null(find(&cache, "b"));
	files_cache_fini(&cache);
}

static void
test_many(void **state)
{
	unsigned seed = (unsigned)time(NULL);
	char name[16];

	print_message("seed %u\n", seed);
	init(&cache, 200000, 50, 5);
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "f%d", rand_r(&seed) % 100);
		if (find(&cache, name) == NULL)
			add(&cache, name,
			    rand_r(&seed) % 10 == 0
				? ENTRY_BODY_BYTES_MAX + 1
				: (uint64_t)(rand_r(&seed) % 20000));
		else if (rand_r(&seed) % 4 == 0)
			files_cache_remove(&cache, find(&cache, name));
		files_cache_check(&cache);
	}
	files_cache_fini(&cache);
}

/* The head fields, and what counts as the same file. */
static void
test_entry(void **state)
{
	int fd = file_of(3);
	struct timespec times[2] = {{0, 0}, {784111777, 5}};
	struct files_entry *entry;
	struct file_stat stat;
	struct http_head head;

	assert_int_equal(futimens(fd, times), 0);
	assert_int_equal(file_stat_get(fd, &stat), 0);
	assert_int_equal(entry_new(
			     &(struct entry_options){
				 .key = {1, BYTES("a.css"), 0},
				 .name = BYTES("a.css"),
				 .coding = BYTES("br"),
				 .cache_control = BYTES("max-age=5"),
				 .vary = true,
			     },
			     fd, &stat, &entry),
	    0);
	http_head_init(&head);
	assert_int_equal(
	    entry_fields_add(entry, entry->validator_count, &head), 0);
	assert_int_equal(head.field_count, 4);
	assert_true(bytes_equal(http_head_get(&head, FIELD_ETAG),
	    BYTES("\"ae1b981bc490a05-3-br\"")));
	assert_true(bytes_equal(http_head_get(&head, FIELD_LAST_MODIFIED),
	    BYTES("Sun, 06 Nov 1994 08:49:37 GMT")));
	assert_true(bytes_equal(
	    http_head_get(&head, FIELD_VARY), BYTES("Accept-Encoding")));
	assert_true(bytes_equal(
	    http_head_get(&head, FIELD_CACHE_CONTROL), BYTES("max-age=5")));
	assert_false(http_head_has(&head, FIELD_CONTENT_TYPE));
	http_head_init(&head);
	assert_int_equal(entry_fields_add(entry, entry->field_count, &head), 0);
	assert_int_equal(head.field_count, 7);
	assert_int_equal(
	    head.fields[head.field_count - 1].id, FIELD_CONTENT_TYPE);
	assert_true(bytes_equal(
	    http_head_get(&head, FIELD_CONTENT_ENCODING), BYTES("br")));

	assert_true(entry_fresh(entry, &stat));
	stat.modified_ns++;
	assert_false(entry_fresh(entry, &stat));
	stat.modified_ns--;
	stat.changed_ns++;
	assert_false(entry_fresh(entry, &stat));
	assert_false(entry_stable(entry, stat.changed_ns + 1000000));
	assert_true(entry_stable(entry, stat.changed_ns + 1000000000));
	head.field_count = HTTP_FIELDS_MAX - 6;
	assert_true(entry_fields_add(entry, entry->field_count, &head) < 0);
	entry_unref(entry);
}

/* A file that is not what its stat says is not taken. */
static void
test_entry_changed(void **state)
{
	struct entry_options options = {
	    .key = {1, BYTES("a"), 0}, .name = BYTES("a")};
	struct files_entry *entry;
	struct file_stat stat;

	for (int change = -1; change <= 1; change += 2) {
		int fd = file_of(10);

		assert_int_equal(file_stat_get(fd, &stat), 0);
		assert_int_equal(ftruncate(fd, 10 + change), 0);
		assert_int_equal(entry_new(&options, fd, &stat, &entry), -11);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_second_chance),
	    cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_descriptors),
	    cmocka_unit_test(test_reference),
	    cmocka_unit_test(test_sweep),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_entry),
	    cmocka_unit_test(test_entry_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
