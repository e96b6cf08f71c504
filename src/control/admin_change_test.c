#include "control/admin_change.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "control/control.h"

static void
accepted(void **state)
{
	static const struct {
		const char *body;
		int admin, weight;
	} rows[] = {
	    {"{\"state\":\"drain\"}", ADMIN_DRAINED, CONTROL_WEIGHT_KEEP},
	    {" {\"state\": \"ready\"} ", ADMIN_READY, CONTROL_WEIGHT_KEEP},
	    {"{\"state\":\"down\",\"weight\":0}", ADMIN_DOWN, 0},
	    {"{\"weight\":65535}", CONTROL_ADMIN_KEEP, 65535},
	    {"{\"weight\":null}", CONTROL_ADMIN_KEEP, CONTROL_WEIGHT_DEFAULT},
	};

	for (size_t i = 0; i < array_count(rows); i++) {
		struct admin_change change;
		const char *why;

		assert_int_equal(
		    admin_change_parse(bytes_from(rows[i].body), &change, &why),
		    0);
		assert_int_equal(change.admin, rows[i].admin);
		assert_int_equal(change.weight, rows[i].weight);
	}
}

static void
refused(void **state)
{
	static const char *const bodies[] = {
	    "",
	    "{}",
	    "[]",
	    "null",
	    "\"drain\"",
	    "{\"state\":\"drain\"",
	    "{\"state\":\"drain\"}x",
	    "{\"state\":\"drain\"}{}",
	    "{'state':'drain'}",
	    "{\"state\":\"drained\"}",
	    "{\"state\":null}",
	    "{\"state\":1}",
	    "{\"state\":[[[[[\"drain\"]]]]]}",
	    "{\"weight\":-1}",
	    "{\"weight\":65536}",
	    "{\"weight\":1.5}",
	    "{\"weight\":\"1\"}",
	    "{\"weight\":99999999999999999999}",
	    "{\"State\":\"drain\"}",
	    "{\"state\":\"drain\",\"extra\":1}",
	    "{\"state\":\"drain\xff\"}",
	};

	for (size_t i = 0; i < array_count(bodies); i++) {
		struct admin_change change;
		const char *why = NULL;

		assert_int_equal(
		    admin_change_parse(bytes_from(bodies[i]), &change, &why),
		    -EINVAL);
		assert_non_null(why);
	}
	/* A NUL ends neither the text nor the check. */
	assert_int_equal(admin_change_parse(bytes_of("{\"weight\":1}\0", 13),
			     &(struct admin_change){0}, &(const char *){NULL}),
	    -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(accepted),
	    cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
