#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"

static void
aligned_and_apart(void **state)
{
	struct arena arena;
	unsigned char *blocks[100];

	arena_init(&arena, NULL, 0, 0);
	for (size_t i = 0; i < array_count(blocks); i++) {
		blocks[i] = arena_alloc(&arena, i * 7);
		assert_non_null(blocks[i]);
		assert_int_equal((uintptr_t)blocks[i] % 16, 0);
		memset(blocks[i], (int)i, i * 7);
	}
	for (size_t i = 0; i < array_count(blocks); i++) {
		for (size_t at = 0; at < i * 7; at++)
			assert_int_equal(blocks[i][at], i);
	}
	arena_reset(&arena);
	assert_int_equal(arena.allocated_bytes, 0);
}

/* The caller's block is used first, whatever its alignment, and again. */
static void
first_block(void **state)
{
	_Alignas(16) char memory[129];
	struct arena arena;

	arena_init(&arena, memory + 1, sizeof(memory) - 1, 0);
	assert_ptr_equal(arena_alloc(&arena, 1), memory + 16);
	assert_ptr_equal(arena_alloc(&arena, 96), memory + 32);
	assert_int_equal(arena.allocated_bytes, 0);
	assert_non_null(arena_alloc(&arena, 1));
	assert_true(arena.allocated_bytes > 0);
	arena_reset(&arena);
	assert_int_equal(arena.allocated_bytes, 0);
	assert_ptr_equal(arena_alloc(&arena, 112), memory + 16);
	arena_reset(&arena);
}

static void
limit(void **state)
{
	struct arena arena;
	size_t count = 0;

	arena_init(&arena, NULL, 0, 10000);
	assert_null(arena_alloc(&arena, 10001));
	while (count < 10000 && arena_alloc(&arena, 64) != NULL)
		count++;
	assert_in_range(count * 64, 4096, 10000);
	arena_reset(&arena);
	assert_int_equal(arena.limit_bytes, 10000);
	assert_non_null(arena_alloc(&arena, 10000));
	assert_null(arena_alloc(&arena, 1));
	arena_reset(&arena);
}

static void
huge(void **state)
{
	struct arena arena;

	arena_init(&arena, NULL, 0, 0);
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_null(arena_alloc(&arena, SIZE_MAX - 15));
	assert_non_null(arena_alloc(&arena, 1 << 20));
	arena_reset(&arena);
}

static void
zero_and_copy(void **state)
{
	_Alignas(16) char memory[64];
	struct arena arena;
	struct bytes copy;
	char *zero;

	memset(memory, 'x', sizeof(memory));
	arena_init(&arena, memory, sizeof(memory), 32);
	zero = arena_zero(&arena, 16);
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(zero[i], 0);
	copy = arena_copy(&arena, BYTES("a\0b"));
	assert_int_equal(copy.length, 3);
	assert_memory_equal(copy.at, "a\0b\0", 4);
	assert_string_equal(arena_copy(&arena, bytes_of(NULL, 0)).at, "");
	assert_null(arena_copy(&arena, bytes_of(memory, 64)).at);
	arena_reset(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(aligned_and_apart),
	    cmocka_unit_test(first_block),
	    cmocka_unit_test(limit),
	    cmocka_unit_test(huge),
	    cmocka_unit_test(zero_and_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
