/*
 * all-asleep.c - a program that waits for itself
 *
 *   cc all-asleep.c $(pkg-config --cflags --libs weir)
 *
 * A hundred letters are announced, one is lost on the way, and everybody waits
 * on. No lock is held in a circle here; but no worker runs, no timer, no
 * descriptor and no job is left that could wake anybody. The library notices,
 * lists who waits for what, and the root task's wait returns -EDEADLK.
 */
#include <weir/weir.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LETTERS 100

static struct weir_wait_group letters = WEIR_WAIT_GROUP_INIT("letters");
static struct weir_semaphore stamps =
    WEIR_SEMAPHORE_INIT("stamps", LETTERS - 1);

static void
explain(enum weir_deadlock_kind kind, const char *text)
{
	if (kind == WEIR_DEADLOCK_ASLEEP)
		fputs(text, stdout);
}

static int
deliver(void *arg)
{
	int error = weir_semaphore_take(&stamps, 1, WEIR_NEVER);

	(void)arg;
	if (error < 0) {
		printf("a letter was not sent: %s\n", strerror(-error));
		return error;
	}
	return weir_wait_group_done(&letters);
}

static int
root(void *arg)
{
	struct weir_scope scope;
	int error = 0;

	(void)arg;
	weir_deadlock_set_hook(explain);
	weir_wait_group_add(&letters, LETTERS);
	weir_scope_init(&scope, WEIR_NEVER);
	for (int i = 0; i < LETTERS && error == 0; i++)
		error = weir_task_start(&scope, "letter", deliver, NULL);
	if (error == 0)
		error = weir_wait_group_wait(&letters, WEIR_NEVER);
	printf("root is told: %s\n",
	    error == -EDEADLK ? "-EDEADLK" : "something else");
	weir_scope_fini(&scope);
	return error == -EDEADLK ? 0 : -1;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) < 0;
}
