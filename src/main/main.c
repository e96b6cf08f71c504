/*
 * main.c - the verbs of the program
 */
#include <stdio.h>
#include <string.h>

#include "config/nearest.h"
#include "main/role.h"
#include "main/verb.h"

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *synopsis;
	const char *summary;
	const char *help;
};

static const struct verb verbs[] = {
#define VERB(name, function, synopsis, summary, help)                          \
	{(name), verb_##function, (synopsis), (summary), (help)},
#include "main/verbs.tbl"
#undef VERB
};

static const struct verb *
main_verb_find(const char *name)
{
	for (size_t i = 0; i < array_count(verbs); i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

static int
main_verb_unknown(const char *name)
{
	struct nearest near;

	nearest_init(&near, bytes_from(name));
	for (size_t i = 0; i < array_count(verbs); i++)
		nearest_offer(&near, bytes_from(verbs[i].name));
	fprintf(stderr, "weir: no verb `%s`", name);
	if (near.best.at != NULL)
		fprintf(stderr, "; did you mean `%.*s`?", (int)near.best.length,
		    near.best.at);
	fprintf(stderr, "\nTry: weir --help\n");
	return 2;
}

static void
main_help(FILE *to)
{
	fprintf(to,
	    "weir " WEIR_VERSION ": an edge server: web server, reverse "
	    "proxy, balancer\n\n"
	    "Usage: weir VERB [ARGUMENTS]\n\n");
	for (size_t i = 0; i < array_count(verbs); i++)
		fprintf(to, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
	fprintf(to,
	    "\n`weir help VERB` says more. The first steps:\n"
	    "  weir check weir.yaml    every mistake, with line and remedy\n"
	    "  weir run weir.yaml      serve until SIGTERM\n");
}

static void
main_verb_help(const struct verb *verb)
{
	printf("weir %s: %s\n\nUsage: weir %s%s%s\n", verb->name, verb->summary,
	    verb->name, verb->synopsis[0] != '\0' ? " " : "", verb->synopsis);
	if (verb->help[0] != '\0')
		printf("\n%s", verb->help);
}

static int
main_help_verb(const char *name)
{
	const struct verb *verb = main_verb_find(name);

	if (verb == NULL)
		return main_verb_unknown(name);
	main_verb_help(verb);
	return 0;
}

static bool
main_is_help(const char *argument)
{
	return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

int
main(int argc, char **argv)
{
	const struct verb *verb;

	if (argc < 2) {
		main_help(stderr);
		return 2;
	}
	if (main_is_help(argv[1]) || strcmp(argv[1], "help") == 0) {
		if (argc > 2)
			return main_help_verb(argv[2]);
		main_help(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return verb_version(1, argv + 1);
	/* No verb for people: how the manager starts the others. */
	if (strcmp(argv[1], "role") == 0)
		return role_main(argc - 1, argv + 1);
	verb = main_verb_find(argv[1]);
	if (verb == NULL)
		return main_verb_unknown(argv[1]);
	for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (main_is_help(argv[i])) {
			main_verb_help(verb);
			return 0;
		}
	}
	return verb->run(argc - 1, argv + 1);
}
