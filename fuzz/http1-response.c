/*
 * http1-response.c - a response head is read the same however it is cut, and
 * reads the same once written again; the first byte chooses the method
 */
#include "wire/http1_case.h"

#define SAID_BYTES 16384
#define TEXT_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http1_limits wide = {
    .line_bytes = TEXT_BYTES, .head_bytes = TEXT_BYTES, .field_count = 20};

static void
check_cuts(const struct case_call *call, struct bytes text)
{
	static char first[SAID_BYTES], second[SAID_BYTES];
	struct appender whole = appender_over(first, sizeof(first));
	ssize_t taken =
	    case_run_cut(call, text, text.length, text.length, &whole);

	for (size_t step = 1; step <= text.length; step += 37) {
		struct appender other = appender_over(second, sizeof(second));

		must(case_run_cut(call, text, step, step, &other) == taken);
		must(bytes_equal(
		    appender_bytes(&other), appender_bytes(&whole)));
	}
}

static void
check_head(const struct http_head *head, enum http_method method)
{
	bool bodiless = head->status < 200 || head->status == 204 ||
	    head->status == 304 || method == HTTP_HEAD ||
	    (method == HTTP_CONNECT && head->status < 300);

	must(head->status >= 100 && head->status <= 599);
	must(bodiless == (head->framing == HTTP_BODY_NONE));
	must(head->framing != HTTP_BODY_UNTIL_CLOSE || !head->keep_alive);
	must(head->framing != HTTP_BODY_CHUNKED || head->version == 11);
}

/* A head without what a writer replaces. */
static void
describe_lasting(struct http_head *head, struct appender *into)
{
	http_head_remove(head, FIELD_CONNECTION);
	http_head_remove(head, FIELD_CONTENT_LENGTH);
	http_head_remove(head, FIELD_TRANSFER_ENCODING);
	head->version = 11;
	head->reason = bytes_of(NULL, 0);
	if (head->framing == HTTP_BODY_NONE)
		head->content_length = 0;
	if (head->status < 200)
		head->keep_alive = true;
	case_describe(CASE_RESPONSE, head, into);
}

static void
check_written(struct http_head *head, enum http_method method)
{
	static char text[TEXT_BYTES], first[SAID_BYTES], second[SAID_BYTES];
	static struct http_head again;
	struct appender written = appender_over(text, sizeof(text));
	struct appender said = appender_over(first, sizeof(first));
	struct appender repeated = appender_over(second, sizeof(second));
	struct http1_scan scan = {0};

	http1_write_response(&written, head);
	must(!written.overflowed);
	must(http1_parse_response(&scan, text, written.length, &wide, method,
		 &again) == (ssize_t)written.length);
	must(head->reason.length == 0 ||
	    bytes_equal(head->reason, again.reason));
	describe_lasting(head, &said);
	describe_lasting(&again, &repeated);
	must(bytes_equal(appender_bytes(&said), appender_bytes(&repeated)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum http_method methods[4] = {
	    HTTP_GET, HTTP_HEAD, HTTP_CONNECT, HTTP_POST};
	static struct http_head head;
	struct case_call call = {.kind = CASE_RESPONSE, .limits = &case_limits};
	struct http1_scan scan = {0};
	char *copy;

	if (size == 0 || size > 1200)
		return 0;
	call.method = methods[data[0] % 4];
	data++;
	size--;
	copy = malloc(size);
	if (size != 0)
		memcpy(copy, data, size);
	check_cuts(&call, bytes_of(copy, size));
	if (http1_parse_response(
		&scan, copy, size, &case_limits, call.method, &head) >= 0) {
		check_head(&head, call.method);
		check_written(&head, call.method);
	}
	free(copy);
	return 0;
}
