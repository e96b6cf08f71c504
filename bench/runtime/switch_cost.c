/*
 * switch_cost.c - the bare switch of stacks, without a scheduler: switch
 * COUNT
 *
 * The one program here that looks inside the library: it has no name outside.
 */
#include <limits.h>

#include "cost.h"
#include "runtime/switch.h"

#define STACK_BYTES 65536

static void *stacks[2]; /* the pointer to load, of each side */

/* Both sides call from this one place, as tasks do from the scheduler. */
static __attribute__((noinline)) void
bounce(void **mine, void **other, long times)
{
	while (times-- > 0)
		switch_stack(mine, *other);
}

static void
other_side(void)
{
	bounce(&stacks[1], &stacks[0], LONG_MAX);
}

int
main(int argc, char **argv)
{
	static char stack[STACK_BYTES] __attribute__((aligned(64)));
	long count = argc == 3 ? strtol(argv[2], NULL, 10) / 2 : 0;
	double start;

	if (count <= 0)
		return 2;
	stacks[1] = switch_prepare(stack + STACK_BYTES, other_side);
	start = cost_cpu_ns();
	bounce(&stacks[0], &stacks[1], count);
	cost_print(start, (double)count * 2);
	return 0;
}
