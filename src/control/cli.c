#include "control/cli.h"

#include <stdarg.h>
#include <stdio.h>

int
cli_usage_error(const char *verb, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "weir %s: ", verb);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nTry: weir help %s\n", verb);
	return 2;
}
