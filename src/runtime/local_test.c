#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/join.h"
#include "runtime/local.h"
#include "runtime/runtime.h"

static const struct runtime_options one_worker = {.worker_count = 1};

static char story[64];

static void
tell(char what)
{
	size_t length = strlen(story);

	assert_true(length < sizeof(story) - 1);
	story[length] = what;
	story[length + 1] = '\0';
}

static void
say(void *arg)
{
	tell(*(const char *)arg);
}

static void
say_later(void *arg)
{
	task_shield(duration_s(10));
	assert_int_equal(task_sleep(duration_ms(1)), 0);
	task_unshield();
	assert_int_equal(task_sleep(duration_s(100)), -ECANCELED);
	tell(*(const char *)arg);
	assert_int_equal(task_defer(say, "z"), 0);
}

static int
defers(void *arg)
{
	(void)arg;
	assert_int_equal(task_defer(say, "a"), 0);
	assert_int_equal(task_defer(say_later, "b"), 0);
	assert_int_equal(task_defer(say, "c"), 0);
	assert_int_equal(task_defer(say, "d"), 0);
	task_defer_pop(false);
	assert_int_equal(task_defer(say, "e"), 0);
	task_defer_pop(true);
	tell('|');
	return task_sleep(duration_s(100));
}

/* Exactly once, the last first, cancelled and in a shield; and whoever joins
 * is told when all of it is over. */
static int
root_defer(void *arg)
{
	struct task_handle handle;
	struct task_options options = {.name = "defers", .handle = &handle};
	int result;

	(void)arg;
	story[0] = '\0';
	assert_int_equal(task_start_with(NULL, &options, defers, NULL), 0);
	assert_int_equal(task_yield(), 0);
	assert_string_equal(story, "e|");
	task_cancel(&handle, 0);
	assert_int_equal(task_join(&handle, &result, instant_never()), 0);
	assert_string_equal(story, "e|cbza");
	assert_int_equal(result, -ECANCELED);
	return 0;
}

static void
test_defer(void **state)
{
	assert_int_equal(runtime_run(&one_worker, root_defer, NULL), 0);
}

/* ---- values ---- */

static struct task_key plain, destroyed;
static unsigned destroyed_count;

static void
destroy(void *value)
{
	free(value);
	destroyed_count++;
	/* One more round, not for ever. */
	if (destroyed_count == 1)
		assert_int_equal(task_local_set(destroyed, malloc(1)), 0);
}

static int
has_values(void *arg)
{
	int mine = (int)(intptr_t)arg;

	assert_null(task_local_get(plain));
	assert_int_equal(task_local_set(plain, &mine), 0);
	assert_int_equal(task_yield(), 0);
	assert_ptr_equal(task_local_get(plain), &mine);
	if (mine == 1)
		assert_int_equal(task_local_set(destroyed, malloc(1)), 0);
	return 0;
}

static int
root_values(void *arg)
{
	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	for (intptr_t i = 0; i < 3; i++)
		assert_int_equal(
		    task_start(&scope, "values", has_values, (void *)i), 0);
	assert_int_equal(scope_wait(&scope), 0);
	assert_int_equal(destroyed_count, 2);
	assert_null(task_local_get(plain));
	return scope_fini(&scope);
}

static void
test_values(void **state)
{
	struct task_key more;
	int error = 0;

	assert_int_equal(task_key_new(&plain, NULL), 0);
	assert_int_equal(task_key_new(&destroyed, destroy), 0);
	assert_null(task_local_get(plain)); /* outside a task */
	assert_int_equal(runtime_run(&one_worker, root_values, NULL), 0);
	for (unsigned i = 2; i < TASK_KEYS_MAX && error == 0; i++)
		error = task_key_new(&more, NULL);
	assert_int_equal(error, 0);
	assert_int_equal(task_key_new(&more, NULL), -EAGAIN);
}

/* ---- memory ---- */

static int
allocates(void *arg)
{
	(void)arg;
	for (size_t bytes = 1; bytes < 100000; bytes *= 3) {
		char *memory = task_alloc(bytes);

		assert_non_null(memory);
		assert_int_equal((uintptr_t)memory & 15, 0);
		memset(memory, 1, bytes);
	}
	return 0;
}

/* A leak shows under the address sanitizer. */
static int
root_alloc(void *arg)
{
	struct scope scope;

	(void)arg;
	scope_init(&scope, instant_never());
	for (int i = 0; i < 10; i++)
		assert_int_equal(
		    task_start(&scope, "allocates", allocates, NULL), 0);
	return scope_fini(&scope);
}

static void
test_alloc(void **state)
{
	assert_int_equal(runtime_run(&one_worker, root_alloc, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defer),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_alloc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
