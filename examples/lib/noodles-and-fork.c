/*
 * noodles-and-fork.c - a deadlock, explained and then cured in two ways
 *
 *   cc noodles-and-fork.c $(pkg-config --cflags --libs weir)
 *
 * Who wants to eat needs the noodles and the fork. Two take them in opposite
 * order, get one each, and would wait for each other for ever. The second wait
 * closes the circle: that call returns -EDEADLK, and the library says who holds
 * what, and since which line. The one who was told puts back what it has.
 */
#include <weir/weir.h>

#include <errno.h>
#include <stdio.h>

struct eater {
	const char *name;
	struct weir_mutex *first, *second;
};

static struct weir_mutex noodles = WEIR_MUTEX_INIT("noodles");
static struct weir_mutex fork_ = WEIR_MUTEX_INIT("fork");
static struct weir_mutex table = WEIR_REENTRANT_INIT("table");

static void
explain(enum weir_deadlock_kind kind, const char *text)
{
	if (kind == WEIR_DEADLOCK_CIRCLE)
		fputs(text, stdout);
}

static int
eat(void *arg)
{
	struct eater *eater = arg;
	int error = weir_mutex_lock(eater->first, WEIR_NEVER);

	if (error < 0)
		return error;
	/* Just now the other one comes. */
	error = weir_yield();
	if (error == 0)
		error = weir_mutex_lock(eater->second, WEIR_NEVER);
	if (error == 0) {
		printf("%s eats\n", eater->name);
		weir_mutex_unlock(eater->second);
	} else if (error == -EDEADLK) {
		printf("%s goes hungry\n", eater->name);
		error = 0;
	}
	weir_mutex_unlock(eater->first);
	return error;
}

static int
dine(const char *how, struct eater *left, struct eater *right)
{
	struct weir_scope scope;
	int error;

	printf("-- %s\n", how);
	weir_scope_init(&scope, weir_after(5 * WEIR_SECOND));
	error = weir_task_start(&scope, left->name, eat, left);
	if (error == 0)
		error = weir_task_start(&scope, right->name, eat, right);
	if (error == 0)
		error = weir_scope_wait(&scope);
	weir_scope_fini(&scope);
	return error;
}

static int
root(void *arg)
{
	struct eater crossed[] = {
	    {"Anna", &noodles, &fork_}, {"Ben", &fork_, &noodles}};
	/* Whoever has the lock may take it again; nobody else is in between. */
	struct eater reentrant[] = {
	    {"Anna", &table, &table}, {"Ben", &table, &table}};
	/* All take what both need in one order, whatever it is. */
	struct eater ordered[] = {
	    {"Anna", &noodles, &fork_}, {"Ben", &noodles, &fork_}};
	int error;

	(void)arg;
	weir_deadlock_set_hook(explain);
	error = dine("in opposite order", &crossed[0], &crossed[1]);
	if (error == 0)
		error =
		    dine("one reentrant lock", &reentrant[0], &reentrant[1]);
	if (error == 0)
		error = dine("in the same order", &ordered[0], &ordered[1]);
	return error;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) < 0;
}
