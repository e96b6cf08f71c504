/*
 * checker.c - one server: wait, check, judge, publish
 *
 * The task owns the checker and frees it. checker_stop() only tells it: a
 * check under way ends by its own timeout and is then forgotten.
 */
#include "edge/health/checker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "edge/health/check.h"
#include "net/shared.h"
#include "os/log.h"
#include "os/random.h"

struct checker {
	struct checker **home; /* NULL: stopped */
	struct task *sleeper; /* while it waits for the next check */
	int slot;
	instant due;
	struct health_fsm fsm;
	struct arena arena; /* of the target's bytes */
	struct health_target target;
	struct check_addresses addresses;
	/* Of its own: the changes of other servers must not hide this one's. */
	struct log_site changes;
	char reason[SHARED_REASON_BYTES]; /* published last */
};

static unsigned checkers_alive;

unsigned
checker_count(void)
{
	return checkers_alive;
}

bool
checker_is_for(
    const struct checker *checker, const struct health_target *target)
{
	return health_target_equal(&checker->target, target);
}

/* ---- the verdict ---- */

static void
checker_log_change(struct checker *checker, const char *reason)
{
	const struct health_target *target = &checker->target;

	if (checker->fsm.state == HEALTH_UP)
		log_line(&checker->changes, LOG_LEVEL_INFO, "health",
		    "%.*s/%.*s is up: %s", (int)target->pool.length,
		    target->pool.at, (int)target->server.length,
		    target->server.at, reason);
	else
		log_line(&checker->changes, LOG_LEVEL_WARN, "health",
		    "%.*s/%.*s is down: %s; it gets requests again after %u "
		    "good checks in a row",
		    (int)target->pool.length, target->pool.at,
		    (int)target->server.length, target->server.at, reason,
		    checker->fsm.rise);
}

static void
checker_judge(struct checker *checker, bool passed, const char *reason)
{
	struct verdict *verdict = &shared->verdicts[checker->slot];
	bool changed;

	/* Released meanwhile: the next configuration is on its way here. */
	if (!verdict_is(
		checker->slot, checker->target.pool, checker->target.server))
		return;
	atomic_fetch_add_explicit(&verdict->checks, 1, memory_order_relaxed);
	if (!passed)
		atomic_fetch_add_explicit(
		    &verdict->check_failures, 1, memory_order_relaxed);
	changed = health_fsm_step(&checker->fsm, passed);
	if (changed || strcmp(reason, checker->reason) != 0)
		verdict_publish(checker->slot,
		    (enum health_state)checker->fsm.state, reason,
		    runtime_now());
	snprintf(checker->reason, sizeof(checker->reason), "%s", reason);
	if (changed)
		checker_log_change(checker, reason);
}

static void
checker_check(struct checker *checker)
{
	const struct config_health *check = &checker->target.check;
	char text[SHARED_REASON_BYTES];
	struct appender reason = appender_over(text, sizeof(text) - 1);
	instant next = instant_after(runtime_now(),
	    health_next_check(
		check->every, check->jitter_percent, random_u64()));
	enum check_outcome outcome;

	outcome = check_run(&checker->target, &checker->addresses, &reason);
	text[reason.length] = '\0';
	checker->due =
	    instant_before(next, runtime_now()) ? runtime_now() : next;
	if (checker->home == NULL || task_cancelled() < 0)
		return;
	if (outcome != OUTCOME_NONE)
		checker_judge(checker, outcome == OUTCOME_PASSED, text);
	else
		log_warn("health",
		    "%.*s/%.*s could not be checked: %s; its state stays",
		    (int)checker->target.pool.length, checker->target.pool.at,
		    (int)checker->target.server.length,
		    checker->target.server.at, text);
}

/* ---- the task ---- */

/* 0 when the next check is due, or an error when there will be none. */
static int
checker_wait(struct checker *checker)
{
	int r = 0;

	while (r == 0 && checker->home != NULL) {
		checker->sleeper = task_self();
		r = task_park("the next check", checker->due);
		checker->sleeper = NULL;
	}
	if (checker->home == NULL)
		return -ECANCELED;
	return r == -ETIMEDOUT ? task_cancelled() : r;
}

static void
checker_free(struct checker *checker)
{
	if (checker->home != NULL)
		*checker->home = NULL;
	arena_reset(&checker->arena);
	free(checker);
}

static int
checker_run(void *arg)
{
	struct checker *checker = arg;

	while (checker_wait(checker) == 0)
		checker_check(checker);
	checker_free(checker);
	checkers_alive--;
	return 0;
}

int
checker_start(const struct health_target *target, int slot, instant first,
    struct checker **home)
{
	struct checker *checker = calloc(1, sizeof(*checker));
	struct verdict_view view;
	int r;

	if (checker == NULL)
		return -ENOMEM;
	arena_init(&checker->arena, NULL, 0, 0);
	checker->slot = slot;
	checker->due = first;
	/* A verdict that stands is believed until checks say otherwise. */
	verdict_read(slot, first, &view);
	health_fsm_init(&checker->fsm, target->check.fall, target->check.rise);
	checker->fsm.state = (uint8_t)view.state;
	r = health_target_copy(&checker->arena, target, &checker->target);
	if (r == 0)
		r = task_start(NULL, "health", checker_run, checker);
	if (r < 0) {
		checker_free(checker);
		return r;
	}
	checkers_alive++;
	checker->home = home;
	*home = checker;
	return 0;
}

void
checker_stop(struct checker *checker)
{
	*checker->home = NULL;
	checker->home = NULL;
	if (checker->sleeper != NULL)
		task_wake(checker->sleeper);
}
