/*
 * pool_inner.h - what the ways to use a pool share
 *
 * Layer      runtime, inside only
 */
#pragma once

#include "runtime/pool.h"
#include "runtime/waiter.h"

/* Until the queue may have room, or the pool closes; somebody else may be
 * faster. Returns 0, -ETIMEDOUT, the cancel error. */
SUSPENDS MUST_CHECK int pool_wait_room(struct pool *pool, instant deadline);

unsigned pool_thread_max(const struct pool *pool);
