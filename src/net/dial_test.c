#include "net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/runtime.h"

static const struct dial_options plain;

static instant
in_ms(int64_t ms)
{
	return instant_after(runtime_now(), duration_ms(ms));
}

/* A blocking listener on a port that the kernel chose. */
static int
listener(int backlog, struct sockaddr_in *ret_address)
{
	socklen_t length = sizeof(*ret_address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret_address = (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	must(fd >= 0);
	must(bind(fd, (struct sockaddr *)ret_address, length) == 0);
	must(listen(fd, backlog) == 0);
	must(getsockname(fd, (struct sockaddr *)ret_address, &length) == 0);
	return fd;
}

static int
dial_in(struct io_fd *io, const struct sockaddr_in *address, instant deadline,
    int *os_error)
{
	return dial(io, (const struct sockaddr *)address, sizeof(*address),
	    &plain, deadline, os_error);
}

static int
connects(void *arg)
{
	struct sockaddr_in address,
	    from = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002)};
	struct sockaddr_in seen;
	struct dial_options options = {(struct sockaddr *)&from, sizeof(from)};
	socklen_t length = sizeof(seen);
	int fd = listener(8, &address), nodelay = 0, accepted, os_error = -1;
	struct io_fd io;
	char word[8];

	assert_int_equal(dial_in(&io, &address, in_ms(1000), &os_error), 0);
	assert_int_equal(os_error, -1);
	length = sizeof(nodelay);
	assert_int_equal(
	    getsockopt(io.fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &length), 0);
	assert_int_equal(nodelay, 1);
	accepted = accept(fd, NULL, NULL);
	assert_int_equal(write(accepted, "hello", 5), 5);
	assert_int_equal(io_recv(&io, word, sizeof(word), in_ms(1000)), 5);
	io_close(&io);
	close(accepted);

	assert_int_equal(dial(&io, (struct sockaddr *)&address, sizeof(address),
			     &options, in_ms(1000), NULL),
	    0);
	length = sizeof(seen);
	accepted = accept(fd, (struct sockaddr *)&seen, &length);
	assert_int_equal(seen.sin_addr.s_addr, from.sin_addr.s_addr);
	assert_true(seen.sin_port != 0);
	io_close(&io);
	close(accepted);
	close(fd);
	return 0;
}

static int
refused(void *arg)
{
	struct sockaddr_in address;
	int fd = listener(8, &address), os_error = 0;
	struct io_fd io;

	close(fd);
	assert_int_equal(
	    dial_in(&io, &address, in_ms(1000), &os_error), E_CONNECT_FAILED);
	assert_int_equal(os_error, ECONNREFUSED);
	assert_int_equal(io.fd, -1);
	return 0;
}

/* A listener whose queue is full answers no more handshakes. */
static int
times_out(void *arg)
{
	struct sockaddr_in address;
	int fd = listener(0, &address), os_error = 0, r = 0;
	struct io_fd io[8];
	unsigned count = 0;

	while (count < 8 && r == 0) {
		r = dial_in(&io[count], &address, in_ms(100), &os_error);
		count += r == 0;
	}
	assert_int_equal(r, E_CONNECT_TIMEOUT);
	assert_int_equal(os_error, ETIMEDOUT);
	for (unsigned i = 0; i < count; i++)
		io_close(&io[i]);
	close(fd);
	return 0;
}

struct stopped {
	struct sockaddr_in address;
	int result;
};

static int
stopped_task(void *arg)
{
	struct stopped *stopped = arg;
	struct io_fd io[8];
	unsigned count = 0;
	int os_error = 0;

	do {
		stopped->result = dial_in(
		    &io[count], &stopped->address, instant_never(), &os_error);
		count += stopped->result == 0;
	} while (stopped->result == 0 && count < array_count(io));
	assert_int_equal(os_error, 0);
	while (count > 0)
		io_close(&io[--count]);
	return 0;
}

/* Stopped or too late as a whole: the error says so, and blames nobody. */
static int
is_stopped(void *arg)
{
	static const int errors[] = {-ECANCELED, E_CLIENT_GONE, 0};
	struct stopped stopped;
	int fd = listener(0, &stopped.address);
	struct scope scope;

	for (size_t i = 0; i < array_count(errors); i++) {
		scope_init(
		    &scope, errors[i] != 0 ? instant_never() : in_ms(50));
		assert_int_equal(
		    task_start(&scope, "dial", stopped_task, &stopped), 0);
		assert_int_equal(task_sleep(duration_ms(30)), 0);
		if (errors[i] != 0)
			scope_cancel(&scope, errors[i]);
		else
			assert_int_equal(task_sleep(duration_ms(50)), 0);
		(void)scope_fini(&scope);
		assert_int_equal(
		    stopped.result, errors[i] != 0 ? errors[i] : -ETIMEDOUT);
	}
	close(fd);
	return 0;
}

static int
unix_socket(void *arg)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char folder[] = "/tmp/weir-dial-XXXXXX";
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), os_error = 0;
	struct io_fd io;

	must(mkdtemp(folder) != NULL);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", folder);
	assert_int_equal(dial(&io, (struct sockaddr *)&address, sizeof(address),
			     &plain, in_ms(1000), &os_error),
	    E_CONNECT_FAILED);
	assert_int_equal(os_error, ENOENT);
	must(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	must(listen(fd, 4) == 0);
	assert_int_equal(dial(&io, (struct sockaddr *)&address, sizeof(address),
			     &plain, in_ms(1000), &os_error),
	    0);
	io_close(&io);
	close(fd);
	unlink(address.sun_path);
	rmdir(folder);
	return 0;
}

/* Out of descriptors: ours, not the server's. */
static int
out_of_descriptors(void *arg)
{
	struct sockaddr_in address;
	int fd = listener(8, &address), last = 0, os_error = 0;
	struct rlimit before, few;
	struct io_fd io;

	must(getrlimit(RLIMIT_NOFILE, &before) == 0);
	few = (struct rlimit){64, before.rlim_max};
	must(setrlimit(RLIMIT_NOFILE, &few) == 0);
	for (int next = dup(fd); next >= 0; next = dup(fd))
		last = next;
	assert_int_equal(
	    dial_in(&io, &address, in_ms(1000), &os_error), -EMFILE);
	assert_int_equal(os_error, 0);
	while (last > fd && close(last) == 0)
		last--;
	must(setrlimit(RLIMIT_NOFILE, &before) == 0);
	close(fd);
	return 0;
}

static void
on_runtime(void **state)
{
	static const struct runtime_options options = {.worker_count = 1};

	assert_int_equal(runtime_run(&options, (task_fn)*state, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) {#fn, on_runtime, NULL, NULL, (void *)(fn)}
	    TEST(connects),
	    TEST(refused),
	    TEST(times_out),
	    TEST(is_stopped),
	    TEST(unix_socket),
	    TEST(out_of_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
