/*
 * public/http_response.c - heads and bodies of answers
 */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "public/http_inner.h"
#include "public/inner.h"

#define INTERIM_MAX 8 /* 1xx answers before the final one */

/* ---- bytes ---- */

static size_t
unparsed(const struct weir_http_response *response)
{
	return response->end - response->start;
}

/* More bytes behind those that are there, as io_recv(). */
static ssize_t
response_fill(struct weir_http_response *response, instant deadline)
{
	ssize_t got;

	if (response->end == response->size) {
		size_t length = unparsed(response);

		if (response->start == response->head_length)
			return E_H1_HEAD_TOO_LARGE;
		memmove(response->memory + response->head_length,
		    response->memory + response->start, length);
		response->start = response->head_length;
		response->end = response->start + length;
	}
	got = io_recv(&response->conn->io, response->memory + response->end,
	    response->size - response->end, deadline);
	if (got > 0)
		response->end += (size_t)got;
	return got;
}

/* ---- the head ---- */

static ssize_t
head_receive(struct weir_http_response *response, instant deadline)
{
	const struct http1_limits limits = {
	    .line_bytes = (uint32_t)response->size,
	    .head_bytes = (uint32_t)(response->size - HTTP_BODY_BYTES),
	    .field_count = HTTP_FIELDS_MAX,
	};
	struct http1_scan scan = {0};
	ssize_t length, got;

	for (;;) {
		length = http1_parse_response(&scan, response->memory,
		    response->end, &limits, response->method, &response->head);
		if (length != -EAGAIN)
			return length;
		got = response_fill(response, deadline);
		if (got < 0)
			return got;
		if (got == 0)
			return response->end == 0 ? -ECONNRESET
						  : E_H1_TRUNCATED;
	}
}

/* Names and values become C strings in place: behind a name stands a colon,
 * behind a value white space or the end of its line. */
static void
head_terminate(struct http_head *head, char *memory)
{
	for (unsigned i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];

		if (field->name_length == 0)
			continue;
		memory[field->name + field->name_length - memory] = '\0';
		memory[field->value + field->value_length - memory] = '\0';
	}
}

int
http_response_head(struct weir_http_response *response, instant deadline)
{
	ssize_t length;

	response->start = response->end = response->head_length = 0;
	for (unsigned i = 0; i <= INTERIM_MAX; i++) {
		length = head_receive(response, deadline);
		if (length < 0)
			return (int)length;
		if (response->head.status >= 200 ||
		    response->head.status == 101)
			break;
		response->end -= (size_t)length;
		memmove(
		    response->memory, response->memory + length, response->end);
	}
	/* Nobody asked to change the protocol, or it never comes to the point.
	 */
	if (response->head.status < 200)
		return E_H1_BAD_STATUS;
	head_terminate(&response->head, response->memory);
	response->head_length = response->start = (size_t)length;
	response->left = response->head.content_length;
	response->ended = response->head.framing == HTTP_BODY_NONE ||
	    (response->head.framing == HTTP_BODY_LENGTH && response->left == 0);
	http1_chunks_init(&response->chunks);
	return 0;
}

/* ---- the body ---- */

/* What is there of it already. */
static size_t
body_take(struct weir_http_response *response, void *into, size_t length)
{
	length = min_of(length, unparsed(response));
	memcpy(into, response->memory + response->start, length);
	response->start += length;
	return length;
}

static ssize_t
body_plain(struct weir_http_response *response, void *into, size_t length,
    instant deadline)
{
	bool counted = response->head.framing == HTTP_BODY_LENGTH;
	ssize_t got;

	if (counted)
		length = (size_t)min_of((uint64_t)length, response->left);
	got = (ssize_t)body_take(response, into, length);
	if (got == 0)
		got = io_recv(&response->conn->io, into, length, deadline);
	if (got == 0) {
		if (counted)
			return -ECONNRESET;
		response->ended = true;
	} else if (got > 0 && counted) {
		response->left -= (uint64_t)got;
		response->ended = response->left == 0;
	}
	return got;
}

/* The fields behind the last chunk are read and dropped. */
static ssize_t
body_trailers(struct weir_http_response *response, instant deadline)
{
	static const struct http1_limits limits = {
	    .line_bytes = HTTP_BODY_BYTES,
	    .head_bytes = HTTP_BODY_BYTES,
	    .field_count = HTTP_FIELDS_MAX,
	};
	struct http1_scan scan = {0};
	struct http_head trailers;
	ssize_t length, got;

	for (;;) {
		length = http1_parse_trailers(&scan,
		    response->memory + response->start, unparsed(response),
		    &limits, &trailers);
		if (length >= 0)
			break;
		if (length != -EAGAIN)
			return length;
		got = response_fill(response, deadline);
		if (got <= 0)
			return got < 0 ? got : -ECONNRESET;
		/* The bytes may have moved. */
		scan = (struct http1_scan){0};
	}
	response->start += (size_t)length;
	response->ended = true;
	return 0;
}

static ssize_t
body_run(struct weir_http_response *response, void *into, size_t length)
{
	length = min_of(length, response->run.length);
	memcpy(into, response->run.at, length);
	response->run = bytes_skip(response->run, length);
	return (ssize_t)length;
}

/* Inside a chunk and with nothing buffered: into the caller's memory. */
static ssize_t
body_chunk_rest(struct weir_http_response *response, void *into, size_t length,
    instant deadline)
{
	uint64_t left = http1_chunks_left(&response->chunks);
	ssize_t got;

	got = io_recv(&response->conn->io, into,
	    (size_t)min_of((uint64_t)length, left), deadline);
	if (got > 0)
		http1_chunks_skip(&response->chunks, (uint64_t)got);
	return got != 0 ? got : -ECONNRESET;
}

static ssize_t
body_chunked(struct weir_http_response *response, void *into, size_t length,
    instant deadline)
{
	struct bytes input;
	ssize_t got;
	int more;

	while (response->run.length == 0) {
		if (unparsed(response) == 0 &&
		    http1_chunks_left(&response->chunks) > 0)
			return body_chunk_rest(
			    response, into, length, deadline);
		input = bytes_of(
		    response->memory + response->start, unparsed(response));
		more = http1_chunks_next(
		    &response->chunks, &input, &response->run);
		response->start = response->end - input.length;
		if (more == 0)
			return body_trailers(response, deadline);
		if (more == 1)
			break;
		if (more != -EAGAIN)
			return more;
		got = response_fill(response, deadline);
		if (got <= 0)
			return got < 0 ? got : -ECONNRESET;
	}
	return body_run(response, into, length);
}

static ssize_t
body_error(ssize_t error)
{
	if (error == E_H1_HEAD_TOO_LARGE)
		return -EMSGSIZE;
	/* Our own errors lie beyond those of the system. */
	return error <= -1000 ? -EBADMSG : error;
}

ssize_t
weir_http_read(struct weir_http_response *response, void *into, size_t length,
    weir_time deadline)
{
	ssize_t got;

	(void)task_required(__func__);
	if (response->ended || length == 0)
		return 0;
	if (response->head.framing == HTTP_BODY_CHUNKED)
		got =
		    body_chunked(response, into, length, inner_time(deadline));
	else
		got = body_plain(response, into, length, inner_time(deadline));
	return got < 0 ? body_error(got) : got;
}

int
weir_http_read_all(struct weir_http_response *response, size_t max,
    char **ret_body, size_t *ret_length, weir_time deadline)
{
	size_t room = 0, length = 0;
	char *body = NULL;
	char *grown;
	ssize_t got;

	(void)task_required(__func__);
	do {
		if (length == room) {
			/* One more than may come, to see that it is more. */
			room = max_of(2 * room, (size_t)4096);
			room = min_of(room, max) + 1;
			grown = realloc(body, room + 1);
			if (grown == NULL) {
				free(body);
				return -ENOMEM;
			}
			body = grown;
		}
		got = weir_http_read(
		    response, body + length, room - length, deadline);
		length += got > 0 ? (size_t)got : 0;
	} while (got > 0 && length <= max);
	if (got >= 0 && length > max)
		got = -EMSGSIZE;
	if (got < 0) {
		free(body);
		return (int)got;
	}
	body[length] = '\0';
	*ret_body = body;
	*ret_length = length;
	return 0;
}

/* ---- what it says ---- */

int
weir_http_status(const struct weir_http_response *response)
{
	return response->head.status;
}

const char *
weir_http_url(const struct weir_http_response *response)
{
	return response->url;
}

const char *
weir_http_field(const struct weir_http_response *response, const char *name)
{
	return http_head_find(&response->head, bytes_from(name)).at;
}

bool
weir_http_field_at(const struct weir_http_response *response, size_t index,
    struct weir_http_field *ret_field)
{
	const struct http_head *head = &response->head;

	if (index >= head->field_count)
		return false;
	*ret_field = (struct weir_http_field){
	    head->fields[index].name, head->fields[index].value};
	return true;
}

int64_t
weir_http_length(const struct weir_http_response *response)
{
	switch (response->head.framing) {
	case HTTP_BODY_NONE:
		return 0;
	case HTTP_BODY_LENGTH:
		return (int64_t)response->head.content_length;
	default:
		return -1;
	}
}

void
weir_http_response_close(struct weir_http_response *response)
{
	if (response == NULL)
		return;
	if (response->conn != NULL) {
		/* Bytes behind the body belong to no request of ours. */
		if (response->ended && response->head.keep_alive &&
		    response->head.framing != HTTP_BODY_UNTIL_CLOSE &&
		    unparsed(response) == 0)
			http_pool_keep(response->conn);
		else
			http_pool_drop(response->conn);
	}
	free(response->url);
	free(response);
}
