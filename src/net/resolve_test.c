#include "net/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/dns_fake.h"
#include "net/resolve_order.h"
#include "net/resolve_system.h"
#include "os/clock.h"
#include "runtime/runtime.h"

static struct net_address found[RESOLVE_ADDRESSES_MAX];
static unsigned count;
static struct resolve_error error;

static char resolv_path[] = "/tmp/weir-resolv-XXXXXX";
static char hosts_path[] = "/tmp/weir-hosts-XXXXXX";

static void
file_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	must(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* The resolver reads @conf, with %u for the fake's port, and @hosts. */
static void
configure(const struct fake *fake, const char *conf, const char *hosts)
{
	struct resolve_options options = {resolv_path, hosts_path, false};
	char text[512];

	snprintf(text, sizeof(text), "nameserver [127.0.0.1]:%u\n%s\n",
	    fake->port, conf);
	file_write(resolv_path, text);
	file_write(hosts_path, hosts);
	assert_int_equal(resolve_configure(&options), 0);
}

static int
resolve(const char *name)
{
	count = 0;
	return resolve_addresses(bytes_from(name), 8080, found,
	    RESOLVE_ADDRESSES_MAX, &count, &error,
	    instant_after(clock_now(), duration_s(20)));
}

static const char *
all_found(void)
{
	static char text[1024];
	struct appender into = appender_over(text, sizeof(text) - 1);

	for (unsigned i = 0; i < count; i++) {
		append_text(&into, i == 0 ? "" : " ");
		net_address_format(&found[i], &into);
	}
	text[into.length] = '\0';
	return text;
}

static void
expect_found_at(const char *name, const char *expected, int line)
{
	int r = resolve(name);

	if (r < 0)
		print_error(
		    "line %d: %s %s\n", line, error_name(r), error.text);
	assert_int_equal(r, 0);
	assert_string_equal(all_found(), expected);
}
#define expect_found(name, expected) expect_found_at(name, expected, __LINE__)

static void
expect_error(const char *name, int result, const char *part)
{
	assert_int_equal(resolve(name), result);
	if (strstr(error.text, part) == NULL)
		print_error("\"%s\" has no \"%s\"\n", error.text, part);
	assert_non_null(strstr(error.text, part));
}

/* Without waiting: a deadline that has passed does not matter. */
static int
known_names(void *arg)
{
	static const struct {
		const char *name, *text;
	} cases[] = {
	    {"192.0.2.7", "192.0.2.7:8080"},
	    {"2001:db8::7", "[2001:db8::7]:8080"},
	    {"fe80::1%1", "[fe80::1%1]:8080"},
	    {"localhost", "[::1]:8080 127.0.0.1:8080"},
	    {"LOCALHOST.", "[::1]:8080 127.0.0.1:8080"},
	    {"a.localhost", "[::1]:8080 127.0.0.1:8080"},
	    {"www.Example", "192.0.2.1:8080"},
	    {"both.example", "[2001:db8::1]:8080 192.0.2.1:8080"},
	};
	struct fake fake;

	fake_start(&fake, NULL, 0);
	configure(&fake, "",
	    "192.0.2.1 www.example WWW2.example. both.example # not.this\n"
	    "2001:db8::1\tboth.example\r\n"
	    "not-an-address x\n"
	    "#192.0.2.9 www.example\n");
	for (size_t i = 0; i < array_count(cases); i++) {
		assert_int_equal(
		    resolve_addresses(bytes_from(cases[i].name), 8080, found, 8,
			&count, &error, instant_past()),
		    0);
		assert_string_equal(all_found(), cases[i].text);
	}
	assert_int_equal(resolve_family(BYTES("www2.example"), AF_INET6, 1,
			     found, 8, &count, &error, instant_never()),
	    E_NO_ADDRESS);
	assert_non_null(strstr(error.text, "hosts file"));
	expect_error("x.invalid", E_NO_ADDRESS, "RFC 6761");
	expect_error("x.onion", E_NO_ADDRESS, "RFC 6761");
	assert_int_equal(fake.udp_count + fake.tcp_count, 0);
	/* Read again when it changes; the look comes once a second. */
	file_write(hosts_path, "192.0.2.77 www.example\n");
	task_sleep(duration_ms(1100));
	expect_found("www.example", "192.0.2.77:8080");
	fake_stop(&fake);
	return 0;
}

static int
nonsense(void *arg)
{
	char longer[RESOLVE_NAME_BYTES + 2], label[80];
	struct sockaddr_storage address;

	memset(label, 'a', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	expect_error("", E_NO_ADDRESS, "not a host name: \"\"");
	expect_error(".", E_NO_ADDRESS, "not a host name: \".\"");
	expect_error(longer, E_NO_ADDRESS, "not a host name: \"aaa");
	expect_error(label, E_NO_ADDRESS, "not a host name");
	expect_error("a..b", E_NO_ADDRESS, "not a host name");
	expect_error("[::1]", E_NO_ADDRESS, "an address stands in brackets");
	assert_int_equal(resolve_name(BYTES("127.0.0.1\0x"), 80, &address, 1,
			     &count, instant_never()),
	    E_NO_ADDRESS);
	return 0;
}

static int
answers(void *arg)
{
	struct fake_row rows[] = {
	    {"four.test", DNS_A, FAKE_ANSWER, 60, "192.0.2.9 192.0.2.1"},
	    {"four.test", DNS_AAAA, FAKE_NODATA, 60, NULL},
	    {"both.test", DNS_A, FAKE_ANSWER, 60, "127.0.0.2 127.0.0.1"},
	    {"both.test", DNS_AAAA, FAKE_ANSWER, 60, "::1"},
	    {"alias.test", DNS_ANY, FAKE_ANSWER, 60, "=inner.test =four.test"},
	    {"whole.test", DNS_A, FAKE_ANSWER, 60, "=x.test 192.0.2.5"},
	    {"loop.test", DNS_ANY, FAKE_ANSWER, 60, "=pool.test"},
	    {"pool.test", DNS_ANY, FAKE_ANSWER, 60, "=loop.test"},
	    {"self.test", DNS_ANY, FAKE_ANSWER, 60, "=self.test"},
	    {"fails.test", DNS_ANY, FAKE_SERVFAIL, 0, NULL},
	    {"junk.test", DNS_A, FAKE_JUNK, 0, "192.0.2.1"},
	};
	struct fake fake;
	unsigned before;

	fake_start(&fake, rows, array_count(rows));
	configure(&fake, "options timeout:5 attempts:1", "");
	expect_found("four.test", "192.0.2.1:8080 192.0.2.9:8080");
	/* A and AAAA, each once, and then from the cache. */
	assert_int_equal(fake.udp_count, 2);
	expect_found("FOUR.test.", "192.0.2.1:8080 192.0.2.9:8080");
	assert_int_equal(fake.udp_count, 2);
	expect_found("both.test", "[::1]:8080 127.0.0.1:8080 127.0.0.2:8080");
	expect_found("alias.test", "192.0.2.1:8080 192.0.2.9:8080");
	expect_found("whole.test", "192.0.2.5:8080");
	expect_error("loop.test", E_RESOLVER_FAILED, "chain of aliases");
	expect_error("self.test", E_RESOLVER_FAILED, "chain of aliases");
	before = fake.udp_count;
	expect_error("none.test", E_NO_ADDRESS, "none.test (A): no such name");
	expect_error("none.test", E_NO_ADDRESS, "(NXDOMAIN) from 127.0.0.1:");
	assert_int_equal(fake.udp_count, before + 2);
	expect_error("fails.test", E_RESOLVER_FAILED, "SERVFAIL from 127.0.0.");
	expect_error("fails.test", E_RESOLVER_FAILED, "SERVFAIL");
	assert_int_equal(fake.udp_count, before + 4);
	expect_error("junk.test", E_RESOLVER_FAILED, "malformed answer");
	assert_int_equal(fake.tcp_count, 0);
	fake_stop(&fake);
	return 0;
}

/* Ports of the queries: not one for all, and not one after the other. */
static void
check_ports(const struct fake *fake)
{
	unsigned neighbours = 0, n = min_of(fake->udp_count, 64u);

	assert_true(n >= 8);
	for (unsigned i = 1; i < n; i++) {
		int step = ntohs(fake->ports[i]) - ntohs(fake->ports[i - 1]);

		if (step >= -1 && step <= 1)
			neighbours++;
	}
	assert_true(neighbours < n / 2);
}

static int
forgers(void *arg)
{
	struct fake_row rows[] = {
	    {"id.long-enough-for-the-case-of-it-to-tell.test", DNS_A,
		FAKE_WRONG_ID, 60, "192.0.2.1"},
	    {"question.test", DNS_A, FAKE_WRONG_QUESTION, 60, "192.0.2.2"},
	    {"source.test", DNS_A, FAKE_WRONG_SOURCE, 60, "192.0.2.3"},
	    {"flood.test", DNS_A, FAKE_FLOOD, 60, "192.0.2.4"},
	    {"lower-case-name.test", DNS_A, FAKE_LOWER, 60, "192.0.2.5"},
	    {"poison.test", DNS_A, FAKE_POISON, 60, "192.0.2.6"},
	    {"victim.test", DNS_A, FAKE_ANSWER, 60, "192.0.2.7"},
	    {"cut.test", DNS_A, FAKE_TRUNCATE, 60, "192.0.2.8"},
	};
	struct fake fake;

	fake_start(&fake, rows, array_count(rows));
	configure(&fake, "options timeout:5 attempts:1", "");
	expect_found(
	    "id.long-enough-for-the-case-of-it-to-tell.test", "192.0.2.1:8080");
	expect_found("question.test", "192.0.2.2:8080");
	expect_found("source.test", "192.0.2.3:8080");
	assert_int_equal(fake.tcp_count, 0);
	expect_found("flood.test", "192.0.2.4:8080");
	assert_int_equal(fake.tcp_count, 1);
	expect_found("lower-case-name.test", "192.0.2.5:8080");
	assert_int_equal(fake.tcp_count, 2);
	expect_found("poison.test", "192.0.2.6:8080");
	expect_found("victim.test", "192.0.2.7:8080");
	expect_found("cut.test", "192.0.2.8:8080");
	assert_int_equal(fake.tcp_count, 3);
	check_ports(&fake);
	assert_false(fake.no_case);
	fake_stop(&fake);
	return 0;
}

static int
servers(void *arg)
{
	struct fake_row bad[] = {
	    {"a.test", DNS_ANY, FAKE_SERVFAIL, 0, NULL},
	    {"b.test", DNS_ANY, FAKE_DROP, 0, NULL},
	    {"c.test", DNS_ANY, FAKE_DROP_FIRST, 60, NULL},
	};
	struct fake_row good[] = {
	    {"a.test", DNS_A, FAKE_ANSWER, 60, "192.0.2.1"},
	    {"b.test", DNS_A, FAKE_ANSWER, 60, "192.0.2.2"},
	    {"b.test", DNS_AAAA, FAKE_DROP, 60, NULL},
	    {"d.test", DNS_A, FAKE_NO_EDNS, 60, "192.0.2.3"},
	};
	struct fake first, second;
	char conf[128];

	fake_start(&first, bad, array_count(bad));
	fake_start(&second, good, array_count(good));
	snprintf(conf, sizeof(conf),
	    "nameserver [127.0.0.1]:%u\noptions timeout:1 attempts:1",
	    second.port);
	configure(&first, conf, "");
	/* The next one is asked after SERVFAIL, and after silence. */
	expect_found("a.test", "192.0.2.1:8080");
	expect_found("b.test", "192.0.2.2:8080");
	/* A server that does not know OPT. */
	configure(&second, "options edns0 timeout:1 attempts:1", "");
	expect_found("d.test", "192.0.2.3:8080");
	configure(&first, "options timeout:1 attempts:1", "");
	expect_error("b.test", E_RESOLVER_TIMEOUT, "no answer from 127.0.0.1:");
	expect_error("b.test", E_RESOLVER_TIMEOUT, "within 1 s");
	configure(&first, "options use-vc", "");
	first.udp_count = first.tcp_count = 0;
	expect_error("a.test", E_RESOLVER_FAILED, "SERVFAIL");
	assert_int_equal(first.udp_count, 0);
	assert_int_equal(first.tcp_count, 2);
	fake_stop(&first);
	/* Nobody there: an answer of the kernel, at once. */
	configure(&first, "options timeout:30 attempts:5", "");
	expect_error("a.test", E_RESOLVER_FAILED, "Connection refused");
	fake_stop(&second);
	return 0;
}

static int
search(void *arg)
{
	struct fake_row rows[] = {
	    {"www.one.test", DNS_ANY, FAKE_NXDOMAIN, 60, NULL},
	    {"www.two.test", DNS_A, FAKE_ANSWER, 60, "192.0.2.2"},
	    {"www.two.test", DNS_AAAA, FAKE_NODATA, 60, NULL},
	    {"a.b", DNS_A, FAKE_ANSWER, 60, "192.0.2.3"},
	    {"a.b.one.test", DNS_A, FAKE_ANSWER, 60, "192.0.2.4"},
	    {"mixed.one.test", DNS_A, FAKE_ANSWER, 60, "192.0.2.5"},
	    {"mixed.one.test", DNS_AAAA, FAKE_NODATA, 60, NULL},
	    {"mixed.two.test", DNS_AAAA, FAKE_ANSWER, 60, "2001:db8::6"},
	};
	struct fake fake;

	fake_start(&fake, rows, array_count(rows));
	configure(&fake, "search one.test two.test", "");
	expect_found("www", "192.0.2.2:8080");
	expect_error("www.", E_NO_ADDRESS, "www (A)");
	expect_found("a.b", "192.0.2.3:8080");
	/* Both families are of one name. */
	expect_found("mixed", "192.0.2.5:8080");
	assert_int_equal(resolve_family(BYTES("mixed"), AF_INET6, 1, found, 8,
			     &count, &error, instant_never()),
	    E_NO_ADDRESS);
	configure(&fake, "domain one.test\noptions ndots:2", "");
	expect_found("a.b", "192.0.2.4:8080");
	expect_error("a.b.c", E_NO_ADDRESS, "a.b.c.one.test");
	fake_stop(&fake);
	return 0;
}

static int
waiter(void *arg)
{
	struct net_address address;
	unsigned n;

	return resolve_addresses(
	    BYTES("slow.test"), 80, &address, 1, &n, NULL, instant_never());
}

/* Many ask at once: one question a family. Whoever is stopped leaves, the
 * others get the answer. */
static int
together(void *arg)
{
	struct fake_row rows[] = {
	    {"slow.test", DNS_ANY, FAKE_SLOW, 60, NULL},
	    {"short.test", DNS_A, FAKE_ANSWER, 1, "192.0.2.1"},
	    {"denied.test", DNS_ANY, FAKE_NXDOMAIN, 1, NULL},
	};
	struct scope scope, stopped;
	struct fake fake;

	rows[0].data = "=host.test";
	rows[0].type = DNS_AAAA;
	fake_start(&fake, rows, array_count(rows));
	rows[0] =
	    (struct fake_row){"slow.test", DNS_A, FAKE_SLOW, 60, "192.0.2.9"};
	configure(&fake, "", "");
	scope_init(&stopped, instant_never());
	scope_init(&scope, instant_never());
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(task_start(&scope, "waiter", waiter, NULL), 0);
		assert_int_equal(
		    task_start(&stopped, "stopped", waiter, NULL), 0);
	}
	task_sleep(duration_ms(20));
	scope_cancel(&stopped, E_CLIENT_GONE);
	(void)scope_fini(&stopped);
	assert_int_equal(scope_wait(&scope), 0);
	assert_int_equal(scope_fini(&scope), 0);
	assert_int_equal(fake.udp_count, 2);

	/* A deadline, and the answer that comes later is kept all the same. */
	assert_int_equal(resolve_addresses(BYTES("slow2.test"), 1, found, 1,
			     &count, &error, instant_past()),
	    -ETIMEDOUT);
	assert_non_null(strstr(error.text, "slow2.test (AAAA): not answered"));

	/* As long as the TTL, and denials as long as the SOA says. */
	fake.udp_count = 0;
	expect_found("short.test", "192.0.2.1:8080");
	expect_error("denied.test", E_NO_ADDRESS, "NXDOMAIN");
	expect_found("short.test", "192.0.2.1:8080");
	expect_error("denied.test", E_NO_ADDRESS, "NXDOMAIN");
	assert_in_range(fake.udp_count, 4, 6);
	task_sleep(duration_ms(1100));
	fake.udp_count = 0;
	rows[1].data = "192.0.2.2";
	expect_found("short.test", "192.0.2.2:8080");
	expect_error("denied.test", E_NO_ADDRESS, "NXDOMAIN");
	assert_in_range(fake.udp_count, 3, 4);
	fake_stop(&fake);
	return 0;
}

/* More names than the cache holds. */
static int
bounded(void *arg)
{
	struct fake fake;
	char name[32];
	unsigned before;

	fake_start(&fake, NULL, 0);
	configure(&fake, "", "");
	for (unsigned i = 0; i < RESOLVE_CACHE_MAX; i++) {
		snprintf(name, sizeof(name), "n%u.test", i);
		assert_int_equal(resolve(name), E_NO_ADDRESS);
	}
	before = fake.udp_count;
	assert_int_equal(resolve(name), E_NO_ADDRESS);
	assert_int_equal(fake.udp_count, before);
	assert_int_equal(resolve("n0.test"), E_NO_ADDRESS);
	assert_int_equal(fake.udp_count, before + 2);
	fake_stop(&fake);
	return 0;
}

static int
services(void *arg)
{
	struct fake_row rows[] = {
	    {"_x._tcp.test", DNS_SRV, FAKE_ANSWER, 60,
		"20,0,1,last.test 10,90,2,often.test 10,10,3,seldom.test"},
	    {"_no._tcp.test", DNS_SRV, FAKE_ANSWER, 60, "0,0,0,."},
	};
	struct resolve_service found_services[4];
	unsigned often = 0;
	struct fake fake;

	fake_start(&fake, rows, array_count(rows));
	configure(&fake, "search one.test", "");
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(
		    resolve_services(BYTES("_x._tcp.test"), found_services, 4,
			&count, &error, instant_never()),
		    0);
		assert_int_equal(count, 3);
		assert_string_equal(found_services[2].host, "last.test");
		assert_int_equal(found_services[2].port, 1);
		if (found_services[0].port == 2)
			often++;
	}
	/* 900 expected, sigma 9.5. */
	assert_in_range(often, 840, 960);
	assert_int_equal(fake.udp_count, 1);
	assert_int_equal(
	    resolve_services(BYTES("_no._tcp.test"), found_services, 4, &count,
		&error, instant_never()),
	    E_NO_ADDRESS);
	assert_non_null(strstr(error.text, "not offered"));
	assert_int_equal(resolve_services(BYTES("_y._tcp.test"), found_services,
			     4, &count, &error, instant_never()),
	    E_NO_ADDRESS);
	assert_non_null(strstr(error.text, "_y._tcp.test (SRV): no such name"));
	fake_stop(&fake);
	return 0;
}

static int
by_the_system(void *arg)
{
	static const struct resolve_options options = {.system = true};

	assert_int_equal(resolve_configure(&options), 0);
	/* Nothing of it leaves the machine. */
	expect_error("x.invalid", E_NO_ADDRESS, "RFC 6761");
	assert_int_equal(resolve_system(BYTES("localhost"), AF_INET, found, 8,
			     &count, &error, instant_never()),
	    0);
	assert_string_equal(all_found(), "127.0.0.1:0");
	assert_int_equal(resolve_configure(&(struct resolve_options){0}), 0);
	return 0;
}

/* However the answer is turned: none twice, IPv6 first. */
static void
order_is_stable(void **state)
{
	static const char *const turns[][5] = {
	    {"::1", "127.0.0.9", "::1", "127.0.0.1", "127.0.0.9"},
	    {"127.0.0.1", "::1", "127.0.0.9", "127.0.0.1", "127.0.0.1"},
	};

	for (size_t t = 0; t < array_count(turns); t++) {
		for (unsigned i = 0; i < 5; i++)
			assert_int_equal(
			    net_address_literal(
				bytes_from(turns[t][i]), 80, &found[i]),
			    0);
		count = resolve_order(found, 5);
		assert_string_equal(
		    all_found(), "[::1]:80 127.0.0.1:80 127.0.0.9:80");
	}
}

static void
on_runtime(void **state)
{
	static const struct runtime_options options = {.worker_count = 1};

	assert_int_equal(runtime_run(&options, (task_fn)*state, NULL), 0);
}

static int
files_make(void **state)
{
	int a = mkstemp(resolv_path), b = mkstemp(hosts_path);

	must(a >= 0 && b >= 0);
	close(a);
	close(b);
	return 0;
}

static int
files_remove(void **state)
{
	unlink(resolv_path);
	unlink(hosts_path);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) {#fn, on_runtime, NULL, NULL, (void *)(fn)}
	    cmocka_unit_test(order_is_stable),
	    TEST(known_names),
	    TEST(nonsense),
	    TEST(answers),
	    TEST(forgers),
	    TEST(servers),
	    TEST(search),
	    TEST(together),
	    TEST(bounded),
	    TEST(services),
	    TEST(by_the_system),
	};

	return cmocka_run_group_tests(tests, files_make, files_remove);
}
