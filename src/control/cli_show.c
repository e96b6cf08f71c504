#include "control/cli_show.h"

#include <stdio.h>

#include "control/cli_client.h"
#include "os/terminal.h"

struct json_object *
show_member(struct json_object *o, const char *key)
{
	struct json_object *member = NULL;

	(void)json_object_object_get_ex(o, key, &member);
	return member;
}

const char *
show_text(struct json_object *o, const char *key)
{
	struct json_object *member = show_member(o, key);

	return member != NULL ? json_object_get_string(member) : "";
}

int64_t
show_number(struct json_object *o, const char *key)
{
	return json_object_get_int64(show_member(o, key));
}

double
show_fraction(struct json_object *o, const char *key)
{
	return json_object_get_double(show_member(o, key));
}

bool
show_true(struct json_object *o, const char *key)
{
	return json_object_get_boolean(show_member(o, key));
}

const char *
show_time(char into[SHOW_TIME_BYTES], double seconds)
{
	static const struct {
		double seconds;
		const char *one, *many;
	} units[] = {
	    {86400, "day", "days"},
	    {3600, "h", "h"},
	    {60, "min", "min"},
	    {1, "s", "s"},
	};
	size_t i = 0;
	long long count;

	while (i + 1 < array_count(units) && seconds < units[i].seconds)
		i++;
	count = (long long)(seconds / units[i].seconds);
	(void)snprintf(into, SHOW_TIME_BYTES, "%lld %s", count,
	    count == 1 ? units[i].one : units[i].many);
	return into;
}

const char *
show_count(char into[SHOW_COUNT_BYTES], int64_t count)
{
	static const char units[] = "kMGTP";
	double value = (double)count;
	size_t i = 0;

	if (count < 10000) {
		(void)snprintf(
		    into, SHOW_COUNT_BYTES, "%lld", (long long)count);
		return into;
	}
	for (value /= 1000; value >= 999.95 && i + 2 < sizeof(units); i++)
		value /= 1000;
	(void)snprintf(into, SHOW_COUNT_BYTES, "%.1f%c", value, units[i]);
	return into;
}

bool
show_colour(void)
{
	return terminal_has_colour(1);
}

static int
show_once(const struct cli_options *options, const char *path,
    void (*show)(struct json_object *answer))
{
	struct json_object *answer;
	int r = cli_ask_json(options, path, &answer);

	if (r != 0)
		return r;
	if ((options->flags & CLI_WATCH) != 0 && show_colour())
		printf("\033[H\033[2J");
	if ((options->flags & CLI_JSON) != 0)
		printf("%s\n",
		    json_object_to_json_string_ext(answer,
			(options->flags & CLI_WATCH) != 0
			    ? JSON_C_TO_STRING_PLAIN
			    : JSON_C_TO_STRING_PRETTY |
				JSON_C_TO_STRING_NOSLASHESCAPE));
	else
		show(answer);
	json_object_put(answer);
	return fflush(stdout) == 0 ? 0 : 1;
}

int
show_repeated(const struct cli_options *options, const char *path,
    void (*show)(struct json_object *answer))
{
	int r = show_once(options, path, show);

	while (r == 0 && (options->flags & CLI_WATCH) != 0) {
		terminal_pause(duration_s(1));
		r = show_once(options, path, show);
	}
	return r;
}
