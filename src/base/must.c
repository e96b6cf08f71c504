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

static NORETURN void
must_end(const char *text, int length, int room)
{
	if (length > room - 1)
		length = room - 1;
	if (length > 0 && write(STDERR_FILENO, text, (size_t)length) < 0)
		_exit(134);
	if (must_failed_hook != NULL)
		must_failed_hook(STDERR_FILENO);
	abort();
}

void
must_failed(
    const char *expression, const char *file, int line, const char *function)
{
	char text[512];

	must_end(text,
	    snprintf(text, sizeof(text),
		"weir: assertion failed: %s at %s:%d in %s()\n", expression,
		file, line, function),
	    sizeof(text));
}

void
never_happened(void)
{
	/* A thread of the pool for blocking calls counts nothing. */
	if (counters_here != NULL)
		counters_here->never_taken++;
}
