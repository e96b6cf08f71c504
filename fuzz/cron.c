/*
 * cron.c - schedules, which users write
 *
 * What must hold for any text: it is a schedule, or an error that lies in the
 * text; the next time is later, is due by its fields, and is the same for every
 * moment before it.
 */
#include <stdint.h>

#include "base/cron.h"

/* One hour back and forth, a change at 1,700,000,000 s. */
static int32_t
turned(const struct cron_zone *zone, int64_t utc_s)
{
	(void)zone;
	return utc_s < 1700000000 ? 3600 : 7200;
}

static const struct cron_zone zone = {turned};

static void
check_utc(const struct cron *cron, int64_t after)
{
	int64_t due, again;

	if (cron_next(cron, &cron_utc, after, &due) < 0)
		return;
	must(due > after && due % 60 == 0);
	must((cron->minutes >> due / 60 % 60 & 1) != 0);
	must((cron->hours >> due / 3600 % 24 & 1) != 0);
	must(cron_next(cron, &cron_utc, due - 1, &again) == 0);
	must(again == due);
	must(
	    cron_next(cron, &cron_utc, after + (due - after) / 2, &again) == 0);
	must(again == due || after + (due - after) / 2 == due);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cron_error error = {.at = SIZE_MAX};
	int64_t after = 1699990000, due;
	struct cron cron;

	if (cron_parse((const char *)data, size, &cron, &error) < 0) {
		must(error.at <= size && error.text != NULL);
		return 0;
	}
	check_utc(&cron, 1699990000);
	check_utc(&cron, 4107542400);
	for (int i = 0; i < 20; i++) {
		if (cron_next(&cron, &zone, after, &due) < 0)
			break;
		must(due > after);
		after = due;
	}
	return 0;
}
