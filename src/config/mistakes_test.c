#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "config/config.h"
#include "config/snapshot.h"

#define PATH "/etc/weir/w.yaml"

static const struct mistake {
	const char *text, *expected;
} mistakes[] = {
#define MISTAKE(text, expected) {text, expected},
#include "config/mistakes.tbl"
#undef MISTAKE
};

static void
mistake_print(const struct config_errors *errors, FILE *to)
{
	for (const struct config_error *e = errors->first; e != NULL;
	     e = e->next) {
		fprintf(to, "%d:%d+%d %s%s\n", e->line, e->column, e->width,
		    e->warning ? "warning: " : "", e->message);
		if (e->remedy != NULL)
			fprintf(to, "  = %s\n", e->remedy);
	}
}

static char *
mistake_read(const char *text, bool whole)
{
	struct config_errors errors;
	struct snapshot *snapshot = NULL;
	char *said;
	size_t length;
	FILE *to = open_memstream(&said, &length);
	int r;

	config_errors_init(&errors, PATH, bytes_from(text));
	r = snapshot_build(bytes_from(text), PATH, &errors, &snapshot);
	assert_int_equal(r, errors.count != 0 ? E_CONFIG_INVALID : 0);
	if (whole)
		config_errors_print(&errors, to, false);
	else
		mistake_print(&errors, to);
	fclose(to);
	snapshot_free(snapshot);
	config_errors_fini(&errors);
	return said;
}

static void
test_mistakes(void **state)
{
	for (size_t i = 0; i < array_count(mistakes); i++) {
		char *said = mistake_read(mistakes[i].text, false);

		assert_string_equal(said, mistakes[i].expected);
		free(said);
	}
}

static void
test_look(void **state)
{
	char *said = mistake_read("user: \"\t\xc3\xa9\", backand: 1\n", true);

	assert_string_equal(said,
	    PATH ":1:11: invalid trailing content after double-quoted "
		 "scalar\n"
		 "    1 | user: \" \xc3\xa9\", backand: 1\n"
		 "      |           ^\n");
	free(said);
	said = mistake_read("user: a\n"
			    "\n"
			    "trust: [\"\xc3\xa9\", x]\n"
			    "sites: [{listen: 80, routs: []}]\n",
	    true);
	assert_string_equal(said,
	    PATH ":3:9: `\xc3\xa9`: neither an IP address nor a network "
		 "(10.0.0.0/8)\n"
		 "    3 | trust: [\"\xc3\xa9\", x]\n"
		 "      |         ^~~\n" PATH
		 ":3:14: `x`: neither an IP address nor a network "
		 "(10.0.0.0/8)\n"
		 "    3 | trust: [\"\xc3\xa9\", x]\n"
		 "      |              ^\n" PATH
		 ":4:9: `routes` is missing here\n"
		 "    4 | sites: [{listen: 80, routs: []}]\n"
		 "      |         ^\n" PATH ":4:22: unknown key `routs`\n"
		 "    4 | sites: [{listen: 80, routs: []}]\n"
		 "      |                      ^~~~~\n"
		 "      = did you mean `routes`?\n");
	free(said);
}

/* A line of any length is shown around its mistake. */
static void
test_long_line(void **state)
{
	char text[1000], *said;

	memset(text, ' ', sizeof(text));
	memcpy(text, "sites: [", 8);
	memcpy(text + 500, "x]", 3);
	said = mistake_read(text, true);
	assert_non_null(strstr(said, PATH ":1:501: `sites` must be"));
	assert_non_null(strstr(said, "    1 | ... "));
	assert_null(strstr(said, "sites: ["));
	free(said);
}

/* The first ones of the file are kept, and the rest is counted. */
static void
test_many(void **state)
{
	struct appender text;
	char *memory = malloc(65536), *said;
	unsigned lines = 0;

	text = appender_over(memory, 65536);
	append_text(&text, "sites: [{listen: 80, routes: [{respond: x}]}]\n");
	for (unsigned i = 0; i < 120; i++)
		append_format(&text, "key_%u: 1\n", i);
	append_char(&text, '\0');
	said = mistake_read(memory, false);
	for (const char *c = said; *c != '\0'; c++)
		lines += *c == '\n';
	assert_int_equal(lines, CONFIG_ERRORS_MAX + 1);
	assert_non_null(strstr(said, "2:1+5 unknown key `key_0`\n"));
	assert_non_null(strstr(said, "51:1+6 unknown key `key_49`\n"));
	assert_null(strstr(said, "key_50`"));
	assert_non_null(
	    strstr(said, "warning: 70 more mistakes are not shown"));
	free(said);
	free(memory);
}

/* Aliases of aliases: refused before the memory is. */
static void
test_laughs(void **state)
{
	struct appender text;
	char *memory = malloc(65536), *said;

	text = appender_over(memory, 65536);
	append_text(&text, "sites: [{listen: 80, routes: [{respond: x}, ");
	append_text(&text, "&r {exact: /, respond: x}");
	for (unsigned i = 0; i < 1900; i++)
		append_text(&text, ", *r");
	append_text(&text, "]}");
	append_text(&text, ", &s {listen: 81, routes: &l [*r");
	for (unsigned i = 0; i < 1900; i++)
		append_text(&text, ", *r");
	append_text(&text, "]}");
	for (unsigned i = 0; i < 1000; i++)
		append_text(&text, ", *s");
	append_text(&text, "]\n");
	append_char(&text, '\0');
	assert_false(text.overflowed);
	said = mistake_read(memory, false);
	assert_non_null(strstr(
	    said, "the file is too large once its aliases are expanded"));
	free(said);
	free(memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_mistakes),
	    cmocka_unit_test(test_look),
	    cmocka_unit_test(test_long_line),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_laughs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
