/*
 * cli_client.c - options, the way to the socket, one exchange over it
 */
#include "control/cli_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "config/config.h"
#include "config/snapshot.h"
#include "control/cli.h"
#include "os/local.h"
#include "os/terminal.h"
#include "wire/http1.h"

/* ---- options ---- */

/* The value of "--NAME VALUE" or "--NAME=VALUE": 1; 0: another option; -1: no
 * value. */
static int
cli_option_value(char **argv, int *at, const char *name, const char **ret_value)
{
	size_t length = strlen(name);

	if (strncmp(argv[*at], name, length) != 0)
		return 0;
	if (argv[*at][length] == '=') {
		*ret_value = argv[*at] + length + 1;
		return 1;
	}
	if (argv[*at][length] != '\0')
		return 0;
	if (argv[*at + 1] == NULL)
		return -1;
	*ret_value = argv[++*at];
	return 1;
}

static bool
cli_option_flag(const char *text, unsigned allowed, unsigned *flags)
{
	static const struct {
		const char *text;
		unsigned flag;
	} rows[] = {
	    {"--json", CLI_JSON},
	    {"--watch", CLI_WATCH},
	    {"--names", CLI_NAMES},
	};

	for (size_t i = 0; i < array_count(rows); i++) {
		if (strcmp(text, rows[i].text) == 0 &&
		    (allowed & rows[i].flag) != 0) {
			*flags |= rows[i].flag;
			return true;
		}
	}
	return false;
}

static int
cli_option_take(
    struct cli_options *o, char **argv, int *at, unsigned flags_allowed)
{
	int r = cli_option_value(argv, at, "--socket", &o->socket);

	if (r == 0)
		r = cli_option_value(argv, at, "--config", &o->config);
	if (r < 0)
		return cli_usage_error(o->verb, "%s needs a value", argv[*at]);
	if (r == 0 && !cli_option_flag(argv[*at], flags_allowed, &o->flags))
		return cli_usage_error(o->verb, "no option %s", argv[*at]);
	return 0;
}

int
cli_options_parse(int argc, char **argv, unsigned flags_allowed,
    unsigned arguments_min, unsigned arguments_max,
    struct cli_options *ret_options)
{
	struct cli_options o = {.verb = argv[0]};
	bool options_ended = false;

	must(arguments_max <= CLI_ARGUMENTS_MAX);
	for (int i = 1; i < argc; i++) {
		if (!options_ended && strcmp(argv[i], "--") == 0) {
			options_ended = true;
		} else if (!options_ended && argv[i][0] == '-') {
			int r = cli_option_take(&o, argv, &i, flags_allowed);

			if (r != 0)
				return r;
		} else if (o.argument_count == arguments_max) {
			return cli_usage_error(o.verb,
			    "does not know what to do with %s", argv[i]);
		} else {
			o.arguments[o.argument_count++] = argv[i];
		}
	}
	if (o.argument_count < arguments_min)
		return cli_usage_error(o.verb, "an argument is missing");
	*ret_options = o;
	return 0;
}

/* ---- the socket ---- */

static int
cli_fail(const struct cli_options *o, const char *what, int error,
    const char *remedy)
{
	fprintf(stderr, "weir %s: %s: %s\n", o->verb, what, error_text(error));
	if (remedy != NULL)
		fprintf(stderr, "%s\n", remedy);
	return 1;
}

/* Of the file's admin.socket, malloc'd; NULL: it has none. 0 or -errno, or
 * E_CONFIG_INVALID with the mistakes in @errors. */
static int
cli_socket_read(struct bytes text, const char *file,
    struct config_errors *errors, char **ret_path)
{
	struct snapshot *snapshot;
	int r = snapshot_build(text, file, errors, &snapshot);

	if (r < 0)
		return r;
	*ret_path = NULL;
	if (snapshot->admin.socket.length != 0)
		*ret_path = strndup(
		    snapshot->admin.socket.at, snapshot->admin.socket.length);
	snapshot_free(snapshot);
	return 0;
}

/* Says what is wrong with the file of --config. Returns 0 or 1. */
static int
cli_socket_of_config(const struct cli_options *o, char **ret_path)
{
	struct config_errors errors;
	char *text;
	size_t length;
	int r = config_read_file(o->config, &text, &length);

	if (r < 0)
		return cli_fail(o, o->config, r, NULL);
	config_errors_init(&errors, o->config, bytes_of(text, length));
	r = cli_socket_read(
	    bytes_of(text, length), o->config, &errors, ret_path);
	if (r < 0)
		config_errors_print(&errors, stderr, terminal_has_colour(2));
	else if (*ret_path == NULL)
		fprintf(stderr,
		    "weir %s: %s has no admin.socket\nAdd `admin: {socket: "
		    "PATH}` and restart weir.\n",
		    o->verb, o->config);
	config_errors_fini(&errors);
	free(text);
	return r < 0 || *ret_path == NULL;
}

/* The usual configuration knows best, if it is there and can be read. */
static char *
cli_socket_usual(void)
{
	struct config_errors errors;
	char *text, *path = NULL;
	size_t length;

	if (config_read_file(CLI_CONFIG_USUAL, &text, &length) < 0)
		return NULL;
	config_errors_init(&errors, CLI_CONFIG_USUAL, bytes_of(text, length));
	if (cli_socket_read(
		bytes_of(text, length), CLI_CONFIG_USUAL, &errors, &path) < 0)
		path = NULL;
	config_errors_fini(&errors);
	free(text);
	return path;
}

static const char *
cli_connect_remedy(int error)
{
	switch (error) {
	case -EACCES:
	case -EPERM:
		return "The socket belongs to whoever started weir: use sudo, "
		       "or be that user.";
	case -ENOENT:
	case -ECONNREFUSED:
		return "Is weir running? Start it with `weir run FILE`; the "
		       "file needs `admin: {socket: PATH}`.\nIf that is "
		       "elsewhere: give --socket PATH, or --config FILE to "
		       "read it from there.";
	default:
		return "The process `control` does not answer; the error log "
		       "of weir says more.";
	}
}

/* Returns a connected socket, or -1 after it said why not. */
static int
cli_connect(const struct cli_options *o)
{
	const char *path = o->socket;
	char *owned = NULL, what[192];
	int fd;

	if (path == NULL && o->config != NULL) {
		if (cli_socket_of_config(o, &owned) != 0)
			return -1;
	}
	if (path == NULL && o->config == NULL)
		owned = cli_socket_usual();
	if (path == NULL)
		path = owned != NULL ? owned : CLI_SOCKET_DEFAULT;
	fd = local_connect(path, duration_s(CLI_TIMEOUT_S));
	if (fd < 0) {
		(void)snprintf(
		    what, sizeof(what), "cannot reach weir at %s", path);
		(void)cli_fail(o, what, fd, cli_connect_remedy(fd));
	}
	free(owned);
	return fd < 0 ? -1 : fd;
}

/* ---- the exchange ---- */

struct cli_answer {
	char *text; /* everything that was received */
	size_t length;
	struct http_head head;
	size_t head_bytes;
};

static int
cli_send(int fd, const char *method, const char *path, struct bytes body)
{
	char memory[2048];
	struct appender a = appender_over(memory, sizeof(memory));
	int r;

	append_format(&a,
	    "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n",
	    method, path);
	if (body.at != NULL)
		append_format(&a,
		    "Content-Type: application/json\r\nContent-Length: %zu\r\n",
		    body.length);
	append_literal(&a, "\r\n");
	if (a.overflowed)
		return -ENAMETOOLONG;
	r = local_send(fd, appender_bytes(&a));
	if (r == 0)
		r = local_send(fd, body);
	return r;
}

static int
cli_recv_all(int fd, struct cli_answer *answer)
{
	size_t capacity = 0;
	ssize_t n;

	do {
		if (answer->length + 1 >= capacity) {
			char *text;

			capacity = max_of(capacity * 2, (size_t)65536);
			if (capacity > CLI_ANSWER_BYTES)
				return -EFBIG;
			text = realloc(answer->text, capacity);
			if (text == NULL)
				return -ENOMEM;
			answer->text = text;
		}
		n = local_recv(fd, answer->text + answer->length,
		    capacity - answer->length - 1);
		if (n < 0)
			return (int)n;
		answer->length += (size_t)n;
	} while (n > 0);
	return 0;
}

/* Chunks are joined in place; the body ends with a NUL. */
static int
cli_body_join(struct cli_answer *answer)
{
	struct bytes input = bytes_skip(
	    bytes_of(answer->text, answer->length), answer->head_bytes);
	char *to = answer->text + answer->head_bytes;
	struct http1_chunks chunks;
	struct bytes data;
	int r = 1;

	if (answer->head.framing != HTTP_BODY_CHUNKED) {
		answer->text[answer->length] = '\0';
		return answer->head.framing == HTTP_BODY_LENGTH &&
			input.length != answer->head.content_length
		    ? E_H1_TRUNCATED
		    : 0;
	}
	http1_chunks_init(&chunks);
	while (r == 1) {
		r = http1_chunks_next(&chunks, &input, &data);
		if (r == 1) {
			memmove(to, data.at, data.length);
			to += data.length;
		}
	}
	*to = '\0';
	answer->length = (size_t)(to - answer->text);
	return r == -EAGAIN ? E_H1_TRUNCATED : r;
}

static int
cli_parse(struct cli_answer *answer, const char *method)
{
	static const struct http1_limits limits = {
	    .line_bytes = 4096,
	    .head_bytes = 32768,
	    .field_count = HTTP_FIELDS_MAX,
	};
	struct http1_scan scan = {0};
	ssize_t n = http1_parse_response(&scan, answer->text, answer->length,
	    &limits, http_method_lookup(bytes_from(method)), &answer->head);

	if (n == -EAGAIN)
		return E_H1_TRUNCATED;
	if (n < 0)
		return (int)n;
	answer->head_bytes = (size_t)n;
	return cli_body_join(answer);
}

/* What the program refused, in its words. */
static int
cli_refused(const struct cli_options *o, const struct cli_answer *answer)
{
	struct json_object *j =
	    json_tokener_parse(answer->text + answer->head_bytes);
	struct json_object *error = json_object_object_get(j, "error");
	struct json_object *remedy = json_object_object_get(j, "remedy");
	struct json_object *details = json_object_object_get(j, "details");

	if (details != NULL)
		fprintf(stderr, "%s\n", json_object_get_string(details));
	if (error != NULL)
		fprintf(stderr, "weir %s: %s\n", o->verb,
		    json_object_get_string(error));
	else
		fprintf(stderr, "weir %s: answered with status %u\n", o->verb,
		    answer->head.status);
	if (remedy != NULL)
		fprintf(stderr, "%s\n", json_object_get_string(remedy));
	json_object_put(j);
	return 1;
}

int
cli_ask(const struct cli_options *options, const char *method, const char *path,
    struct bytes body, char **ret_body, size_t *ret_length)
{
	static struct cli_answer answer;
	int fd = cli_connect(options);
	int r;

	if (fd < 0)
		return 1;
	answer = (struct cli_answer){0};
	r = cli_send(fd, method, path, body);
	if (r == 0)
		r = cli_recv_all(fd, &answer);
	local_close(fd);
	if (r == 0)
		r = cli_parse(&answer, method);
	if (r < 0) {
		r = cli_fail(options, "the answer did not come", r,
		    cli_connect_remedy(0));
	} else if (answer.head.status >= 300) {
		r = cli_refused(options, &answer);
	} else {
		*ret_length = answer.length - answer.head_bytes;
		memmove(answer.text, answer.text + answer.head_bytes,
		    *ret_length + 1);
		*ret_body = answer.text;
		return 0;
	}
	free(answer.text);
	return r;
}

int
cli_ask_json(const struct cli_options *options, const char *path,
    struct json_object **ret_object)
{
	size_t length;
	char *body;
	int r =
	    cli_ask(options, "GET", path, bytes_of(NULL, 0), &body, &length);

	if (r != 0)
		return r;
	*ret_object = json_tokener_parse(body);
	free(body);
	if (*ret_object != NULL)
		return 0;
	fprintf(stderr, "weir %s: the answer is no JSON\n", options->verb);
	return 1;
}
