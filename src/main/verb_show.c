/*
 * verb_show.c - verbs that print what the program knows of itself
 */
#include <stdio.h>

#include "config/config.h"
#include "control/cli.h"
#include "main/verb.h"

int
verb_version(int argc, char **argv)
{
	if (argc > 1)
		return cli_usage_error("version", "takes no arguments");
	printf("weir " WEIR_VERSION "\n");
	return 0;
}

int
verb_schema(int argc, char **argv)
{
	if (argc > 1)
		return cli_usage_error("schema", "takes no arguments");
	config_schema_print(stdout);
	return 0;
}

int
verb_reference(int argc, char **argv)
{
	if (argc > 1)
		return cli_usage_error("reference", "takes no arguments");
	config_reference_print(stdout);
	return 0;
}
