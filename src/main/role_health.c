/*
 * role_health.c - active checks, in a process of their own
 *
 * What a sick server answers cannot hurt the worker, and a busy worker cannot
 * make a healthy server look late.
 */
#include <unistd.h>

#include "base/error.h"
#include "edge/health/health.h"
#include "main/role.h"
#include "os/log.h"

static struct snapshot *health_current, *health_next;

static int
health_prepare(struct snapshot *snapshot_take, struct role_sockets *sockets,
    unsigned threads, struct appender *why)
{
	health_next = snapshot_take;
	return 0;
}

static void
health_commit(void)
{
	int r = health_apply(health_next);

	if (r < 0) {
		/* Afresh, with the same configuration. */
		log_error(
		    "health", "checks cannot be started: %s", error_text(r));
		_exit(1);
	}
	if (health_current != NULL)
		snapshot_free(health_current);
	health_current = health_next;
	health_next = NULL;
}

static void
health_abort(void)
{
	snapshot_free(health_next);
	health_next = NULL;
}

const struct role role_health = {
    .name = "health",
    .process_name = "weir-health",
    .prepare = health_prepare,
    .commit = health_commit,
    .abort = health_abort,
};
