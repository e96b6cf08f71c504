/*
 * report.h - what the admin API tells, as JSON
 *
 * Layer      control
 * Threads    one task; sinks in memory only, so that nothing suspends and the
 *            snapshot stays what it is
 * Limits     SHARED_SERVERS_MAX servers, about 700 bytes each
 * Invariant  no secret: neither the admin token nor header values nor bodies
 *            of the configuration are written
 */
#pragma once

#include "base/time.h"
#include "config/snapshot.h"
#include "control/sink.h"

/* @snapshot may be NULL, before the first configuration. */
void
report_status(struct sink *sink, const struct snapshot *snapshot, instant now);
/* @pool  at == NULL: every pool. Returns 0, or -ENOENT: no such pool. */
MUST_CHECK
int report_servers(struct sink *sink, const struct snapshot *snapshot,
    struct bytes pool, instant now);
void report_config(struct sink *sink, const struct snapshot *snapshot);
