/*
 * st_cost.c - what an operation of State Threads costs: OPERATION COUNT
 */
#include <st.h>

#include "cost.h"

static long count;

static void *
yielder(void *arg)
{
	for (long i = 0; i < *(long *)arg; i++)
		st_usleep(0);
	return NULL;
}

static void
cost_yield(long tasks)
{
	long turns = count / tasks;
	st_thread_t *threads = calloc((size_t)tasks, sizeof(*threads));
	double start = cost_cpu_ns();

	for (long i = 0; i < tasks; i++)
		threads[i] = st_thread_create(yielder, &turns, 1, 0);
	for (long i = 0; i < tasks; i++)
		st_thread_join(threads[i], NULL);
	cost_print(start, (double)turns * (double)tasks);
	free(threads);
}

static void *
nothing(void *arg)
{
	return arg;
}

static void
cost_spawn(void)
{
	double start = cost_cpu_ns();

	for (long i = 0; i < count; i++)
		st_thread_join(st_thread_create(nothing, NULL, 1, 0), NULL);
	cost_print(start, (double)count);
}

int
main(int argc, char **argv)
{
	const char *name = argc == 3 ? argv[1] : "";

	count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	if (count <= 0 || st_init() < 0)
		return 2;
	if (strcmp(name, "yield") == 0)
		cost_yield(2);
	else if (strcmp(name, "yield-1000") == 0)
		cost_yield(1000);
	else if (strcmp(name, "spawn") == 0)
		cost_spawn();
	else
		return 2;
	return 0;
}
