/*
 * reverse.h - the reverse proxy
 *
 * Layer      edge
 * Threads    the exchange's task, and one more for a request body that is
 *            sent while the answer is awaited
 * Sources    RFC 9110 §7.6 (forwarding), §9.2.2 (which requests may be sent
 *            again), §15.2 (interim answers), §7.8 (Upgrade)
 */
#pragma once

#include "http/server.h"

extern const struct feature reverse_feature;

SUSPENDS
int reverse_handle(struct exchange *ex);
