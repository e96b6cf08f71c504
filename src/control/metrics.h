/*
 * metrics.h - everything that is counted, as Prometheus' text format
 *
 * Layer      control
 * Limits     about 30 series for the program, 22 for each server of the
 *            configuration (at most SHARED_SERVERS_MAX). No label ever holds
 *            what a client sent.
 * Sources    Prometheus, Exposition formats, text format 0.0.4; the rules of
 *            `promtool check metrics`
 */
#pragma once

#include "base/time.h"
#include "config/snapshot.h"
#include "control/sink.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * metrics_write - all of it, from `shared`
 *
 * @snapshot  says which pools have health checks; NULL: none is known. Not
 *            used any more once the sink suspends.
 */
SUSPENDS
void
metrics_write(struct sink *sink, const struct snapshot *snapshot, instant now);
