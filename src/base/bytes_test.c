#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"

static void
compares(void **state)
{
	static const struct {
		struct bytes a, b;
		bool equal, nocase, starts;
	} rows[] = {
	    {BYTES(""), BYTES(""), true, true, true},
	    {{NULL, 0}, BYTES(""), true, true, true},
	    {BYTES("aB"), BYTES("aB"), true, true, true},
	    {BYTES("aB"), BYTES("Ab"), false, true, false},
	    {BYTES("aB"), BYTES("a"), false, false, true},
	    {BYTES("aB"), BYTES("b"), false, false, false},
	    {BYTES("a"), BYTES("ab"), false, false, false},
	    /* Letters fold; what differs from one in bit 5 does not. */
	    {BYTES("[@"), BYTES("{`"), false, false, false},
	    {BYTES("\xc4"), BYTES("\xe4"), false, false, false},
	    {BYTES("a\0b"), BYTES("a\0c"), false, false, false},
	};

	for (size_t i = 0; i < array_count(rows); i++) {
		struct bytes a = rows[i].a, b = rows[i].b;

		assert_int_equal(bytes_equal(a, b), rows[i].equal);
		assert_int_equal(bytes_equal_nocase(a, b), rows[i].nocase);
		assert_int_equal(bytes_starts_with(a, b), rows[i].starts);
	}
}

static void
cuts(void **state)
{
	struct bytes text = BYTES(" \t a b\t ");

	assert_true(bytes_equal(bytes_trim(text), BYTES("a b")));
	assert_int_equal(bytes_trim(BYTES(" \t")).length, 0);
	assert_int_equal(bytes_trim(BYTES("")).length, 0);
	assert_true(bytes_equal(bytes_skip(BYTES("abc"), 1), BYTES("bc")));
	assert_int_equal(bytes_skip(BYTES("abc"), 4).length, 0);
	assert_int_equal(bytes_find(BYTES("abc"), 'c'), 2);
	assert_int_equal(bytes_find(BYTES("abc"), 'd'), 3);
	assert_int_equal(bytes_find(bytes_of(NULL, 0), 'd'), 0);
	assert_null(bytes_from(NULL).at);
}

/* An empty part between separators, before the first, after the last. */
static void
splits(void **state)
{
	struct bytes rest = BYTES(",a,,b,"), part;
	static const char *const parts[] = {"", "a", "", "b", ""};

	for (size_t i = 0; i < array_count(parts); i++) {
		assert_true(bytes_split(&rest, ',', &part));
		assert_true(bytes_equal(part, bytes_from(parts[i])));
	}
	assert_false(bytes_split(&rest, ',', &part));
	rest = BYTES("");
	assert_true(bytes_split(&rest, ',', &part));
	assert_int_equal(part.length, 0);
	assert_false(bytes_split(&rest, ',', &part));
}

static void
numbers(void **state)
{
	static const struct {
		struct bytes text;
		uint64_t max;
		int result;
		uint64_t value;
	} rows[] = {
	    {BYTES("0"), 0, 0, 0},
	    {BYTES("007"), 7, 0, 7},
	    {BYTES("8"), 7, -EINVAL, 0},
	    {BYTES("18446744073709551615"), UINT64_MAX, 0, UINT64_MAX},
	    {BYTES("18446744073709551616"), UINT64_MAX, -EINVAL, 0},
	    {BYTES("99999999999999999999"), UINT64_MAX, -EINVAL, 0},
	    {BYTES("000000000000000000001"), UINT64_MAX, -EINVAL, 0},
	    {BYTES(""), UINT64_MAX, -EINVAL, 0},
	    {BYTES("+1"), UINT64_MAX, -EINVAL, 0},
	    {BYTES("-1"), UINT64_MAX, -EINVAL, 0},
	    {BYTES(" 1"), UINT64_MAX, -EINVAL, 0},
	    {BYTES("1 "), UINT64_MAX, -EINVAL, 0},
	    {BYTES("1\0"), UINT64_MAX, -EINVAL, 0},
	    {BYTES("1:"), UINT64_MAX, -EINVAL, 0},
	    {BYTES("0x1"), UINT64_MAX, -EINVAL, 0},
	};

	for (size_t i = 0; i < array_count(rows); i++) {
		uint64_t value = 99;

		assert_int_equal(
		    bytes_to_u64(rows[i].text, rows[i].max, &value),
		    rows[i].result);
		assert_int_equal(
		    value, rows[i].result == 0 ? rows[i].value : 99);
	}
}

static void
appends(void **state)
{
	char memory[64];
	struct appender a = appender_over(memory, sizeof(memory));

	append_literal(&a, "a");
	append_char(&a, 'b');
	append_text(&a, "cd");
	append_bytes(&a, bytes_of(NULL, 0));
	append_u64(&a, 0);
	append_u64(&a, UINT64_MAX);
	append_hex(&a, 0xabcdef0);
	append_format(&a, "%d", -1);
	assert_false(a.overflowed);
	assert_true(bytes_equal(
	    appender_bytes(&a), BYTES("abcd018446744073709551615abcdef0-1")));
	assert_int_equal(appender_room(&a), 64 - 34);
}

/* Once something did not fit, what would fit is not written either. */
static void
append_overflows(void **state)
{
	char memory[8] = "xxxxxxx";
	struct appender a = appender_over(memory, 4);

	append_text(&a, "abcd");
	assert_false(a.overflowed);
	append_text(&a, "");
	assert_false(a.overflowed);
	append_char(&a, 'e');
	assert_true(a.overflowed);
	assert_memory_equal(memory, "abcdxxx", 7);

	a = appender_over(memory, 4);
	append_text(&a, "abcde");
	append_char(&a, 'f');
	append_u64(&a, 1);
	append_format(&a, "g");
	assert_true(a.overflowed);
	assert_int_equal(a.length, 0);

	a = appender_over(memory, 4);
	append_format(&a, "%s", "abc");
	assert_false(a.overflowed);
	a = appender_over(memory, 4);
	append_format(&a, "%s", "abcd");
	assert_true(a.overflowed);
	assert_int_equal(a.length, 0);
	assert_memory_equal(memory + 4, "xxx", 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(compares),
	    cmocka_unit_test(cuts),
	    cmocka_unit_test(splits),
	    cmocka_unit_test(numbers),
	    cmocka_unit_test(appends),
	    cmocka_unit_test(append_overflows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
