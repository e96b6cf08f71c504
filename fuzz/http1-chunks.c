/*
 * http1-chunks.c - a chunked body with its trailers is decoded the same
 * however it is cut, and decodes to the same once encoded again
 */
#include "wire/http1_case.h"

#define BODY_BYTES_MAX 4096
#define SAID_BYTES     16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct decoded {
	int result;
	size_t consumed;
	struct appender body;
};

/* Give the decoder @step bytes more with each call. */
static void
decode(struct bytes text, size_t step, struct decoded *into)
{
	struct http1_chunks chunks;
	size_t given = 0;

	http1_chunks_init(&chunks);
	into->consumed = 0;
	do {
		struct bytes input, data;
		char *exact;

		given = min_of(given + step, text.length);
		/* Memory of exactly what is given shows an overread. */
		exact = malloc(given - into->consumed);
		input = bytes_of(exact, given - into->consumed);
		if (input.length != 0)
			memcpy(exact, text.at + into->consumed, input.length);
		while ((into->result = http1_chunks_next(
			    &chunks, &input, &data)) == 1) {
			must(data.length != 0);
			append_bytes(&into->body, data);
		}
		into->consumed = given - input.length;
		free(exact);
	} while (into->result == -EAGAIN && given < text.length);
}

static void
check_cuts(struct bytes text, const struct decoded *whole)
{
	static char body[BODY_BYTES_MAX];

	for (size_t step = 1; step < text.length; step += 41) {
		struct decoded other = {
		    .body = appender_over(body, sizeof(body))};

		decode(text, step, &other);
		must(other.result == whole->result);
		must(bytes_equal(
		    appender_bytes(&other.body), appender_bytes(&whole->body)));
		must(other.result != 0 || other.consumed == whole->consumed);
	}
}

static void
check_again(const struct decoded *whole, const struct http_head *trailers)
{
	static char text[2 * BODY_BYTES_MAX], body[BODY_BYTES_MAX];
	static struct http_head repeated;
	struct appender encoded = appender_over(text, sizeof(text));
	struct decoded again = {.body = appender_over(body, sizeof(body))};
	struct http1_scan scan = {0};

	for (size_t at = 0; at < whole->body.length; at += 100) {
		size_t run = min_of(whole->body.length - at, (size_t)100);

		http1_write_chunk_start(&encoded, run);
		append(&encoded, whole->body.at + at, run);
		http1_write_chunk_end(&encoded);
	}
	http1_write_last_chunk(&encoded, trailers);
	must(!encoded.overflowed);
	decode(appender_bytes(&encoded), encoded.length, &again);
	must(again.result == 0);
	must(bytes_equal(
	    appender_bytes(&again.body), appender_bytes(&whole->body)));
	must(http1_parse_trailers(&scan, text + again.consumed,
		 encoded.length - again.consumed,
		 &(struct http1_limits){1000, 4000, 20},
		 &repeated) == (ssize_t)(encoded.length - again.consumed));
	must(repeated.field_count == trailers->field_count);
}

static void
check_trailers(struct bytes text, const struct decoded *whole)
{
	static const struct case_call call = {
	    .kind = CASE_TRAILERS, .limits = &case_limits};
	static char first[SAID_BYTES], second[SAID_BYTES];
	static struct http_head trailers;
	struct appender said = appender_over(first, sizeof(first));
	struct appender other = appender_over(second, sizeof(second));
	struct http1_scan scan = {0};
	char *copy = malloc(text.length);
	ssize_t taken;

	taken = case_run_cut(&call, text, text.length, text.length, &said);
	must(case_run_cut(&call, text, 1, 1, &other) == taken);
	must(bytes_equal(appender_bytes(&said), appender_bytes(&other)));
	if (text.length != 0)
		memcpy(copy, text.at, text.length);
	if (taken >= 0) {
		must(http1_parse_trailers(&scan, copy, text.length,
			 &case_limits, &trailers) == taken);
		check_again(whole, &trailers);
	}
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char body[BODY_BYTES_MAX];
	struct decoded whole = {.body = appender_over(body, sizeof(body))};
	struct bytes text = bytes_of((const char *)data, size);

	if (size > 2048)
		return 0;
	decode(text, size, &whole);
	check_cuts(text, &whole);
	if (whole.result == 0)
		check_trailers(bytes_skip(text, whole.consumed), &whole);
	return 0;
}
