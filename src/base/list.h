/*
 * list.h - intrusive doubly linked list
 *
 * Layer      base
 * Memory     two pointers in the element; a node not on a list points to
 *            itself after list_init() or list_remove()
 * Cost       every operation O(1)
 */
#pragma once

#include "base/cc.h"

struct list {
	struct list *next;
	struct list *prev;
};

static inline void
list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void
list_insert_after(struct list *where, struct list *node)
{
	node->next = where->next;
	node->prev = where;
	where->next->prev = node;
	where->next = node;
}

static inline void
list_push_back(struct list *l, struct list *node)
{
	list_insert_after(l->prev, node);
}

static inline void
list_push_front(struct list *l, struct list *node)
{
	list_insert_after(l, node);
}

static inline void
list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

static inline struct list *
list_pop_front(struct list *l)
{
	struct list *node = l->next;

	if (node == l)
		return NULL;
	list_remove(node);
	return node;
}

#define list_each(node, l)                                                     \
	for (struct list *node = (l)->next; node != (l); node = node->next)

/* @node may be removed inside the loop. */
#define list_each_safe(node, l)                                                \
	for (struct list *node = (l)->next, *node##_next = node->next;         \
	     node != (l); node = node##_next, node##_next = node->next)
