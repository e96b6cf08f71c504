/*
 * race.c - updates that get lost, and a mutex
 *
 *   cc race.c $(pkg-config --cflags --libs weir)
 *
 * Tasks of one worker never run at the same moment, and still race: between a
 * read and the write that depends on it a call may suspend, and then what was
 * read is old. A mutex is held across such calls. (Across weir_... calls a
 * pthread mutex must not be held: it would stop the worker, not the task.)
 */
#include <weir/weir.h>

#include <stdio.h>

#define TASKS    10
#define DEPOSITS 100

struct account {
	int money;
	struct weir_mutex *lock; /* NULL: without */
};

static int
deposit(struct account *account)
{
	int money = account->money;
	/* Somewhere on the way it is asked whether that is allowed. */
	int error = weir_yield();

	account->money = money + 1;
	return error;
}

static int
depositor(void *arg)
{
	struct account *account = arg;
	int error = 0;

	for (int i = 0; i < DEPOSITS && error == 0; i++) {
		if (account->lock != NULL)
			error = weir_mutex_lock(account->lock, WEIR_NEVER);
		if (error < 0)
			break;
		error = deposit(account);
		if (account->lock != NULL)
			weir_mutex_unlock(account->lock);
	}
	return error;
}

static int
run(const char *how, struct account *account)
{
	struct weir_scope scope;
	int error = 0;

	weir_scope_init(&scope, WEIR_NEVER);
	for (int i = 0; i < TASKS && error == 0; i++)
		error =
		    weir_task_start(&scope, "depositor", depositor, account);
	if (error == 0)
		error = weir_scope_wait(&scope);
	weir_scope_fini(&scope);
	printf("%s: %d of %d deposits are there\n", how, account->money,
	    TASKS * DEPOSITS);
	return error;
}

static int
root(void *arg)
{
	struct weir_mutex lock = WEIR_MUTEX_INIT("account");
	struct account bare = {0, NULL}, locked = {0, &lock};
	int error;

	(void)arg;
	error = run("without a lock", &bare);
	if (error == 0)
		error = run("with a mutex", &locked);
	return error;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) < 0;
}
