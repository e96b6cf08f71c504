#include "main/listening.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static struct listening_set set;

static struct config_address
inet(const char *ip, unsigned port)
{
	struct config_address address = {.length = sizeof(struct sockaddr_in)};
	struct sockaddr_in *in = (void *)&address.socket;

	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)port);
	inet_pton(AF_INET, ip, &in->sin_addr);
	return address;
}

static unsigned
port_of(const struct listening *listening)
{
	struct sockaddr_in in;
	socklen_t length = sizeof(in);

	getsockname(listening->fds[0], (void *)&in, &length);
	return ntohs(in.sin_port);
}

static unsigned
fds_open(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static int
acquire(struct config_address address, enum listening_use use,
    struct listening **ret)
{
	return listening_acquire(&set, &address, use, 16, 2, ret);
}

static int
setup(void **state)
{
	listening_set_init(&set);
	return 0;
}

static unsigned
free_port(void)
{
	struct listening *any;
	unsigned port;

	assert_int_equal(
	    acquire(inet("127.0.0.1", 0), LISTENING_SITE, &any), 0);
	port = port_of(any);
	listening_release(any);
	return port;
}

static void
test_shared_by_editions(void **state)
{
	unsigned before = fds_open(), port = free_port();
	struct listening *first, *second, *admin;

	assert_int_equal(
	    acquire(inet("127.0.0.1", port), LISTENING_SITE, &first), 0);
	assert_int_equal(
	    acquire(inet("127.0.0.1", port), LISTENING_SITE, &second), 0);
	assert_ptr_equal(first, second);
	assert_int_equal(
	    acquire(inet("127.0.0.1", port), LISTENING_ADMIN, &admin),
	    -EADDRINUSE);
	listening_release(first);
	assert_int_equal(fds_open(), before + 2);
	listening_release(second);
	assert_int_equal(fds_open(), before);
	assert_true(list_empty(&set.all));
}

static void
test_overlapping(void **state)
{
	unsigned port = free_port();
	struct listening *one, *all;

	assert_int_equal(
	    acquire(inet("127.0.0.1", port), LISTENING_SITE, &one), 0);
	assert_int_equal(
	    acquire(inet("0.0.0.0", port), LISTENING_SITE, &all), 0);
	listening_release(one);
	listening_release(all);
}

static void
test_unix(void **state)
{
	char folder[] = "/tmp/weir-listening-XXXXXX";
	struct config_address address = {.length = sizeof(struct sockaddr_un)};
	struct sockaddr_un *un = (void *)&address.socket;
	struct listening *site;

	assert_non_null(mkdtemp(folder));
	un->sun_family = AF_UNIX;
	snprintf(un->sun_path, sizeof(un->sun_path), "%s/socket", folder);
	assert_int_equal(acquire(address, LISTENING_SITE, &site), 0);
	assert_int_equal(site->fds[1], -1);
	assert_int_equal(access(un->sun_path, F_OK), 0);

	/* Nobody new; who waits is served by the worker's own. */
	listening_set_shut(&set);
	assert_int_equal(site->fds[0], -1);
	listening_release(site);
	assert_int_equal(access(un->sun_path, F_OK), -1);
	assert_int_equal(rmdir(folder), 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	    TEST(test_shared_by_editions),
	    TEST(test_overlapping),
	    TEST(test_unix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
