#include "main/told.h"

#include "os/log.h"

/* Lines, the first one with the runtime's own "weir: " before it. */
static void
told_lines(enum log_level level, const char *text)
{
	struct bytes lines = bytes_from(text);

	if (bytes_starts_with(lines, BYTES("weir: ")))
		lines = bytes_skip(lines, 6);
	log_text(level, "runtime", lines);
}

void
told_stall(const char *text)
{
	told_lines(LOG_LEVEL_WARN, text);
}

void
told_deadlock(enum deadlock_kind kind, const char *text)
{
	told_lines(LOG_LEVEL_ERROR, text);
}
