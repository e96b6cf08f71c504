/*
 * task-locals.c - one name, a value in every task; and ends that are not missed
 *
 *   cc task-locals.c $(pkg-config --cflags --libs weir)
 *
 * A thread-local variable would be shared by all tasks of a worker: after each
 * call that suspends it could be another task's. A key has a value of its own
 * in each. Deferred calls run when their task ends, however it ends.
 */
#include <weir/weir.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct weir_key user_key;
static __thread const char *thread_user;

/* Deep in a program, nobody passes the name along. */
static void
say(const char *what)
{
	printf("%s: %s (the thread says %s)\n",
	    (const char *)weir_local_get(user_key), what, thread_user);
}

static void
close_ledger(void *arg)
{
	printf("%s: the ledger is closed\n", (const char *)arg);
}

static int
serve(void *arg)
{
	const char *name = arg;
	char *copy = strdup(name);
	int error = copy == NULL ? -1 : weir_local_set(user_key, copy);

	if (error < 0)
		return error;
	thread_user = name;
	error = weir_defer(close_ledger, arg);
	if (error < 0)
		return error;
	say("begins");
	error = weir_yield();
	if (error < 0)
		return error;
	say("goes on");
	return weir_sleep(strcmp(name, "bob") == 0 ? WEIR_SECOND * 3600 : 0);
}

static int
root(void *arg)
{
	struct weir_task ann;
	const struct weir_task_options options = {
	    .name = "ann", .handle = &ann};
	struct weir_scope scope;

	(void)arg;
	/* The value is freed with its task. */
	if (weir_key_new(&user_key, free) < 0)
		return -1;
	weir_scope_init(&scope, WEIR_NEVER);
	if (weir_task_start_with(&scope, &options, serve, "ann") < 0 ||
	    weir_task_start(&scope, "bob", serve, "bob") < 0 ||
	    weir_task_join(&ann, NULL, WEIR_NEVER) < 0)
		return -1;
	printf("bob is stopped\n");
	weir_scope_cancel(&scope, 0);
	weir_scope_fini(&scope);
	return 0;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) != 0;
}
