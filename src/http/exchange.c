/*
 * exchange.c - answers that do not depend on the version
 */
#include "http/exchange.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "os/clock.h"

struct bytes
exchange_format(struct exchange *ex, const char *format, ...)
{
	va_list args;
	char *text;
	int length;

	va_start(args, format);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0)
		return bytes_of(NULL, 0);
	text = arena_alloc(&ex->arena, (size_t)length + 1);
	if (text == NULL)
		return bytes_of(NULL, 0);
	va_start(args, format);
	/* The same format over the same arguments: the length cannot differ,
	 * and vsnprintf is bounded by it anyway. */
	length = vsnprintf(text, (size_t)length + 1, format, args);
	va_end(args);
	return bytes_of(text, (size_t)length);
}

/* The current second as a Date value, formatted once a second. */
static struct bytes
exchange_date(void)
{
	static __thread int64_t second = -1;
	static __thread char text[HTTP_DATE_BYTES];
	int64_t now = clock_wall_ns() / 1000000000;

	if (now != second) {
		http_date_write(text, now);
		second = now;
	}
	return bytes_of(text, sizeof(text));
}

/* What every answer carries (RFC 9110 §6.6.1, §10.2.4). */
static int
exchange_complete_head(struct exchange *ex)
{
	struct http_head *head = &ex->response;
	int r = 0;

	if (!http_head_has(head, FIELD_DATE))
		r = http_head_add(head, FIELD_DATE, exchange_date());
	if (r == 0 && !http_head_has(head, FIELD_SERVER))
		r = http_head_add(head, FIELD_SERVER, BYTES("weir"));
	return r == 0 ? 0 : E_HEAD_TOO_LARGE;
}

static bool
exchange_without_body(const struct exchange *ex)
{
	unsigned status = ex->response.status;

	return status < 200 || status == 204 || status == 304;
}

int
exchange_respond(struct exchange *ex, struct bytes body)
{
	struct http_head *head = &ex->response;
	int r = exchange_complete_head(ex);

	if (r < 0)
		return r;
	head->framing =
	    exchange_without_body(ex) ? HTTP_BODY_NONE : HTTP_BODY_LENGTH;
	head->content_length = body.length;
	if (exchange_without_body(ex) || ex->request.method == HTTP_HEAD)
		body.length = 0;
	return ex->ops->send_head(ex, head, body, true);
}

int
exchange_begin(struct exchange *ex, int64_t length)
{
	struct http_head *head = &ex->response;
	int r = exchange_complete_head(ex);

	if (r < 0)
		return r;
	if (exchange_without_body(ex))
		head->framing = HTTP_BODY_NONE;
	else if (length >= 0)
		head->framing = HTTP_BODY_LENGTH;
	else if (ex->request.version >= 11)
		head->framing = HTTP_BODY_CHUNKED;
	else
		head->framing = HTTP_BODY_UNTIL_CLOSE;
	head->content_length = length >= 0 ? (uint64_t)length : 0;
	ex->body_at_hand = length > 0;
	return ex->ops->send_head(ex, head, bytes_of(NULL, 0), false);
}

int
exchange_write(struct exchange *ex, struct bytes data)
{
	return data.length == 0 ? 0 : ex->ops->send_body(ex, data);
}

int
exchange_send_file(struct exchange *ex, int file, off_t offset, uint64_t length)
{
	return length == 0 ? 0 : ex->ops->send_file(ex, file, offset, length);
}

int
exchange_end(struct exchange *ex)
{
	return ex->ops->send_end(ex, NULL);
}

static int
exchange_refuse_fields(struct exchange *ex, unsigned status)
{
	struct http_head *head = &ex->response;
	int r;

	r = http_head_add(
	    head, FIELD_CONTENT_TYPE, BYTES("text/html; charset=utf-8"));
	if (r == 0 && status == 503) {
		int64_t s = 5;
		struct bytes value;

		if (ex->route != NULL && ex->route->action == ACTION_REVERSE)
			s = ex->route->reverse->pool->retry_after.ns /
			    1000000000;
		value = exchange_format(ex, "%lld", (long long)max_of(s, 1));
		if (value.at != NULL)
			r = http_head_add(head, FIELD_RETRY_AFTER, value);
	}
	return r;
}

int
exchange_refuse(struct exchange *ex, int error)
{
	unsigned status = (unsigned)error_http_status(error);
	struct bytes allow = http_head_get(&ex->response, FIELD_ALLOW);
	struct bytes reason, page;
	int r = 0;

	must(!ex->head_sent);
	ex->error = error;
	http_head_init(&ex->response);
	ex->response.status = (uint16_t)status;
	if (status == 405 && allow.at != NULL)
		r = http_head_add(&ex->response, FIELD_ALLOW, allow);
	reason = http_status_reason(status);
	/* Local faults are told to the operator, not to the client. */
	page = exchange_format(ex,
	    "<!doctype html>\n<html lang=en><meta charset=utf-8>"
	    "<title>%u %.*s</title>\n<h1>%u %.*s</h1>\n<p>%s.</p>\n",
	    status, (int)reason.length, reason.at, status, (int)reason.length,
	    reason.at,
	    error_fault(error) == FAULT_PEER ? error_text(error)
		: status == 503
		? "The service cannot answer now; please try again "
		  "in a few seconds"
		: "The service could not answer this request");
	if (r == 0)
		r = exchange_refuse_fields(ex, status);
	return r < 0 ? r : exchange_respond(ex, page);
}
