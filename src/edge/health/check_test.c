#include "edge/health/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "edge/health/origin_for_test.h"
#include "runtime/runtime.h"

#define TIMEOUT_MS 400

static struct origin origin;
static char reason_text[97];

static struct health_target
target_to(uint16_t port)
{
	static char text[32];

	struct health_target target = {
	    .pool = BYTES("shop"),
	    .server = BYTES("a"),
	    .address.port = port,
	    .address.length = sizeof(struct sockaddr_in),
	    .check =
		{
		    .kind = CHECK_HTTP,
		    .path = BYTES("/healthz?deep=1"),
		    .method = BYTES("GET"),
		    .status_min = 200,
		    .status_max = 399,
		    .timeout = duration_ms(TIMEOUT_MS),
		},
	    .resolve_every = duration_s(30),
	};

	snprintf(text, sizeof(text), "127.0.0.1:%u", port);
	target.address.text = bytes_from(text);
	memcpy(&target.address.socket,
	    &(struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
	    sizeof(struct sockaddr_in));
	return target;
}

static enum check_outcome
run(const struct health_target *target)
{
	struct check_addresses addresses = {0};
	struct appender reason =
	    appender_over(reason_text, sizeof(reason_text) - 1);
	enum check_outcome outcome = check_run(target, &addresses, &reason);

	assert_false(reason.overflowed);
	reason_text[reason.length] = '\0';
	return outcome;
}

#define HEAD_200 "HTTP/1.1 200 OK\r\n"
#define LENGTH_2 "Content-Length: 2\r\n\r\n"
#define CHUNKED  "Transfer-Encoding: chunked\r\n\r\n"

/* `parts` leave one after the other; a NULL ends them. */
static const struct {
	const char *what;
	const char *parts[5];
	int pause_ms; /* before each part but the first */
	bool lingers; /* half-closes, and waits for the other side */
	uint16_t status_min, status_max; /* 0: 200-399 */
	const char *body; /* expected, or NULL */
	enum check_outcome outcome;
	const char *reason;
} answers[] = {
    {"ok", {HEAD_200 LENGTH_2 "ok"}, .outcome = OUTCOME_PASSED,
	.reason = "status 200"},
    {"a redirect", {"HTTP/1.1 302 Found\r\n" LENGTH_2 "ok"},
	.outcome = OUTCOME_PASSED, .reason = "status 302"},
    {"head in pieces", {"HTTP/1.", "1 200 O", "K\r\n\r", "\n"}, .pause_ms = 5,
	.outcome = OUTCOME_PASSED, .reason = "status 200"},
    {"interim answers",
	{"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n", HEAD_200 LENGTH_2},
	.pause_ms = 5, .outcome = OUTCOME_PASSED, .reason = "status 200"},
    {"interim without end",
	{"HTTP/1.1 103 a\r\n\r\nHTTP/1.1 103 b\r\n\r\nHTTP/1.1 103 c\r\n"
	 "\r\nHTTP/1.1 103 d\r\n\r\nHTTP/1.1 103 e\r\n\r\nHTTP/1.1 103 f"
	 "\r\n\r\nHTTP/1.1 103 g\r\n\r\nHTTP/1.1 103 h\r\n\r\nHTTP/1.1 "
	 "103 i\r\n\r\n"},
	.outcome = OUTCOME_FAILED, .reason = "too many interim answers"},
    {"wrong status", {"HTTP/1.1 500 No\r\n" LENGTH_2 "ok"},
	.outcome = OUTCOME_FAILED, .reason = "status 500, expected 200-399"},
    {"wrong status, one expected", {"HTTP/1.1 204 No Content\r\n\r\n"},
	.status_min = 200, .status_max = 200, .outcome = OUTCOME_FAILED,
	.reason = "status 204, expected 200"},
    {"body", {HEAD_200 LENGTH_2 "ok"}, .body = "ok", .outcome = OUTCOME_PASSED,
	.reason = "status 200, body contains \"ok\""},
    {"body in pieces", {HEAD_200 "Content-Length: 8\r\n\r\nit i", "s o", "k"},
	.pause_ms = 5, .body = "ok", .outcome = OUTCOME_PASSED,
	.reason = "status 200, body contains \"ok\""},
    {"body behind its end", {HEAD_200 LENGTH_2 "nook"}, .body = "ok",
	.outcome = OUTCOME_FAILED, .reason = "body does not contain \"ok\""},
    {"other body", {HEAD_200 LENGTH_2 "no"}, .body = "o\"k",
	.outcome = OUTCOME_FAILED,
	.reason = "body does not contain \"o\\x22k\""},
    {"no body", {"HTTP/1.1 204 No Content\r\n\r\n"}, .body = "ok",
	.outcome = OUTCOME_FAILED, .reason = "body does not contain \"ok\""},
    {"chunked",
	{HEAD_200 CHUNKED "3\r\nit ", "\r\n4\r\nis o\r\n",
	    "1\r\nk\r\n0\r\n\r\n"},
	.pause_ms = 5, .body = "is ok", .outcome = OUTCOME_PASSED,
	.reason = "status 200, body contains \"is ok\""},
    {"chunked, not there", {HEAD_200 CHUNKED "3\r\nit \r\n0\r\n\r\n"},
	.body = "ok", .lingers = true, .outcome = OUTCOME_FAILED,
	.reason = "body does not contain \"ok\""},
    {"broken chunk", {HEAD_200 CHUNKED "zz\r\nit \r\n0\r\n\r\n"}, .body = "ok",
	.outcome = OUTCOME_FAILED, .reason = "answer: malformed chunk"},
    {"until close", {HEAD_200 "\r\n", "all is ", "ok"}, .pause_ms = 5,
	.body = "ok", .outcome = OUTCOME_PASSED,
	.reason = "status 200, body contains \"ok\""},
    {"until close, not there", {HEAD_200 "\r\n", "nothing"}, .pause_ms = 5,
	.body = "ok", .outcome = OUTCOME_FAILED,
	.reason = "body does not contain \"ok\""},
    {"half-close", {HEAD_200 "\r\nall is ok"}, .lingers = true, .body = "ok",
	.outcome = OUTCOME_PASSED,
	.reason = "status 200, body contains \"ok\""},
    {"half-close, not there", {HEAD_200 "\r\nnothing"}, .lingers = true,
	.body = "ok", .outcome = OUTCOME_FAILED,
	.reason = "body does not contain \"ok\""},
    {"cut body", {HEAD_200 "Content-Length: 20\r\n\r\nit is "}, .body = "ok",
	.outcome = OUTCOME_FAILED, .reason = "closed inside the answer's body"},
    {"cut chunk", {HEAD_200 CHUNKED "9\r\nit is "}, .body = "ok",
	.outcome = OUTCOME_FAILED, .reason = "closed inside the answer's body"},
    {"cut head", {"HTTP/1.1 200 OK\r\nServ"}, .outcome = OUTCOME_FAILED,
	.reason = "closed inside the answer's head"},
    {"nothing", {NULL}, .outcome = OUTCOME_FAILED,
	.reason = "closed without an answer"},
    {"garbage", {"SSH-2.0-OpenSSH_9.2p1\r\n"}, .lingers = true,
	.outcome = OUTCOME_FAILED, .reason = "answer: malformed status line"},
    {"slow", {HEAD_200 LENGTH_2, "ok"}, .pause_ms = -1000,
	.outcome = OUTCOME_FAILED, .reason = "no answer in 400 ms"},
    {"slow in the head", {"HTTP/1.1 ", "200 OK\r\n\r\n"}, .pause_ms = 1000,
	.outcome = OUTCOME_FAILED, .reason = "answer incomplete after 400 ms"},
    {"slow in the body", {HEAD_200 LENGTH_2 "o", "k"}, .pause_ms = 1000,
	.body = "ok", .outcome = OUTCOME_FAILED,
	.reason = "answer incomplete after 400 ms"},
    {"slow where nobody looks", {HEAD_200 LENGTH_2 "o", "k"}, .pause_ms = 1000,
	.outcome = OUTCOME_PASSED, .reason = "status 200"},
};

static int
answers_hold(void *arg)
{
	struct health_target target;
	struct scope scope;

	scope_init(&scope, instant_never());
	origin_start(&origin, &scope);
	for (size_t i = 0; i < array_count(answers); i++) {
		enum check_outcome outcome;

		origin.parts = answers[i].parts;
		origin.pause_ms = answers[i].pause_ms;
		origin.lingers = answers[i].lingers;
		target = target_to(origin.port);
		target.check.body = bytes_from(answers[i].body);
		if (answers[i].status_min != 0) {
			target.check.status_min = answers[i].status_min;
			target.check.status_max = answers[i].status_max;
		}
		outcome = run(&target);
		if (outcome != answers[i].outcome ||
		    strcmp(reason_text, answers[i].reason) != 0)
			fail_msg("%s: outcome %d, \"%s\"", answers[i].what,
			    outcome, reason_text);
	}
	scope_cancel(&scope, 0);
	(void)scope_fini(&scope);
	return 0;
}

#define HEAD_REQUEST "HEAD / HTTP/1.1\r\nHost: shop.example.com\r\n"

static int
request_is_right(void *arg)
{
	static const char *const parts[] = {HEAD_200 LENGTH_2, NULL};
	struct health_target target;
	struct scope scope;
	char expected[256];

	scope_init(&scope, instant_never());
	origin_start(&origin, &scope);
	origin.parts = parts;
	target = target_to(origin.port);
	assert_int_equal(run(&target), OUTCOME_PASSED);
	snprintf(expected, sizeof(expected),
	    "GET /healthz?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n",
	    origin.port);
	assert_memory_equal(origin.request, expected, strlen(expected));
	assert_non_null(strstr(origin.request,
	    "\r\nUser-Agent: weir-health/" WEIR_VERSION "\r\n"));
	assert_non_null(strstr(origin.request, "\r\nConnection: close\r\n"));
	assert_null(strstr(origin.request, "Content-Length"));

	target.check.method = BYTES("HEAD");
	target.check.host = BYTES("shop.example.com");
	target.check.path = BYTES("/");
	assert_int_equal(run(&target), OUTCOME_PASSED);
	assert_memory_equal(origin.request, HEAD_REQUEST, strlen(HEAD_REQUEST));
	scope_cancel(&scope, 0);
	(void)scope_fini(&scope);
	return 0;
}

/* Only the first 64 KiB of a body count. */
static int
body_is_bounded(void *arg)
{
	static char body[(64 << 10) + 2];
	static const char *parts[] = {HEAD_200 "\r\n", body, NULL};
	struct health_target target;
	struct scope scope;

	scope_init(&scope, instant_never());
	origin_start(&origin, &scope);
	origin.parts = parts;
	origin.lingers = true;
	target = target_to(origin.port);
	target.check.body = BYTES("ok");
	memset(body, 'x', sizeof(body) - 1);
	memcpy(body + (64 << 10) - 2, "ok", 2);
	assert_int_equal(run(&target), OUTCOME_PASSED);
	memset(body, 'x', sizeof(body) - 1);
	memcpy(body + (64 << 10) - 1, "ok", 2);
	assert_int_equal(run(&target), OUTCOME_FAILED);
	scope_cancel(&scope, 0);
	(void)scope_fini(&scope);
	return 0;
}

static int
connections(void *arg)
{
	struct health_target target;
	struct scope scope;
	char expected[97], label[65];

	scope_init(&scope, instant_never());
	origin_start(&origin, &scope);
	origin.parts = NULL;
	target = target_to(origin.port);
	target.check.kind = CHECK_TCP;
	assert_int_equal(run(&target), OUTCOME_PASSED);
	assert_string_equal(reason_text, "accepts connections");

	/* By name: the origin listens at one of localhost's addresses. */
	target.address.length = 0;
	target.address.name = BYTES("localhost");
	assert_int_equal(run(&target), OUTCOME_PASSED);
	memset(label, 'x', 64);
	target.address.name = bytes_of(label, 64);
	assert_int_equal(run(&target), OUTCOME_FAILED);
	snprintf(expected, sizeof(expected), "look up %.40s: %s", label,
	    error_text(E_NO_ADDRESS));
	assert_string_equal(reason_text, expected);
	scope_cancel(&scope, 0);
	(void)scope_fini(&scope);

	target = target_to(origin.port); /* nobody listens there any more */
	assert_int_equal(run(&target), OUTCOME_FAILED);
	assert_string_equal(reason_text, "connect: Connection refused");

	target.address.length = sizeof(struct sockaddr_un);
	memcpy(&target.address.socket,
	    &(struct sockaddr_un){AF_UNIX, "/nonexistent/weir"},
	    sizeof(struct sockaddr_un));
	assert_int_equal(run(&target), OUTCOME_FAILED);
	assert_string_equal(reason_text, "connect: No such file or directory");
	return 0;
}

/* A look-up that fails leaves the addresses that are known. */
static int
known_addresses_stay(void *arg)
{
	struct check_addresses addresses = {0};
	struct appender reason = appender_over(reason_text, 96);
	struct health_target target;
	struct scope scope;
	char label[65];

	scope_init(&scope, instant_never());
	origin_start(&origin, &scope);
	origin.parts = NULL;
	target = target_to(origin.port);
	target.check.kind = CHECK_TCP;
	target.address.length = 0;
	target.address.name = BYTES("127.0.0.1");
	assert_int_equal(
	    check_run(&target, &addresses, &reason), OUTCOME_PASSED);
	memset(label, 'x', 64);
	target.address.name = bytes_of(label, 64);
	target.resolve_every = duration_s(0);
	assert_int_equal(
	    check_run(&target, &addresses, &reason), OUTCOME_PASSED);
	scope_cancel(&scope, 0);
	(void)scope_fini(&scope);
	return 0;
}

static int
stopped_check(void *arg)
{
	struct health_target target = target_to(origin.port);

	*(enum check_outcome *)arg = run(&target);
	return 0;
}

/* Being stopped says nothing about the server. */
static int
stopped_says_nothing(void *arg)
{
	static const char *const parts[] = {HEAD_200 LENGTH_2, NULL};
	enum check_outcome outcome = OUTCOME_FAILED;
	struct scope scope, checks;

	scope_init(&scope, instant_never());
	origin_start(&origin, &scope);
	origin.parts = parts;
	origin.pause_ms = -1000;
	for (int ms = 0; ms <= 20; ms += 10) {
		scope_init(&checks, instant_never());
		assert_int_equal(
		    task_start(&checks, "check", stopped_check, &outcome), 0);
		if (ms > 0)
			assert_int_equal(task_sleep(duration_ms(ms)), 0);
		scope_cancel(&checks, 0);
		(void)scope_fini(&checks);
		assert_int_equal(outcome, OUTCOME_NONE);
		outcome = OUTCOME_FAILED;
	}
	scope_cancel(&scope, 0);
	(void)scope_fini(&scope);
	return 0;
}

static void
on_runtime(void **state)
{
	static const struct runtime_options options = {.worker_count = 1};

	memset(&origin, 0, sizeof(origin));
	assert_int_equal(runtime_run(&options, (task_fn)*state, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) {#fn, on_runtime, NULL, NULL, (void *)(fn)}
	    TEST(answers_hold),
	    TEST(request_is_right),
	    TEST(body_is_bounded),
	    TEST(connections),
	    TEST(known_addresses_stay),
	    TEST(stopped_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
