#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/runtime.h"
#include "runtime/sanitize.h"
#include "runtime/stack.h"
#include "runtime/switch.h"

static const struct runtime_options one_worker = {.worker_count = 1};

/* The switch itself: what the ABI gives to the callee survives. */
static struct context main_context, other_context;
static int other_turns;

static void
other_main(void)
{
	sanitize_switch_finish(&other_context);
	for (;;) {
		other_turns++;
		sanitize_switch_start(&other_context, &main_context, false);
		switch_stack(&other_context.sp, main_context.sp);
		sanitize_switch_finish(&other_context);
	}
}

static void
go_to_other(void)
{
	sanitize_switch_start(&main_context, &other_context, false);
	switch_stack(&main_context.sp, other_context.sp);
	sanitize_switch_finish(&main_context);
}

/* A leaf of 96 bytes of variables, which may lie below the stack pointer. */
static NOINLINE uint64_t
leaf_that_switches(void **save, void *load)
{
	volatile uint64_t zone[12];
	uint64_t sum = 0;

	for (unsigned i = 0; i < 12; i++)
		zone[i] = i;
	switch_stack(save, load);
	for (unsigned i = 0; i < 12; i++)
		sum += zone[i] == i;
	return sum;
}

static void
test_switch_in_leaf(void **state)
{
	const size_t bytes = 65536;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t kept;

	sanitize_context_thread(&main_context);
	sanitize_context_init(&other_context, memory, bytes);
	sanitize_stack_register(memory, bytes);
	other_context.sp = switch_prepare(memory + bytes, other_main);
	for (int i = 0; i < 3; i++) {
		sanitize_switch_start(&main_context, &other_context, false);
		kept = leaf_that_switches(&main_context.sp, other_context.sp);
		sanitize_switch_finish(&main_context);
		assert_int_equal(kept, 12);
	}
	sanitize_context_fini(&other_context);
	munmap(memory, bytes);
}

static void
test_switch(void **state)
{
	const size_t bytes = 65536;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile double d = 0.5;
	/* More live values than there are registers of the callee. */
	volatile unsigned long seed = 3;
	unsigned long a = seed, b = seed * 2, c = seed * 3, e = seed * 4,
		      f = seed * 5, g = seed * 6, h = seed * 7;

	sanitize_context_thread(&main_context);
	sanitize_context_init(&other_context, memory, bytes);
	sanitize_stack_register(memory, bytes);
	other_context.sp = switch_prepare(memory + bytes, other_main);
	for (int i = 0; i < 1000; i++) {
		go_to_other();
		d += 1;
		a += b;
		b += c;
		c += e;
		e ^= f;
		f += g;
		g ^= h;
		h += a;
	}
	assert_int_equal(other_turns, 1000);
	assert_true(d == 1000.5);
	seed = 0;
	{
		unsigned long a2 = 3, b2 = 6, c2 = 9, e2 = 12, f2 = 15, g2 = 18,
			      h2 = 21;

		for (int i = 0; i < 1000; i++) {
			a2 += b2;
			b2 += c2;
			c2 += e2;
			e2 ^= f2;
			f2 += g2;
			g2 ^= h2;
			h2 += a2;
		}
		assert_int_equal(a ^ b ^ c ^ e ^ f ^ g ^ h,
		    a2 ^ b2 ^ c2 ^ e2 ^ f2 ^ g2 ^ h2);
	}
	sanitize_context_fini(&other_context);
}

/* Slots: hot ones first, cold ones without memory, guards that hold. */
#ifndef SANITIZE_THREAD
#	define STACK_PAGES ((STACK_SLOT_BYTES - STACK_GUARD_BYTES) / 4096)

static size_t
resident_pages(char *slot)
{
	unsigned char pages[STACK_SLOT_BYTES / 4096];
	size_t count = 0;

	assert_int_equal(mincore(slot, STACK_SLOT_BYTES, pages), 0);
	for (size_t i = 1; i < array_count(pages); i++)
		count += pages[i] & 1;
	return count;
}
#endif

static void
test_pool(void **state)
{
	enum { COUNT = 3 * STACK_WARM };
	struct stacks stacks;
	char *slots[COUNT];
	bool fresh;

	assert_int_equal(stacks_init(&stacks, COUNT), 0);
	for (int i = 0; i < COUNT; i++) {
		slots[i] = stack_acquire(&stacks, &fresh);
		assert_non_null(slots[i]);
		assert_true(fresh);
		memset(slots[i] + STACK_GUARD_BYTES, 1,
		    STACK_SLOT_BYTES - STACK_GUARD_BYTES);
	}
	assert_null(stack_acquire(&stacks, &fresh));
	for (int i = 0; i < COUNT; i++)
		stack_release(&stacks, slots[i]);
	/* The last one is the first. */
	assert_ptr_equal(stack_acquire(&stacks, &fresh), slots[COUNT - 1]);
	assert_false(fresh);
	stack_release(&stacks, slots[COUNT - 1]);
#ifndef SANITIZE_THREAD
	/* Cold is what nobody took between two ticks. */
	stacks_trim(&stacks);
	assert_int_equal(resident_pages(slots[0]), STACK_PAGES);
	assert_false(stacks_trim(&stacks));
	assert_int_equal(resident_pages(slots[0]), 0);
	assert_int_equal(resident_pages(slots[COUNT - STACK_WARM - 1]), 0);
	assert_int_equal(
	    resident_pages(slots[COUNT - STACK_WARM]), STACK_PAGES);
	/* All of them still work. */
	for (int i = 0; i < COUNT; i++) {
		slots[i] = stack_acquire(&stacks, &fresh);
		memset(slots[i] + STACK_GUARD_BYTES, 2,
		    STACK_SLOT_BYTES - STACK_GUARD_BYTES);
	}
#endif
	stacks_fini(&stacks);
}

static void
test_find(void **state)
{
	struct stacks stacks;
	size_t offset;
	bool fresh;
	char *a, *b;

	assert_int_equal(stacks_init(&stacks, 4), 0);
	a = stack_acquire(&stacks, &fresh);
	b = stack_acquire(&stacks, &fresh);
	assert_ptr_equal(stack_find(&stacks, a + 5, &offset), a);
	assert_int_equal(offset, 5);
	assert_ptr_equal(
	    stack_find(&stacks, b + STACK_SLOT_BYTES - 1, &offset), b);
	assert_null(stack_find(&stacks, b + STACK_SLOT_BYTES, &offset));
	assert_null(stack_find(&stacks, a - 1, &offset));
	stacks_fini(&stacks);
}

/*
 * In a child: what it wrote to its standard error, and how it ended.
 */
static int
run_child(void (*body)(void), char *into, size_t size)
{
	size_t length = 0;
	ssize_t r;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = {0, 0};

		/* cmocka survives faults; a child of ours does not. */
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &none);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		body();
		_exit(0);
	}
	close(fds[1]);
	while ((r = read(fds[0], into + length, size - 1 - length)) > 0)
		length += (size_t)r;
	into[length] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static NOINLINE int
recurse(int depth)
{
	volatile char frame[1000];

	frame[0] = (char)depth;
	if (depth == 1000000)
		return 0;
	/* Not a tail call. */
	return recurse(depth + 1) + frame[0];
}

static int
overflow(void *arg)
{
	(void)arg;
	return recurse(0);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wframe-larger-than="
/* One frame larger than the guard: the compiler probes every page of it. */
static int
leap(void *arg)
{
	volatile char frame[120000];

	frame[0] = 1;
	frame[sizeof(frame) - 1] = 1;
	(void)arg;
	return frame[0];
}

#pragma GCC diagnostic pop

/* As on a kernel before 6.13: mappings for the first slots, then canaries. */
static struct stacks old_stacks;
static char *old_slots[2];

static void
child_canary(void)
{
	/* The deepest that a stack may reach, and one byte more. */
	memset(old_slots[1] + STACK_CANARY_BYTES, 0, 4096);
	stack_check(&old_stacks, old_slots[1]);
	memset(old_slots[1] + STACK_CANARY_BYTES - 1, 0, 1);
	stack_check(&old_stacks, old_slots[1]);
}

static void
child_mapped(void)
{
	memset(old_slots[0] + STACK_GUARD_BYTES, 0, 1);
	memset(old_slots[0] + STACK_GUARD_BYTES - 1, 0, 1);
}

static void
test_old_kernel(void **state)
{
	static char text[8192];
	bool fresh;
	int status;

	/* Thousands of mappings, and faults that it reports itself. */
	if (sanitize_on_valgrind())
		skip();
	assert_int_equal(stacks_init(&old_stacks, STACK_MAPPED_GUARDS + 1), 0);
	old_stacks.guard_install = false;
	for (int i = 0; i < STACK_MAPPED_GUARDS; i++)
		old_slots[0] = stack_acquire(&old_stacks, &fresh);
	old_slots[1] = stack_acquire(&old_stacks, &fresh);
	assert_int_equal(old_stacks.mapped_guards, STACK_MAPPED_GUARDS);
	stack_check(&old_stacks, old_slots[0]);
	status = run_child(child_canary, text, sizeof(text));
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	assert_non_null(strstr(text, "assertion failed: found == canary"));
	status = run_child(child_mapped, text, sizeof(text));
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	stacks_fini(&old_stacks);
}

static task_fn overflow_fn;

static int
root_overflow(void *arg)
{
	(void)arg;
	/* A neighbour below whose stack must not be hit. */
	if (task_start(NULL, "neighbour", overflow_fn, NULL) < 0)
		return 1;
	return task_sleep(duration_s(10));
}

static void
child_overflow(void)
{
	runtime_run(&one_worker, root_overflow, NULL);
}

static void
test_overflow(void **state)
{
	static const task_fn fns[] = {overflow, leap};
	static char text[8192];

	if (sanitize_on_valgrind())
		skip();
	for (size_t i = 0; i < array_count(fns); i++) {
		int status;

		overflow_fn = fns[i];
		status = run_child(child_overflow, text, sizeof(text));
		assert_non_null(strstr(
		    text, "weir: stack overflow, task neighbour spawned at "));
		assert_non_null(strstr(text, "stack_test.c:"));
		/* A sanitizer ends it its own way. */
		assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	}
}

static int
root_must(void *arg)
{
	must(arg != NULL);
	return 0;
}

static void
child_must(void)
{
	runtime_run(&one_worker, root_must, NULL);
}

static int
root_nosuspend(void *arg)
{
	(void)arg;
	NOSUSPEND
	{
		task_yield();
	}
	return 0;
}

static void
child_nosuspend(void)
{
	runtime_run(&one_worker, root_nosuspend, NULL);
}

static void
test_must_names_task(void **state)
{
	static char text[8192];
	int status;

	/* The child's abort() is its to report. */
	if (sanitize_on_valgrind())
		skip();
	status = run_child(child_must, text, sizeof(text));
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	assert_non_null(strstr(text, "assertion failed: arg != NULL"));
	assert_non_null(strstr(text, "weir: in task root spawned at "));
	status = run_child(child_nosuspend, text, sizeof(text));
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	assert_non_null(strstr(text, "inside NOSUSPEND"));
}

/* Parked tasks cost neither mappings nor much memory. */
#if defined(SANITIZE_THREAD)
/* TSan knows 8,128 fibers at most, each mapped. */
#	define PARKED          2000
#	define PARKED_MAPPINGS 0
#elif defined(SANITIZE_ADDRESS)
#	define PARKED          10000
#	define PARKED_MAPPINGS 0
#else
#	define PARKED          100000
#	define PARKED_MAPPINGS 1
#endif

static unsigned parked_count;

static int
park(void *arg)
{
	(void)arg;
	parked_count++;
	return task_sleep(duration_s(1000));
}

static unsigned
mapping_count(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned count = 0;
	int c;

	while ((c = getc(file)) != EOF)
		count += c == '\n';
	fclose(file);
	return count;
}

static bool
guards_installed(void)
{
	struct stacks stacks;
	bool installed;

	assert_int_equal(stacks_init(&stacks, 1), 0);
	installed = stacks.guard_install;
	stacks_fini(&stacks);
	return installed;
}

static int
root_parked(void *arg)
{
	unsigned before = mapping_count();
	unsigned count = sanitize_on_valgrind() ? 1000 : PARKED;
	struct scope scope;

	(void)arg;
	parked_count = 0;
	scope_init(&scope, instant_never());
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(task_start(&scope, "parked", park, NULL), 0);
	assert_int_equal(task_sleep(duration_ms(1)), 0);
	assert_int_equal(parked_count, count);
	if (PARKED_MAPPINGS && guards_installed())
		assert_true(mapping_count() < before + 50);
	return scope_fini(&scope);
}

static void
test_parked(void **state)
{
	assert_int_equal(runtime_run(&one_worker, root_parked, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_switch),
	    cmocka_unit_test(test_switch_in_leaf),
	    cmocka_unit_test(test_pool),
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_old_kernel),
	    cmocka_unit_test(test_overflow),
	    cmocka_unit_test(test_must_names_task),
	    cmocka_unit_test(test_parked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
