/*
 * http_client_test.c - the client against a server that says what a test wants
 *
 * The server takes one request at a time and answers with the next text of the
 * script, whatever was asked; what it was asked is kept.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <weir/weir.h>

#define CLOSE "\x01" /* at an answer's end: the server closes */

static const char *const *script;
static char asked[65536];
static char *since = asked;
static unsigned connections;
static unsigned closed_late; /* ms before a CLOSE */
static unsigned short port;
static struct weir_http_client *client;

static weir_time
soon(void)
{
	return weir_after(5 * WEIR_SECOND);
}

/* The head and a body of known length, or of chunks up to the last. */
static bool
take_request(struct weir_io *io)
{
	size_t start = strlen(asked);
	char *end;
	ssize_t got;

	for (;;) {
		end = strstr(asked + start, "\r\n\r\n");
		if (end != NULL) {
			char *length =
			    strcasestr(asked + start, "content-length: ");
			size_t want =
			    length ? strtoul(length + 16, NULL, 10) : 0;

			if (strcasestr(asked + start, "transfer-encoding") !=
				    NULL
				? strstr(end, "\r\n0\r\n\r\n") != NULL
				: strlen(end + 4) >= want)
				return true;
		}
		got = weir_recv(io, asked + strlen(asked),
		    sizeof(asked) - 1 - strlen(asked), WEIR_NEVER);
		if (got <= 0)
			return false;
	}
}

static int
serve_one(void *arg)
{
	struct weir_io io;
	const char *answer;
	size_t length;
	bool ends = false;

	if (weir_io_attach(&io, (int)(intptr_t)arg) < 0)
		return -1;
	while (!ends && take_request(&io) && *script != NULL) {
		answer = *script++;
		length = strlen(answer);
		ends = length > 0 && answer[length - 1] == CLOSE[0];
		if (ends)
			length--;
		if (length > 0 &&
		    weir_send(&io, answer, length, NULL, soon()) < 0)
			break;
		if (ends && closed_late > 0)
			(void)weir_sleep(closed_late * WEIR_MILLISECOND);
	}
	weir_io_close(&io);
	return 0;
}

static int
serve(void *arg)
{
	struct weir_io *listener = arg;
	int fd;

	while ((fd = weir_accept(listener, NULL, NULL, WEIR_NEVER)) >= 0) {
		connections++;
		if (weir_task_start(
			NULL, "serve", serve_one, (void *)(intptr_t)fd) < 0)
			return -1;
	}
	return 0;
}

/* Fetch @path; "" is the server's name without a path. */
static int
fetch(struct weir_http_request *request, const char *path,
    struct weir_http_response **ret)
{
	static char url[512];
	int error;

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
	request->url = url;
	error = weir_http_fetch(client, request, ret, soon());
	assert_true((error < 0) == (request->error[0] != '\0'));
	return error;
}

static void
expect_body(struct weir_http_response *response, const char *body)
{
	size_t length;
	char *got;

	assert_int_equal(
	    weir_http_read_all(response, 100000, &got, &length, soon()), 0);
	assert_string_equal(got, body);
	assert_int_equal(length, strlen(body));
	free(got);
}

static void
get(const char *const *answers, const char *body)
{
	struct weir_http_request request = {0};
	struct weir_http_response *response;

	script = answers;
	assert_int_equal(fetch(&request, "/", &response), 0);
	expect_body(response, body);
	weir_http_response_close(response);
}

#define SCRIPT(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
part_bodies(void)
{
	since = asked + strlen(asked);
	get(SCRIPT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
	    "hello");
	assert_non_null(strstr(since, "GET / HTTP/1.1\r\n"));
	assert_non_null(strstr(since, "User-Agent: weir/"));
	get(SCRIPT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		   "3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n"),
	    "abc0123456789");
	get(SCRIPT("HTTP/1.1 204 No Content\r\n\r\n"), "");
	get(SCRIPT("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
		   "Link: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
		   "2\r\n\r\nok"),
	    "ok");
	/* All of that on one connection. */
	assert_int_equal(connections, 1);
	get(SCRIPT("HTTP/1.0 200 OK\r\n\r\nuntil the end" CLOSE),
	    "until the end");
	get(SCRIPT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), "ok");
	assert_int_equal(connections, 2);
}

static void
part_fields(void)
{
	struct weir_http_field field,
	    fields[] = {{"X-Mine", "yes"}, {"Host", "elsewhere"},
		{"User-Agent", "test"}};
	struct weir_http_request request = {
	    .method = "OPTIONS", .fields = fields, .field_count = 3};
	struct weir_http_response *response;

	since = asked + strlen(asked);
	script = SCRIPT("HTTP/1.1 200 Fine\r\nA: 1\r\nB:  two \r\n"
			"Content-Length: 0\r\n\r\n");
	assert_int_equal(fetch(&request, "/a/../b?c=d#e", &response), 0);
	assert_non_null(strstr(since, "OPTIONS /"));
	assert_non_null(strstr(since, "?c=d HTTP/1.1\r\n"));
	assert_non_null(strstr(since, "X-Mine: yes\r\n"));
	assert_non_null(strstr(since, "User-Agent: test\r\n"));
	assert_null(strstr(since, "elsewhere"));
	assert_int_equal(weir_http_status(response), 200);
	assert_string_equal(weir_http_field(response, "b"), "two");
	assert_null(weir_http_field(response, "c"));
	assert_true(weir_http_field_at(response, 0, &field));
	assert_string_equal(field.name, "A");
	assert_string_equal(field.value, "1");
	assert_false(weir_http_field_at(response, 3, &field));
	assert_int_equal(weir_http_length(response), 0);
	weir_http_response_close(response);

	fields[0].value = "a\r\nInjected: yes";
	assert_int_equal(fetch(&request, "/", &response), -EINVAL);
	fields[0] = (struct weir_http_field){"a b", "c"};
	assert_int_equal(fetch(&request, "/", &response), -EINVAL);
	request.field_count = 0;
	request.method = "GET /";
	assert_int_equal(fetch(&request, "/", &response), -EINVAL);
	request.method = NULL;
	assert_int_equal(fetch(&request, "/%zz", &response), -EINVAL);
}

struct made_body {
	unsigned left;
};

static ssize_t
body_make(void *user, void *into, size_t room)
{
	struct made_body *body = user;

	if (body->left == 0 || room < 4)
		return 0;
	body->left--;
	memcpy(into, "part", 4);
	return 4;
}

static void
part_sending(void)
{
	struct made_body made = {3};
	struct weir_http_request request = {
	    .method = "POST", .body = "a=b", .body_length = 3};
	struct weir_http_response *response;

	since = asked + strlen(asked);
	script = SCRIPT("HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n",
	    "HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n",
	    "HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(fetch(&request, "/", &response), 0);
	assert_int_equal(weir_http_status(response), 201);
	weir_http_response_close(response);
	assert_non_null(strstr(since, "Content-Length: 3\r\n"));
	assert_non_null(strstr(since, "\r\n\r\na=b"));

	since = asked + strlen(asked);
	request = (struct weir_http_request){
	    .method = "PUT", .body_read = body_make, .user = &made};
	assert_int_equal(fetch(&request, "/", &response), 0);
	weir_http_response_close(response);
	assert_non_null(strstr(since, "Transfer-Encoding: chunked\r\n"));
	assert_non_null(strstr(
	    asked, "\r\n\r\n4\r\npart\r\n4\r\npart\r\n4\r\npart\r\n0\r\n\r\n"));

	since = asked + strlen(asked);
	request = (struct weir_http_request){.method = "POST"};
	assert_int_equal(fetch(&request, "/", &response), 0);
	weir_http_response_close(response);
	assert_non_null(strstr(since, "Content-Length: 0\r\n"));

	/* A body that ends before its length is not passed off as whole. */
	made.left = 1;
	request = (struct weir_http_request){.method = "POST",
	    .body_read = body_make,
	    .user = &made,
	    .body_length = 100};
	script = SCRIPT("never sent");
	assert_int_equal(fetch(&request, "/", &response), -EINVAL);
	assert_string_equal(
	    request.error, "the body is shorter than body_length");
}

static void
part_redirects(void)
{
	struct weir_http_field secret = {"Authorization", "Basic x"};
	struct weir_http_request request = {
	    .fields = &secret, .field_count = 1};
	struct weir_http_response *response;
	char elsewhere[256];

	since = asked + strlen(asked);
	script = SCRIPT("HTTP/1.1 302 Found\r\nLocation: ../b?x\r\n"
			"Content-Length: 4\r\n\r\ngone",
	    "HTTP/1.1 307 Again\r\nLocation: /c#f\r\nContent-Length: "
	    "0\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_int_equal(fetch(&request, "/a/a/a", &response), 0);
	expect_body(response, "ok");
	assert_non_null(strstr(since, "GET /a/b?x HTTP/1.1\r\n"));
	assert_non_null(strstr(since, "GET /c HTTP/1.1\r\n"));
	assert_non_null(strstr(strstr(since, "GET /c"), "Authorization"));
	assert_non_null(strstr(weir_http_url(response), "/c"));
	weir_http_response_close(response);

	/* To another origin, by another name. */
	since = asked + strlen(asked);
	snprintf(elsewhere, sizeof(elsewhere),
	    "HTTP/1.1 302 Found\r\nLocation: http://localhost:%u/d\r\n"
	    "Content-Length: 0\r\n\r\n",
	    port);
	script =
	    SCRIPT(elsewhere, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_int_equal(fetch(&request, "/", &response), 0);
	weir_http_response_close(response);
	assert_non_null(strstr(since, "GET /d"));
	assert_null(strstr(strstr(since, "GET /d"), "Authorization"));

	/* What it turns into. */
	since = asked + strlen(asked);
	request = (struct weir_http_request){
	    .method = "POST", .body = "data", .body_length = 4};
	script = SCRIPT("HTTP/1.1 308 Same\r\nLocation: /1\r\nContent-Length: "
			"0\r\n\r\n",
	    "HTTP/1.1 303 See\r\nLocation: /2\r\nContent-Length: 0\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(fetch(&request, "/", &response), 0);
	weir_http_response_close(response);
	assert_non_null(strstr(since, "POST /1"));
	assert_non_null(strstr(strstr(since, "POST /1"), "data"));
	assert_non_null(strstr(since, "GET /2"));
	assert_null(strstr(strstr(since, "GET /2"), "data"));

	request = (struct weir_http_request){.redirects_max = 1};
	script =
	    SCRIPT("HTTP/1.1 302 F\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 302 F\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 302 F\r\nLocation: https://x/\r\nContent-Length: "
		"0\r\n\r\n",
		"HTTP/1.1 302 F\r\nLocation: /\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(fetch(&request, "/", &response), -ELOOP);
	assert_int_equal(fetch(&request, "/", &response), -EPROTONOSUPPORT);
	request.redirects_max = -1;
	assert_int_equal(fetch(&request, "/", &response), 0);
	assert_int_equal(weir_http_status(response), 302);
	weir_http_response_close(response);
}

static void
expect_failure(const char *answer, int error)
{
	struct weir_http_request request = {0};
	struct weir_http_response *response;

	script = SCRIPT(answer, answer);
	assert_int_equal(fetch(&request, "/", &response), error);
}

static void
expect_broken_body(const char *answer, int error)
{
	struct weir_http_request request = {0};
	struct weir_http_response *response;
	size_t length;
	char *body;

	script = SCRIPT(answer);
	assert_int_equal(fetch(&request, "/", &response), 0);
	assert_int_equal(
	    weir_http_read_all(response, 100, &body, &length, soon()), error);
	weir_http_response_close(response);
}

static void
part_failures(void)
{
	static char long_head[40000];
	struct weir_http_request request = {.url = "http://127.0.0.1:1/"};
	struct weir_http_response *response;

	expect_failure("SMTP ready\r\n" CLOSE, -EBADMSG);
	expect_failure("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		       "Transfer-Encoding: chunked\r\n\r\n" CLOSE,
	    -EBADMSG);
	expect_failure(CLOSE, -ECONNRESET);
	expect_failure("HTTP/1.1 200 OK\r\nCont" CLOSE, -ECONNRESET);
	expect_failure("HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: "
		       "upgrade\r\n\r\n" CLOSE,
	    -EBADMSG);
#define HINT  "HTTP/1.1 103 Early Hints\r\n\r\n"
#define HINTS HINT HINT HINT HINT HINT HINT HINT HINT
	get(SCRIPT(HINTS "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
	    "ok");
	expect_failure(HINTS HINT
	    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" CLOSE,
	    -EBADMSG);
	memcpy(long_head, "HTTP/1.1 200 OK\r\nX: ", 20);
	memset(long_head + 20, 'x', sizeof(long_head) - 21);
	expect_failure(long_head, -EMSGSIZE);

	expect_broken_body(
	    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort" CLOSE,
	    -ECONNRESET);
	expect_broken_body("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
			   "chunked\r\n\r\n5\r\nab" CLOSE,
	    -ECONNRESET);
	expect_broken_body("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
			   "chunked\r\n\r\nxx\r\n" CLOSE,
	    -EBADMSG);
	expect_broken_body(
	    "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n"
	    "0123456789012345678901234567890123456789012345678901234567890123"
	    "4567890123456789012345678901234567890" CLOSE,
	    -EMSGSIZE);

	assert_int_equal(weir_http_fetch(client, &request, &response, soon()),
	    -ECONNREFUSED);
	assert_non_null(strstr(request.error, "127.0.0.1:1"));
	request.url = "https://127.0.0.1/";
	assert_int_equal(weir_http_fetch(client, &request, &response, soon()),
	    -EPROTONOSUPPORT);
	request.url = "/relative";
	assert_int_equal(
	    weir_http_fetch(client, &request, &response, soon()), -EINVAL);
	request.url = "http://a:b@127.0.0.1/";
	assert_int_equal(
	    weir_http_fetch(client, &request, &response, soon()), -EINVAL);
}

/* A kept connection that the server closes, before and as it is used. */
static void
part_kept(void)
{
	struct weir_http_request request = {.method = "POST"};
	struct weir_http_response *response;
	unsigned before;

	get(SCRIPT("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1" CLOSE), "1");
	assert_int_equal(weir_sleep(20 * WEIR_MILLISECOND), 0);
	before = connections;
	get(SCRIPT("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2"), "2");
	assert_int_equal(connections, before + 1);
	/* It takes the request and closes without a word: asked again. */
	get(SCRIPT(CLOSE, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3"),
	    "3");
	assert_int_equal(connections, before + 2);
	/* But not what may not be repeated. */
	script = SCRIPT(CLOSE, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3");
	assert_int_equal(fetch(&request, "/", &response), -ECONNRESET);
}

/* Each of these connections is not fit to be used again. */
static void
part_not_kept(void)
{
	static const char ok[] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct weir_http_request request = {0};
	struct weir_http_response *response;
	unsigned before;

	get(SCRIPT(ok), "ok");
	before = connections;
	/* Bytes behind the body, which nobody asked for. */
	get(SCRIPT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP"), "ok");
	get(SCRIPT(ok), "ok");
	assert_int_equal(connections, before + 1);
	/* Closed before the end of its body. */
	script = SCRIPT("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
	assert_int_equal(fetch(&request, "/", &response), 0);
	weir_http_response_close(response);
	get(SCRIPT(ok), "ok");
	assert_int_equal(connections, before + 2);
	/* The server says so, and leaves the closing to us. */
	get(SCRIPT("HTTP/1.1 200 OK\r\nConnection: close\r\n"
		   "Content-Length: 2\r\n\r\nok"),
	    "ok");
	get(SCRIPT(ok), "ok");
	assert_int_equal(connections, before + 3);
}

/* ---- servers that do not play along ---- */

#define LARGE_BODY ((size_t)8 << 20)

/* How a server behaves to one client, then closes. */
struct refusal {
	const char *answer; /* after the head */
	bool stays; /* reads nothing more, and does not close for long */
	struct weir_address at;
	struct weir_io listener;
};

static int
refuse(void *arg)
{
	struct refusal *refusal = arg;
	struct weir_io io;
	char head[4096];
	size_t length = 0;
	int fd = weir_accept(&refusal->listener, NULL, NULL, soon());

	assert_true(fd >= 0);
	assert_int_equal(weir_io_attach(&io, fd), 0);
	do {
		ssize_t got = weir_recv(
		    &io, head + length, sizeof(head) - 1 - length, soon());

		assert_true(got > 0);
		length += (size_t)got;
		head[length] = '\0';
	} while (strstr(head, "\r\n\r\n") == NULL && length < sizeof(head) - 1);
	(void)!weir_send(
	    &io, refusal->answer, strlen(refusal->answer), NULL, soon());
	if (refusal->stays)
		(void)weir_sleep(60 * WEIR_SECOND);
	weir_io_close(&io);
	return 0;
}

static ssize_t
body_without_end(void *user, void *into, size_t room)
{
	++*(unsigned *)user;
	memset(into, 'x', room);
	return (ssize_t)room;
}

static void
refused_listen(struct refusal *refusal, const char *address)
{
	assert_int_equal(weir_address_parse(address, &refusal->at), 0);
	assert_int_equal(
	    weir_listen(&refusal->listener, &refusal->at, NULL), 0);
	assert_int_equal(
	    weir_local_address(&refusal->listener, &refusal->at), 0);
}

/* Returns what the fetch does; an answer has @status. */
static int
refused(struct refusal *refusal, struct weir_http_request *request, int status)
{
	struct weir_http_response *response;
	struct weir_scope scope;
	weir_time start;
	char url[64];
	int error;

	refused_listen(refusal, "127.0.0.1:0");
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/",
	    weir_address_port(&refusal->at));
	request->url = url;
	weir_scope_init(&scope, WEIR_NEVER);
	assert_int_equal(weir_task_start(&scope, "refuse", refuse, refusal), 0);
	start = weir_now();
	error = weir_http_fetch(
	    client, request, &response, weir_after(20 * WEIR_SECOND));
	/* Not by its deadline. */
	assert_true(weir_now() - start < 10 * WEIR_SECOND);
	if (error == 0) {
		assert_int_equal(weir_http_status(response), status);
		if (status == 413)
			expect_body(response, "too large");
		weir_http_response_close(response);
	}
	weir_scope_cancel(&scope, 0);
	(void)weir_scope_fini(&scope);
	weir_io_close(&refusal->listener);
	return error;
}

/* The answer comes in the midst of a body that is larger than all buffers. */
static void
part_refused(void)
{
	static const char no[] = "HTTP/1.1 413 Too Large\r\n"
				 "Content-Length: 9\r\n\r\ntoo large";
	char *large = calloc(1, LARGE_BODY);
	unsigned reads = 0;
	struct weir_http_request known = {
	    .method = "PUT", .body = large, .body_length = LARGE_BODY};
	struct weir_http_request made = {
	    .method = "POST", .body_read = body_without_end, .user = &reads};
	struct refusal refusal = {.answer = no};

	assert_non_null(large);
	for (unsigned i = 0; i < 2; i++) {
		refusal.stays = i == 0;
		assert_int_equal(refused(&refusal, &known, 413), 0);
		assert_int_equal(refused(&refusal, &made, 413), 0);
	}
	assert_true(reads > 0);
	/* It closes without an answer, or with what is none. */
	refusal.answer = "";
	assert_int_equal(refused(&refusal, &known, 0), -ECONNRESET);
	refusal = (struct refusal){.answer = "SMTP ready\r\n", .stays = true};
	assert_int_equal(refused(&refusal, &made, 0), -EBADMSG);
	free(large);
}

/* An idle connection serves its own origin only: the port is part of it. */
static void
part_origins(void)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	struct weir_http_request request = {0};
	struct refusal other = {
	    .answer = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"};

	get(SCRIPT(ok), "");
	script = SCRIPT(ok);
	assert_int_equal(refused(&other, &request, 404), 0);
}

/* ---- tasks that are stopped ---- */

enum stop_at { STOP_FETCH, STOP_SEND, STOP_BODY_READ, STOP_READ };

struct stopped {
	enum stop_at at;
	const char *url;
	const void *body;
	bool inside;
	int result;
};

static ssize_t
body_sleeps(void *user, void *into, size_t room)
{
	struct stopped *stopped = user;
	int error;

	stopped->inside = true;
	error = weir_sleep(60 * WEIR_SECOND);
	return error < 0 ? error : 0;
}

static int
stopped_task(void *arg)
{
	struct stopped *stopped = arg;
	struct weir_http_request request = {.url = stopped->url};
	struct weir_http_response *response;
	char block[64];

	if (stopped->at == STOP_BODY_READ) {
		request.body_read = body_sleeps;
		request.user = stopped;
		request.method = "POST";
	} else if (stopped->at == STOP_SEND) {
		request.body = stopped->body;
		request.body_length = LARGE_BODY;
		request.method = "PUT";
	}
	stopped->result =
	    weir_http_fetch(client, &request, &response, WEIR_NEVER);
	if (stopped->result < 0)
		return 0;
	stopped->inside = true;
	stopped->result =
	    (int)weir_http_read(response, block, sizeof(block), WEIR_NEVER);
	weir_http_response_close(response);
	return 0;
}

static int
stop_one(enum stop_at at, const char *answer, const void *body)
{
	struct refusal refusal = {.answer = answer, .stays = true};
	struct weir_scope servers, scope;
	char url[64];
	struct stopped stopped = {.at = at, .url = url, .body = body};

	refused_listen(&refusal, "127.0.0.1:0");
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/",
	    weir_address_port(&refusal.at));
	weir_scope_init(&servers, WEIR_NEVER);
	weir_scope_init(&scope, WEIR_NEVER);
	assert_int_equal(
	    weir_task_start(&servers, "refuse", refuse, &refusal), 0);
	assert_int_equal(
	    weir_task_start(&scope, "stopped", stopped_task, &stopped), 0);
	assert_int_equal(weir_sleep(20 * WEIR_MILLISECOND), 0);
	while ((at == STOP_BODY_READ || at == STOP_READ) && !stopped.inside)
		assert_int_equal(weir_sleep(WEIR_MILLISECOND), 0);
	weir_scope_cancel(&scope, -EOWNERDEAD);
	(void)weir_scope_fini(&scope);
	weir_scope_cancel(&servers, 0);
	(void)weir_scope_fini(&servers);
	weir_io_close(&refusal.listener);
	return stopped.result;
}

/* Wherever it waits, it is told why, and its connection is given back: the
 * client's only place is free again. */
static void
part_stopped(void)
{
	static const struct weir_http_options one = {.connections_max = 1};
	struct weir_http_client *other = client;
	char *large = calloc(1, LARGE_BODY);

	assert_non_null(large);
	assert_int_equal(weir_http_open(&one, &client), 0);
	assert_int_equal(stop_one(STOP_FETCH, "", NULL), -EOWNERDEAD);
	assert_int_equal(stop_one(STOP_SEND, "", large), -EOWNERDEAD);
	assert_int_equal(stop_one(STOP_BODY_READ, "", NULL), -EOWNERDEAD);
	assert_int_equal(
	    stop_one(STOP_READ, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
		NULL),
	    -EOWNERDEAD);
	get(SCRIPT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), "ok");
	weir_http_close(client);
	client = other;
	free(large);
}

/* ---- names ---- */

static void
part_names(void)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	char path[] = "/tmp/weir-hosts-XXXXXX";
	struct weir_resolve_options options = {
	    .resolv_conf = "/nonexistent", .hosts = path};
	struct weir_http_request request = {0};
	struct weir_http_response *response;
	struct refusal six = {.answer = ok};
	struct weir_scope scope;
	char url[64], text[64];
	FILE *file = fdopen(mkstemp(path), "w");
	unsigned short six_port;

	assert_non_null(file);
	/* Nobody listens on the first address of either. */
	fputs("::1 both.test\n127.0.0.1 both.test\n"
	      "127.0.0.9 six.test\n::1 six.test\n",
	    file);
	fclose(file);
	assert_int_equal(weir_resolve_configure(&options), 0);

	script = SCRIPT(ok);
	snprintf(url, sizeof(url), "http://both.test:%u/", port);
	request.url = url;
	assert_int_equal(
	    weir_http_fetch(client, &request, &response, soon()), 0);
	weir_http_response_close(response);

	refused_listen(&six, "[::1]:0");
	six_port = weir_address_port(&six.at);
	snprintf(url, sizeof(url), "http://six.test:%u/", six_port);
	weir_scope_init(&scope, WEIR_NEVER);
	assert_int_equal(weir_task_start(&scope, "refuse", refuse, &six), 0);
	assert_int_equal(
	    weir_http_fetch(client, &request, &response, soon()), 0);
	weir_http_response_close(response);
	(void)weir_scope_wait(&scope);
	weir_scope_fini(&scope);
	weir_io_close(&six.listener);

	/* Now none does: each is told. */
	assert_int_equal(weir_http_fetch(client, &request, &response, soon()),
	    -ECONNREFUSED);
	snprintf(text, sizeof(text), "[::1]:%u: Connection refused", six_port);
	assert_non_null(strstr(request.error, text));
	snprintf(
	    text, sizeof(text), "127.0.0.9:%u: Connection refused", six_port);
	assert_non_null(strstr(request.error, text));
	request.url = "http://nobody.invalid/";
	assert_int_equal(
	    weir_http_fetch(client, &request, &response, soon()), -ENOENT);
	unlink(path);
	assert_int_equal(
	    weir_resolve_configure(&(struct weir_resolve_options){0}), 0);
}

static int
fetch_task(void *arg)
{
	struct weir_http_request request = {0};
	struct weir_http_response *response;
	char url[64];
	int error;

	(void)arg;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
	request.url = url;
	error = weir_http_fetch(client, &request, &response, soon());
	if (error < 0)
		return error;
	error = weir_sleep(2 * WEIR_MILLISECOND);
	weir_http_response_close(response);
	return error;
}

/* Twelve at a time over two connections. */
static void
part_limit(void)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	const struct weir_http_options options = {.connections_max = 2};
	struct weir_http_client *other = client;
	unsigned before = connections;
	struct weir_scope scope;

	script = SCRIPT(ok, ok, ok, ok, ok, ok, ok, ok, ok, ok, ok, ok);
	since = asked + strlen(asked);
	assert_int_equal(weir_http_open(&options, &client), 0);
	weir_scope_init(&scope, WEIR_NEVER);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(
		    weir_task_start(&scope, "fetch", fetch_task, NULL), 0);
	assert_int_equal(weir_scope_wait(&scope), 0);
	weir_scope_fini(&scope);
	assert_int_equal(connections, before + 2);
	weir_http_close(client);
	client = other;
}

static unsigned order[8];
static unsigned order_count;

static int
turn_task(void *arg)
{
	int error = fetch_task(NULL);

	order[order_count++] = (unsigned)(uintptr_t)arg;
	return error;
}

/* A place goes to whoever waits, not to whoever asks as it becomes free. */
static void
part_turns(void)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	const struct weir_http_options options = {.connections_max = 1};
	struct weir_http_client *other = client;
	struct weir_http_request request = {0};
	struct weir_http_response *response;
	struct weir_scope scope, other_scope;

	script = SCRIPT(ok, ok, ok, ok, ok);
	assert_int_equal(weir_http_open(&options, &client), 0);
	order_count = 0;
	weir_scope_init(&scope, WEIR_NEVER);
	assert_int_equal(fetch(&request, "/", &response), 0);
	assert_int_equal(
	    weir_task_start(&scope, "turn", turn_task, (void *)1), 0);
	assert_int_equal(weir_sleep(WEIR_MILLISECOND), 0);
	/* The first is woken and has not run; we come in between. */
	weir_http_response_close(response);
	assert_int_equal(fetch(&request, "/", &response), 0);
	assert_int_equal(order_count, 1);
	weir_http_response_close(response);

	/* Whoever is stopped as his turn comes passes it on. */
	weir_scope_init(&other_scope, WEIR_NEVER);
	assert_int_equal(fetch(&request, "/", &response), 0);
	assert_int_equal(
	    weir_task_start(&other_scope, "turn", turn_task, (void *)2), 0);
	assert_int_equal(weir_sleep(WEIR_MILLISECOND), 0);
	assert_int_equal(
	    weir_task_start(&scope, "turn", turn_task, (void *)3), 0);
	assert_int_equal(weir_sleep(WEIR_MILLISECOND), 0);
	weir_scope_cancel(&other_scope, 0);
	weir_http_response_close(response);
	(void)weir_scope_fini(&other_scope);
	assert_int_equal(weir_scope_wait(&scope), 0);
	(void)weir_scope_fini(&scope);
	assert_int_equal(order[2], 3);
	script = SCRIPT(ok);
	assert_int_equal(fetch(&request, "/", &response), 0);
	weir_http_response_close(response);
	weir_http_close(client);
	client = other;
}

static int
root(void *arg)
{
	static void (*const parts[])(void) = {part_bodies, part_fields,
	    part_sending, part_redirects, part_failures, part_kept,
	    part_not_kept, part_origins, part_refused, part_stopped, part_names,
	    part_limit, part_turns};
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	struct weir_io listener;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)arg;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(
	    getsockname(fd, (struct sockaddr *)&address, &length), 0);
	port = ntohs(address.sin_port);
	assert_int_equal(weir_io_attach(&listener, fd), 0);
	assert_int_equal(weir_task_start(NULL, "server", serve, &listener), 0);
	assert_int_equal(weir_http_open(NULL, &client), 0);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		since = asked + strlen(asked);
		parts[i]();
	}
	weir_http_close(client);
	weir_io_close(&listener);
	return 0;
}

static void
test_client(void **state)
{
	struct weir_options options = {.worker_count = 1};

	(void)state;
	assert_int_equal(weir_run(&options, root, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_client)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
