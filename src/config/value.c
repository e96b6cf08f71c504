/*
 * value.c - single values: numbers, durations, texts, names
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "config/nearest.h"
#include "config/quantity.h"
#include "config/reader.h"
#include "config/regex.h"

const struct shape shape_bool = {.kind = SHAPE_BOOL};
const struct shape shape_text = {.kind = SHAPE_TEXT};

/* ---- numbers ---- */

static void
value_store(void *into, size_t width, uint64_t value)
{
	switch (width) {
	case 1:
		*(uint8_t *)into = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)into = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)into = (uint32_t)value;
		break;
	default:
		must(width == 8);
		*(uint64_t *)into = value;
	}
}

static bool
value_in_range(struct reader *reader, const struct shape *shape,
    const struct node *node, uint64_t value)
{
	bool low = value < shape->min;
	char limit[48];
	struct appender text = appender_over(limit, sizeof(limit));

	if (!low && value <= shape->max)
		return true;
	shape_number_write(shape, low ? shape->min : shape->max, &text);
	append_char(&text, '\0');
	reader_error(reader, node, NULL, "`%s` is at %s %s", reader->key,
	    low ? "least" : "most", limit);
	return false;
}

static const char *
value_wanted(const struct shape *shape)
{
	switch (shape->kind) {
	case SHAPE_COUNT:
		return "a number";
	case SHAPE_SIZE:
		return "a size (512B, 8KiB, 10MB)";
	case SHAPE_DURATION:
		return "a duration (250ms, 10s, 1m30s)";
	default:
		return "a percentage (20%)";
	}
}

static enum quantity_result
value_parse(const struct shape *shape, struct bytes text, uint64_t *ret)
{
	switch (shape->kind) {
	case SHAPE_SIZE:
		return quantity_size(text, ret);
	case SHAPE_DURATION:
		return quantity_duration(text, (int64_t *)ret);
	case SHAPE_PERCENT:
		return quantity_percent(text, ret);
	default:
		return bytes_to_u64(text, UINT64_MAX, ret) < 0
		    ? QUANTITY_MALFORMED
		    : QUANTITY_OK;
	}
}

/* "8K" may mean two things. */
static const char *
value_size_remedy(
    const struct shape *shape, struct bytes text, char *into, size_t capacity)
{
	uint64_t number;
	char unit;

	if (shape->kind != SHAPE_SIZE || text.length < 2 || text.length > 12 ||
	    bytes_to_u64(
		bytes_of(text.at, text.length - 1), UINT64_MAX, &number) < 0)
		return NULL;
	unit = text.at[text.length - 1] & ~0x20;
	if (memchr("KMGT", unit, 4) == NULL)
		return NULL;
	snprintf(into, capacity,
	    "write %" PRIu64 "%ciB (of 1024) or %" PRIu64 "%cB (of 1000)",
	    number, unit, number, unit);
	return into;
}

static void
value_number(struct reader *reader, const struct shape *shape,
    const struct node *node, void *into, size_t width)
{
	uint64_t value = 0;
	char remedy[64];

	if (node->kind != NODE_TEXT) {
		reader_mismatch(reader, node, value_wanted(shape), NULL);
		return;
	}
	switch (value_parse(shape, node->text, &value)) {
	case QUANTITY_OK:
		if (value_in_range(reader, shape, node, value))
			value_store(into, width, value);
		break;
	case QUANTITY_NO_UNIT:
		snprintf(remedy, sizeof(remedy), "write %.*s%s",
		    (int)min_of(node->text.length, (size_t)20), node->text.at,
		    shape->kind == SHAPE_PERCENT ? "%" : "s");
		reader_error(
		    reader, node, remedy, "`%s` lacks its unit", reader->key);
		break;
	case QUANTITY_TOO_LARGE:
		value_in_range(reader, shape, node, UINT64_MAX);
		break;
	case QUANTITY_MALFORMED:
		reader_mismatch(reader, node, value_wanted(shape),
		    value_size_remedy(
			shape, node->text, remedy, sizeof(remedy)));
	}
}

/* ---- bool ---- */

static void
value_bool(struct reader *reader, const struct node *node, bool *into)
{
	if (node->kind == NODE_TEXT && node->plain &&
	    bytes_equal_nocase(node->text, BYTES("true")))
		*into = true;
	else if (node->kind == NODE_TEXT && node->plain &&
	    bytes_equal_nocase(node->text, BYTES("false")))
		*into = false;
	else
		reader_mismatch(reader, node, "true or false", NULL);
}

/* ---- text ---- */

bool
text_is_token(struct bytes text)
{
	for (size_t i = 0; i < text.length; i++) {
		char c = text.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') ||
			(c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL)))
			return false;
	}
	return text.length != 0;
}

bool
text_is_printable(struct bytes text)
{
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.at[i];

		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return true;
}

/* RFC 9110 §5.5: no control character but tab, no space at the ends. */
bool
text_is_field_value(struct bytes text)
{
	if (bytes_trim(text).length != text.length)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.at[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

struct bytes
reader_text(struct reader *reader, const struct node *node, const char *wanted)
{
	if (node->kind != NODE_TEXT || node->text.length == 0) {
		reader_mismatch(reader, node, wanted, NULL);
		return bytes_of(NULL, 0);
	}
	if (!text_is_printable(node->text)) {
		reader_error(reader, node, NULL,
		    "`%s` holds a control character or a line break",
		    reader->key);
		return bytes_of(NULL, 0);
	}
	return reader_copy(reader, node->text);
}

static void
value_text(struct reader *reader, const struct shape *shape,
    const struct node *node, struct bytes *into)
{
	struct bytes text = reader_text(reader, node,
	    shape->article_word != NULL ? shape->article_word : "a text");

	if (text.at != NULL)
		*into = text;
}

static void
value_path(struct reader *reader, const struct node *node, void *into)
{
	struct bytes text = reader_text(reader, node, "a path");

	if (text.at == NULL)
		return;
	text = path_absolute(text, reader->folder, reader->arena);
	if (text.at == NULL)
		reader->out_of_memory = true;
	*(struct bytes *)into = text;
}

const struct shape shape_path = {
    .kind = SHAPE_TEXT,
    .word = "path",
    .read = value_path,
};

/* ---- names ---- */

static void
value_enum(struct reader *reader, const struct shape *shape,
    const struct node *node, void *into, size_t width)
{
	char wanted[400], remedy[128];
	struct appender list = appender_over(wanted, sizeof(wanted));
	struct nearest nearest;

	nearest_init(&nearest, node->text);
	for (unsigned i = 0; shape->names[i] != NULL; i++) {
		struct bytes name = bytes_from(shape->names[i]);

		if (node->kind == NODE_TEXT && bytes_equal(node->text, name)) {
			if (width == sizeof(struct bytes))
				*(struct bytes *)into = name;
			else
				value_store(into, width, i);
			return;
		}
		nearest_offer(&nearest, name);
		if (i > 0)
			append_text(
			    &list, shape->names[i + 1] != NULL ? ", " : " or ");
		append_bytes(&list, name);
	}
	append_char(&list, '\0');
	reader_mismatch(reader, node, wanted,
	    reader_nearest_remedy(&nearest, remedy, sizeof(remedy)));
}

void
reader_value(struct reader *reader, const struct shape *shape,
    const struct node *node, void *into, size_t width)
{
	if (shape->read != NULL) {
		shape->read(reader, node, into);
		return;
	}
	switch (shape->kind) {
	case SHAPE_BOOL:
		value_bool(reader, node, into);
		break;
	case SHAPE_COUNT:
	case SHAPE_SIZE:
	case SHAPE_DURATION:
	case SHAPE_PERCENT:
		value_number(reader, shape, node, into, width);
		break;
	case SHAPE_TEXT:
		value_text(reader, shape, node, into);
		break;
	case SHAPE_ENUM:
		value_enum(reader, shape, node, into, width);
		break;
	case SHAPE_MAP:
		reader_map(reader, shape->table, node, into);
		break;
	case SHAPE_LIST:
	case SHAPE_DICT:
	case SHAPE_ONE_OF:
		must(false); /* these have a `read` */
	}
}

/* ---- header fields ---- */

static void
value_pair(struct reader *reader, const struct node_link *link, bool removals,
    struct config_pair *pair)
{
	if (!text_is_token(link->key->text)) {
		reader_error(reader, link->key, NULL,
		    "`%.*s` is not a header field's name",
		    (int)min_of(link->key->text.length, (size_t)60),
		    link->key->text.at);
		return;
	}
	pair->name = reader_copy(reader, link->key->text);
	if (link->value->kind == NODE_NULL && removals)
		return;
	if (link->value->kind != NODE_TEXT) {
		reader_error(reader, link->value, NULL,
		    removals ? "a field's value is a text, or null to remove it"
			     : "a field's value is a text");
		return;
	}
	if (!text_is_field_value(link->value->text)) {
		reader_error(reader, link->value, NULL,
		    "a field's value has no line break, no control character "
		    "and no space at its ends");
		return;
	}
	pair->value = reader_copy(reader, link->value->text);
}

/* What frames a message, or names this hop alone, is ours to write. */
static bool
value_field_is_ours(struct bytes name)
{
	static const char *const ours[] = {"Connection", "Content-Length",
	    "Keep-Alive", "Proxy-Connection", "TE", "Trailer",
	    "Transfer-Encoding", "Upgrade"};

	for (size_t i = 0; i < array_count(ours); i++) {
		if (bytes_equal_nocase(name, bytes_from(ours[i])))
			return true;
	}
	return false;
}

void
reader_pairs(struct reader *reader, const struct node *node, bool removals,
    struct config_pair **ret, unsigned *ret_count)
{
	struct config_pair *pairs;
	unsigned count = 0;

	if (node->kind == NODE_NULL)
		return;
	if (node->kind != NODE_MAP) {
		reader_mismatch(
		    reader, node, "a mapping of header fields", NULL);
		return;
	}
	pairs = reader_alloc(reader, max_of(node->count, 1u) * sizeof(*pairs));
	if (pairs == NULL)
		return;
	for (const struct node_link *link = node->first; link != NULL;
	     link = link->next) {
		if (!reader_budget(reader, link->value))
			return;
		if (value_field_is_ours(link->key->text))
			reader_error(reader, link->key, NULL,
			    "weir alone writes `%.*s`",
			    (int)link->key->text.length, link->key->text.at);
		value_pair(reader, link, removals, &pairs[count++]);
	}
	*ret = pairs;
	*ret_count = count;
}

const struct shape shape_header_value = {.kind = SHAPE_TEXT, .scalar = true};
static const struct shape value_null = {
    .kind = SHAPE_ENUM, .word = "null", .names = (const char *const[]){NULL}};
const struct shape shape_header_edit = {
    .kind = SHAPE_ONE_OF,
    .forms =
	(const struct shape *const[]){&shape_header_value, &value_null, NULL},
};

/* ---- regular expressions ---- */

const struct config_regex *
reader_regex(struct reader *reader, const struct node *node)
{
	const struct config_regex *regex = NULL;
	struct config_regex_error error;
	struct node spot;
	int r;

	if (node->kind != NODE_TEXT || node->text.length == 0) {
		reader_mismatch(reader, node, "a regular expression", NULL);
		return NULL;
	}
	if (node->text.length > REGEX_PATTERN_MAX) {
		reader_error(reader, node, NULL,
		    "a regular expression is at most 4096 bytes long");
		return NULL;
	}
	r = config_regex_compile(reader->arena, node->text, &regex, &error);
	if (r == 0) {
		reader->regex_keep(reader, regex);
		return regex;
	}
	if (r == -ENOMEM) {
		reader->out_of_memory = true;
		return NULL;
	}
	/* Where the text stands in the file byte for byte, the caret goes to
	 * PCRE2's offset. */
	spot = *node;
	if (node->text.length + 2 * !node->plain == (size_t)spot.spot.width) {
		spot.spot.column += (int)error.offset + !node->plain;
		spot.spot.width = 1;
	}
	reader_error(reader, &spot, NULL, "`%s` does not compile: %s",
	    reader->key, error.text);
	return NULL;
}
