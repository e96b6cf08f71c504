/*
 * http1-request.c - a request head is read the same however it is cut, says
 * nothing that is not in normal form, and reads the same once written again
 */
#include "wire/chars_find.h"
#include "wire/http1_case.h"
#include "wire/url.h"

#define SAID_BYTES 16384
#define TEXT_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct case_call call = {
    .kind = CASE_REQUEST, .limits = &case_limits};
/* What we write may have a line more than what was read, and spaces. */
static const struct http1_limits wide = {
    .line_bytes = TEXT_BYTES, .head_bytes = TEXT_BYTES, .field_count = 20};

static void
check_cuts(struct bytes text)
{
	static char first[SAID_BYTES], second[SAID_BYTES];
	struct appender whole = appender_over(first, sizeof(first));
	ssize_t taken =
	    case_run_cut(&call, text, text.length, text.length, &whole);
	size_t cut = text.length == 0 ? 0 : (unsigned char)text.at[0] * 7u;

	for (size_t step = 1; step <= text.length; step += 1 + cut % 64) {
		struct appender other = appender_over(second, sizeof(second));

		must(case_run_cut(&call, text, step, step, &other) == taken);
		must(bytes_equal(
		    appender_bytes(&other), appender_bytes(&whole)));
	}
}

static void
check_scan(struct bytes text)
{
	const char *end = text.at + text.length;

	for (const char *at = text.at; at < end; at++) {
		const char *hit = chars_find_control(at, end);

		must(hit == chars_find_control_scalar(at, end));
		at = hit == end ? end - 1 : hit;
	}
}

static void
check_path(const struct http_head *head)
{
	char *copy = malloc(head->path.length);
	size_t length = head->path.length;

	if (length > 0 && head->path.at[0] == '/') {
		memcpy(copy, head->path.at, length);
		must(url_path_normalise(copy, length) == (ssize_t)length);
		must(memcmp(copy, head->path.at, length) == 0);
	} else {
		must(length == 0 ? head->method == HTTP_CONNECT
				 : bytes_equal(head->path, BYTES("*")));
	}
	free(copy);
}

static void
check_head(const struct http_head *head)
{
	check_path(head);
	for (size_t i = 0; i < head->host.length; i++)
		must(char_lower(head->host.at[i]) == head->host.at[i]);
	must(head->field_count <= case_limits.field_count);
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *f = &head->fields[i];

		must(http_is_token(bytes_of(f->name, f->name_length)));
		must(http_is_field_value(bytes_of(f->value, f->value_length)));
		must(f->id == http_field_lookup(f->name, f->name_length));
		must(http_head_has(head, f->id));
	}
}

/* A head without what a writer replaces. */
static void
describe_lasting(struct http_head *head, struct appender *into)
{
	http_head_remove(head, FIELD_HOST);
	http_head_remove(head, FIELD_CONNECTION);
	http_head_remove(head, FIELD_CONTENT_LENGTH);
	http_head_remove(head, FIELD_TRANSFER_ENCODING);
	head->version = 11;
	case_describe(CASE_REQUEST, head, into);
}

static void
check_written(struct http_head *head)
{
	static char text[TEXT_BYTES], first[SAID_BYTES], second[SAID_BYTES];
	static struct http_head again;
	struct appender written = appender_over(text, sizeof(text));
	struct appender said = appender_over(first, sizeof(first));
	struct appender repeated = appender_over(second, sizeof(second));
	struct http1_scan scan = {0};

	/* HTTP/1.0 may lack what HTTP/1.1 needs, and expects nothing. */
	if (head->authority.at == NULL)
		head->authority = head->host = BYTES("a");
	if (head->version == 10)
		http_head_remove(head, FIELD_EXPECT);
	http1_write_request(&written, head);
	must(!written.overflowed);
	must(http1_parse_request(&scan, text, written.length, &wide, &again) ==
	    (ssize_t)written.length);
	describe_lasting(head, &said);
	describe_lasting(&again, &repeated);
	must(bytes_equal(appender_bytes(&said), appender_bytes(&repeated)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_head head;
	struct http1_scan scan = {0};
	char *copy;

	if (size > 1200)
		return 0;
	copy = malloc(size);
	if (size != 0)
		memcpy(copy, data, size);
	check_cuts(bytes_of(copy, size));
	check_scan(bytes_of(copy, size));
	if (http1_parse_request(&scan, copy, size, &case_limits, &head) >= 0) {
		check_head(&head);
		check_written(&head);
	}
	free(copy);
	return 0;
}
