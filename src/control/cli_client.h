/*
 * cli_client.h - a verb that asks the running program over its admin socket
 *
 * Layer      control
 * Threads    the only one of a short-lived process: calls block
 * Limits     CLI_ANSWER_BYTES an answer, CLI_TIMEOUT_S without a byte
 */
#pragma once

#include <json-c/json.h>

#include "base/bytes.h"

#define CLI_SOCKET_DEFAULT "/run/weir/admin.sock"
#define CLI_CONFIG_USUAL   "/etc/weir/weir.yaml"
#define CLI_ANSWER_BYTES   (64u << 20)
#define CLI_TIMEOUT_S      60
#define CLI_ARGUMENTS_MAX  2

/* What a verb may be given beyond --socket and --config. */
enum { CLI_JSON = 1, CLI_WATCH = 2, CLI_NAMES = 4 };

struct cli_options {
	const char *verb;
	const char *socket; /* NULL: of `config`, else of the usual file */
	const char *config;
	unsigned flags; /* CLI_* that were given */
	const char *arguments[CLI_ARGUMENTS_MAX];
	unsigned argument_count;
};

/* Returns 0, or 2 after it said on stderr what is wrong. */
MUST_CHECK
int cli_options_parse(int argc, char **argv, unsigned flags_allowed,
    unsigned arguments_min, unsigned arguments_max,
    struct cli_options *ret_options);

/*
 * cli_ask - one request and its answer
 *
 * @path   escaped
 * @body   JSON, or at == NULL
 *
 * Returns 0 and the answer's body (malloc'd, with a NUL behind it); or 1 after
 * it said on stderr what failed and what to do.
 */
MUST_CHECK
int cli_ask(const struct cli_options *options, const char *method,
    const char *path, struct bytes body, char **ret_body, size_t *ret_length);
/* The same for JSON; json_object_put() it. */
MUST_CHECK
int cli_ask_json(const struct cli_options *options, const char *path,
    struct json_object **ret_object);
