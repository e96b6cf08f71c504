#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <weir/weir.h>

static struct weir_address
address_of(const char *text)
{
	struct weir_address address;

	assert_int_equal(weir_address_parse(text, &address), 0);
	return address;
}

static void
test_addresses(void **state)
{
	struct weir_address address = address_of("[2001:db8::1]:80"), again;
	char text[WEIR_ADDRESS_TEXT], cut[6];
	const struct sockaddr *socket_address;
	socklen_t length;

	assert_string_equal(weir_address_format(&address, text, sizeof(text)),
	    "[2001:db8::1]:80");
	assert_string_equal(
	    weir_address_format(&address, cut, sizeof(cut)), "[2001");
	assert_int_equal(weir_address_port(&address), 80);
	socket_address = weir_address_get(&address, &length);
	assert_int_equal(length, sizeof(struct sockaddr_in6));
	assert_int_equal(socket_address->sa_family, AF_INET6);
	assert_int_equal(weir_address_from(socket_address, length, &again), 0);
	assert_true(weir_address_equal(&address, &again));
	weir_address_port_set(&again, 81);
	assert_false(weir_address_equal(&address, &again));
	assert_int_equal(weir_address_parse("nonsense:80", &address), -EINVAL);
	assert_int_equal(
	    weir_address_from(socket_address, 1000, &again), -EINVAL);
}

static int
root_dial(void *arg)
{
	struct weir_address local = address_of("127.0.0.1:0"), seen, other;
	struct weir_dial_options from = {0};
	struct weir_dial_error wrong = {""};
	struct weir_io listener, client;
	int value = 0, fd;
	socklen_t length = sizeof(value);

	assert_int_equal(weir_listen(&listener, &local, NULL), 0);
	assert_int_equal(weir_local_address(&listener, &local), 0);
	assert_int_equal(weir_listen(&client, &local, NULL), -EADDRINUSE);
	other = address_of("127.0.0.7:0");
	from.from = &other;
	assert_int_equal(weir_dial_address(&client, &local, &from,
			     weir_after(5 * WEIR_SECOND)),
	    0);
	assert_int_equal(weir_peer_address(&client, &seen), 0);
	assert_true(weir_address_equal(&seen, &local));
	assert_int_equal(weir_set_keepalive(&client, 60, 10, 3), 0);
	assert_int_equal(getsockopt(weir_io_fd(&client), IPPROTO_TCP,
			     TCP_KEEPIDLE, &value, &length),
	    0);
	assert_int_equal(value, 60);
	assert_int_equal(weir_set_keepalive(&client, 60, 10, 1000), -EINVAL);
	assert_int_equal(weir_set_buffers(&client, 10000, 0), 0);
	assert_int_equal(getsockopt(weir_io_fd(&client), SOL_SOCKET, SO_RCVBUF,
			     &value, &length),
	    0);
	assert_int_equal(value, 20000);
	assert_int_equal(weir_set_nodelay(&client, false), 0);
	assert_int_equal(weir_shutdown_send(&client), 0);
	fd = weir_accept(&listener, NULL, NULL, weir_after(5 * WEIR_SECOND));
	assert_true(fd >= 0);
	weir_io_close(&client);
	assert_int_equal(weir_io_attach(&client, fd), 0);
	weir_io_close(&client);
	weir_io_close(&listener);

	assert_int_equal(
	    weir_dial(&client, "127.0.0.1", weir_address_port(&local), NULL,
		&wrong, weir_after(5 * WEIR_SECOND)),
	    -ECONNREFUSED);
	assert_non_null(strstr(wrong.text, ": Connection refused"));
	assert_int_equal(weir_dial(&client, "nobody.invalid", 80, NULL, &wrong,
			     weir_after(5 * WEIR_SECOND)),
	    -ENOENT);
	assert_non_null(strstr(wrong.text, "RFC 6761"));
	assert_int_equal(weir_dial_address(&client, &local, NULL,
			     weir_after(5 * WEIR_SECOND)),
	    -ECONNREFUSED);
	return 0;
}

static int
root_resolve(void *arg)
{
	struct weir_resolve_options options = {
	    .resolv_conf = "/nonexistent", .hosts = "/nonexistent"};
	struct weir_resolve_error wrong;
	struct weir_address found[2];
	struct weir_service services[1];
	char path[5000];
	unsigned count;

	assert_int_equal(weir_resolve_configure(&options), 0);
	assert_int_equal(
	    weir_resolve("localhost", 80, found, 2, &count, NULL, WEIR_PAST),
	    0);
	assert_int_equal(count, 2);
	assert_int_equal(
	    weir_resolve("localhost", 80, found, 0, &count, NULL, WEIR_PAST),
	    -EINVAL);
	assert_int_equal(
	    weir_resolve("x.invalid", 80, found, 2, &count, &wrong, WEIR_PAST),
	    -ENOENT);
	assert_non_null(strstr(wrong.text, "x.invalid"));
	assert_int_equal(weir_resolve_services("not..a name", services, 1,
			     &count, &wrong, WEIR_PAST),
	    -ENOENT);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	options.hosts = path;
	assert_int_equal(weir_resolve_configure(&options), -ENAMETOOLONG);
	return 0;
}

static int
root_udp(void *arg)
{
	struct weir_address any = address_of("127.0.0.1:0"), to;
	struct weir_datagram out[2] = {{0}}, in[2] = {{0}};
	struct weir_io a, b;
	char rooms[2][8];
	unsigned sent;

	assert_int_equal(weir_udp_open(&a, &any, NULL), 0);
	assert_int_equal(weir_udp_open(&b, &any, NULL), 0);
	assert_int_equal(weir_local_address(&b, &to), 0);
	for (int i = 0; i < 2; i++) {
		out[i].at = i == 0 ? "one" : "three";
		out[i].length = strlen(out[i].at);
		out[i].peer = to;
		in[i].at = rooms[i];
		in[i].length = sizeof(rooms[i]);
	}
	assert_int_equal(weir_udp_send_batch(&a, out, 2, &sent, WEIR_NEVER), 0);
	assert_int_equal(sent, 2);
	assert_int_equal(weir_udp_recv_batch(&b, in, 0, WEIR_NEVER), -EINVAL);
	assert_int_equal(weir_udp_recv_batch(&b, in, 2, WEIR_NEVER), 2);
	assert_int_equal(in[1].length, 5);
	assert_memory_equal(in[1].at, "three", 5);
	weir_io_close(&a);
	weir_io_close(&b);
	return 0;
}

/* Two buffers are out at once; what is longer than one comes in two. */
static int
root_lend(void *arg)
{
	static char many[WEIR_LENT_BYTES + 100];
	struct weir_lent first, second;
	struct weir_io io;
	size_t got = 0;
	int fds[2];

	(void)arg;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(weir_io_attach_stream(&io, fds[0]), 0);
	assert_int_equal(weir_recv_lend(&io, &first, WEIR_PAST), -ETIMEDOUT);
	assert_null(first.memory);
	weir_lent_release(&first);
	assert_int_equal(write(fds[1], "one", 3), 3);
	assert_int_equal(weir_recv_lend(&io, &first, WEIR_NEVER), 3);
	assert_int_equal(write(fds[1], "three", 5), 5);
	assert_int_equal(weir_recv_lend(&io, &second, WEIR_NEVER), 5);
	assert_int_equal(first.length, 3);
	assert_memory_equal(first.memory, "one", 3);
	assert_memory_equal(second.memory, "three", 5);
	weir_lent_release(&first);
	assert_null(first.memory);
	weir_lent_release(&first);
	weir_lent_release(&second);
	memset(many, 'm', sizeof(many));
	assert_int_equal(write(fds[1], many, sizeof(many)), sizeof(many));
	close(fds[1]);
	while (weir_recv_lend(&io, &first, WEIR_NEVER) > 0) {
		assert_true(first.length <= WEIR_LENT_BYTES);
		assert_memory_equal(first.memory, many, first.length);
		got += first.length;
		weir_lent_release(&first);
	}
	assert_int_equal(got, sizeof(many));
	assert_null(first.memory);
	weir_io_close(&io);
	return 0;
}

static void
run_on_uring(void **state)
{
	struct weir_options options = {.worker_count = 1, .backend = "uring"};

	assert_int_equal(weir_run(&options, (weir_task_fn)*state, NULL), 0);
}

static void
run(void **state)
{
	struct weir_options options = {.worker_count = 1};

	assert_int_equal(weir_run(&options, (weir_task_fn)*state, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) {#fn, run, NULL, NULL, (void *)(fn)}
	    cmocka_unit_test(test_addresses),
	    TEST(root_dial),
	    TEST(root_resolve),
	    TEST(root_udp),
	    TEST(root_lend),
	    {"root_lend on uring", run_on_uring, NULL, NULL, root_lend},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
