#include "os/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static int file;

static int
setup(void **state)
{
	file = memfd_create("log", MFD_CLOEXEC);
	assert_true(file >= 0);
	log_open(file, LOG_LEVEL_INFO, "test");
	return 0;
}

static int
teardown(void **state)
{
	log_open(STDERR_FILENO, LOG_LEVEL_INFO, "weir");
	return close(file);
}

static const char *
logged(void)
{
	static char text[1 << 16];
	ssize_t length = pread(file, text, sizeof(text) - 1, 0);

	assert_true(length >= 0);
	text[length] = '\0';
	return text;
}

static unsigned
lines_of(const char *text)
{
	unsigned count = 0;

	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

static void
test_form(void **state)
{
	char want[64], time[32];
	int consumed = 0;

	log_error("net", "cannot listen on %s; free the port", "[::1]:80");
	snprintf(want, sizeof(want), " error test[%d] net: cannot listen",
	    (int)getpid());
	assert_non_null(strstr(logged(), want));
	assert_int_equal(
	    sscanf(logged(), "%31[0-9TZ:.-]%n", time, &consumed), 1);
	assert_int_equal(consumed, strlen("2026-11-24T12:00:00.123Z"));
	assert_int_equal(lines_of(logged()), 1);
}

static void
test_level(void **state)
{
	log_debug("net", "not wanted");
	assert_string_equal(logged(), "");
	log_level_set(LOG_LEVEL_DEBUG);
	log_debug("net", "wanted");
	assert_int_equal(lines_of(logged()), 1);
	assert_int_equal(log_level_find(BYTES("warn")), LOG_LEVEL_WARN);
	assert_true(log_level_find(BYTES("loud")) < 0);
}

static void
test_escaped(void **state)
{
	log_info("net", "from \"%s\"", "a\r\n2026 error forged: \x7f\t");
	assert_int_equal(lines_of(logged()), 1);
	assert_non_null(
	    strstr(logged(), "a\\x0d\\x0a2026 error forged: \\x7f\\x09"));
}

static void
test_cut(void **state)
{
	char *long_text = malloc(2 * LOG_LINE_BYTES);

	memset(long_text, '\n', 2 * LOG_LINE_BYTES - 1);
	long_text[2 * LOG_LINE_BYTES - 1] = '\0';
	log_info("net", "%s", long_text);
	assert_true(strlen(logged()) <= LOG_LINE_BYTES);
	assert_int_equal(lines_of(logged()), 1);
	assert_int_equal(logged()[strlen(logged()) - 1], '\n');
	free(long_text);
}

static void
test_burst(void **state)
{
	struct log_site site = {0};

	for (unsigned i = 0; i < 100; i++)
		log_line(&site, LOG_LEVEL_INFO, "net", "again");
	/* A second may have begun meanwhile. */
	assert_in_range(lines_of(logged()), LOG_BURST, 2 * LOG_BURST + 1);

	/* As if those had been in an earlier second. */
	site.window_s -= 10;
	site.dropped = 90;
	log_line(&site, LOG_LEVEL_INFO, "net", "later");
	assert_non_null(strstr(logged(), "90 more lines"));
	assert_non_null(strstr(logged(), "later"));
}

static void
test_text(void **state)
{
	log_text(LOG_LEVEL_ERROR, "config",
	    BYTES("a.yaml:1:2: one\n\n    x: y\na.yaml:3:4: two\n"));
	assert_int_equal(lines_of(logged()), 3);
	assert_non_null(strstr(logged(), "config: a.yaml:3:4: two\n"));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_form),
	    TEST(test_level),
	    TEST(test_escaped),
	    TEST(test_cut),
	    TEST(test_burst),
	    TEST(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
