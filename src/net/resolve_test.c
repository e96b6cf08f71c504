/* The order of addresses cannot be seen from outside without a name server. */
#include "net/resolve.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

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

static unsigned
insert_all(struct resolve_lookup *lookup, const char *const *names)
{
	lookup->count = 0;
	for (; *names != NULL; names++) {
		union resolve_address address;

		assert_true(resolve_numeric(*names, &address));
		resolve_insert(lookup, &address);
	}
	return lookup->count;
}

/* However the answer is turned: the preferred family first, then by value,
 * none twice. */
static void
order_is_stable(void **state)
{
	static const char *const turns[][6] = {
	    {"2001:db8::2", "192.0.2.9", "2001:db8::1", "192.0.2.1",
		"192.0.2.9"},
	    {"2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::1",
		"192.0.2.9"},
	};
	static const char *const ordered[] = {"2001:db8::1 8080",
	    "2001:db8::2 8080", "192.0.2.1 8080", "192.0.2.9 8080"};
	static const char *const other[] = {"192.0.2.1", "2001:db8::1", NULL};
	static struct resolve_lookup lookup;

	for (size_t t = 0; t < array_count(turns); t++) {
		assert_int_equal(insert_all(&lookup, turns[t]), 4);
		resolve_give(&lookup, 8080, found, 3, &count);
		assert_int_equal(count, 3);
		resolve_give(&lookup, 8080, found, 8, &count);
		assert_int_equal(count, 4);
		for (unsigned i = 0; i < 4; i++)
			assert_string_equal(found_text(i), ordered[i]);
	}
	assert_int_equal(insert_all(&lookup, other), 2);
	assert_int_equal(lookup.found[0].any.sa_family, AF_INET);
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
	    cmocka_unit_test(order_is_stable),
	    TEST(numeric),
	    TEST(localhost),
	    TEST(nonsense),
	    TEST(left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
