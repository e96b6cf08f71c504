#include "main/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int ends[2];
static struct channel_message out, in;

static int
setup(void **state)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}

static int
teardown(void **state)
{
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static unsigned
fds_open(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void
test_text(void **state)
{
	char *long_text = malloc(2 * CHANNEL_PAYLOAD_BYTES);

	memset(long_text, 'x', 2 * CHANNEL_PAYLOAD_BYTES);
	channel_message_init(&out, CHANNEL_REPLY);
	out.head.id = 42;
	out.head.result = -EBUSY;
	channel_message_text_set(
	    &out, bytes_of(long_text, 2 * CHANNEL_PAYLOAD_BYTES));
	assert_int_equal(channel_send(ends[0], &out), 0);
	assert_int_equal(channel_recv(ends[1], &in, true), 0);
	assert_int_equal(in.head.type, CHANNEL_REPLY);
	assert_int_equal(in.head.id, 42);
	assert_int_equal(in.head.result, -EBUSY);
	assert_int_equal(
	    channel_message_text(&in).length, CHANNEL_PAYLOAD_BYTES);
	assert_int_equal(channel_recv(ends[1], &in, false), -EAGAIN);
	free(long_text);
}

static void
test_descriptors(void **state)
{
	unsigned before = fds_open();

	channel_message_init(&out, CHANNEL_SOCKETS);
	out.fd_count = 2;
	for (unsigned i = 0; i < 2; i++) {
		out.fds[i] = ends[i];
		out.places[i] = 7 + i;
	}
	out.head.length = 2 * sizeof(uint32_t);
	assert_int_equal(channel_send(ends[0], &out), 0);
	assert_int_equal(channel_recv(ends[1], &in, true), 0);
	assert_int_equal(in.fd_count, 2);
	assert_int_equal(in.places[1], 8);
	assert_int_equal(fds_open(), before + 2);
	channel_message_close(&in);
	assert_int_equal(fds_open(), before);
}

/* What does not hold together is refused, and its descriptors are closed. */
static void
test_broken(void **state)
{
	unsigned before = fds_open();

	channel_message_init(&out, CHANNEL_SOCKETS);
	out.fd_count = 2;
	out.fds[0] = out.fds[1] = ends[0];
	out.head.length = sizeof(uint32_t);
	assert_int_equal(channel_send(ends[0], &out), 0);
	assert_int_equal(channel_recv(ends[1], &in, true), -EPROTO);

	channel_message_init(&out, CHANNEL_SERVER_SET);
	memset(&out.server_set, 'x', sizeof(out.server_set));
	out.head.length = sizeof(out.server_set);
	assert_int_equal(channel_send(ends[0], &out), 0);
	assert_int_equal(channel_recv(ends[1], &in, true), -EPROTO);

	assert_int_equal(send(ends[0], "hello", 5, 0), 5);
	assert_int_equal(channel_recv(ends[1], &in, true), -EPROTO);

	channel_message_init(&out, CHANNEL_TYPES);
	assert_int_equal(channel_send(ends[0], &out), 0);
	assert_int_equal(channel_recv(ends[1], &in, true), -EPROTO);
	assert_int_equal(fds_open(), before);
}

static void
test_stuck_and_gone(void **state)
{
	int r = 0;

	channel_message_init(&out, CHANNEL_REPLY);
	out.head.length = CHANNEL_PAYLOAD_BYTES;
	for (unsigned i = 0; i < 1000 && r == 0; i++)
		r = channel_send(ends[0], &out);
	assert_int_equal(r, -ETIMEDOUT);
	while (channel_recv(ends[1], &in, false) == 0)
		;
	shutdown(ends[0], SHUT_WR);
	assert_int_equal(channel_recv(ends[1], &in, true), -EPIPE);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_text),
	    TEST(test_descriptors),
	    TEST(test_broken),
	    TEST(test_stuck_and_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
