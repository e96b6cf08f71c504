/*
 * config.c - any bytes as a configuration file
 *
 * What is accepted is compared with itself: it differs in nothing, and every
 * index lies within its array.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "config/config.h"
#include "config/diff.h"
#include "config/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_line(void *arg, const char *text)
{
	fprintf(stderr, "%s\n", text);
}

static void
fuzz_snapshot_check(const struct snapshot *s)
{
	char why[256];

	must(config_diff(s, s, fuzz_line, NULL) == 0);
	must(!config_needs_restart(s, s, why, sizeof(why)));
	must(s->site_count != 0);
	for (unsigned i = 0; i < s->site_count; i++) {
		const struct config_site *site = &s->sites[i];

		must(site->index == i);
		must(site->host_count != 0 && site->listener_count != 0);
		for (unsigned j = 0; j < site->listener_count; j++)
			must(site->listeners[j] < s->listener_count);
		for (unsigned j = 0; j < site->route_count; j++) {
			const struct config_route *route = &site->routes[j];

			must(route->files != NULL);
			must(route->action != ACTION_REVERSE ||
			    s->pools[route->reverse->pool->index].servers ==
				route->reverse->pool->servers);
		}
	}
	for (unsigned i = 0; i < s->listener_count; i++) {
		must(s->listeners[i].default_site < (int)s->site_count);
		must(s->listeners[i].address.length != 0);
	}
	for (unsigned i = 0; i < s->pool_count; i++)
		must(s->pools[i].index == i && s->pools[i].server_count != 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *null;
	struct bytes text = bytes_of((const char *)data, size);
	struct config_errors errors;
	struct snapshot *snapshot = NULL;
	int r;

	if (null == NULL)
		null = fopen("/dev/null", "w");
	config_errors_init(&errors, "/etc/weir/weir.yaml", text);
	r = snapshot_build(text, "/etc/weir/weir.yaml", &errors, &snapshot);
	must((r == 0) == (snapshot != NULL));
	must((r == E_CONFIG_INVALID) == (errors.count != 0));
	config_errors_print(&errors, null, true);
	if (snapshot != NULL)
		fuzz_snapshot_check(snapshot);
	snapshot_free(snapshot);
	config_errors_fini(&errors);
	return 0;
}
