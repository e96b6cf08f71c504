#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "edge/files/range.h"

#define BIG "99999999999999999999999"

struct row {
	const char *value;
	uint64_t size;
	/* "whole", "unsatisfiable", or "first+length first+length ..." */
	const char *expected;
};

static const struct row rows[] = {
    {"bytes=0-0", 10, "0+1"},
    {"bytes=0-9", 10, "0+10"},
    {"bytes=0-10", 10, "0+10"},
    {"bytes=0-" BIG, 10, "0+10"},
    {"bytes=3-", 10, "3+7"},
    {"bytes=9-", 10, "9+1"},
    {"bytes=-1", 10, "9+1"},
    {"bytes=-10", 10, "0+10"},
    {"bytes=-11", 10, "0+10"},
    {"bytes=-" BIG, 10, "0+10"},
    {"Bytes=1-2", 10, "1+2"},
    {"bytes=1-2, 4-5 ,\t8-", 10, "1+2 4+2 8+2"},
    {"bytes=,,1-2,,", 10, "1+2"},
    {"bytes=8-9,0-1", 10, "8+2 0+2"},
    {"bytes=0-1,2-3", 10, "0+2 2+2"},
    {"bytes=1-2,20-30", 10, "1+2"},
    /* beyond the end */
    {"bytes=10-", 10, "unsatisfiable"},
    {"bytes=10-20,30-", 10, "unsatisfiable"},
    {"bytes=" BIG "-", 10, "unsatisfiable"},
    {"bytes=-0", 10, "unsatisfiable"},
    {"bytes=18446744073709551615-", UINT64_MAX, "unsatisfiable"},
    {"bytes=18446744073709551614-", UINT64_MAX, "18446744073709551614+1"},
    /* nothing to take a part of */
    {"bytes=0-", 0, "whole"},
    {"bytes=-5", 0, "whole"},
    /* too much: overlapping, or more than RANGE_COUNT_MAX */
    {"bytes=0-5,5-6", 10, "whole"},
    {"bytes=0-,0-,0-", 10, "whole"},
    {"bytes=-5,6-7", 10, "whole"},
    {"bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,"
     "24-24,26-26,28-28,30-30",
	40,
	"0+1 2+1 4+1 6+1 8+1 10+1 12+1 14+1 16+1 18+1 20+1 22+1 24+1 26+1 "
	"28+1 30+1"},
    {"bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,"
     "24-24,26-26,28-28,30-30,32-32",
	40, "whole"},
    /* malformed: ignored as a whole */
    {"", 10, "whole"},
    {"bytes", 10, "whole"},
    {"bytes=", 10, "whole"},
    {"bytes=,", 10, "whole"},
    {"bytes=-", 10, "whole"},
    {"bytes=1", 10, "whole"},
    {"bytes=5-4", 10, "whole"},
    {"bytes=a-b", 10, "whole"},
    {"bytes=1-2x", 10, "whole"},
    {"bytes=1--2", 10, "whole"},
    {"bytes=+1-2", 10, "whole"},
    {"bytes=1 - 2", 10, "whole"},
    {"bytes =1-2", 10, "whole"},
    {"bytes=1-2;3-4", 10, "whole"},
    {"bytes=1-2,x", 10, "whole"},
    {"lines=1-2", 10, "whole"},
};

static void
test_rows(void **state)
{
	for (size_t i = 0; i < array_count(rows); i++) {
		struct range_set set;
		char text[512];
		struct appender got = appender_over(text, sizeof(text));

		switch (range_parse(
		    bytes_from(rows[i].value), rows[i].size, &set)) {
		case RANGE_WHOLE:
			append_literal(&got, "whole");
			break;
		case RANGE_UNSATISFIABLE:
			append_literal(&got, "unsatisfiable");
			break;
		case RANGE_SOME:
			for (unsigned j = 0; j < set.count; j++)
				append_format(&got, "%s%llu+%llu",
				    j == 0 ? "" : " ",
				    (unsigned long long)set.ranges[j].first,
				    (unsigned long long)set.ranges[j].length);
		}
		append_char(&got, '\0');
		if (strcmp(text, rows[i].expected) != 0)
			fail_msg("%s of %llu: %s, not %s", rows[i].value,
			    (unsigned long long)rows[i].size, text,
			    rows[i].expected);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
