/*
 * shared_sum.h - what the worker's threads counted, added up
 *
 * Layer      control
 * Threads    any; each word is read once, without a lock
 * Memory     blocks of threads that do not run are not touched: the mapping
 *            is sparse, and reading it would fill it
 */
#pragma once

#include "net/shared.h"

void counters_sum(struct counters *ret_sum);
void server_counters_sum(int slot, struct server_counters *ret_sum);

/* The two halves of the slot's key; false: the slot is free. */
bool verdict_key(int slot, struct bytes *ret_pool, struct bytes *ret_server);
