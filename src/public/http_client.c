/*
 * public/http_client.c - <weir/http.h>: one request, its repeats, redirects
 */
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/error.h"
#include "os/socket.h"
#include "public/http_inner.h"
#include "public/inner.h"

#define CONNECTIONS_DEFAULT 64
#define IDLE_DEFAULT        16
#define HEAD_DEFAULT        16384
#define HEAD_LIMIT          ((size_t)1 << 20)
#define REDIRECTS_DEFAULT   10
#define URL_BYTES_MAX       8192
/* A body that is sent with the head: what a fresh connection's buffer takes. */
#define UPLOAD_AT_ONCE_MAX 16384
/* Of a redirect's body, to keep its connection. */
#define DRAIN_BYTES 65536

/* What a request is now: redirects change it. */
struct fetch {
	struct weir_http_client *client;
	struct weir_http_request *request;
	struct appender error;
	instant deadline;
	struct url url;
	struct bytes method;
	bool with_body;
	bool other_origin; /* than the first */
};

int
weir_http_open(const struct weir_http_options *options,
    struct weir_http_client **ret_client)
{
	struct weir_http_client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return -ENOMEM;
	if (options != NULL)
		client->options = *options;
	options = &client->options;
	if (options->connections_max == 0)
		client->options.connections_max = CONNECTIONS_DEFAULT;
	if (options->idle_max == 0)
		client->options.idle_max = IDLE_DEFAULT;
	if (options->idle_ns <= 0)
		client->options.idle_ns = 30 * WEIR_SECOND;
	if (options->head_max == 0)
		client->options.head_max = HEAD_DEFAULT;
	client->options.head_max = min_of(options->head_max, HEAD_LIMIT);
	if (options->user_agent == NULL)
		client->options.user_agent = "weir/" WEIR_VERSION;
	http_pool_init(client);
	*ret_client = client;
	return 0;
}

void
weir_http_close(struct weir_http_client *client)
{
	http_pool_close(client);
	free(client);
}

/* ---- the request ---- */

static bool
field_is_ours(enum http_field_id id)
{
	return id == FIELD_HOST || id == FIELD_CONTENT_LENGTH ||
	    id == FIELD_TRANSFER_ENCODING || id == FIELD_CONNECTION;
}

/* RFC 9110 §15.4: what was meant for one origin is not told another. */
static bool
field_stays_home(const char *name)
{
	return strcasecmp(name, "authorization") == 0 ||
	    strcasecmp(name, "cookie") == 0 ||
	    strcasecmp(name, "proxy-authorization") == 0;
}

static int
fetch_fields(struct fetch *fetch, struct http_head *head)
{
	const struct weir_http_request *request = fetch->request;
	int r = 0;

	for (size_t i = 0; i < request->field_count && r == 0; i++) {
		struct bytes name = bytes_from(request->fields[i].name);

		if (field_is_ours(http_field_lookup(name.at, name.length)) ||
		    (fetch->other_origin && field_stays_home(name.at)))
			continue;
		r = http_is_token(name)
		    ? http_head_add_named(
			  head, name, bytes_from(request->fields[i].value))
		    : -EINVAL;
		if (r < 0)
			append_format(&fetch->error, "field %.60s: %s", name.at,
			    r == -E2BIG ? "too many of them"
					: "a character that is not allowed");
	}
	if (r == 0 && !http_head_has(head, FIELD_USER_AGENT))
		r = http_head_add(head, FIELD_USER_AGENT,
		    bytes_from(fetch->client->options.user_agent));
	if (r == 0 && !http_head_has(head, FIELD_ACCEPT))
		r = http_head_add(head, FIELD_ACCEPT, BYTES("*/*"));
	return r == -E2BIG ? -EINVAL : r;
}

static void
fetch_framing(const struct fetch *fetch, struct http_head *head)
{
	const struct weir_http_request *request = fetch->request;
	enum http_method method = head->method;

	if (fetch->with_body && request->body_read != NULL &&
	    request->body_length == 0) {
		head->framing = HTTP_BODY_CHUNKED;
	} else if (fetch->with_body || method == HTTP_POST ||
	    method == HTTP_PUT || method == HTTP_PATCH) {
		head->framing = HTTP_BODY_LENGTH;
		head->content_length =
		    fetch->with_body ? request->body_length : 0;
	}
}

/* Host: without the port that goes without saying. */
static struct bytes
fetch_authority(const struct fetch *fetch)
{
	const struct url *url = &fetch->url;
	const char *at = url->host.at - (url->host_is_ipv6 ? 1 : 0);
	const char *end =
	    url->host.at + url->host.length + (url->host_is_ipv6 ? 1 : 0);

	if (url->port != 0 && url->port != 80)
		while (*end == ':' || (*end >= '0' && *end <= '9'))
			end++;
	return bytes_of(at, (size_t)(end - at));
}

static int
fetch_head(struct fetch *fetch, struct weir_http_response *response,
    struct bytes *ret_text)
{
	struct appender into = appender_over(response->memory, response->size);
	struct http_head *head = &response->head;
	int r;

	http_head_init(head);
	head->method_name = fetch->method;
	head->method = (uint8_t)http_method_lookup(fetch->method);
	head->version = 11;
	head->keep_alive = true;
	head->authority = fetch_authority(fetch);
	head->path = fetch->url.path.length > 0 ? fetch->url.path : BYTES("/");
	head->query = fetch->url.query;
	r = fetch_fields(fetch, head);
	if (r < 0)
		return r;
	fetch_framing(fetch, head);
	http1_write_request(&into, head);
	if (into.overflowed) {
		append_format(&fetch->error,
		    "the request's head is longer than head_max");
		return -EMSGSIZE;
	}
	response->method = head->method;
	*ret_text = appender_bytes(&into);
	return 0;
}

/* ---- sending ---- */

static int
send_parts(
    struct fetch *fetch, struct io_fd *io, struct iovec *parts, int count)
{
	ssize_t sent = io_sendv(io, parts, count, 0, NULL, fetch->deadline);

	return sent < 0 ? (int)sent : 0;
}

static int
send_chunk(
    struct fetch *fetch, struct io_fd *io, const char *block, size_t length)
{
	char start[32];
	struct appender a = appender_over(start, sizeof(start));
	struct iovec parts[3];

	if (fetch->request->body_length > 0) {
		parts[0] = (struct iovec){(void *)block, length};
		return send_parts(fetch, io, parts, 1);
	}
	http1_write_chunk_start(&a, length);
	parts[0] = (struct iovec){start, a.length};
	parts[1] = (struct iovec){(void *)block, length};
	parts[2] = (struct iovec){"\r\n", 2};
	return send_parts(fetch, io, parts, 3);
}

static int
fetch_failed(struct fetch *fetch, int error, const char *text)
{
	append_format(&fetch->error, "%s", text);
	return error;
}

static int
send_body_read(struct fetch *fetch, struct io_fd *io)
{
	const struct weir_http_request *request = fetch->request;
	uint64_t left =
	    request->body_length > 0 ? request->body_length : UINT64_MAX;
	char block[4096];
	ssize_t length;
	int r;

	while (left > 0) {
		length = request->body_read(request->user, block,
		    (size_t)min_of((uint64_t)sizeof(block), left));
		if (length < 0)
			return fetch_failed(
			    fetch, (int)length, "the body could not be read");
		if (length == 0)
			break;
		left -= (uint64_t)length;
		r = send_chunk(fetch, io, block, (size_t)length);
		if (r < 0)
			return r;
	}
	if (request->body_length == 0)
		return send_parts(
		    fetch, io, &(struct iovec){"0\r\n\r\n", 5}, 1);
	return left == 0 ? 0
			 : fetch_failed(fetch, -EINVAL,
			       "the body is shorter than body_length");
}

/* ---- sending beside the answer ---- */

/*
 * A server may answer before it has all of a body, and then listen no more.
 * While the caller's task sends, a task of ours reads. What says no ends the
 * sending: nothing more can be written, so that a send which waits returns.
 */
struct upload {
	struct weir_http_response *response;
	instant deadline;
	int result; /* of the head; 1: not yet */
	bool sent;
};

static int
upload_answer_task(void *arg)
{
	struct upload *upload = arg;
	struct weir_http_response *response = upload->response;

	upload->result = http_response_head(response, upload->deadline);
	if (!upload->sent &&
	    (upload->result < 0 || response->head.status >= 300))
		(void)socket_shutdown_write(response->conn->io.fd);
	return 0;
}

static int
send_body(struct fetch *fetch, struct io_fd *io)
{
	const struct weir_http_request *request = fetch->request;

	if (request->body_read != NULL)
		return send_body_read(fetch, io);
	return send_parts(fetch, io,
	    &(struct iovec){(void *)request->body, request->body_length}, 1);
}

/* Whether the connection goes on to the answer although a send failed. */
static bool
send_may_be_answered(int r)
{
	return r == 0 || r == -EPIPE || r == -ECONNRESET;
}

/* What a request ends with whose body is sent and whose answer is read. */
static int
upload_end(struct upload *upload, int sent)
{
	struct http_head *head = &upload->response->head;

	if (upload->result != 0)
		return upload->result == 1 ? sent : upload->result;
	if (sent == 0)
		return 0;
	head->keep_alive = false;
	return head->status >= 300 || send_may_be_answered(sent) ? 0 : sent;
}

static int
upload_run(struct fetch *fetch, struct weir_http_response *response)
{
	struct upload upload = {
	    .response = response, .deadline = fetch->deadline, .result = 1};
	struct scope scope;
	int sent, r;

	scope_init(&scope, instant_never());
	r = task_start(&scope, "http answer", upload_answer_task, &upload);
	if (r == 0) {
		sent = send_body(fetch, &response->conn->io);
		upload.sent = sent == 0;
		if (send_may_be_answered(sent))
			r = scope_wait(&scope);
		if (r == 0)
			r = upload_end(&upload, sent);
	}
	(void)scope_fini(&scope);
	return r;
}

/* Send the request, receive the answer's head. */
static int
fetch_exchange(
    struct fetch *fetch, struct weir_http_response *response, struct bytes head)
{
	const struct weir_http_request *request = fetch->request;
	bool at_hand = fetch->with_body && request->body_read == NULL &&
	    request->body_length <= UPLOAD_AT_ONCE_MAX;
	struct iovec parts[2] = {{(void *)head.at, head.length},
	    {(void *)request->body, at_hand ? request->body_length : 0}};
	int r = send_parts(fetch, &response->conn->io, parts, at_hand ? 2 : 1);

	if (r == 0 && fetch->with_body && !at_hand)
		return upload_run(fetch, response);
	/* It may have answered before it stopped listening. */
	return send_may_be_answered(r)
	    ? http_response_head(response, fetch->deadline)
	    : r;
}

/* ---- one exchange ---- */

static int
fetch_error(struct fetch *fetch, int error)
{
	if (fetch->error.length == 0)
		append_text(&fetch->error, error_text(error));
	if (error == E_H1_HEAD_TOO_LARGE || error == E_H1_TOO_MANY_FIELDS ||
	    error == E_H1_LINE_TOO_LONG)
		return -EMSGSIZE;
	if (error == E_H1_TRUNCATED)
		return -ECONNRESET;
	return error <= -1000 ? -EBADMSG : error;
}

/* Once, on a connection. @*ret_again: it was a kept one that is of no use any
 * more, and the request may be repeated. */
static int
fetch_once(struct fetch *fetch, struct weir_http_response *response, bool fresh,
    bool *ret_again)
{
	const struct url *url = &fetch->url;
	struct bytes head;
	bool kept;
	int r;

	*ret_again = false;
	r = fetch_head(fetch, response, &head);
	if (r < 0)
		return r;
	r = http_pool_take(fetch->client, url->host,
	    url->port != 0 ? url->port : 80, fresh, &response->conn,
	    &fetch->error, fetch->deadline);
	if (r < 0)
		return r;
	kept = response->conn->kept;
	r = fetch_exchange(fetch, response, head);
	if (r == 0)
		return 0;
	*ret_again = kept && response->end == 0 &&
	    (r == -ECONNRESET || r == -EPIPE) &&
	    http_method_idempotent(response->method) &&
	    !(fetch->with_body && fetch->request->body_read != NULL);
	http_pool_drop(response->conn);
	response->conn = NULL;
	return r;
}

static int
fetch_one(struct fetch *fetch, const char *url, struct weir_http_response **ret)
{
	size_t size = fetch->client->options.head_max + HTTP_BODY_BYTES;
	struct weir_http_response *response = malloc(sizeof(*response) + size);
	bool again;
	int r;

	if (response == NULL)
		return -ENOMEM;
	memset(response, 0, sizeof(*response));
	response->size = size;
	response->url = strdup(url);
	r = response->url == NULL ? -ENOMEM
				  : fetch_once(fetch, response, false, &again);
	if (r < 0 && response->url != NULL && again)
		r = fetch_once(fetch, response, true, &again);
	if (r < 0) {
		weir_http_response_close(response);
		return r;
	}
	*ret = response;
	return 0;
}

/* ---- redirects ---- */

static int
fetch_url(struct fetch *fetch, const char *text)
{
	int r = url_parse(bytes_from(text), &fetch->url);

	if (r == 0 &&
	    (fetch->url.scheme.at == NULL || fetch->url.host.length == 0))
		r = E_URL_BAD_FORM;
	if (r < 0) {
		append_format(&fetch->error, "%.80s: %s", text,
		    r == E_URL_BAD_FORM ? "not an absolute URL"
					: error_text(r));
		return -EINVAL;
	}
	if (!bytes_equal_nocase(fetch->url.scheme, BYTES("http"))) {
		append_format(&fetch->error, "%.*s: is not spoken, only http",
		    (int)fetch->url.scheme.length, fetch->url.scheme.at);
		return -EPROTONOSUPPORT;
	}
	if (fetch->url.userinfo.at != NULL)
		return fetch_failed(fetch, -EINVAL,
		    "a name and password in the URL: use Authorization");
	return 0;
}

static bool
redirect_wanted(
    const struct fetch *fetch, const struct weir_http_response *response)
{
	unsigned status = response->head.status;

	return fetch->request->redirects_max >= 0 &&
	    (status == 301 || status == 302 || status == 303 || status == 307 ||
		status == 308) &&
	    http_head_has(&response->head, FIELD_LOCATION);
}

/* The request that @status asks for. False: its body cannot be sent again. */
static bool
redirect_change(struct fetch *fetch, unsigned status)
{
	bool post = bytes_equal(fetch->method, BYTES("POST"));

	if ((status == 303 && !bytes_equal(fetch->method, BYTES("HEAD"))) ||
	    (post && (status == 301 || status == 302))) {
		fetch->method = BYTES("GET");
		fetch->with_body = false;
	}
	return !fetch->with_body || fetch->request->body_read == NULL;
}

static bool
same_origin(const struct url *a, const struct url *b)
{
	return bytes_equal_nocase(a->host, b->host) &&
	    (a->port != 0 ? a->port : 80) == (b->port != 0 ? b->port : 80);
}

/* Read what little is left, so that the connection can be kept. */
static void
redirect_drain(struct fetch *fetch, struct weir_http_response *response)
{
	char block[4096];
	size_t total = 0;
	ssize_t got;

	do {
		got = weir_http_read(
		    response, block, sizeof(block), fetch->deadline.ns);
		total += got > 0 ? (size_t)got : 0;
	} while (got > 0 && total < DRAIN_BYTES);
	weir_http_response_close(response);
}

/* The next URL into @text. */
static int
redirect_url(struct fetch *fetch, struct weir_http_response *response,
    char text[URL_BYTES_MAX])
{
	struct bytes location = http_head_get(&response->head, FIELD_LOCATION);
	struct appender into = appender_over(text, URL_BYTES_MAX - 1);
	int r = url_join(&fetch->url, location, &into);

	if (r < 0) {
		append_format(&fetch->error, "redirect to %.80s: %s",
		    location.at, error_text(r));
		return -EBADMSG;
	}
	text[into.length] = '\0';
	return 0;
}

static int
fetch_all(struct fetch *fetch, char next[URL_BYTES_MAX],
    struct weir_http_response **ret_response)
{
	const struct weir_http_request *request = fetch->request;
	int left = request->redirects_max != 0 ? request->redirects_max
					       : REDIRECTS_DEFAULT;
	struct weir_http_response *response;
	const char *text = request->url;
	struct url before = {0};
	int r;

	for (;;) {
		r = fetch_url(fetch, text);
		if (r < 0)
			return r;
		if (before.host.at != NULL &&
		    !same_origin(&before, &fetch->url))
			fetch->other_origin = true;
		r = fetch_one(fetch, text, &response);
		if (r < 0)
			return r;
		if (!redirect_wanted(fetch, response) ||
		    !redirect_change(fetch, response->head.status)) {
			*ret_response = response;
			return 0;
		}
		/* Parsed anew from memory that stays until the next round. */
		r = url_parse(bytes_from(response->url), &fetch->url);
		if (r == 0)
			r = redirect_url(fetch, response, next);
		if (r == 0 && left-- <= 0)
			r = fetch_failed(fetch, -ELOOP, "too many redirects");
		if (r == 0 && before.host.at == NULL)
			r = url_parse(bytes_from(request->url), &before);
		redirect_drain(fetch, response);
		if (r < 0)
			return r;
		text = next;
	}
}

int
weir_http_fetch(struct weir_http_client *client,
    struct weir_http_request *request, struct weir_http_response **ret_response,
    weir_time deadline)
{
	struct fetch fetch = {
	    .client = client,
	    .request = request,
	    .error = appender_over(request->error, sizeof(request->error) - 1),
	    .deadline = inner_time(deadline),
	    .method = request->method != NULL ? bytes_from(request->method)
					      : BYTES("GET"),
	    .with_body = request->body_read != NULL || request->body_length > 0,
	};
	char *next = malloc(URL_BYTES_MAX);
	int r = -ENOMEM;

	(void)task_required(__func__);
	if (next != NULL && !http_is_token(fetch.method)) {
		append_text(&fetch.error, "the method is not a token");
		r = -EINVAL;
	} else if (next != NULL) {
		r = fetch_all(&fetch, next, ret_response);
	}
	free(next);
	if (r < 0)
		r = fetch_error(&fetch, r);
	else
		/* Of a body that the answer did not wait for. */
		fetch.error.length = 0;
	request->error[fetch.error.length] = '\0';
	return r;
}
