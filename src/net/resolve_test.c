#include "net/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/runtime.h"

static struct sockaddr_storage found[RESOLVE_ADDRESSES_MAX];
static unsigned count;

static int
resolve(const char *name, unsigned max, instant deadline)
{
	count = 0;
	return resolve_name(
	    bytes_from(name), 8080, found, max, &count, deadline);
}

static const char *
found_text(unsigned i)
{
	static char text[INET6_ADDRSTRLEN + 8];
	char address[INET6_ADDRSTRLEN];
	const struct sockaddr_in *in = (struct sockaddr_in *)&found[i];
	const struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&found[i];

	inet_ntop(found[i].ss_family,
	    found[i].ss_family == AF_INET6 ? (void *)&in6->sin6_addr
					   : (void *)&in->sin_addr,
	    address, sizeof(address));
	snprintf(text, sizeof(text), "%s %u", address, ntohs(in->sin_port));
	return text;
}

/* Without waiting: a deadline that has passed does not matter. */
static int
numeric(void *arg)
{
	assert_int_equal(resolve("192.0.2.7", 4, instant_past()), 0);
	assert_int_equal(count, 1);
	assert_string_equal(found_text(0), "192.0.2.7 8080");
	assert_int_equal(
	    resolve_address_length(&found[0]), sizeof(struct sockaddr_in));
	assert_int_equal(resolve("2001:db8::7", 4, instant_past()), 0);
	assert_string_equal(found_text(0), "2001:db8::7 8080");
	assert_int_equal(
	    resolve_address_length(&found[0]), sizeof(struct sockaddr_in6));
	return 0;
}

static int
localhost(void *arg)
{
	char first[64];

	assert_int_equal(resolve("localhost", 4, instant_never()), 0);
	assert_in_range(count, 1, 4);
	for (unsigned i = 0; i < count; i++) {
		assert_true(strcmp(found_text(i), "127.0.0.1 8080") == 0 ||
		    strcmp(found_text(i), "::1 8080") == 0);
		for (unsigned j = 0; j < i; j++)
			assert_memory_not_equal(
			    &found[i], &found[j], sizeof(found[i]));
	}
	snprintf(first, sizeof(first), "%s", found_text(0));
	assert_int_equal(resolve("localhost", 1, instant_never()), 0);
	assert_int_equal(count, 1);
	assert_string_equal(found_text(0), first);
	return 0;
}

/* None of these leaves the machine: no label has more than 63 bytes. */
static int
nonsense(void *arg)
{
	char longer[RESOLVE_NAME_BYTES + 2], label[80];

	memset(label, 'a', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(resolve("", 4, instant_never()), E_NO_ADDRESS);
	assert_int_equal(resolve(longer, 4, instant_never()), E_NO_ADDRESS);
	assert_int_equal(resolve(label, 4, instant_never()), E_NO_ADDRESS);
	assert_int_equal(resolve_name(BYTES("127.0.0.1\0x"), 80, found, 4,
			     &count, instant_never()),
	    E_NO_ADDRESS);
	return 0;
}

static int
stopped_task(void *arg)
{
	*(int *)arg = resolve("localhost", 4, instant_never());
	return 0;
}

/* Whoever asked may leave; the look-up cleans up after itself. */
static int
left_alone(void *arg)
{
	struct scope scope;
	int result = 1;

	assert_int_equal(resolve("localhost", 4, instant_past()), -ETIMEDOUT);
	for (int early = 0; early < 2; early++) {
		scope_init(&scope, instant_never());
		assert_int_equal(
		    task_start(&scope, "resolve", stopped_task, &result), 0);
		if (!early)
			assert_int_equal(task_yield(), 0);
		scope_cancel(&scope, E_CLIENT_GONE);
		(void)scope_fini(&scope);
		/* The answer may be faster than the cancel. */
		if (early || result != 0)
			assert_int_equal(result, E_CLIENT_GONE);
	}
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
	    TEST(numeric),
	    TEST(localhost),
	    TEST(nonsense),
	    TEST(left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
