/*
 * node.h - the file as a tree, every node with its place
 *
 * Layer      config
 * Memory     nodes lie in the arena they were built in; texts too
 * Invariant  no cycles; an alias is the anchor's own node, so a node may be
 *            reached by more than one road; keys are unique in their mapping
 * Limits     NODE_DEPTH_MAX levels, NODE_KEYS_MAX keys in a mapping,
 *            NODE_COUNT_MAX nodes
 */
#pragma once

#include "base/arena.h"
#include "config/errors.h"

#define NODE_DEPTH_MAX 32
#define NODE_KEYS_MAX  4096
#define NODE_COUNT_MAX (1 << 20)

enum node_kind { NODE_NULL, NODE_TEXT, NODE_LIST, NODE_MAP };

struct node;
struct node_link {
	struct node_link *next;
	const struct node *key; /* NULL in a list */
	const struct node *value;
};

struct node {
	enum node_kind kind;
	bool plain; /* a scalar without quotes */
	bool open; /* its end was not read yet */
	struct config_spot spot;
	struct bytes text; /* of a scalar */
	struct node_link *first, *last; /* of a list or mapping */
	unsigned count;
	/* Of kind, text and what is beneath it, whatever the order of keys:
	 * equal for what means the same. */
	uint64_t digest;
};

/* The link of the key, or NULL; @map may be of any kind. */
const struct node_link *node_find(const struct node *map, struct bytes key);
/* The value at the key, or NULL. */
const struct node *node_get(const struct node *map, const char *key);
/* The item of a list, or NULL; @list may be of any kind. */
const struct node *node_item(const struct node *list, unsigned index);

/*
 * yaml_read - the tree of a YAML document
 *
 * Anchors, aliases and merge keys (`<<`) are resolved; explicit keys win over
 * merged ones, earlier merged mappings over later ones. *@ret is NULL when
 * the document is empty.
 *
 * Returns    0 (mistakes that leave a tree to look at may have been noted),
 *            E_CONFIG_INVALID (there is no tree; *@errors says why), -ENOMEM
 */
MUST_CHECK
int yaml_read(struct bytes text, struct arena *arena,
    struct config_errors *errors, const struct node **ret);
