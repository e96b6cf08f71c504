/*
 * must.c - the end of a process whose own assumptions failed
 *
 * Nothing here allocates, locks or uses stdio: a failed assertion says
 * nothing good about the state of those.
 */
#include "base/cc.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void (*must_failed_hook)(int fd);

static _Atomic uint64_t never_total;

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
	atomic_fetch_add_explicit(&never_total, 1, memory_order_relaxed);
}

uint64_t
never_count(void)
{
	return atomic_load_explicit(&never_total, memory_order_relaxed);
}
