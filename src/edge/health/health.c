/*
 * health.c - which servers are checked: the configuration against what runs
 *
 * Checkers stand in a table by verdict slot, so that finding one costs
 * nothing; the slot of a server lasts as long as its name is configured.
 */
#include "edge/health/health.h"

#include <errno.h>

#include "edge/health/checker.h"
#include "net/shared.h"
#include "os/log.h"
#include "os/random.h"

static struct checker *health_checkers[SHARED_SERVERS_MAX];

struct health_pass {
	instant now;
	unsigned started; /* checks of servers nobody has looked at */
	uint8_t wanted[SHARED_SERVERS_MAX];
};

unsigned
health_checker_count(void)
{
	return checker_count();
}

/* A server without a verdict takes no requests: it cannot wait. */
static instant
health_first_check(
    struct health_pass *pass, const struct config_pool *pool, int slot)
{
	int64_t every_ns = max_of(pool->health.every.ns, (int64_t)1);
	struct verdict_view view;
	int64_t delay_ns;

	verdict_read(slot, pass->now, &view);
	if (view.state == HEALTH_UNKNOWN)
		delay_ns =
		    min_of(HEALTH_START_GAP.ns * pass->started++, every_ns);
	else
		delay_ns =
		    (int64_t)random_scale(random_u64(), (uint64_t)every_ns);
	return instant_after(pass->now, duration_ns(delay_ns));
}

static int
health_apply_server(struct health_pass *pass, const struct config_pool *pool,
    const struct config_server *server)
{
	struct health_target target = health_target_of(pool, server);
	int slot = verdict_find(pool->name, server->name);
	struct checker **home;

	if (slot < 0) {
		log_error("health",
		    "%.*s/%.*s has no place in the verdict table; it is not "
		    "checked until the next reload",
		    (int)pool->name.length, pool->name.at,
		    (int)server->name.length, server->name.at);
		return 0;
	}
	if (pool->health.kind == CHECK_NONE) {
		if (atomic_load(&shared->verdicts[slot].state) !=
		    HEALTH_UNKNOWN)
			verdict_publish(
			    slot, HEALTH_UNKNOWN, "not checked", pass->now);
		return 0;
	}
	pass->wanted[slot] = 1;
	home = &health_checkers[slot];
	if (*home != NULL && checker_is_for(*home, &target))
		return 0;
	if (*home != NULL)
		checker_stop(*home);
	return checker_start(
	    &target, slot, health_first_check(pass, pool, slot), home);
}

int
health_apply(const struct snapshot *snapshot)
{
	static struct health_pass pass;
	int result = 0;

	pass = (struct health_pass){.now = runtime_now()};
	for (unsigned p = 0; p < snapshot->pool_count; p++) {
		const struct config_pool *pool = &snapshot->pools[p];

		for (unsigned s = 0; s < pool->server_count; s++) {
			int r =
			    health_apply_server(&pass, pool, &pool->servers[s]);

			if (r < 0 && result == 0)
				result = r;
		}
	}
	for (unsigned slot = 0; slot < SHARED_SERVERS_MAX; slot++) {
		if (health_checkers[slot] != NULL && !pass.wanted[slot])
			checker_stop(health_checkers[slot]);
	}
	return result;
}

void
health_stop(void)
{
	for (unsigned slot = 0; slot < SHARED_SERVERS_MAX; slot++) {
		if (health_checkers[slot] != NULL)
			checker_stop(health_checkers[slot]);
	}
}
