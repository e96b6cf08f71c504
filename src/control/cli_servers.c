/*
 * cli_servers.c - weir servers
 */
#include <stdio.h>

#include "control/cli.h"
#include "control/cli_client.h"
#include "control/cli_show.h"
#include "control/cli_table.h"
#include "wire/url.h"

/* What counts for whether it gets requests, strongest first. */
static const char *
servers_state(struct json_object *server, enum cli_colour *ret_colour)
{
	const char *admin = show_text(server, "admin");
	const char *health = show_text(server, "health");

	*ret_colour = CLI_YELLOW;
	if (strcmp(admin, "ready") != 0)
		return strcmp(admin, "down") == 0 ? "set down" : admin;
	if (strcmp(health, "down") == 0 || show_true(server, "ejected")) {
		*ret_colour = CLI_RED;
		return strcmp(health, "down") == 0 ? "down" : "ejected";
	}
	if (health[0] == '\0' || strcmp(health, "unknown") == 0)
		return "unknown";
	*ret_colour = CLI_GREEN;
	return strcmp(health, "unchecked") == 0 ? "unchecked" : "up";
}

static void
servers_why(struct cli_table *table, struct json_object *server)
{
	char time[SHOW_TIME_BYTES];

	if (strcmp(show_text(server, "health"), "down") == 0)
		cli_table_line(table, CLI_PLAIN, "down for %s: %s",
		    show_time(time, show_fraction(server, "since_seconds")),
		    show_text(server, "reason"));
	else if (show_true(server, "ejected"))
		cli_table_line(table, CLI_PLAIN,
		    "left out for a while: real requests failed in a row");
}

static void
servers_row(struct cli_table *table, struct json_object *server)
{
	struct json_object *wait = show_member(server, "wait_ms_mean");
	enum cli_colour colour;
	const char *state = servers_state(server, &colour);
	char text[SHOW_COUNT_BYTES];

	cli_table_cell(table, CLI_PLAIN, "%s/%s", show_text(server, "pool"),
	    show_text(server, "server"));
	cli_table_cell(table, colour, "%s%s", state,
	    show_true(server, "backup") ? " (backup)" : "");
	cli_table_cell(
	    table, CLI_PLAIN, "%lld", (long long)show_number(server, "weight"));
	cli_table_cell(table, CLI_PLAIN, "%s",
	    show_count(text, show_number(server, "in_flight")));
	cli_table_cell(table, CLI_PLAIN, "%s",
	    show_count(text, show_number(server, "requests")));
	cli_table_cell(table,
	    show_number(server, "failures") != 0 ? CLI_YELLOW : CLI_PLAIN, "%s",
	    show_count(text, show_number(server, "failures")));
	if (wait == NULL)
		cli_table_cell(table, CLI_PLAIN, "-");
	else
		cli_table_cell(
		    table, CLI_PLAIN, "%.1f ms", json_object_get_double(wait));
	servers_why(table, server);
}

static void
servers_show(struct json_object *answer)
{
	static const char *const titles[] = {
	    "SERVER", "STATE", "WEIGHT", "BUSY", "REQUESTS", "FAILED", "WAIT"};
	struct json_object *servers = show_member(answer, "servers");
	struct cli_table table;

	cli_table_init(&table, array_count(titles), 0x7cu);
	for (size_t i = 0; i < array_count(titles); i++)
		cli_table_cell(&table, CLI_BOLD, "%s", titles[i]);
	for (size_t i = 0; i < json_object_array_length(servers); i++)
		servers_row(&table, json_object_array_get_idx(servers, i));
	cli_table_print(&table, show_colour());
}

static void
servers_names(struct json_object *answer)
{
	struct json_object *servers = show_member(answer, "servers");

	for (size_t i = 0; i < json_object_array_length(servers); i++) {
		struct json_object *s = json_object_array_get_idx(servers, i);

		printf("%s/%s\n", show_text(s, "pool"), show_text(s, "server"));
	}
}

int
verb_servers(int argc, char **argv)
{
	char memory[1024];
	struct appender path = appender_over(memory, sizeof(memory) - 1);
	struct cli_options options;
	int r = cli_options_parse(
	    argc, argv, CLI_JSON | CLI_WATCH | CLI_NAMES, 0, 1, &options);

	if (r != 0)
		return r;
	append_literal(&path, "/v1/servers");
	if (options.argument_count != 0) {
		append_literal(&path, "?pool=");
		url_escape_path(bytes_from(options.arguments[0]), &path);
	}
	if (path.overflowed)
		return cli_usage_error(argv[0], "the pool's name is too long");
	memory[path.length] = '\0';
	return show_repeated(&options, memory,
	    (options.flags & CLI_NAMES) != 0 ? servers_names : servers_show);
}
