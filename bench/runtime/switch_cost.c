/*
 * switch_cost.c - stacks without a scheduler, the least that a machine can do:
 * OPERATION COUNT
 *
 * switch      between two loops that know each other's stack
 * yield       to the next one in a ring of two, yield-1000 of a thousand:
 *             nobody is stopped, counted, woken or looked after
 * spawn       a function on another stack and back, always the same one
 *
 * The one program here that looks inside the library: the switch has no name
 * outside.
 */
#include <stdint.h>
#include <sys/mman.h>

#include "cost.h"
#include "runtime/stack.h"
#include "runtime/switch.h"

#define RING_MAX 1000

static long count;
static void *here, *there; /* what to load, of each side of a pair */

static void
other_side(void)
{
	for (;;)
		switch_stack(&there, here);
}

static void *
top_of(char *slots, size_t index)
{
	return slots + (index + 1) * STACK_SLOT_BYTES -
	    index % STACK_COLOURS * STACK_COLOUR_BYTES;
}

static char *
slots_new(size_t slots)
{
	char *memory =
	    mmap(NULL, slots * STACK_SLOT_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		exit(1);
	madvise(memory, slots * STACK_SLOT_BYTES, MADV_NOHUGEPAGE);
	return memory;
}

static void
cost_switch(void)
{
	double start;

	there = switch_prepare(top_of(slots_new(1), 0), other_side);
	start = cost_cpu_ns();
	for (long i = 0; i < count / 2; i++)
		switch_stack(&here, there);
	cost_print(start, (double)(count / 2) * 2);
}

/* At the top of its stack, as a task is. */
struct member {
	void *sp;
	struct member *next;
} __attribute__((aligned(64)));

static struct member *current;
static long turns;

static __attribute__((noinline)) void
ring_yield(void)
{
	struct member *self = current;
	struct member *next = self->next;

	current = next;
	switch_stack(&self->sp, next->sp);
}

static void
ring_member(void)
{
	for (long i = 0; i < turns; i++)
		ring_yield();
	/* The first one that is done ends it. */
	switch_stack(&there, here);
}

static void
cost_ring(size_t members)
{
	char *slots = slots_new(RING_MAX);
	struct member *first = NULL, **link = &first;
	double start;

	turns = count / (long)members;
	for (size_t i = 0; i < members; i++) {
		struct member *member = (struct member *)top_of(slots, i) - 1;

		member->sp = switch_prepare(member, ring_member);
		*link = member;
		link = &member->next;
	}
	*link = first;
	current = first;
	start = cost_cpu_ns();
	switch_stack(&here, first->sp);
	cost_print(start, (double)turns * (double)members);
}

static void
nothing(void)
{
	switch_stack(&there, here);
}

static void
cost_spawn(void)
{
	void *top = top_of(slots_new(1), 0);
	double start = cost_cpu_ns();

	for (long i = 0; i < count; i++)
		switch_stack(&here, switch_prepare(top, nothing));
	cost_print(start, (double)count);
}

int
main(int argc, char **argv)
{
	const char *operation = argc == 3 ? argv[1] : "";

	if (argc == 3)
		count = strtol(argv[2], NULL, 10);
	if (count < 2)
		return 2;
	if (strcmp(operation, "switch") == 0)
		cost_switch();
	else if (strcmp(operation, "yield") == 0)
		cost_ring(2);
	else if (strcmp(operation, "yield-1000") == 0)
		cost_ring(RING_MAX);
	else if (strcmp(operation, "spawn") == 0)
		cost_spawn();
	else
		return 2;
	return 0;
}
