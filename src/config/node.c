#include "config/node.h"

const struct node_link *
node_find(const struct node *map, struct bytes key)
{
	if (map == NULL || map->kind != NODE_MAP)
		return NULL;
	for (const struct node_link *link = map->first; link != NULL;
	     link = link->next) {
		if (bytes_equal(link->key->text, key))
			return link;
	}
	return NULL;
}

const struct node *
node_get(const struct node *map, const char *key)
{
	const struct node_link *link = node_find(map, bytes_from(key));

	return link != NULL ? link->value : NULL;
}

const struct node *
node_item(const struct node *list, unsigned index)
{
	const struct node_link *link;

	if (list == NULL || list->kind != NODE_LIST)
		return NULL;
	for (link = list->first; link != NULL && index > 0; index--)
		link = link->next;
	return link != NULL ? link->value : NULL;
}
