/*
 * future_inner.h - a waiter's place at a future, for future.c and select.c
 *
 * Layer      runtime, inside only
 */
#pragma once

#include "base/list.h"
#include "runtime/future.h"
#include "runtime/waiter.h"

struct future_wait {
	struct list node;
	struct waiter *waiter; /* shared */
	int32_t claim; /* to claim the waiter with */
};

/* False when it is set already: nothing was added then. */
bool future_wait_add(struct future *future, struct future_wait *wait);
/* Also of what has been taken off; not of what was never added. */
void future_wait_remove(struct future *future, struct future_wait *wait);
/* Once set: its result. */
int future_result(const struct future *future, void **ret_value);
