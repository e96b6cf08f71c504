/*
 * manager_read.c - the files of a configuration, read on a thread of the pool
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "main/manager.h"
#include "runtime/runtime.h"

/* In use by a thread of the pool, perhaps for longer than anybody waits. */
struct manager_load {
	const char *path;
	uint64_t version;
	FILE *why;
	char *text; /* what was written to @why */
	size_t length;
	struct edition *edition;
	int result;
};

static struct manager_load *
manager_load_new(struct manager *manager)
{
	struct manager_load *load = calloc(1, sizeof(*load));

	if (load == NULL)
		return NULL;
	load->path = manager->options->path;
	load->version = manager->version_last + 1;
	load->result = -ECANCELED;
	load->why = open_memstream(&load->text, &load->length);
	if (load->why != NULL)
		return load;
	free(load);
	return NULL;
}

static int
manager_load_run(void *arg)
{
	struct manager_load *load = arg;

	load->result =
	    edition_load(load->path, load->version, load->why, &load->edition);
	return 0;
}

/* Returns its text: the caller's. */
static char *
manager_load_free(struct manager_load *load)
{
	char *text;

	fclose(load->why);
	text = load->text;
	free(load);
	return text;
}

static void
manager_load_release(void *arg)
{
	struct manager_load *load = arg;

	if (load->result == 0)
		edition_close(load->edition, NULL);
	free(manager_load_free(load));
}

int
manager_edition_read(struct manager *manager, instant deadline,
    struct edition **ret_edition, char **ret_text)
{
	struct manager_load *load = manager_load_new(manager);
	int r;

	*ret_text = NULL;
	if (load == NULL)
		return -ENOMEM;
	r = offload_run(manager_load_run, load, manager_load_release, deadline);
	if (r < 0)
		return r;
	r = load->result;
	if (r == 0) {
		manager->version_last = load->version;
		r = edition_open(load->edition, &manager->listening,
		    manager->threads, load->why);
		if (r < 0)
			edition_close(load->edition, manager->current);
		else
			*ret_edition = load->edition;
	}
	*ret_text = manager_load_free(load);
	return r;
}
