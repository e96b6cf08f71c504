/*
 * admin_change.h - what a client asks to change about a server
 *
 * Layer      control
 * Limits     ADMIN_CHANGE_DEPTH levels of JSON; the caller bounds the bytes
 *
 *   {"state": "ready" | "drain" | "down", "weight": 0-65535 | null}
 *
 * One of both at least; a weight of null is the configured one again.
 */
#pragma once

#include "base/bytes.h"

#define ADMIN_CHANGE_DEPTH 4
#define ADMIN_WEIGHT_MAX   65535

struct admin_change {
	int admin; /* as for control_callbacks.server_set */
	int weight;
};

/* Returns 0, or -EINVAL with *@ret_why: static text that says what is wrong
 * and what would be right. */
MUST_CHECK
int admin_change_parse(
    struct bytes body, struct admin_change *ret_change, const char **ret_why);
