/*
 * The admin plane with a manager that is made up: what reaches the callbacks,
 * what their errors become, and what a change of address does.
 */
#include "control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "os/listen.h"
#include "os/local.h"
#include "os/log.h"
#include "runtime/runtime.h"

static const char *path = "a"; /* where the client asks */
static char answer_text[64 << 10];

static struct {
	char pool[64], server[64];
	int admin, weight;
	int result;
	unsigned reloads;
} asked;

/* ---- the manager that is made up ---- */

static struct config_pool pool = {.name = BYTES("shop")};
static const struct snapshot live = {
    .file = BYTES("/etc/weir/weir.yaml"), .pools = &pool, .pool_count = 1};

static const struct snapshot *
fake_snapshot(void)
{
	return &live;
}

static int
fake_reload(struct appender *answer)
{
	asked.reloads++;
	append_literal(answer, "line one\nline \"two\"\n");
	/* Answers come from another process. */
	return task_sleep(duration_ms(5)) != 0 ? -ECANCELED : asked.result;
}

static int
fake_server_set(struct bytes pool_name, struct bytes server, int admin,
    int weight, struct appender *answer)
{
	snprintf(asked.pool, sizeof(asked.pool), "%.*s", (int)pool_name.length,
	    pool_name.at);
	snprintf(asked.server, sizeof(asked.server), "%.*s", (int)server.length,
	    server.at);
	asked.admin = admin;
	asked.weight = weight;
	if (asked.result == 0)
		append_literal(answer, "done\n");
	return asked.result;
}

static int
fake_dump(int fd, struct appender *answer)
{
	return write(fd, "a task\n", 7) == 7 ? 0 : -EIO;
}

static int
fake_stop(struct appender *answer)
{
	return 0;
}

/* ---- the client, on a thread of the offload pool ---- */

static int
listen_at(const char *where)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct listen_options options = {
	    .address = (const struct sockaddr *)&address,
	    .length = sizeof(address),
	    .backlog = 16,
	    .unix_mode = 0600,
	};
	int fd = -1;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", where);
	return listen_open(&options, &fd, 1) == 0 ? fd : -1;
}

static int
client_ask(void *request)
{
	size_t length = 0;
	ssize_t n;
	int fd = local_connect(path, duration_s(5));
	int r = fd < 0 ? fd : local_send(fd, bytes_from(request));

	if (r < 0)
		return r;
	while ((n = local_recv(fd, answer_text + length,
		    sizeof(answer_text) - length - 1)) > 0)
		length += (size_t)n;
	answer_text[length] = '\0';
	local_close(fd);
	return n < 0 ? (int)n : 0;
}

static void
ask_raw(const char *request)
{
	assert_int_equal(offload_run(client_ask, (void *)(uintptr_t)request,
			     NULL, instant_never()),
	    0);
}

static void
ask(const char *method, const char *target, const char *body)
{
	static char request[4096];

	snprintf(request, sizeof(request),
	    "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
	    "Content-Length: %zu\r\n\r\n%s",
	    method, target, strlen(body), body);
	ask_raw(request);
}

static void
answered(const char *status, const char *body)
{
	const char *at = strstr(answer_text, "\r\n\r\n");

	assert_memory_equal(answer_text, "HTTP/1.1 ", 9);
	assert_memory_equal(answer_text + 9, status, 3);
	assert_non_null(at);
	assert_string_equal(at + 4, body);
}

/* ---- a test runs beside the plane ---- */

static int
plane_run(void *arg)
{
	const struct control_options options = {
	    .unix_fd = listen_at("a"),
	    .loopback_fd = -1,
	    .callbacks =
		{
		    .snapshot = fake_snapshot,
		    .reload = fake_reload,
		    .server_set = fake_server_set,
		    .dump = fake_dump,
		    .stop = fake_stop,
		},
	};

	return control_run(&options);
}

static int
beside_plane(void *run)
{
	struct scope scope;

	scope_init(&scope, instant_never());
	assert_int_equal(task_start(&scope, "plane", plane_run, NULL), 0);
	assert_int_equal(task_yield(), 0);
	((void (*)(void))run)();
	scope_cancel(&scope, 0);
	return scope_fini(&scope);
}

static void
in_runtime(void (*run)(void))
{
	const struct runtime_options options = {.worker_count = 1};

	memset(&asked, 0, sizeof(asked));
	assert_int_equal(runtime_run(&options, beside_plane, run), 0);
}

static void
changes_run(void)
{
	ask("POST", "/v1/servers/shop/unix:/run/a.sock",
	    "{\"state\":\"drain\"}");
	answered("200", "{\"message\":\"done\",\"config_version\":0}");
	assert_string_equal(asked.pool, "shop");
	assert_string_equal(asked.server, "unix:/run/a.sock");
	assert_int_equal(asked.admin, ADMIN_DRAINED);
	assert_int_equal(asked.weight, CONTROL_WEIGHT_KEEP);
	ask("POST", "/v1/servers/shop/%5B::1%5D:80", "{\"weight\":7}");
	assert_string_equal(asked.server, "[::1]:80");
	assert_int_equal(asked.admin, CONTROL_ADMIN_KEEP);
	assert_int_equal(asked.weight, 7);
	ask("POST", "/v1/servers/shop", "{\"weight\":null}");
	assert_string_equal(asked.server, "");
	assert_int_equal(asked.weight, CONTROL_WEIGHT_DEFAULT);
	asked.result = -ENOENT;
	ask("POST", "/v1/servers/shop/b", "{\"state\":\"ready\"}");
	assert_memory_equal(answer_text, "HTTP/1.1 404 ", 13);
	asked.result = -ETIMEDOUT;
	ask("POST", "/v1/servers/shop/b", "{\"state\":\"ready\"}");
	assert_memory_equal(answer_text, "HTTP/1.1 504 ", 13);
}

static void
changes(void **state)
{
	in_runtime(changes_run);
}

static void
reload_run(void)
{
	ask("POST", "/v1/reload", "");
	answered("200",
	    "{\"message\":\"line one\\nline \\\"two\\\"\","
	    "\"config_version\":0}");
	asked.result = E_CONFIG_INVALID;
	ask("POST", "/v1/reload", "");
	answered("422",
	    "{\"error\":\"configuration has mistakes\",\"remedy\":\"correct "
	    "the file and reload again; the configuration before is still in "
	    "force\",\"details\":\"line one\\nline \\\"two\\\"\"}");
	asked.result = E_CONFIG_BUSY;
	ask("POST", "/v1/reload", "");
	assert_memory_equal(answer_text, "HTTP/1.1 409 ", 13);
	assert_int_equal(asked.reloads, 3);
	ask("GET", "/v1/reload", "");
	assert_memory_equal(answer_text, "HTTP/1.1 405 ", 13);
	assert_non_null(strstr(answer_text, "\r\nAllow: POST\r\n"));
	assert_int_equal(asked.reloads, 3);
}

static void
reload(void **state)
{
	in_runtime(reload_run);
}

static void
reads_run(void)
{
	ask("GET", "/v1/dump", "");
	answered("200", "a task\n");
	ask("HEAD", "/v1/dump", "");
	answered("200", "");
	ask("GET", "/v1/servers?pool=shop", "");
	answered("200", "{\"servers\":[]}");
	ask("GET", "/v1/servers?pool=none", "");
	assert_memory_equal(answer_text, "HTTP/1.1 404 ", 13);
	ask("GET", "/v1/status", "");
	assert_non_null(strstr(answer_text,
	    "\"pools\":[{\"name\":\"shop\",\"servers\":0,\"usable\":0}]"));
	ask("GET", "/metrics", "");
	assert_non_null(strstr(answer_text, "\r\n\r\n"));
	assert_string_equal(
	    answer_text + strlen(answer_text) - 7, "\r\n0\r\n\r\n");
	ask_raw("GET /healthz HTTP/1.1\nHost: a\n\n");
	assert_memory_equal(answer_text, "HTTP/1.1 400 ", 13);
}

static void
reads(void **state)
{
	in_runtime(reads_run);
}

/* A reload moves the socket: the old one is gone, the new one answers. */
static void
moves_run(void)
{
	int fd = listen_at("b");

	assert_true(fd >= 0);
	control_listen(fd, -1);
	assert_int_equal(offload_run(client_ask, (void *)(uintptr_t) "", NULL,
			     instant_never()),
	    -ECONNREFUSED);
	path = "b";
	ask("GET", "/healthz", "");
	answered("200", "ok\n");
	control_listen(-1, -1);
	assert_int_equal(offload_run(client_ask, (void *)(uintptr_t) "", NULL,
			     instant_never()),
	    -ECONNREFUSED);
	fd = listen_at("b");
	assert_true(fd >= 0);
	control_listen(fd, -1);
	ask("GET", "/healthz", "");
	answered("200", "ok\n");
}

static void
moves(void **state)
{
	in_runtime(moves_run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(changes),
	    cmocka_unit_test(reload),
	    cmocka_unit_test(reads),
	    cmocka_unit_test(moves),
	};
	char folder[] = "/tmp/weir-control-XXXXXX";
	int r;

	log_open(open("/dev/null", O_WRONLY), LOG_LEVEL_INFO, "test");
	must(mkdtemp(folder) != NULL && chdir(folder) == 0);
	must(shared_map_private() == 0);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink("a");
	unlink("b");
	rmdir(folder);
	return r;
}
