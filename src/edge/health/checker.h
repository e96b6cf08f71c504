/*
 * checker.h - the task that checks one server, again and again
 *
 * Layer      edge, health only
 * Threads    worker 0
 */
#pragma once

#include "edge/health/target.h"
#include "runtime/runtime.h"

struct checker;

/*
 * checker_start - check @target from @first on and publish in @slot
 *
 * @target  borrowed for the call
 * @home    set to the checker; cleared when it ends by itself
 *
 * Returns 0, -ENOMEM, -EAGAIN (too many tasks).
 */
MUST_CHECK
int checker_start(const struct health_target *target, int slot, instant first,
    struct checker **home);

/* It publishes nothing from here on, and frees itself. Clears its home. */
void checker_stop(struct checker *checker);

bool checker_is_for(
    const struct checker *checker, const struct health_target *target);

/* Tasks that are alive, stopped or not. */
unsigned checker_count(void);
