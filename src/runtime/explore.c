/*
 * explore.c - a scheduler that tries everything
 *
 * Each thread has a stack of its own and is left before each of its steps. A
 * run follows the choices that are written in `path` and takes the first of
 * the possible ones from there on; the next run changes the last choice that
 * has another possibility.
 */
#include "runtime/explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/sanitize.h"
#include "runtime/switch.h"

#define EXPLORE_STACK_BYTES (256 << 10)
#define EXPLORE_DEPTH_MAX   4096
#define EXPLORE_BUFFER_MAX  4
#define EXPLORE_RUNS_MAX    20000000ul

struct explore_entry {
	volatile void *at;
	size_t bytes;
	uint64_t value;
};

struct explore_thread {
	struct context context;
	char *stack;
	const bool *waits; /* NULL: can go on */
	bool spins; /* until `changes` differs from the next */
	bool ended;
	uint64_t changes_seen;
	struct explore_entry buffer[EXPLORE_BUFFER_MAX];
	unsigned buffered;
};

struct explore_choice {
	unsigned chosen, count;
};

static struct {
	const struct explore_case *c;
	struct context loop;
	struct explore_thread threads[EXPLORE_THREADS_MAX];
	struct explore_choice path[EXPLORE_DEPTH_MAX];
	unsigned depth, length;
	unsigned current;
	unsigned preemptions;
	uint64_t changes; /* of memory */
} explore;

const char *explore_failure;
char explore_order[512];

/* The only place that switches, with nothing kept over it: see switch.h. */
static NOINLINE void
explore_switch(struct context *from, struct context *to)
{
	sanitize_switch_start(from, to, false);
	switch_stack(&from->sp, to->sp);
	sanitize_switch_finish(from);
}

unsigned
explore_self(void)
{
	return explore.current;
}

static struct explore_thread *
explore_here(void)
{
	return &explore.threads[explore.current];
}

void
explore_step(void)
{
	explore_switch(&explore_here()->context, &explore.loop);
}

void
explore_wait(const bool *flag)
{
	explore_here()->waits = flag;
	explore_step();
	explore_here()->waits = NULL;
}

void
explore_spin(void)
{
	explore_here()->spins = true;
	explore_here()->changes_seen = explore.changes;
	explore_step();
	explore_here()->spins = false;
}

void
explore_fail(const char *why)
{
	if (explore_failure == NULL)
		explore_failure = why;
	for (;;)
		explore_step();
}

unsigned
explore_choose(unsigned count)
{
	struct explore_choice *choice = &explore.path[explore.depth];

	if (count < 2)
		return 0;
	if (explore.depth == EXPLORE_DEPTH_MAX) {
		explore_failure = "a run is too long";
		return 0;
	}
	if (explore.depth++ == explore.length) {
		explore.length++;
		choice->chosen = 0;
		choice->count = count;
	}
	must(choice->count == count);
	return choice->chosen;
}

static void
explore_write(const struct explore_entry *entry)
{
	if (entry->bytes == 8)
		*(volatile uint64_t *)entry->at = entry->value;
	else if (entry->bytes == 4)
		*(volatile uint32_t *)entry->at = (uint32_t)entry->value;
	else
		*(volatile uint8_t *)entry->at = (uint8_t)entry->value;
	explore.changes++;
}

static void
explore_let_out(struct explore_thread *thread)
{
	explore_write(&thread->buffer[0]);
	thread->buffered--;
	memmove(&thread->buffer[0], &thread->buffer[1],
	    thread->buffered * sizeof(thread->buffer[0]));
}

void
explore_drain(void)
{
	while (explore_here()->buffered > 0)
		explore_let_out(explore_here());
}

void
explore_changed(void)
{
	explore.changes++;
}

uint64_t
explore_load(const volatile void *at, size_t bytes)
{
	struct explore_thread *thread;

	explore_step();
	thread = explore_here();
	for (unsigned i = thread->buffered; i > 0; i--) {
		if (thread->buffer[i - 1].at == at)
			return thread->buffer[i - 1].value;
	}
	if (bytes == 8)
		return *(const volatile uint64_t *)at;
	if (bytes == 4)
		return *(const volatile uint32_t *)at;
	return *(const volatile uint8_t *)at;
}

void
explore_store(volatile void *at, size_t bytes, uint64_t value, bool sequential)
{
	const struct explore_entry entry = {at, bytes, value};
	struct explore_thread *thread;

	explore_step();
	thread = explore_here();
	if (explore.c->strong || (sequential && !explore.c->weak)) {
		explore_drain();
		explore_write(&entry);
		return;
	}
	if (thread->buffered == EXPLORE_BUFFER_MAX)
		explore_let_out(thread);
	thread->buffer[thread->buffered++] = entry;
}

static bool
explore_can_run(const struct explore_thread *thread)
{
	return !thread->ended && (thread->waits == NULL || *thread->waits) &&
	    (!thread->spins || thread->changes_seen != explore.changes);
}

static void
explore_main(void)
{
	sanitize_switch_finish(&explore_here()->context);
	explore.c->threads[explore.current]();
	explore_here()->ended = true;
	for (;;)
		explore_step();
}

static void
explore_thread_start(struct explore_thread *thread)
{
	struct context context = thread->context;
	char *stack = thread->stack;

	if (stack == NULL)
		stack = aligned_alloc(64, EXPLORE_STACK_BYTES);
	must(stack != NULL);
	*thread = (struct explore_thread){.context = context, .stack = stack};
	sanitize_stack_reset(stack, EXPLORE_STACK_BYTES);
	sanitize_context_init(&thread->context, stack, EXPLORE_STACK_BYTES);
	thread->context.sp =
	    switch_prepare(stack + EXPLORE_STACK_BYTES, explore_main);
}

/* What can be done next: the thread that goes on first, then, if it may be
 * preempted, the others; then what lies in buffers. */
static unsigned
explore_options(unsigned *options)
{
	bool goes_on = explore_can_run(explore_here());
	unsigned count = 0;

	if (goes_on)
		options[count++] = explore.current;
	for (unsigned i = 0; i < explore.c->thread_count; i++) {
		if (i != explore.current &&
		    explore_can_run(&explore.threads[i]) &&
		    (!goes_on || explore.preemptions < explore.c->preemptions))
			options[count++] = i;
	}
	for (unsigned i = 0; i < explore.c->thread_count; i++) {
		if (explore.threads[i].buffered > 0)
			options[count++] = EXPLORE_THREADS_MAX + i;
	}
	return count;
}

/* False: nothing can be done any more. */
static bool
explore_advance(void)
{
	unsigned options[2 * EXPLORE_THREADS_MAX];
	unsigned count = explore_options(options);
	unsigned option;

	if (count == 0)
		return false;
	option = options[explore_choose(count)];
	if (option >= EXPLORE_THREADS_MAX) {
		explore_let_out(&explore.threads[option - EXPLORE_THREADS_MAX]);
		return true;
	}
	if (option != explore.current && explore_can_run(explore_here()))
		explore.preemptions++;
	explore.current = option;
	if (explore.c->enter != NULL)
		explore.c->enter(option);
	explore_switch(&explore.loop, &explore_here()->context);
	return true;
}

static void
explore_once(void)
{
	explore.depth = 0;
	explore.preemptions = 0;
	explore.current = 0;
	explore.c->setup();
	for (unsigned i = 0; i < explore.c->thread_count; i++)
		explore_thread_start(&explore.threads[i]);
	while (explore_failure == NULL && explore_advance())
		;
	for (unsigned i = 0; i < explore.c->thread_count; i++) {
		if (explore_failure == NULL && !explore.threads[i].ended)
			explore_failure = "a thread waits for ever";
	}
	if (explore_failure == NULL)
		explore.c->check();
}

/* The last choice that can be another one; false: all were tried. */
static bool
explore_next(void)
{
	while (explore.length > 0) {
		struct explore_choice *choice =
		    &explore.path[explore.length - 1];

		if (++choice->chosen < choice->count)
			return true;
		explore.length--;
	}
	return false;
}

static void
explore_describe(void)
{
	size_t length = 0;

	for (unsigned i = 0; i < explore.length; i++) {
		if (length + 8 < sizeof(explore_order))
			length += (size_t)snprintf(explore_order + length, 8,
			    "%u ", explore.path[i].chosen);
	}
}

unsigned long
explore_run(const struct explore_case *c)
{
	unsigned long runs = 0;

	explore.c = c;
	explore.length = 0;
	explore_failure = NULL;
	explore_order[0] = '\0';
	sanitize_context_thread(&explore.loop);
	do {
		explore_once();
		runs++;
	} while (explore_failure == NULL && explore_next() &&
	    runs < EXPLORE_RUNS_MAX);
	if (explore_failure != NULL)
		explore_describe();
	for (unsigned i = 0; i < EXPLORE_THREADS_MAX; i++) {
		sanitize_context_fini(&explore.threads[i].context);
		free(explore.threads[i].stack);
		explore.threads[i].stack = NULL;
	}
	return runs;
}
