/*
 * yaml.c - from libfyaml's events to nodes
 *
 * Only the parser of libfyaml is used: its documents copy what an alias names
 * (a file of a kilobyte can ask for gigabytes) and stop at the first duplicate
 * key. What the parser could trip over before it says so (encodings, control
 * characters) is looked for first.
 */
#include "config/node.h"

#include <errno.h>
#include <libfyaml.h>

#include "base/error.h"
#include "base/hash.h"

struct yaml_anchor {
	struct yaml_anchor *next;
	struct bytes name;
	const struct node *node;
};

struct yaml {
	struct arena *arena;
	struct config_errors *errors;
	struct fy_diag *diag;
	struct fy_parser *parser;
	struct fy_token_iter *iter;
	struct node *open[NODE_DEPTH_MAX];
	const struct node *key[NODE_DEPTH_MAX]; /* read, without its value */
	unsigned depth;
	unsigned documents;
	unsigned count; /* nodes and links */
	const struct node *root;
	struct yaml_anchor *anchors; /* the latest first */
	bool stopped; /* by an error after which nothing makes sense */
	int error; /* -ENOMEM */
};

/* ---- before the parser ---- */

/* The length of the UTF-8 sequence at @s (RFC 3629 §4), 0: not one. */
static size_t
yaml_utf8_length(const unsigned char *s, size_t room)
{
	size_t length = s[0] < 0x80 ? 1
	    : s[0] < 0xc2           ? 0
	    : s[0] < 0xe0           ? 2
	    : s[0] < 0xf0           ? 3
	    : s[0] < 0xf5           ? 4
				    : 0;

	if (length > room)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

static bool
yaml_is_control(unsigned char c)
{
	return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
}

static int
yaml_bytes_check(struct bytes text, struct config_errors *errors)
{
	struct config_spot spot = {1, 1, 1};

	for (size_t i = 0; i < text.length; spot.column++) {
		const unsigned char *s = (const unsigned char *)text.at + i;
		size_t length = yaml_utf8_length(s, text.length - i);

		if (length == 0 || yaml_is_control(*s)) {
			config_errors_add(errors, spot,
			    length == 0 ? "save the file as UTF-8" : NULL,
			    length == 0
				? "byte 0x%02x is not part of a UTF-8 text"
				: "control character 0x%02x",
			    *s);
			return E_CONFIG_INVALID;
		}
		if (*s == '\n') {
			spot.line++;
			spot.column = 0;
		}
		i += length;
	}
	return 0;
}

/* ---- nodes ---- */

static void
yaml_fail(struct yaml *y, struct config_spot spot, const char *remedy,
    const char *message)
{
	config_errors_add(y->errors, spot, remedy, "%s", message);
	y->stopped = true;
}

static void *
yaml_alloc(struct yaml *y, size_t bytes)
{
	void *memory = arena_zero(y->arena, bytes);

	if (memory == NULL)
		y->error = -ENOMEM;
	return memory;
}

static struct config_spot
yaml_spot(struct fy_token *token)
{
	const struct fy_mark *start =
	    token != NULL ? fy_token_start_mark(token) : NULL;
	const struct fy_mark *end =
	    token != NULL ? fy_token_end_mark(token) : NULL;
	struct config_spot spot = {0, 0, 1};

	if (start == NULL)
		return spot;
	spot.line = start->line + 1;
	spot.column = start->column + 1;
	if (end != NULL && end->line == start->line)
		spot.width = end->column - start->column;
	else if (end != NULL)
		spot.width = INT16_MAX; /* to the end of the line */
	spot.width = max_of(spot.width, 1);
	return spot;
}

/* A quote belongs to what the caret underlines. */
static struct config_spot
yaml_quoted_spot(struct fy_token *token, bool empty)
{
	struct config_spot spot = yaml_spot(token);
	enum fy_scalar_style style = fy_token_scalar_style(token);

	if ((style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) &&
	    spot.column > 1) {
		spot.column--;
		spot.width = empty ? 2 : spot.width + 2;
	}
	return spot;
}

/*
 * The token's text, copied; at == NULL: no memory. Read through the iterator:
 * fy_token_get_text() leaks where a text has many parts (0.7.12). Escapes make
 * a text shorter, but for \P and \L: two bytes become three.
 */
static struct bytes
yaml_text(struct yaml *y, struct fy_token *token)
{
	const struct fy_mark *start = fy_token_start_mark(token);
	const struct fy_mark *end = fy_token_end_mark(token);
	size_t capacity = start != NULL && end != NULL
	    ? 2 * (end->input_pos - start->input_pos) + 1
	    : 1;
	const struct fy_iter_chunk *chunk = NULL;
	struct appender text =
	    appender_over(arena_alloc(y->arena, capacity), capacity);
	int error;

	if (text.at == NULL) {
		y->error = -ENOMEM;
		return bytes_of(NULL, 0);
	}
	if (capacity > 1) {
		fy_token_iter_start(token, y->iter);
		while ((chunk = fy_token_iter_chunk_next(
			    y->iter, chunk, &error)) != NULL)
			append(&text, chunk->str, chunk->len);
		fy_token_iter_finish(y->iter);
	}
	append_char(&text, '\0');
	if (never(text.overflowed))
		yaml_fail(y, yaml_spot(token), NULL, "this text is not read");
	return bytes_of(text.at, text.length - 1);
}

static bool
yaml_is_null(struct bytes text)
{
	return text.length == 0 || bytes_equal(text, BYTES("~")) ||
	    bytes_equal(text, BYTES("null")) ||
	    bytes_equal(text, BYTES("Null")) ||
	    bytes_equal(text, BYTES("NULL"));
}

static struct node *
yaml_node_new(struct yaml *y, enum node_kind kind, struct config_spot spot)
{
	struct node *node = yaml_alloc(y, sizeof(*node));

	if (node == NULL)
		return NULL;
	if (++y->count > NODE_COUNT_MAX) {
		yaml_fail(y, spot, NULL, "the file has too many values");
		return NULL;
	}
	node->kind = kind;
	node->spot = spot;
	return node;
}

/* A value without a token (`key:`) stands where its key stands. */
static struct config_spot
yaml_spot_or_key(const struct yaml *y, struct config_spot spot)
{
	if (spot.line == 0 && y->depth > 0) {
		const struct node *key = y->key[y->depth - 1];

		return key != NULL ? key->spot : y->open[y->depth - 1]->spot;
	}
	return spot;
}

static struct node *
yaml_scalar(struct yaml *y, struct fy_token *token)
{
	struct bytes text = yaml_text(y, token);
	struct config_spot spot =
	    yaml_spot_or_key(y, yaml_quoted_spot(token, text.length == 0));
	struct node *node = yaml_node_new(y, NODE_TEXT, spot);

	if (node == NULL)
		return NULL;
	node->text = text;
	node->plain = fy_token_scalar_style(token) == FYSS_PLAIN;
	if (node->plain && yaml_is_null(node->text))
		node->kind = NODE_NULL;
	node->digest = hash_pair(node->kind, hash_bytes(node->text, 0));
	return node;
}

static void
yaml_link_add(struct yaml *y, struct node *node, const struct node *key,
    const struct node *value)
{
	struct node_link *link = yaml_alloc(y, sizeof(*link));

	if (link == NULL)
		return;
	if (++y->count > NODE_COUNT_MAX) {
		yaml_fail(y, value->spot, NULL, "the file has too many values");
		return;
	}
	*link = (struct node_link){NULL, key, value};
	if (node->last != NULL)
		node->last->next = link;
	else
		node->first = link;
	node->last = link;
	node->count++;
}

static bool
yaml_is_merge(const struct node *key)
{
	return key->plain && bytes_equal(key->text, BYTES("<<"));
}

static void
yaml_key_check(struct yaml *y, const struct node *map, const struct node *key)
{
	const struct node_link *before;

	if (map->count >= NODE_KEYS_MAX) {
		yaml_fail(
		    y, key->spot, NULL, "more than 4096 keys in one mapping");
		return;
	}
	before = node_find(map, key->text);
	if (before != NULL)
		config_errors_add(y->errors, key->spot, NULL,
		    "`%.*s` is here twice; the first is in line %d",
		    (int)min_of(key->text.length, (size_t)80), key->text.at,
		    before->key->spot.line);
}
_Static_assert(NODE_KEYS_MAX == 4096, "the message names it");

/* A value is complete: it goes where it belongs. */
static void
yaml_place(struct yaml *y, const struct node *value)
{
	struct node *parent = y->depth > 0 ? y->open[y->depth - 1] : NULL;
	const struct node **key = &y->key[y->depth > 0 ? y->depth - 1 : 0];

	if (parent == NULL) {
		y->root = value;
	} else if (parent->kind == NODE_LIST) {
		yaml_link_add(y, parent, NULL, value);
	} else if (*key == NULL) {
		if (value->kind != NODE_TEXT && value->kind != NODE_NULL)
			yaml_fail(
			    y, value->spot, NULL, "a key must be a plain text");
		else if (!yaml_is_merge(value))
			yaml_key_check(y, parent, value);
		*key = value;
	} else {
		yaml_link_add(y, parent, *key, value);
		*key = NULL;
	}
}

static void
yaml_anchor_add(struct yaml *y, struct fy_token *token, const struct node *node)
{
	struct yaml_anchor *anchor;

	if (token == NULL || node == NULL)
		return;
	anchor = yaml_alloc(y, sizeof(*anchor));
	if (anchor == NULL)
		return;
	anchor->name = yaml_text(y, token);
	anchor->node = node;
	anchor->next = y->anchors;
	y->anchors = anchor;
}

static void
yaml_alias(struct yaml *y, struct fy_token *token)
{
	struct config_spot spot = yaml_spot(token);
	struct bytes name = yaml_text(y, token);
	const struct yaml_anchor *anchor = y->anchors;

	spot.column = max_of(spot.column - 1, 1); /* the asterisk */
	spot.width++;
	while (anchor != NULL && !bytes_equal(anchor->name, name))
		anchor = anchor->next;
	if (anchor == NULL)
		yaml_fail(y, spot, NULL, "no anchor of that name stands above");
	else if (anchor->node->open)
		yaml_fail(y, spot, NULL, "an alias inside of its own anchor");
	else
		yaml_place(y, anchor->node);
}

/* ---- mappings and lists ---- */

static void
yaml_open(struct yaml *y, enum node_kind kind, struct fy_token *token,
    struct fy_token *anchor)
{
	struct config_spot spot = yaml_spot_or_key(y, yaml_spot(token));
	struct node *node = yaml_node_new(y, kind, spot);

	if (node == NULL)
		return;
	if (y->depth == NODE_DEPTH_MAX) {
		yaml_fail(y, spot, NULL, "more than 32 levels");
		return;
	}
	node->open = true;
	yaml_anchor_add(y, anchor, node);
	y->key[y->depth] = NULL;
	y->open[y->depth++] = node;
}
_Static_assert(NODE_DEPTH_MAX == 32, "the message names it");

static void
yaml_merge_one(struct yaml *y, struct node *into, const struct node *from)
{
	if (from->kind != NODE_MAP) {
		yaml_fail(y, from->spot, NULL,
		    "`<<` takes a mapping, or a list of mappings");
		return;
	}
	for (const struct node_link *link = from->first;
	     link != NULL && !y->stopped && y->error == 0; link = link->next) {
		if (into->count >= NODE_KEYS_MAX)
			yaml_fail(y, link->key->spot, NULL,
			    "more than 4096 keys in one mapping");
		else if (node_find(into, link->key->text) == NULL)
			yaml_link_add(y, into, link->key, link->value);
	}
}

static void
yaml_merge(struct yaml *y, struct node *into, const struct node *from)
{
	if (from->kind != NODE_LIST) {
		yaml_merge_one(y, into, from);
		return;
	}
	for (const struct node_link *link = from->first;
	     link != NULL && !y->stopped && y->error == 0; link = link->next)
		yaml_merge_one(y, into, link->value);
}

/* Take the `<<` keys out and put in what they name. */
static void
yaml_merges(struct yaml *y, struct node *map)
{
	struct node_link *merges = NULL, **merges_end = &merges;
	struct node_link *link = map->first, *next;

	map->first = map->last = NULL;
	map->count = 0;
	for (; link != NULL; link = next) {
		next = link->next;
		link->next = NULL;
		if (yaml_is_merge(link->key)) {
			*merges_end = link;
			merges_end = &link->next;
			continue;
		}
		if (map->last != NULL)
			map->last->next = link;
		else
			map->first = link;
		map->last = link;
		map->count++;
	}
	for (link = merges; link != NULL && !y->stopped && y->error == 0;
	     link = link->next)
		yaml_merge(y, map, link->value);
}

static void
yaml_digest(struct node *node)
{
	uint64_t digest = node->count;

	for (const struct node_link *link = node->first; link != NULL;
	     link = link->next) {
		if (node->kind == NODE_MAP)
			digest +=
			    hash_pair(link->key->digest, link->value->digest);
		else
			digest = hash_pair(digest, link->value->digest);
	}
	node->digest = hash_pair(node->kind, digest);
}

static void
yaml_close(struct yaml *y)
{
	struct node *node;

	if (y->depth == 0)
		return;
	node = y->open[--y->depth];
	node->open = false;
	if (node->kind == NODE_MAP)
		yaml_merges(y, node);
	yaml_digest(node);
	if (!y->stopped)
		yaml_place(y, node);
}

/* ---- events ---- */

static void
yaml_tag_refuse(struct yaml *y, struct fy_token *tag)
{
	if (tag != NULL)
		config_errors_add(y->errors, yaml_spot(tag), NULL,
		    "tags have no meaning here");
}

static void
yaml_document_start(struct yaml *y, const struct fy_event *event)
{
	struct config_spot spot = {1, 1, 1};

	if (y->documents++ == 0)
		return;
	if (event->document_start.document_start != NULL)
		spot = yaml_spot(event->document_start.document_start);
	yaml_fail(y, spot, NULL, "a second document; weir reads one");
}

static void
yaml_event(struct yaml *y, const struct fy_event *event)
{
	struct node *node;

	switch (event->type) {
	case FYET_DOCUMENT_START:
		yaml_document_start(y, event);
		break;
	case FYET_MAPPING_START:
		yaml_tag_refuse(y, event->mapping_start.tag);
		yaml_open(y, NODE_MAP, event->mapping_start.mapping_start,
		    event->mapping_start.anchor);
		break;
	case FYET_SEQUENCE_START:
		yaml_tag_refuse(y, event->sequence_start.tag);
		yaml_open(y, NODE_LIST, event->sequence_start.sequence_start,
		    event->sequence_start.anchor);
		break;
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		yaml_close(y);
		break;
	case FYET_SCALAR:
		yaml_tag_refuse(y, event->scalar.tag);
		node = yaml_scalar(y, event->scalar.value);
		yaml_anchor_add(y, event->scalar.anchor, node);
		if (node != NULL)
			yaml_place(y, node);
		break;
	case FYET_ALIAS:
		yaml_alias(y, event->alias.anchor);
		break;
	default:
		break;
	}
}

/* ---- the parser's own words ---- */

/* A position behind the last line is shown at its end. */
static struct config_spot
yaml_error_spot(const struct yaml *y, const struct fy_diag_error *error)
{
	struct config_spot spot = {
	    max_of(error->line, 1), max_of(error->column, 1), 1};
	struct bytes rest = y->errors->text, line = rest, last = rest;
	int lines = 0, last_line = 1;

	while (bytes_split(&rest, '\n', &line)) {
		lines++;
		if (bytes_trim(line).length != 0 && lines <= spot.line) {
			last = line;
			last_line = lines;
		}
	}
	if (spot.line <= lines && last_line == spot.line)
		return spot;
	spot.line = last_line;
	spot.column = 1;
	for (size_t i = 0; i < last.length; i++)
		spot.column += ((unsigned char)last.at[i] & 0xc0) != 0x80;
	return spot;
}

static void
yaml_errors_take(struct yaml *y)
{
	const struct fy_diag_error *error;
	void *position = NULL;
	unsigned before = y->errors->count;

	while ((error = fy_diag_errors_iterate(y->diag, &position)) != NULL) {
		if (error->type >= FYET_ERROR && error->msg != NULL)
			config_errors_add(y->errors, yaml_error_spot(y, error),
			    NULL, "%s", error->msg);
	}
	if (y->errors->count == before)
		config_errors_add(y->errors, (struct config_spot){0}, NULL,
		    "this is not YAML");
}

static void
yaml_output_drop(
    struct fy_diag *diag, void *user, const char *text, size_t length)
{
}

static int
yaml_parser_new(struct yaml *y, struct bytes text)
{
	struct fy_diag_cfg diag;
	struct fy_parse_cfg parse = {
	    .flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE,
	};

	fy_diag_cfg_default(&diag);
	diag.fp = NULL;
	diag.output_fn = yaml_output_drop;
	diag.colorize = false;
	y->diag = fy_diag_create(&diag);
	if (y->diag == NULL)
		return -ENOMEM;
	fy_diag_set_collect_errors(y->diag, true);
	parse.diag = y->diag;
	y->parser = fy_parser_create(&parse);
	y->iter = fy_token_iter_create(NULL);
	if (y->parser == NULL || y->iter == NULL ||
	    fy_parser_set_string(y->parser, text.at, text.length) != 0)
		return -ENOMEM;
	return 0;
}

static int
yaml_events(struct yaml *y)
{
	struct fy_event *event;

	while (!y->stopped && y->error == 0 &&
	    (event = fy_parser_parse(y->parser)) != NULL) {
		yaml_event(y, event);
		fy_parser_event_free(y->parser, event);
	}
	if (y->error != 0)
		return y->error;
	if (!y->stopped && !fy_parser_get_stream_error(y->parser))
		return 0;
	if (!y->stopped)
		yaml_errors_take(y);
	return E_CONFIG_INVALID;
}

int
yaml_read(struct bytes text, struct arena *arena, struct config_errors *errors,
    const struct node **ret)
{
	struct yaml y = {.arena = arena, .errors = errors};
	int r;

	*ret = NULL;
	if (text.length == 0)
		return 0;
	r = yaml_bytes_check(text, errors);
	if (r < 0)
		return r;
	r = yaml_parser_new(&y, text);
	if (r == 0)
		r = yaml_events(&y);
	if (y.iter != NULL)
		fy_token_iter_destroy(y.iter);
	if (y.parser != NULL)
		fy_parser_destroy(y.parser);
	if (y.diag != NULL)
		fy_diag_destroy(y.diag);
	if (r == 0)
		*ret = y.root;
	return r;
}
