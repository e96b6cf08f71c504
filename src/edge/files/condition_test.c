#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edge/files/condition.h"

#define ETAG   "\"abc\""
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define DATE   "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct validators file = {
    .etag = {ETAG, sizeof(ETAG) - 1}, .modified_s = 784111777};

enum { MATCH, NONE_MATCH, UNMODIFIED, MODIFIED, RANGE_IF, FIELDS };

static const enum http_field_id ids[] = {FIELD_IF_MATCH, FIELD_IF_NONE_MATCH,
    FIELD_IF_UNMODIFIED_SINCE, FIELD_IF_MODIFIED_SINCE, FIELD_IF_RANGE};

/* Lines of one field are parted by '|'. */
static void
ask(struct http_head *head, const char *const fields[FIELDS])
{
	http_head_init(head);
	for (unsigned i = 0; i < FIELDS; i++) {
		struct bytes rest = bytes_from(fields[i]), line;

		while (fields[i] != NULL && bytes_split(&rest, '|', &line))
			assert_int_equal(http_head_add(head, ids[i], line), 0);
	}
}

static const struct {
	const char *fields[FIELDS];
	enum condition expected;
} rows[] = {
    {{0}, CONDITION_HOLDS},
    /* If-Match: strong comparison */
    {{[MATCH] = ETAG}, CONDITION_HOLDS},
    {{[MATCH] = "*"}, CONDITION_HOLDS},
    {{[MATCH] = "\"x\", " ETAG}, CONDITION_HOLDS},
    {{[MATCH] = "\"x\"|" ETAG}, CONDITION_HOLDS},
    {{[MATCH] = "\"a,b\"," ETAG}, CONDITION_HOLDS},
    {{[MATCH] = "\"x\""}, CONDITION_FAILED},
    {{[MATCH] = "W/" ETAG}, CONDITION_FAILED},
    {{[MATCH] = "abc"}, CONDITION_FAILED},
    {{[MATCH] = "\"abc"}, CONDITION_FAILED},
    {{[MATCH] = "\""}, CONDITION_FAILED},
    {{[MATCH] = ""}, CONDITION_FAILED},
    {{[MATCH] = "\"x\", *"}, CONDITION_FAILED},
    /* If-Unmodified-Since, only without If-Match */
    {{[UNMODIFIED] = DATE}, CONDITION_HOLDS},
    {{[UNMODIFIED] = AFTER}, CONDITION_HOLDS},
    {{[UNMODIFIED] = BEFORE}, CONDITION_FAILED},
    {{[UNMODIFIED] = "yesterday"}, CONDITION_HOLDS},
    {{[UNMODIFIED] = BEFORE "|" BEFORE}, CONDITION_HOLDS},
    {{[MATCH] = ETAG, [UNMODIFIED] = BEFORE}, CONDITION_HOLDS},
    {{[MATCH] = "\"x\"", [UNMODIFIED] = AFTER}, CONDITION_FAILED},
    /* If-None-Match: weak comparison */
    {{[NONE_MATCH] = ETAG}, CONDITION_NOT_MODIFIED},
    {{[NONE_MATCH] = "W/" ETAG}, CONDITION_NOT_MODIFIED},
    {{[NONE_MATCH] = "*"}, CONDITION_NOT_MODIFIED},
    {{[NONE_MATCH] = "\"x\",\tW/" ETAG " , \"y\""}, CONDITION_NOT_MODIFIED},
    {{[NONE_MATCH] = "\"x\"|\"y\"|" ETAG}, CONDITION_NOT_MODIFIED},
    {{[NONE_MATCH] = "\"x\""}, CONDITION_HOLDS},
    {{[NONE_MATCH] = "\"ABC\""}, CONDITION_HOLDS},
    {{[NONE_MATCH] = "w/" ETAG}, CONDITION_HOLDS},
    {{[NONE_MATCH] = "x, " ETAG}, CONDITION_HOLDS},
    /* If-Modified-Since, only without If-None-Match */
    {{[MODIFIED] = DATE}, CONDITION_NOT_MODIFIED},
    {{[MODIFIED] = AFTER}, CONDITION_NOT_MODIFIED},
    {{[MODIFIED] = BEFORE}, CONDITION_HOLDS},
    {{[MODIFIED] = "Sunday, 06-Nov-94 08:49:37 GMT"}, CONDITION_NOT_MODIFIED},
    {{[MODIFIED] = "Sun Nov  6 08:49:37 1994"}, CONDITION_NOT_MODIFIED},
    {{[MODIFIED] = "784111777"}, CONDITION_HOLDS},
    {{[NONE_MATCH] = "\"x\"", [MODIFIED] = AFTER}, CONDITION_HOLDS},
    {{[NONE_MATCH] = ETAG, [MODIFIED] = BEFORE}, CONDITION_NOT_MODIFIED},
    /* the order of RFC 9110 §13.2.2 */
    {{[MATCH] = ETAG, [NONE_MATCH] = ETAG}, CONDITION_NOT_MODIFIED},
    {{[MATCH] = "\"x\"", [NONE_MATCH] = ETAG}, CONDITION_FAILED},
    {{[UNMODIFIED] = BEFORE, [NONE_MATCH] = ETAG}, CONDITION_FAILED},
    {{[UNMODIFIED] = AFTER, [MODIFIED] = AFTER}, CONDITION_NOT_MODIFIED},
};

static void
test_conditions(void **state)
{
	for (size_t i = 0; i < array_count(rows); i++) {
		struct http_head head;

		ask(&head, rows[i].fields);
		if (condition_check(&head, &file) != rows[i].expected)
			fail_msg("row %zu", i);
	}
}

static const struct {
	const char *value;
	int64_t age_s; /* of the file, when asked */
	bool expected;
} range_rows[] = {
    {NULL, 0, true},
    {ETAG, 0, true},
    {" " ETAG " ", 0, true},
    {"W/" ETAG, 0, false},
    {"\"x\"", 0, false},
    {ETAG ", " ETAG, 0, false},
    {ETAG "|" ETAG, 0, false},
    {DATE, 2, true},
    {DATE, 1, false}, /* may have changed again within that second */
    {BEFORE, 100, false},
    {AFTER, 100, false},
    {"", 100, false},
    {"abc", 100, false},
};

static void
test_if_range(void **state)
{
	for (size_t i = 0; i < array_count(range_rows); i++) {
		struct http_head head;

		ask(&head,
		    (const char *[FIELDS]){[RANGE_IF] = range_rows[i].value});
		if (condition_range_holds(
			&head, &file, file.modified_s + range_rows[i].age_s) !=
		    range_rows[i].expected)
			fail_msg(
			    "row %zu: If-Range: %s", i, range_rows[i].value);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_conditions),
	    cmocka_unit_test(test_if_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
