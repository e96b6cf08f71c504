#include "control/admin_guard.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
hosts(void **state)
{
	static const struct {
		const char *host;
		bool loopback;
	} rows[] = {
	    {"localhost", true},
	    {"LOCALHOST", true},
	    {"127.0.0.1", true},
	    {"127.9.8.7", true},
	    {"::1", true},
	    {"[::1]", true},
	    {"0:0:0:0:0:0:0:1", true},
	    {"", false},
	    {"[]", false},
	    {"localhost.evil.example", false},
	    {"127.0.0.1.evil.example", false},
	    {"127.1", false},
	    {"2130706433", false},
	    {"0.0.0.0", false},
	    {"10.0.0.1", false},
	    {"::", false},
	    {"::ffff:127.0.0.1", false},
	    {"evil.example", false},
	};

	for (size_t i = 0; i < array_count(rows); i++)
		assert_int_equal(
		    guard_host_is_loopback(bytes_from(rows[i].host)),
		    rows[i].loopback);
	assert_false(guard_host_is_loopback(bytes_of("127.0.0.1\0x", 11)));
}

static void
origins(void **state)
{
	static const struct {
		const char *origin, *authority;
		bool ours;
	} rows[] = {
	    {"http://localhost:9000", "localhost:9000", true},
	    {"http://LOCALHOST:9000", "localhost:9000", true},
	    {"http://localhost", "localhost:9000", false},
	    {"https://localhost:9000", "localhost:9000", false},
	    {"http://localhost:9001", "localhost:9000", false},
	    {"http://evil.example", "localhost:9000", false},
	    {"null", "localhost:9000", false},
	    {"", "localhost:9000", false},
	    {"http://", "", false},
	};

	for (size_t i = 0; i < array_count(rows); i++)
		assert_int_equal(
		    guard_origin_is_ours(bytes_from(rows[i].origin),
			bytes_from(rows[i].authority)),
		    rows[i].ours);
}

static void
tokens(void **state)
{
	static const struct {
		const char *token, *authorization;
		bool matches;
	} rows[] = {
	    {"s3cret", "Bearer s3cret", true},
	    {"s3cret", "bearer  s3cret ", true},
	    {"s3cret", "Bearer s3creT", false},
	    {"s3cret", "Bearer s3cre", false},
	    {"s3cret", "Bearer s3crets", false},
	    {"s3cret", "Bearer s3crets3cret", false},
	    {"s3cret", "Bearer ", false},
	    {"s3cret", "Basic s3cret", false},
	    {"s3cret", "s3cret", false},
	    {"s3cret", "", false},
	    {"", "Bearer ", false},
	};

	for (size_t i = 0; i < array_count(rows); i++)
		assert_int_equal(guard_token_matches(bytes_from(rows[i].token),
				     bytes_from(rows[i].authorization)),
		    rows[i].matches);
	assert_false(guard_token_matches(bytes_of(NULL, 0), bytes_of(NULL, 0)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hosts),
	    cmocka_unit_test(origins),
	    cmocka_unit_test(tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
