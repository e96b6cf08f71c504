#include "base/escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct row {
	const char *text;
	enum escape escape;
	const char *expected;
	size_t bytes_max;
};

static const struct row rows[] = {
    {"", ESCAPE_JSON, "", 0},
    {"plain text, 0123456789", ESCAPE_JSON, "plain text, 0123456789", 0},
    {"a\"b\\c", ESCAPE_JSON, "a\\\"b\\\\c", 0},
    {"\n\r\t\x01\x1f\x7f", ESCAPE_JSON, "\\n\\r\\t\\u0001\\u001f\\u007f", 0},
    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8a", ESCAPE_JSON,
	"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8a", 0},
    /* C1 control, right-to-left override, line separator */
    {"\xc2\x9b \xe2\x80\xae \xe2\x80\xa8", ESCAPE_JSON,
	"\\u009b \\u202e \\u2028", 0},
    /* no UTF-8: lone byte, overlong, surrogate, cut, above U+10FFFF */
    {"\xff", ESCAPE_JSON, "\\u00ff", 0},
    {"\xc0\xaf", ESCAPE_JSON, "\\u00c0\\u00af", 0},
    {"\xed\xa0\x80", ESCAPE_JSON, "\\u00ed\\u00a0\\u0080", 0},
    {"\xe2\x82", ESCAPE_JSON, "\\u00e2\\u0082", 0},
    {"\xf4\x90\x80\x80", ESCAPE_JSON, "\\u00f4\\u0090\\u0080\\u0080", 0},
    {"a\"b\\c\n\xc3\xa9\x7f", ESCAPE_HEX, "a\\x22b\\x5Cc\\x0A\\xC3\\xA9\\x7F",
	0},
    {"a\"b\\c\nd\re\xff\xc3\xa9", ESCAPE_LABEL, "a\\\"b\\\\c\\nd?e?\xc3\xa9",
	0},
    /* limits: exact fit, one less, never inside an escape */
    {"0123456789", ESCAPE_JSON, "0123456789", 10},
    {"0123456789", ESCAPE_JSON, "012345...", 9},
    {"01234\n", ESCAPE_JSON, "01234\\n", 8},
    {"01234\n", ESCAPE_JSON, "0123...", 7},
    {"\x01\x02\x03", ESCAPE_JSON, "\\u0001...", 10},
    {"\x01\x02", ESCAPE_JSON, "\\u0001\\u0002", 12},
    {"\x01\x02", ESCAPE_JSON, "\\u0001...", 11},
    {"\x01\x02", ESCAPE_JSON, "...", 3},
};

static void
escapes(void **state)
{
	char memory[256];

	for (size_t i = 0; i < array_count(rows); i++) {
		struct appender a = appender_over(memory, sizeof(memory) - 1);

		append_escaped(&a, bytes_from(rows[i].text), rows[i].escape,
		    rows[i].bytes_max);
		memory[a.length] = '\0';
		assert_false(a.overflowed);
		assert_string_equal(memory, rows[i].expected);
	}
}

/* Every byte at every place of a word is treated like the byte alone. */
static void
words_agree_with_bytes(void **state)
{
	for (unsigned c = 0; c < 256; c++) {
		char one[8], many[64], text[24];
		char byte = (char)c;
		struct appender a = appender_over(one, sizeof(one));

		append_escaped(&a, bytes_of(&byte, 1), ESCAPE_HEX, 0);
		for (size_t place = 0; place < 16; place++) {
			struct appender b = appender_over(many, sizeof(many));

			memset(text, 'x', sizeof(text));
			text[place] = byte;
			append_escaped(&b, bytes_of(text, 17), ESCAPE_HEX, 0);
			assert_int_equal(b.length, 16 + a.length);
			assert_memory_equal(many + place, one, a.length);
		}
	}
}

static void
bare_texts(void **state)
{
	char text[24];

	assert_false(text_is_bare(BYTES("")));
	assert_true(text_is_bare(BYTES("GET")));
	for (unsigned c = 0; c < 256; c++) {
		bool bare =
		    c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';

		for (size_t place = 0; place < 17; place++) {
			memset(text, 'x', sizeof(text));
			text[place] = (char)c;
			assert_int_equal(
			    text_is_bare(bytes_of(text, 17)), bare);
		}
	}
}

/* What does not fit sets overflowed and never writes beyond. */
static void
appender_too_small(void **state)
{
	for (size_t capacity = 0; capacity < 12; capacity++) {
		char memory[16];
		struct appender a = appender_over(memory, capacity);

		memset(memory, 0x55, sizeof(memory));
		append_escaped(&a, BYTES("ab\n\x01 cd"), ESCAPE_JSON, 0);
		assert_true(a.overflowed);
		for (size_t i = capacity; i < sizeof(memory); i++)
			assert_int_equal(memory[i], 0x55);
	}
}

/* Random bytes: the limit holds, no control character comes out. */
static void
limit_holds(void **state)
{
	srandom(7);
	for (unsigned round = 0; round < 20000; round++) {
		char text[64], memory[512];
		size_t length = (size_t)random() % sizeof(text);
		size_t limit = 3 + (size_t)random() % 80;
		struct appender a = appender_over(memory, sizeof(memory));

		for (size_t i = 0; i < length; i++)
			text[i] = (char)random();
		append_escaped(&a, bytes_of(text, length),
		    (enum escape)(round % 3), limit);
		assert_true(a.length <= limit);
		for (size_t i = 0; i < a.length; i++)
			assert_true((unsigned char)memory[i] >= 0x20);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(escapes),
	    cmocka_unit_test(words_agree_with_bytes),
	    cmocka_unit_test(bare_texts),
	    cmocka_unit_test(appender_too_small),
	    cmocka_unit_test(limit_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
