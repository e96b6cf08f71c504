/*
 * verb_check.c - `weir check`
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "control/cli.h"
#include "main/edition.h"
#include "main/verb.h"

int
verb_check(int argc, char **argv)
{
	const char *path = NULL;
	struct edition *edition;
	bool quiet = false;
	FILE *why;
	int r;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--quiet") == 0 ||
		    strcmp(argv[i], "-q") == 0)
			quiet = true;
		else if (argv[i][0] == '-' || path != NULL)
			return cli_usage_error(
			    "check", "unexpected `%s`", argv[i]);
		else
			path = argv[i];
	}
	if (path == NULL)
		return cli_usage_error("check", "which FILE?");
	why = quiet ? fopen("/dev/null", "we") : stdout;
	if (why == NULL)
		why = stdout;
	r = edition_load(path, 1, why, &edition);
	if (r < 0)
		return 1;
	if (!quiet)
		printf("%s: correct; %u sites, %u pools\n", path,
		    edition->snapshot->site_count,
		    edition->snapshot->pool_count);
	edition_close(edition, NULL);
	return 0;
}
