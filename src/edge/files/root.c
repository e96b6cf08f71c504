#include "edge/files/root.h"

#include <errno.h>
#include <stdlib.h>

#include "edge/files/cache.h"

static void
root_free(struct files_root *root)
{
	list_remove(&root->node);
	file_close(root->fd);
	free(root);
}

/* The root of @instance, moved to the front; a new, empty one; or NULL. */
static struct files_root *
root_of(struct list *roots, uint64_t instance)
{
	struct files_root *root;

	list_each (node, roots) {
		root = container_of(node, struct files_root, node);
		if (root->instance == instance) {
			list_remove(&root->node);
			list_push_front(roots, &root->node);
			return root;
		}
	}
	root = malloc(sizeof(*root));
	if (root != NULL) {
		*root = (struct files_root){.instance = instance, .fd = -1};
		list_push_front(roots, &root->node);
	}
	return root;
}

/* Open the path anew; keep the descriptor we have when it is the same. */
static int
root_look(struct files_root *root, const char *path)
{
	struct file_stat stat = {0};
	int fd = file_root_open(path), r;

	if (fd < 0)
		return fd;
	r = file_stat_get(fd, &stat);
	if (r < 0 ||
	    (root->fd >= 0 && root->stat.inode == stat.inode &&
		root->stat.device == stat.device)) {
		file_close(fd);
		return r;
	}
	file_close(root->fd);
	root->fd = fd;
	root->stat = stat;
	return 0;
}

int
files_root_get(
    struct list *roots, const struct config_files *config, instant now)
{
	struct files_root *root = root_of(roots, config->instance);
	char path[4096];
	int r;

	if (root == NULL)
		return -ENOMEM;
	if (root->fd >= 0 &&
	    instant_since(now, root->checked).ns <
		duration_ms(FILES_ROOT_CHECK_MS).ns)
		return root->fd;
	if (config->root.length >= sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, config->root.at, config->root.length);
	path[config->root.length] = '\0';
	r = root_look(root, path);
	if (r < 0) {
		root_free(root);
		return r;
	}
	root->checked = now;
	return root->fd;
}

void
files_roots_sweep(struct list *roots, instant now)
{
	list_each_safe (node, roots) {
		struct files_root *root =
		    container_of(node, struct files_root, node);

		if (instant_since(now, root->checked).ns >
		    duration_s(FILES_IDLE_S).ns)
			root_free(root);
	}
}

void
files_roots_fini(struct list *roots)
{
	while (!list_empty(roots))
		root_free(container_of(roots->next, struct files_root, node));
}
