#include "net/dial_host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/dns_fake.h"
#include "net/resolve.h"
#include "net/serve.h"
#include "os/clock.h"
#include "os/socket.h"

static const struct dial_host_options plain;
static struct dial_host_error error;
static char resolv_path[] = "/tmp/weir-resolv-XXXXXX";

static void
configure(const struct fake *fake)
{
	struct resolve_options options = {
	    resolv_path, "/nonexistent/hosts", false};
	FILE *file = fopen(resolv_path, "w");

	must(file != NULL);
	fprintf(file, "nameserver [127.0.0.1]:%u\n", fake->port);
	fclose(file);
	assert_int_equal(resolve_configure(&options), 0);
}

static struct net_address
address_of(const char *text)
{
	struct net_address address;

	assert_int_equal(net_address_parse(bytes_from(text), &address), 0);
	return address;
}

static uint16_t
listen_on(struct io_fd *io, const char *text)
{
	struct net_address address = address_of(text);

	assert_int_equal(serve_listen(io, &address,
			     &(struct serve_listen_options){.backlog = 1}),
	    0);
	assert_int_equal(serve_address(io, &address), 0);
	return net_address_port(&address);
}

/* Connections that nobody accepts, until the kernel answers no more. */
static void
fill(uint16_t port, const char *host, int *fds, unsigned count)
{
	struct net_address address = address_of(host);

	net_address_port_set(&address, port);
	for (unsigned i = 0; i < count; i++) {
		fds[i] = socket_stream(AF_INET);
		assert_true(fds[i] >= 0);
		(void)!socket_connect(fds[i], &address.any, address.length);
	}
	task_sleep(duration_ms(20));
}

static int
dial_to(
    struct io_fd *io, const char *host, uint16_t port, struct net_address *at)
{
	return dial_host(io, bytes_from(host), port, &plain,
	    instant_after(clock_now(), duration_s(10)), at, &error);
}

static void
expect_address(const struct net_address *address, const char *text)
{
	char memory[NET_ADDRESS_TEXT_BYTES];
	struct appender into = appender_over(memory, sizeof(memory) - 1);

	net_address_format(address, &into);
	memory[into.length] = '\0';
	assert_non_null(strstr(memory, text));
}

/* The first address is silent: the second one has started and won. */
static int
race(void *arg)
{
	struct fake_row rows[] = {
	    {"host.test", DNS_A, FAKE_ANSWER, 60, "127.0.0.1 127.0.0.2"},
	    {"host.test", DNS_AAAA, FAKE_NODATA, 60, NULL},
	    {"closed.test", DNS_A, FAKE_ANSWER, 60, "127.0.0.3 127.0.0.4"},
	    {"closed.test", DNS_AAAA, FAKE_NODATA, 60, NULL},
	};
	struct dial_host_options quick = {.attempt_timeout = duration_ms(50)};
	struct net_address at;
	struct io_fd silent, answers, io;
	struct fake fake;
	int fds[8];
	instant start;
	uint16_t port;
	char text[128];

	fake_start(&fake, rows, array_count(rows));
	configure(&fake);
	port = listen_on(&silent, "127.0.0.1:0");
	snprintf(text, sizeof(text), "127.0.0.2:%u", port);
	(void)listen_on(&answers, text);
	fill(port, "127.0.0.1", fds, array_count(fds));
	start = clock_now();
	assert_int_equal(dial_to(&io, "host.test", port, &at), 0);
	expect_address(&at, "127.0.0.2:");
	assert_true(instant_since(clock_now(), start).ns >= 240000000);
	io_close(&io);

	/* An attempt's own deadline makes room for the next. */
	assert_int_equal(
	    dial_host(&io, BYTES("host.test"), port, &quick,
		instant_after(clock_now(), duration_s(10)), &at, &error),
	    0);
	io_close(&io);

	/* The deadline of all: both are told, also the one under way. */
	io_close(&answers);
	assert_int_equal(
	    dial_host(&io, BYTES("host.test"), port, &plain,
		instant_after(clock_now(), duration_ms(400)), NULL, &error),
	    E_CONNECT_TIMEOUT);
	assert_non_null(strstr(error.text, "127.0.0.1:"));
	assert_non_null(strstr(error.text, ": no answer; 127.0.0.2:"));
	assert_non_null(strstr(error.text, ": Connection refused"));

	/* All refuse: no delay between them. */
	start = clock_now();
	assert_int_equal(
	    dial_to(&io, "closed.test", port, &at), E_CONNECT_FAILED);
	assert_int_equal(error.os_error, ECONNREFUSED);
	snprintf(text, sizeof(text),
	    "closed.test port %u: 127.0.0.3:%u: Connection refused; 127.0.0.4",
	    port, port);
	assert_non_null(strstr(error.text, text));

	assert_int_equal(dial_to(&io, "none.test", port, &at), E_NO_ADDRESS);
	assert_non_null(strstr(error.text, "NXDOMAIN"));
	for (unsigned i = 0; i < array_count(fds); i++)
		socket_close(fds[i]);
	io_close(&silent);
	fake_stop(&fake);
	return 0;
}

/* Which family is tried first shows in the text. */
static int
families(void *arg)
{
	struct fake_row rows[] = {
	    {"slow.test", DNS_AAAA, FAKE_SLOW, 60, "::1"},
	    {"slow.test", DNS_A, FAKE_ANSWER, 60, "127.0.0.1 127.0.0.2"},
	    {"slow2.test", DNS_AAAA, FAKE_SLOW, 60, "::1"},
	    {"slow2.test", DNS_A, FAKE_ANSWER, 60, "127.0.0.1 127.0.0.2"},
	};
	struct dial_host_options patient = {.resolution_delay = duration_s(10)};
	struct dial_host_options from = {0};
	struct net_address source = address_of("127.0.0.9");
	struct fake fake;
	struct io_fd taken, io;
	uint16_t port;
	const char *six, *four, *other;

	fake_start(&fake, rows, array_count(rows));
	configure(&fake);
	/* A port that nobody listens on any more. */
	port = listen_on(&taken, "127.0.0.5:0");
	assert_true(dial_to(&io, "slow.test", port, NULL) < 0);
	six = strstr(error.text, "[::1]");
	four = strstr(error.text, "127.0.0.1:");
	assert_true(four != NULL && six != NULL && four < six);
	assert_true(dial_host(&io, BYTES("slow2.test"), port, &patient,
			instant_never(), NULL, &error) < 0);
	six = strstr(error.text, "[::1]");
	four = strstr(error.text, "127.0.0.1:");
	other = strstr(error.text, "127.0.0.2:");
	assert_true(six != NULL && six < four && four < other);
	/* A source address leaves its own family only. */
	from.from = &source;
	assert_true(dial_host(&io, BYTES("slow2.test"), port, &from,
			instant_never(), NULL, &error) < 0);
	assert_null(strstr(error.text, "[::1]"));
	io_close(&taken);
	fake_stop(&fake);
	return 0;
}

static int
dial_task(void *arg)
{
	struct io_fd io;

	return dial_host(
	    &io, BYTES("host.test"), 1, &plain, instant_never(), NULL, NULL);
}

/* Stopped in the midst of it, nothing is left behind. */
static int
stopped(void *arg)
{
	struct fake_row rows[] = {{"host.test", DNS_ANY, FAKE_DROP, 0, NULL}};
	struct scope scope;
	struct fake fake;

	fake_start(&fake, rows, array_count(rows));
	configure(&fake);
	scope_init(&scope, instant_never());
	assert_int_equal(task_start(&scope, "dial", dial_task, NULL), 0);
	task_sleep(duration_ms(20));
	scope_cancel(&scope, E_CLIENT_GONE);
	(void)scope_fini(&scope);
	fake_stop(&fake);
	return 0;
}

static unsigned served;

static int
echo(struct io_fd *io, const struct net_address *from, void *arg)
{
	char word[16];
	ssize_t n;

	served++;
	expect_address(from, arg);
	while ((n = io_recv(io, word, sizeof(word), instant_never())) > 0)
		if (io_send(io, word, (size_t)n, NULL, instant_never()) < 0)
			break;
	return 0;
}

struct loop {
	struct io_fd *listener;
	struct scope *scope;
	unsigned max;
};

static int
serve_loop(void *arg)
{
	struct loop *loop = arg;
	struct serve_options options = {loop->max, echo, "127.0.0.1:"};

	return serve(loop->listener, loop->scope, &options, instant_never());
}

static void
talk(struct io_fd *io)
{
	char word[8];

	assert_int_equal(io_send(io, "hello", 5, NULL, instant_never()), 5);
	assert_int_equal(io_recv(io, word, sizeof(word),
			     instant_after(clock_now(), duration_s(5))),
	    5);
}

/* Two places: the third client waits until one is free. Without descriptors
 * the loop pauses and goes on. */
static int
serving(void *arg)
{
	struct io_fd listener, io[3];
	struct scope scope, clients;
	struct loop loop = {&listener, &clients, 2};
	struct rlimit limit, low;
	uint16_t port = listen_on(&listener, "127.0.0.1:0");
	char word[8];

	scope_init(&scope, instant_never());
	scope_init(&clients, instant_never());
	served = 0;
	assert_int_equal(task_start(&scope, "loop", serve_loop, &loop), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(dial_to(&io[i], "127.0.0.1", port, NULL), 0);
		talk(&io[i]);
	}
	assert_int_equal(dial_to(&io[2], "127.0.0.1", port, NULL), 0);
	assert_int_equal(io_send(&io[2], "x", 1, NULL, instant_never()), 1);
	assert_int_equal(io_recv(&io[2], word, sizeof(word),
			     instant_after(clock_now(), duration_ms(50))),
	    -ETIMEDOUT);
	assert_int_equal(served, 2);
	/* The lowest number that is free is out of bounds. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = (rlim_t)dup(0);
	close((int)low.rlim_cur);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(socket_shutdown_write(io[0].fd), 0);
	assert_int_equal(io_recv(&io[0], word, sizeof(word),
			     instant_after(clock_now(), duration_s(5))),
	    0);
	task_sleep(duration_ms(150));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(io_recv(&io[2], word, sizeof(word),
			     instant_after(clock_now(), duration_s(5))),
	    1);
	assert_int_equal(served, 3);
	for (unsigned i = 0; i < 3; i++)
		io_close(&io[i]);
	(void)scope_fini(&scope);
	(void)scope_fini(&clients);
	io_close(&listener);
	return 0;
}

static void
addresses(void **state)
{
	static const struct {
		const char *text, *formatted; /* NULL: refused */
		int error;
	} cases[] = {
	    {"192.0.2.1:80", "192.0.2.1:80", 0},
	    {"192.0.2.1", "192.0.2.1:0", 0},
	    {"[2001:db8::1]:80", "[2001:db8::1]:80", 0},
	    {"2001:db8::1", "[2001:db8::1]:0", 0},
	    {"[2001:DB8::1]", "[2001:db8::1]:0", 0},
	    {"[fe80::1%1]:80", "[fe80::1%1]:80", 0},
	    {"[fe80::1%lo]:80", "[fe80::1%1]:80", 0},
	    {"unix:/run/x.sock", "unix:/run/x.sock", 0},
	    {"unix:@name", "unix:@name", 0},
	    {"[fe80::1%nosuch]:80", NULL, -ENODEV},
	    {"", NULL, -EINVAL},
	    {"192.0.2.1:", NULL, -EINVAL},
	    {"192.0.2.1:65536", NULL, -EINVAL},
	    {"192.0.2.1:80x", NULL, -EINVAL},
	    {"192.0.2.256:80", NULL, -EINVAL},
	    {"[192.0.2.1]:80", NULL, -EINVAL},
	    {"[2001:db8::1", NULL, -EINVAL},
	    {"[2001:db8::1]80", NULL, -EINVAL},
	    {"host:80", NULL, -EINVAL},
	    {"unix:", NULL, -EINVAL},
	    {"unix:@", NULL, -EINVAL},
	};
	struct net_address address;
	char path[128] = "unix:/";

	for (size_t i = 0; i < array_count(cases); i++) {
		int r = net_address_parse(bytes_from(cases[i].text), &address);

		if (r != cases[i].error)
			print_error("%s: %d\n", cases[i].text, r);
		assert_int_equal(r, cases[i].error);
		if (r == 0) {
			struct net_address again;

			expect_address(&address, cases[i].formatted);
			assert_int_equal(
			    net_address_parse(
				bytes_from(cases[i].formatted), &again),
			    0);
			assert_true(net_address_equal(&address, &again));
		}
	}
	/* 107 bytes of a path, and not one more. */
	memset(path + 6, 'x', 107);
	assert_int_equal(
	    net_address_parse(bytes_of(path, 5 + 107), &address), 0);
	assert_int_equal(net_address_parse(bytes_of(path, 5 + 108), &address),
	    -ENAMETOOLONG);
}

static void
on_runtime(void **state)
{
	static const struct runtime_options options = {.worker_count = 1};

	assert_int_equal(runtime_run(&options, (task_fn)*state, NULL), 0);
}

static int
nothing(void *arg)
{
	return 0;
}

/* Where the kernel has it: the winner moves from one place to another. */
static void
on_uring(void **state)
{
	static const struct runtime_options options = {
	    .worker_count = 1, .backend = "io_uring"};

	/* Only this says that there is none; what follows must succeed. */
	if (runtime_run(&options, nothing, NULL) < 0)
		skip();
	assert_int_equal(runtime_run(&options, (task_fn)*state, NULL), 0);
}

static int
files_make(void **state)
{
	int fd = mkstemp(resolv_path);

	must(fd >= 0);
	close(fd);
	return 0;
}

static int
files_remove(void **state)
{
	unlink(resolv_path);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) {#fn, on_runtime, NULL, NULL, (void *)(fn)}
	    cmocka_unit_test(addresses),
	    TEST(race),
	    {"race on io_uring", on_uring, NULL, NULL, (void *)race},
	    TEST(families),
	    TEST(stopped),
	    TEST(serving),
	};

	return cmocka_run_group_tests(tests, files_make, files_remove);
}
