/*
 * cli_status.c - weir status
 */
#include <stdio.h>

#include "control/cli.h"
#include "control/cli_client.h"
#include "control/cli_show.h"
#include "control/cli_table.h"

static void
status_head(struct json_object *o)
{
	struct json_object *config = show_member(o, "config");
	char time[SHOW_TIME_BYTES];

	printf("%sweir %s%s, up %s, %lld worker threads on %s%s\n",
	    cli_colour_begin(CLI_BOLD, show_colour()), show_text(o, "version"),
	    cli_colour_end(CLI_BOLD, show_colour()),
	    show_time(time, show_fraction(o, "uptime_seconds")),
	    (long long)show_number(o, "worker_threads"),
	    show_text(o, "backend"),
	    show_true(o, "draining") ? ", draining" : "");
	printf("%s, version %lld of %s\n", show_text(config, "file"),
	    (long long)show_number(config, "version"),
	    show_text(config, "loaded"));
	printf("reloads: %lld loaded, %lld refused\n",
	    (long long)show_number(config, "reloads_loaded"),
	    (long long)show_number(config, "reloads_refused"));
}

static void
status_role(struct cli_table *table, struct json_object *role)
{
	bool runs = show_number(role, "pid") != 0;
	int64_t restarts = show_number(role, "restarts");
	char time[SHOW_TIME_BYTES];

	cli_table_cell(table, CLI_PLAIN, "%s", show_text(role, "name"));
	if (runs) {
		cli_table_cell(table, CLI_PLAIN, "%lld",
		    (long long)show_number(role, "pid"));
		cli_table_cell(table, CLI_GREEN, "up %s",
		    show_time(time, show_fraction(role, "uptime_seconds")));
	} else {
		cli_table_cell(table, CLI_PLAIN, "-");
		cli_table_cell(table, CLI_RED, "not running");
	}
	cli_table_cell(table, restarts != 0 ? CLI_YELLOW : CLI_PLAIN, "%lld",
	    (long long)restarts);
	cli_table_cell(table, CLI_PLAIN, "%s", show_text(role, "last_exit"));
}

static void
status_roles(struct json_object *roles)
{
	static const char *const titles[] = {
	    "PROCESS", "PID", "STATE", "RESTARTS", "LAST ENDED"};
	struct cli_table table;

	cli_table_init(&table, array_count(titles), 1u << 1 | 1u << 3);
	for (size_t i = 0; i < array_count(titles); i++)
		cli_table_cell(&table, CLI_BOLD, "%s", titles[i]);
	for (size_t i = 0; i < json_object_array_length(roles); i++)
		status_role(&table, json_object_array_get_idx(roles, i));
	cli_table_print(&table, show_colour());
}

static void
status_traffic(struct json_object *o)
{
	static const char *const classes[] = {
	    "1xx", "2xx", "3xx", "4xx", "5xx"};
	struct json_object *connections = show_member(o, "connections");
	struct json_object *requests = show_member(o, "requests");
	char text[SHOW_COUNT_BYTES];

	printf("connections: %s open, ",
	    show_count(text, show_number(connections, "open")));
	printf("%s active, ",
	    show_count(text, show_number(connections, "active")));
	printf("%s accepted, ",
	    show_count(text, show_number(connections, "accepted")));
	printf("%s refused\n",
	    show_count(text, show_number(connections, "refused")));
	printf("requests:    %s in flight, ",
	    show_count(text, show_number(requests, "in_flight")));
	printf("%s in all;", show_count(text, show_number(requests, "total")));
	for (size_t i = 0; i < array_count(classes); i++)
		printf(" %s: %s", classes[i],
		    show_count(text, show_number(requests, classes[i])));
	printf("\n");
}

static void
status_pools(struct json_object *pools)
{
	struct cli_table table;

	cli_table_init(&table, 2, 0);
	cli_table_cell(&table, CLI_BOLD, "POOL");
	cli_table_cell(&table, CLI_BOLD, "USABLE SERVERS");
	for (size_t i = 0; i < json_object_array_length(pools); i++) {
		struct json_object *pool = json_object_array_get_idx(pools, i);
		int64_t all = show_number(pool, "servers");
		int64_t usable = show_number(pool, "usable");

		cli_table_cell(
		    &table, CLI_PLAIN, "%s", show_text(pool, "name"));
		cli_table_cell(&table,
		    usable == all     ? CLI_GREEN
			: usable != 0 ? CLI_YELLOW
				      : CLI_RED,
		    "%lld of %lld", (long long)usable, (long long)all);
	}
	cli_table_print(&table, show_colour());
}

static void
status_show(struct json_object *o)
{
	struct json_object *pools = show_member(o, "pools");

	status_head(o);
	printf("\n");
	status_roles(show_member(o, "roles"));
	printf("\n");
	status_traffic(o);
	if (json_object_array_length(pools) != 0) {
		printf("\n");
		status_pools(pools);
	}
}

int
verb_status(int argc, char **argv)
{
	struct cli_options options;
	int r =
	    cli_options_parse(argc, argv, CLI_JSON | CLI_WATCH, 0, 0, &options);

	if (r != 0)
		return r;
	return show_repeated(&options, "/v1/status", status_show);
}
