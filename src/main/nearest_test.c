#include "main/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = {"run", "check", "reload", "status"};

static void
test_close(void **state)
{
	static const struct {
		const char *word, *want;
	} cases[] = {
	    {"chekc", "check"},
	    {"relaod", "reload"},
	    {"rn", "run"},
	    {"statsu", "status"},
	    {"state", "status"},
	    {"rload", "reload"},
	    {"check", "check"},
	};

	for (size_t i = 0; i < array_count(cases); i++)
		assert_string_equal(
		    nearest_name(cases[i].word, names, 4), cases[i].want);
}

static void
test_far(void **state)
{
	char word[100];

	memset(word, 'r', 99);
	word[99] = '\0';
	assert_null(nearest_name(word, names, 4));
	assert_null(nearest_name("x", names, 4));
	assert_null(nearest_name("frobnicate", names, 4));
	assert_null(nearest_name("", names, 4));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_close),
	    cmocka_unit_test(test_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
