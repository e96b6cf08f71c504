/*
 * must.c - the end of a process whose own assumptions failed
 *
 * Nothing here allocates, locks or uses stdio: a failed assertion says
 * nothing good about the state of those.
 */
#include "base/cc.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/counters.h"

void (*must_failed_hook)(int fd);

void
must_failed(
    const char *expression, const char *file, int line, const char *function)
{
	char text[512];
	int length;

	length = snprintf(text, sizeof(text),
	    "weir: assertion failed: %s at %s:%d in %s()\n", expression, file,
	    line, function);
	if (length > (int)sizeof(text) - 1)
		length = (int)sizeof(text) - 1;
	if (length > 0 && write(STDERR_FILENO, text, (size_t)length) < 0)
		_exit(134);
	if (must_failed_hook != NULL)
		must_failed_hook(STDERR_FILENO);
	abort();
}

void
never_happened(void)
{
	/* A thread of the pool for blocking calls counts nothing. */
	if (counters_here != NULL)
		counters_here->never_taken++;
}
