/*
 * config_lists_test.c - lists and limits that config/ has beside a layer that
 * it may not include
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config.h"
#include "net/shared.h"
#include "policy/balance.h"
#include "wire/http.h"

static void
test_methods(void **state)
{
	static const struct {
		const char *name;
		int method;
	} rows[] = {
#define METHOD(name) {#name, HTTP_##name},
#include "config/methods.tbl"
#undef METHOD
	};

	assert_int_equal(array_count(rows), HTTP_METHOD_OTHER);
	for (size_t i = 0; i < array_count(rows); i++)
		assert_int_equal(rows[i].method, i);
}

static void
test_balances(void **state)
{
	static const struct {
		const char *name, *meaning;
	} rows[] = {
#define BALANCE(name, meaning) {#name, meaning},
#include "config/balances.tbl"
#undef BALANCE
	};

	assert_null(balance_policy_at(array_count(rows)));
	for (size_t i = 0; i < array_count(rows); i++) {
		const struct balance_policy *policy = balance_policy_at(i);

		assert_string_equal(rows[i].name, policy->name);
		assert_string_equal(rows[i].meaning, policy->summary);
	}
}

static void
test_limits(void **state)
{
	assert_int_equal(CONFIG_POOL_SERVERS_MAX, BALANCE_SERVERS_MAX);
	assert_int_equal(CONFIG_SERVERS_MAX, SHARED_SERVERS_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_methods),
	    cmocka_unit_test(test_balances),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
