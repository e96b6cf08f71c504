/*
 * verb_run.c - `weir run`
 */
#include <getopt.h>
#include <stdlib.h>

#include "control/cli.h"
#include "main/manager.h"
#include "main/verb.h"
#include "os/log.h"

#define RUN_PATH_DEFAULT "/etc/weir/weir.yaml"

static int
run_option(int option, struct manager_options *options)
{
	switch (option) {
	case 'c':
		options->path = optarg;
		return 0;
	case 'u':
		options->user = optarg;
		return 0;
	case 'l':
		options->log_level = log_level_find(bytes_from(optarg));
		if (options->log_level >= 0)
			return 0;
		return cli_usage_error("run",
		    "--log-level is error, warn, info or debug, not `%s`",
		    optarg);
	case ':':
		return cli_usage_error("run", "an option lacks its value");
	default:
		return cli_usage_error("run", "unknown option");
	}
}

int
verb_run(int argc, char **argv)
{
	static const struct option names[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"user", required_argument, NULL, 'u'},
	    {"log-level", required_argument, NULL, 'l'},
	    {NULL, 0, NULL, 0},
	};
	struct manager_options options = {.log_level = -1};
	char path[4096];
	int option, r;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:", names, NULL)) != -1) {
		r = run_option(option, &options);
		if (r != 0)
			return r;
	}
	if (argc - optind > 1 || (argc > optind && options.path != NULL))
		return cli_usage_error("run", "one configuration is enough");
	if (argc > optind)
		options.path = argv[optind];
	if (options.path == NULL)
		options.path = RUN_PATH_DEFAULT;
	/* A reload may come from anywhere. */
	if (realpath(options.path, path) != NULL)
		options.path = path;
	return manager_run(&options);
}
