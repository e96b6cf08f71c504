/*
 * escape.c - a run of harmless bytes is copied at once, the rest one by one
 */
#include "base/escape.h"

#define ESCAPE_UNIT_BYTES 8 /* the longest: \uXXXX, or four bytes of UTF-8 */

static inline bool
escape_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static inline uint64_t
escape_has_zero(uint64_t word)
{
	return (word - 0x0101010101010101u) & ~word & 0x8080808080808080u;
}

/* Eight bytes at once: none below 0x20, none above 0x7e, no '"', no '\\'. */
static inline bool
escape_plain_word(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t bad = word | (word + ones); /* 0x7f and above: top bit */

	bad |= (word - 0x20 * ones) & ~word;
	bad |= escape_has_zero(word ^ '"' * ones);
	bad |= escape_has_zero(word ^ '\\' * ones);
	return (bad & 0x8080808080808080u) == 0;
}

static size_t
escape_plain_run(const char *at, size_t length)
{
	size_t i = 0;
	uint64_t word;

	for (; length - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, at + i, sizeof(word));
		if (!escape_plain_word(word))
			break;
	}
	while (i < length && escape_plain((unsigned char)at[i]))
		i++;
	return i;
}

/* The length of the UTF-8 character at @at and its value, or 0. */
static size_t
escape_utf8(const unsigned char *at, size_t length, uint32_t *ret_value)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t need = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	uint32_t value = at[0] & (0x7fu >> need);

	if (at[0] < 0xc2 || at[0] > 0xf4 || need > length)
		return 0;
	for (size_t i = 1; i < need; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (at[i] & 0x3f);
	}
	if (value < smallest[need] || value > 0x10ffff ||
	    (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*ret_value = value;
	return need;
}

/* C1 controls, line separators, and what turns the direction of writing. */
static bool
escape_hidden(uint32_t value)
{
	return value < 0xa0 || (value >= 0x200e && value <= 0x200f) ||
	    (value >= 0x2028 && value <= 0x202e) ||
	    (value >= 0x2066 && value <= 0x2069);
}

static void
escape_digits(struct appender *unit, uint32_t value, unsigned digits)
{
	while (digits-- > 0) {
		append_char(
		    unit, "0123456789abcdef"[value >> (4 * digits) & 15]);
	}
}

static void
escape_hex(struct appender *unit, unsigned char c)
{
	append_literal(unit, "\\x");
	append_char(unit, "0123456789ABCDEF"[c >> 4]);
	append_char(unit, "0123456789ABCDEF"[c & 15]);
}

static void
escape_json_unit(struct appender *unit, uint32_t value)
{
	static const char named[] = "\"\"\\\\\nn\rr\tt";

	for (size_t i = 0; i + 1 < sizeof(named); i += 2) {
		if (value == (unsigned char)named[i]) {
			append_char(unit, '\\');
			append_char(unit, named[i + 1]);
			return;
		}
	}
	append_literal(unit, "\\u");
	escape_digits(unit, value, 4);
}

static void
escape_label_unit(struct appender *unit, uint32_t value)
{
	if (value == '\n') {
		append_literal(unit, "\\n");
	} else if (value == '"' || value == '\\') {
		append_char(unit, '\\');
		append_char(unit, (char)value);
	} else {
		append_char(unit, '?');
	}
}

/* One character that is not plain, escaped or kept. Returns its length. */
static size_t
escape_unit(struct appender *unit, struct bytes text, enum escape escape)
{
	const unsigned char *at = (const unsigned char *)text.at;
	uint32_t value = at[0];
	size_t length = 1;

	if (escape == ESCAPE_HEX) {
		escape_hex(unit, at[0]);
		return 1;
	}
	if (at[0] >= 0x80)
		length = escape_utf8(at, text.length, &value);
	if (length > 1 && !escape_hidden(value)) {
		append(unit, at, length);
		return length;
	}
	if (escape == ESCAPE_JSON)
		escape_json_unit(unit, value);
	else
		escape_label_unit(unit, value);
	return length != 0 ? length : 1;
}

void
append_escaped(struct appender *into, struct bytes text, enum escape escape,
    size_t bytes_max)
{
	char memory[ESCAPE_UNIT_BYTES];
	size_t left = bytes_max != 0 ? bytes_max : SIZE_MAX;

	/* Room for "..." stays as long as more may follow: left >= 3. */
	while (text.length > 0) {
		size_t run = escape_plain_run(text.at, text.length);
		struct appender unit = appender_over(memory, sizeof(memory));
		size_t taken;

		if (run > (run == text.length ? left : left - 3)) {
			append(into, text.at, left - 3);
			break;
		}
		append(into, text.at, run);
		left -= run;
		text = bytes_skip(text, run);
		if (text.length == 0)
			return;
		taken = escape_unit(&unit, text, escape);
		if (unit.length > (taken == text.length ? left : left - 3))
			break;
		append_bytes(into, appender_bytes(&unit));
		left -= unit.length;
		text = bytes_skip(text, taken);
	}
	if (text.length > 0)
		append_literal(into, "...");
}

bool
text_is_bare(struct bytes text)
{
	const uint64_t ones = 0x0101010101010101u;
	size_t i = 0;
	uint64_t word;

	for (; text.length - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, text.at + i, sizeof(word));
		if (!escape_plain_word(word) ||
		    escape_has_zero(word ^ ' ' * ones) != 0 ||
		    escape_has_zero(word ^ '=' * ones) != 0)
			return false;
	}
	for (; i < text.length; i++) {
		char c = text.at[i];

		if (!escape_plain((unsigned char)c) || c == ' ' || c == '=')
			return false;
	}
	return text.length > 0;
}
