/*
 * cli_change.c - the verbs that change something, and those that print what
 * the program sends
 */
#include <stdio.h>
#include <stdlib.h>

#include "control/admin_change.h"
#include "control/cli.h"
#include "control/cli_client.h"
#include "control/cli_show.h"
#include "wire/url.h"

/* POST, and print the program's answer. */
static int
change_post(
    const struct cli_options *options, const char *path, struct bytes body)
{
	struct json_object *answer;
	const char *message;
	size_t length;
	char *text;
	int r = cli_ask(options, "POST", path, body, &text, &length);

	if (r != 0)
		return r;
	answer = json_tokener_parse(text);
	message = show_text(answer, "message");
	if (message[0] != '\0')
		printf("%s\n", message);
	json_object_put(answer);
	free(text);
	return 0;
}

/* /v1/servers/POOL[/SERVER] of "POOL[/SERVER]". */
static int
change_server(const struct cli_options *options, const char *body)
{
	char memory[1024];
	struct appender path = appender_over(memory, sizeof(memory) - 1);

	append_literal(&path, "/v1/servers/");
	url_escape_path(bytes_from(options->arguments[0]), &path);
	if (path.overflowed || options->arguments[0][0] == '/' ||
	    options->arguments[0][0] == '\0')
		return cli_usage_error(options->verb,
		    "%s is no POOL or POOL/SERVER; see weir servers",
		    options->arguments[0]);
	memory[path.length] = '\0';
	return change_post(options, memory, bytes_from(body));
}

static int
change_state(int argc, char **argv, const char *body)
{
	struct cli_options options;
	int r = cli_options_parse(argc, argv, 0, 1, 1, &options);

	return r != 0 ? r : change_server(&options, body);
}

int
verb_drain(int argc, char **argv)
{
	return change_state(argc, argv, "{\"state\":\"drain\"}");
}

int
verb_ready(int argc, char **argv)
{
	return change_state(argc, argv, "{\"state\":\"ready\"}");
}

int
verb_down(int argc, char **argv)
{
	return change_state(argc, argv, "{\"state\":\"down\"}");
}

int
verb_weight(int argc, char **argv)
{
	struct cli_options options;
	uint64_t weight;
	char body[64];
	int r = cli_options_parse(argc, argv, 0, 2, 2, &options);

	if (r != 0)
		return r;
	if (strcmp(options.arguments[1], "default") == 0)
		return change_server(&options, "{\"weight\":null}");
	if (bytes_to_u64(bytes_from(options.arguments[1]), ADMIN_WEIGHT_MAX,
		&weight) < 0)
		return cli_usage_error(argv[0],
		    "%s is no whole number from 0 to %d, nor `default`",
		    options.arguments[1], ADMIN_WEIGHT_MAX);
	(void)snprintf(body, sizeof(body), "{\"weight\":%llu}",
	    (unsigned long long)weight);
	return change_server(&options, body);
}

int
verb_reload(int argc, char **argv)
{
	struct cli_options options;
	int r = cli_options_parse(argc, argv, 0, 0, 0, &options);

	return r != 0 ? r : change_post(&options, "/v1/reload", BYTES(""));
}

int
verb_stop(int argc, char **argv)
{
	struct cli_options options;
	int r = cli_options_parse(argc, argv, 0, 0, 0, &options);

	return r != 0 ? r : change_post(&options, "/v1/stop", BYTES(""));
}

static int
print_text(int argc, char **argv, const char *path)
{
	struct cli_options options;
	size_t length;
	char *text;
	int r = cli_options_parse(argc, argv, 0, 0, 0, &options);

	if (r == 0)
		r = cli_ask(
		    &options, "GET", path, bytes_of(NULL, 0), &text, &length);
	if (r != 0)
		return r;
	r = fwrite(text, 1, length, stdout) == length && fflush(stdout) == 0
	    ? 0
	    : 1;
	free(text);
	return r;
}

int
verb_dump(int argc, char **argv)
{
	return print_text(argc, argv, "/v1/dump");
}

int
verb_metrics(int argc, char **argv)
{
	return print_text(argc, argv, "/metrics");
}
