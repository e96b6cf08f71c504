#include "config/errors.h"

#include <stdarg.h>
#include <stdlib.h>

#define ERRORS_LINE_MAX 160 /* characters of a line that are shown */

void
config_errors_init(
    struct config_errors *errors, const char *path, struct bytes text)
{
	*errors = (struct config_errors){.path = path, .text = text};
}

static void
errors_free(struct config_error *error)
{
	free(error->message);
	free(error->remedy);
	free(error);
}

void
config_errors_fini(struct config_errors *errors)
{
	struct config_error *error;

	while ((error = errors->first) != NULL) {
		errors->first = error->next;
		errors_free(error);
	}
	config_errors_init(errors, errors->path, errors->text);
}

/* ---- noting ---- */

static bool
errors_before(const struct config_error *a, const struct config_error *b)
{
	/* What is about the whole file comes last. */
	if ((a->line == 0) != (b->line == 0))
		return b->line == 0;
	if (a->line != b->line)
		return a->line < b->line;
	return a->column < b->column;
}

/* Returns false when the same was noted already: an alias is read at every
 * place that names it. */
static bool
errors_insert(struct config_errors *errors, struct config_error *error)
{
	struct config_error **at = &errors->first, *last;
	unsigned count = 0;

	while (*at != NULL && !errors_before(error, *at)) {
		if ((*at)->line == error->line &&
		    (*at)->column == error->column &&
		    strcmp((*at)->message, error->message) == 0)
			return false;
		at = &(*at)->next;
		count++;
	}
	error->next = *at;
	*at = error;
	for (; *at != NULL && count < CONFIG_ERRORS_MAX; at = &(*at)->next)
		count++;
	last = *at;
	*at = NULL;
	if (last != NULL)
		errors_free(last);
	return true;
}

static void
errors_note(struct config_errors *errors, struct config_spot spot, bool warning,
    const char *remedy, const char *format, va_list args)
{
	struct config_error *error = calloc(1, sizeof(*error));

	/* Without memory for its text a mistake still counts. */
	if (error == NULL || vasprintf(&error->message, format, args) < 0) {
		free(error);
		errors->count += !warning;
		return;
	}
	error->line = spot.line;
	error->column = spot.column;
	error->width = max_of(spot.width, 1);
	error->warning = warning;
	error->remedy = remedy != NULL ? strdup(remedy) : NULL;
	if (!errors_insert(errors, error)) {
		errors_free(error);
		return;
	}
	errors->count += !warning;
	errors->warning_count += warning;
}

void
config_errors_add(struct config_errors *errors, struct config_spot spot,
    const char *remedy, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	errors_note(errors, spot, false, remedy, format, args);
	va_end(args);
}

void
config_errors_warn(struct config_errors *errors, struct config_spot spot,
    const char *remedy, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	errors_note(errors, spot, true, remedy, format, args);
	va_end(args);
}

void
config_errors_finish(struct config_errors *errors)
{
	struct config_error **at = &errors->first;
	struct config_error *error;
	unsigned total = errors->count + errors->warning_count;
	unsigned kept = 0;

	for (; *at != NULL; at = &(*at)->next)
		kept++;
	if (total <= kept)
		return;
	error = calloc(1, sizeof(*error));
	if (error == NULL ||
	    asprintf(&error->message, "%u more mistakes are not shown",
		total - kept) < 0) {
		free(error);
		return;
	}
	error->warning = true;
	*at = error;
}

/* ---- printing ---- */

struct errors_paint {
	const char *bold, *red, *yellow, *plain;
};

static struct bytes
errors_line_text(struct bytes text, int line)
{
	struct bytes part = bytes_of(NULL, 0);

	for (int i = 0; i < line; i++) {
		if (!bytes_split(&text, '\n', &part))
			return bytes_of(NULL, 0);
	}
	if (part.length != 0 && part.at[part.length - 1] == '\r')
		part.length--;
	return part;
}

/* The bytes of the next character, and how many there are. */
static size_t
errors_character(struct bytes text)
{
	size_t length = 1;

	while (length < text.length &&
	    ((unsigned char)text.at[length] & 0xc0) == 0x80)
		length++;
	return length;
}

/* What a terminal would act on is not let through. */
static void
errors_character_print(struct bytes character, FILE *to)
{
	unsigned char c = (unsigned char)character.at[0];

	if (c < 0x20 || c == 0x7f)
		fputc(c == '\t' ? ' ' : '?', to);
	else
		fwrite(character.at, 1, character.length, to);
}

static void
errors_excerpt_print(const struct config_error *error, struct bytes line,
    const struct errors_paint *paint, FILE *to)
{
	int skip = error->column > ERRORS_LINE_MAX
	    ? error->column - ERRORS_LINE_MAX / 2
	    : 0;
	int characters = 0, width;

	fprintf(to, "%5d | %s", error->line, skip > 0 ? "..." : "");
	while (line.length != 0 && characters - skip < ERRORS_LINE_MAX) {
		size_t length = errors_character(line);

		if (characters >= skip)
			errors_character_print(bytes_of(line.at, length), to);
		line = bytes_skip(line, length);
		characters++;
	}
	fprintf(to, "%s\n      | %*s%s", line.length != 0 ? "..." : "",
	    error->column - 1 - skip + (skip > 0 ? 3 : 0), "",
	    error->warning ? paint->yellow : paint->red);
	width = min_of(error->width, characters - error->column + 1);
	fputc('^', to);
	for (int i = 1; i < width; i++)
		fputc('~', to);
	fprintf(to, "%s\n", paint->plain);
}

static void
errors_one_print(const struct config_errors *errors,
    const struct config_error *error, const struct errors_paint *paint,
    FILE *to)
{
	struct bytes line = errors_line_text(errors->text, error->line);

	fprintf(to, "%s%s:", paint->bold, errors->path);
	if (error->line > 0)
		fprintf(to, "%d:%d:", error->line, error->column);
	fprintf(to, "%s %s%s%s%s\n", paint->plain,
	    error->warning ? paint->yellow : "",
	    error->warning ? "warning: " : "",
	    error->warning ? paint->plain : "", error->message);
	if (line.at != NULL)
		errors_excerpt_print(error, line, paint, to);
	if (error->remedy != NULL)
		fprintf(to, "      = %s\n", error->remedy);
}

void
config_errors_print(const struct config_errors *errors, FILE *to, bool colour)
{
	const struct errors_paint paint = {
	    .bold = colour ? "\033[1m" : "",
	    .red = colour ? "\033[31m" : "",
	    .yellow = colour ? "\033[33m" : "",
	    .plain = colour ? "\033[0m" : "",
	};

	for (const struct config_error *error = errors->first; error != NULL;
	     error = error->next)
		errors_one_print(errors, error, &paint, to);
}
