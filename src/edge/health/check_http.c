/*
 * check_http.c - one request, and whether its answer is the expected one
 *
 * The head decides about the status. The body is read only when something
 * must occur in it, and of it the first CHECK_BODY_BYTES.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/escape.h"
#include "edge/health/check.h"
#include "runtime/task.h"
#include "wire/http1.h"

#define CHECK_HEAD_BYTES   (16 << 10)
#define CHECK_BODY_BYTES   (64 << 10)
#define CHECK_INTERIM_MAX  8 /* 1xx answers before the final one */
#define CHECK_QUOTED_BYTES 32 /* of the expected body, in a reason */

struct check_talk {
	const struct health_target *target;
	struct io_fd *io;
	instant deadline;
	struct appender *reason;
	struct http_head head; /* of the request, then of the answer */
	size_t input_length;
	char input[CHECK_HEAD_BYTES]; /* not parsed yet */
	size_t body_length;
	char body[CHECK_BODY_BYTES];
};

/* ---- asking ---- */

/* A Unix socket has no name that would do as Host. */
static struct bytes
talk_host(const struct health_target *target)
{
	if (target->check.host.length != 0)
		return target->check.host;
	if (target->address.socket.ss_family == AF_UNIX &&
	    target->address.length != 0)
		return BYTES("localhost");
	return target->address.text;
}

static int
talk_request(struct check_talk *talk, struct appender *into)
{
	const struct config_health *check = &talk->target->check;
	size_t mark = bytes_find(check->path, '?');
	struct http_head *head = &talk->head;
	int r;

	http_head_init(head);
	head->method_name = check->method;
	head->method = (uint8_t)http_method_lookup(check->method);
	head->version = 11;
	head->authority = talk_host(talk->target);
	head->path = bytes_of(check->path.at, mark);
	if (mark < check->path.length)
		head->query = bytes_skip(check->path, mark + 1);
	r = http_head_add(
	    head, FIELD_USER_AGENT, BYTES("weir-health/" WEIR_VERSION));
	if (r == 0)
		r = http_head_add(head, FIELD_ACCEPT, BYTES("*/*"));
	if (r < 0)
		return r;
	http1_write_request(into, head);
	return into->overflowed ? -EMSGSIZE : 0;
}

/* ---- why not ---- */

static enum check_outcome
talk_failed(struct check_talk *talk, const char *doing, int error)
{
	if (task_cancelled() < 0)
		return OUTCOME_NONE;
	if (error == -ETIMEDOUT) {
		check_say_timeout(talk->target,
		    talk->input_length + talk->body_length == 0
			? "no answer in "
			: "answer incomplete after ",
		    talk->reason);
		return OUTCOME_FAILED;
	}
	append_text(talk->reason, doing);
	append_literal(talk->reason, ": ");
	append_text(talk->reason, error_text(error));
	return OUTCOME_FAILED;
}

static enum check_outcome
talk_says(struct check_talk *talk, const char *text)
{
	append_text(talk->reason, text);
	return OUTCOME_FAILED;
}

static enum check_outcome
talk_wrong_status(struct check_talk *talk)
{
	const struct config_health *check = &talk->target->check;

	append_format(talk->reason, "status %u, expected %u", talk->head.status,
	    check->status_min);
	if (check->status_max != check->status_min)
		append_format(talk->reason, "-%u", check->status_max);
	return OUTCOME_FAILED;
}

static void
talk_quote(struct check_talk *talk, const char *before)
{
	append_text(talk->reason, before);
	append_char(talk->reason, '"');
	append_escaped(talk->reason, talk->target->check.body, ESCAPE_HEX,
	    CHECK_QUOTED_BYTES);
	append_char(talk->reason, '"');
}

/* ---- the head ---- */

/* More bytes behind those in `input`. Their number, 0 at the end, -errno. */
static ssize_t
talk_recv(struct check_talk *talk)
{
	size_t room = sizeof(talk->input) - talk->input_length;
	ssize_t got;

	if (room == 0)
		return E_HEAD_TOO_LARGE;
	got = io_recv(
	    talk->io, talk->input + talk->input_length, room, talk->deadline);
	if (got > 0)
		talk->input_length += (size_t)got;
	return got;
}

static void
talk_consume(struct check_talk *talk, size_t length)
{
	talk->input_length -= length;
	memmove(talk->input, talk->input + length, talk->input_length);
}

/* One head; its bytes stay in front of `input`. Its length, or -1 when the
 * check has failed and *@ret_outcome says how. */
static ssize_t
talk_head(struct check_talk *talk, enum check_outcome *ret_outcome)
{
	static const struct http1_limits limits = {
	    .line_bytes = CHECK_HEAD_BYTES,
	    .head_bytes = CHECK_HEAD_BYTES,
	    .field_count = HTTP_FIELDS_MAX,
	};
	enum http_method method =
	    http_method_lookup(talk->target->check.method);
	struct http1_scan scan = {0};
	ssize_t r, got;

	for (;;) {
		r = http1_parse_response(&scan, talk->input, talk->input_length,
		    &limits, method, &talk->head);
		if (r != -EAGAIN)
			break;
		got = talk_recv(talk);
		if (got > 0)
			continue;
		if (got < 0)
			*ret_outcome = talk_failed(talk, "receive", (int)got);
		else if (talk->input_length == 0)
			*ret_outcome =
			    talk_says(talk, "closed without an answer");
		else
			*ret_outcome =
			    talk_says(talk, "closed inside the answer's head");
		return -1;
	}
	if (r < 0)
		*ret_outcome = talk_failed(talk, "answer", (int)r);
	return r < 0 ? -1 : r;
}

static bool
talk_interim(const struct http_head *head)
{
	return head->status < 200 && head->status != 101;
}

/* The final head; the bytes behind it are in front of `input` afterwards. */
static enum check_outcome
talk_answer(struct check_talk *talk)
{
	const struct config_health *check = &talk->target->check;
	enum check_outcome outcome = OUTCOME_FAILED;

	for (unsigned i = 0; i <= CHECK_INTERIM_MAX; i++) {
		ssize_t length = talk_head(talk, &outcome);

		if (length < 0)
			return outcome;
		talk_consume(talk, (size_t)length);
		if (talk_interim(&talk->head))
			continue;
		if (talk->head.status < check->status_min ||
		    talk->head.status > check->status_max)
			return talk_wrong_status(talk);
		return OUTCOME_PASSED;
	}
	return talk_says(talk, "too many interim answers");
}

/* ---- the body ---- */

/* Keep what fits. */
static void
talk_keep(struct check_talk *talk, struct bytes data)
{
	size_t room = sizeof(talk->body) - talk->body_length;
	size_t length = min_of(data.length, room);

	if (length != 0)
		memcpy(talk->body + talk->body_length, data.at, length);
	talk->body_length += length;
}

/* Move the input to the body, without its framing.
 * Returns 1 (more is to come), 0 (that was all), or E_*. */
static int
talk_unframe(
    struct check_talk *talk, struct http1_chunks *chunks, uint64_t *left)
{
	struct bytes input = bytes_of(talk->input, talk->input_length);
	struct bytes data;
	int r = 1;

	talk->input_length = 0;
	if (talk->head.framing == HTTP_BODY_CHUNKED) {
		while ((r = http1_chunks_next(chunks, &input, &data)) == 1)
			talk_keep(talk, data);
		return r == -EAGAIN ? 1 : r;
	}
	if (input.length > *left)
		input.length = (size_t)*left;
	talk_keep(talk, input);
	*left -= input.length;
	return *left != 0;
}

static bool
talk_found(const struct check_talk *talk)
{
	struct bytes wanted = talk->target->check.body;

	return memmem(talk->body, talk->body_length, wanted.at,
		   wanted.length) != NULL;
}

static enum check_outcome
talk_body(struct check_talk *talk)
{
	struct http1_chunks chunks;
	uint64_t left = 0;
	ssize_t got = 1;
	int r;

	http1_chunks_init(&chunks);
	if (talk->head.framing == HTTP_BODY_LENGTH)
		left = talk->head.content_length;
	else if (talk->head.framing == HTTP_BODY_UNTIL_CLOSE)
		left = UINT64_MAX;
	for (;;) {
		r = talk_unframe(talk, &chunks, &left);
		if (talk_found(talk))
			return OUTCOME_PASSED;
		if (r < 0)
			return talk_failed(talk, "answer", r);
		if (r == 0 || talk->body_length == sizeof(talk->body))
			break;
		got = talk_recv(talk);
		if (got < 0)
			return talk_failed(talk, "receive", (int)got);
		if (got == 0)
			break;
	}
	if (got == 0 && talk->head.framing != HTTP_BODY_UNTIL_CLOSE)
		return talk_says(talk, "closed inside the answer's body");
	talk_quote(talk, "body does not contain ");
	return OUTCOME_FAILED;
}

/* ---- the conversation ---- */

static enum check_outcome
talk_run(struct check_talk *talk)
{
	/* The answer comes only after the request has left. */
	struct appender request = appender_over(talk->body, sizeof(talk->body));
	enum check_outcome outcome;
	ssize_t r;

	r = talk_request(talk, &request);
	if (r < 0)
		return talk_failed(talk, "request", (int)r);
	r = io_send(talk->io, request.at, request.length, NULL, talk->deadline);
	if (r < 0)
		return talk_failed(talk, "send", (int)r);
	outcome = talk_answer(talk);
	if (outcome == OUTCOME_PASSED && talk->target->check.body.length != 0)
		outcome = talk_body(talk);
	if (outcome != OUTCOME_PASSED)
		return outcome;
	append_format(talk->reason, "status %u", talk->head.status);
	if (talk->target->check.body.length != 0)
		talk_quote(talk, ", body contains ");
	return outcome;
}

enum check_outcome
check_http(const struct health_target *target, struct io_fd *io,
    instant deadline, struct appender *reason)
{
	struct check_talk *talk = malloc(sizeof(*talk));
	enum check_outcome outcome;

	if (talk == NULL) {
		append_text(reason, error_text(-ENOMEM));
		return OUTCOME_NONE;
	}
	talk->target = target;
	talk->io = io;
	talk->deadline = deadline;
	talk->reason = reason;
	talk->input_length = talk->body_length = 0;
	outcome = talk_run(talk);
	free(talk);
	return outcome;
}
