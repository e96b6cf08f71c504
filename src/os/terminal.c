#include "os/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

bool
terminal_has_colour(int fd)
{
	const char *refused = getenv("NO_COLOR");
	const char *kind = getenv("TERM");

	if (refused != NULL && refused[0] != '\0')
		return false;
	if (kind == NULL || strcmp(kind, "dumb") == 0)
		return false;
	return isatty(fd) == 1;
}

void
terminal_pause(duration how_long)
{
	struct timespec t = {
	    .tv_sec = how_long.ns / 1000000000,
	    .tv_nsec = how_long.ns % 1000000000,
	};

	(void)nanosleep(&t, NULL);
}
