/*
 * target.h - one server and how it is checked, apart from any snapshot
 *
 * Layer      edge, health only
 */
#pragma once

#include "base/arena.h"
#include "config/snapshot.h"

struct health_target {
	struct bytes pool;
	struct bytes server;
	struct config_address address; /* with the port that is checked */
	struct config_health check;
	duration resolve_every;
};

/* Borrows everything of @pool and @server. */
struct health_target health_target_of(
    const struct config_pool *pool, const struct config_server *server);

/* A copy whose bytes lie in @arena. Returns 0 or -ENOMEM. */
MUST_CHECK
int health_target_copy(struct arena *arena, const struct health_target *from,
    struct health_target *ret_copy);

bool health_target_equal(
    const struct health_target *a, const struct health_target *b);
