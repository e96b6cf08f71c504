#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/config.h"
#include "config/nearest.h"
#include "config/quantity.h"
#include "config/shape.h"
#include "config/snapshot.h"

/* A file of the repository, from where this one was compiled. */
static char *
source_read(const char *name, size_t *ret_length)
{
	char path[4096], *text;
	const char *end = strstr(__FILE__, "src/config/");

	assert_non_null(end);
	snprintf(path, sizeof(path), "%.*s%s", (int)(end - __FILE__), __FILE__,
	    name);
	if (config_read_file(path, &text, ret_length) < 0)
		fail_msg("cannot read %s", path);
	return text;
}

/* ---- what is generated and committed ---- */

static void
test_generated(void **state)
{
	static const struct {
		const char *path;
		void (*print)(FILE *to);
	} files[] = {
	    {"docs/reference.md", config_reference_print},
	    {"docs/weir.schema.json", config_schema_print},
	};

	for (size_t i = 0; i < array_count(files); i++) {
		size_t length, committed_length;
		char *committed = source_read(files[i].path, &committed_length);
		char *text;
		FILE *to = open_memstream(&text, &length);

		files[i].print(to);
		fclose(to);
		if (length != committed_length ||
		    memcmp(text, committed, length) != 0)
			fail_msg(
			    "%s is not what the program prints", files[i].path);
		free(text);
		free(committed);
	}
}

/* Every key has what the reference says of it, and a place to go. */
static void
test_keys(void **state)
{
	const struct table *tables[TABLES_MAX];
	unsigned count = tables_collect(tables);
	const struct key *key;
	size_t base;

	assert_ptr_equal(tables[0], &table_top);
	for (unsigned t = 0; t < count; t++) {
		for (unsigned i = 0;
		     (key = table_key(tables[t], i, &base)) != NULL; i++) {
			bool mapping = key->shape->kind == SHAPE_MAP &&
			    key->shape->read == NULL;
			const char *meaning = key->meaning != NULL
			    ? key->meaning
			    : key->shape->table->intro;

			assert_non_null(meaning);
			assert_int_equal(meaning[strlen(meaning) - 1], '.');
			if (!mapping && key->standard == NULL &&
			    key->absent == NULL)
				fail_msg("%s.%s says nothing of its absence",
				    tables[t]->title, key->name);
		}
	}
}

/* ---- examples ---- */

static void
example_build(const char *name)
{
	struct config_errors errors;
	struct snapshot *snapshot = NULL;
	size_t length;
	char *text = source_read(name, &length);

	config_errors_init(&errors, name, bytes_of(text, length));
	if (snapshot_build(bytes_of(text, length), name, &errors, &snapshot) <
	    0)
		config_errors_print(&errors, stderr, false);
	assert_int_equal(errors.count, 0);
	assert_non_null(snapshot);
	snapshot_free(snapshot);
	config_errors_fini(&errors);
	free(text);
}

static void
test_examples(void **state)
{
	example_build("examples/simple.yaml");
	example_build("examples/static.yaml");
	example_build("examples/full.yaml");
}

static void
test_full_is_full(void **state)
{
	const struct table *tables[TABLES_MAX];
	unsigned count = tables_collect(tables);
	size_t length, base;
	char *text = source_read("examples/full.yaml", &length);
	const struct key *key;

	for (unsigned t = 0; t < count; t++) {
		for (unsigned i = 0;
		     (key = table_key(tables[t], i, &base)) != NULL; i++) {
			char word[64];

			snprintf(word, sizeof(word), "%s:", key->name);
			if (strstr(text, word) == NULL)
				fail_msg("examples/full.yaml lacks %s.%s",
				    tables[t]->title, key->name);
		}
	}
	free(text);
}

/* ---- small parts ---- */

static void
test_nearest(void **state)
{
	static const struct {
		const char *word, *name;
		bool near;
	} rows[] = {
	    {"backand", "backend", true},
	    {"bakcend", "backend", true}, /* a swap counts once */
	    {"BACKEND", "backend", true},
	    {"inof", "info", true},
	    {"lmits", "limits", true},
	    {"a", "b", false},
	    {"xyzzy", "user", false},
	    {"", "a", false},
	    {"shpo", "shop", true},
	};

	for (size_t i = 0; i < array_count(rows); i++) {
		struct nearest nearest;

		nearest_init(&nearest, bytes_from(rows[i].word));
		nearest_offer(&nearest, bytes_from(rows[i].name));
		assert_int_equal(nearest.best.at != NULL, rows[i].near);
	}
}

static void
test_quantities(void **state)
{
	static const struct {
		const char *text;
		int64_t ns; /* -1: malformed, -2: no unit, -3: too large */
	} times[] = {
	    {"0", 0},
	    {"10", -2},
	    {"250ms", 250000000},
	    {"1m30s", INT64_C(90000000000)},
	    {"1d", INT64_C(86400000000000)},
	    {"5us", 5000},
	    {"1s1s", -1},
	    {"1s1m", -1},
	    {"", -1},
	    {"s", -1},
	    {"1s1", -1},
	    {"-1s", -1},
	    {"1.5s", -1},
	    {"106751d", INT64_C(106751) * 86400 * 1000000000},
	    {"106752d", -3},
	    {"99999999999999999999s", -3},
	};

	for (size_t i = 0; i < array_count(times); i++) {
		int64_t ns = 0;
		enum quantity_result r =
		    quantity_duration(bytes_from(times[i].text), &ns);

		assert_int_equal(
		    r == QUANTITY_OK ? ns : -(int64_t)r, times[i].ns);
	}
}

/* What is written reads back. */
static void
test_quantities_written(void **state)
{
	static const int64_t values[] = {
	    0, 1000, 1500000000, 60000000000, 90000000000, 86400000000000};

	for (size_t i = 0; i < array_count(values); i++) {
		char text[64];
		struct appender into = appender_over(text, sizeof(text));
		uint64_t bytes;
		int64_t ns;

		quantity_duration_write(values[i], &into);
		assert_int_equal(
		    quantity_duration(appender_bytes(&into), &ns), QUANTITY_OK);
		assert_int_equal(ns, values[i]);
		into.length = 0;
		quantity_size_write((uint64_t)values[i], &into);
		assert_int_equal(
		    quantity_size(appender_bytes(&into), &bytes), QUANTITY_OK);
		assert_int_equal(bytes, values[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_generated),
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_examples),
	    cmocka_unit_test(test_full_is_full),
	    cmocka_unit_test(test_nearest),
	    cmocka_unit_test(test_quantities),
	    cmocka_unit_test(test_quantities_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
