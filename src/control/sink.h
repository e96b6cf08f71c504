/*
 * sink.h - where a report is written: memory that grows, or a stream
 *
 * Layer      control
 * Threads    one task writes
 * Memory     a buffer from malloc, freed by sink_fini()
 * Invariant  after an error nothing more is kept: a report is written to its
 *            end without a look at the sink, and sink_end() tells
 */
#pragma once

#include "base/bytes.h"

/* What a report in memory may grow to: 4,096 servers at 1 KiB, twice. */
#define SINK_MEMORY_BYTES (8u << 20)
/* What a stream gathers before it is written. */
#define SINK_STREAM_BYTES (16u << 10)

struct sink {
	struct appender out;
	/* Takes what is in `out`. NULL: `out` grows to SINK_MEMORY_BYTES. */
	SUSPENDS
	int (*write)(struct sink *sink, struct bytes data);
	void *to; /* of the writer */
	int error;
};

void sink_init(struct sink *sink,
    int (*write)(struct sink *sink, struct bytes data), void *to);
void sink_fini(struct sink *sink);

/*
 * sink_room - make room for @bytes, then give the appender to write them
 *
 * Suspends   a stream whose buffer is full
 * On error   sink->error is set; what was gathered is thrown away, and so is
 *            all that follows
 */
SUSPENDS
struct appender *sink_room(struct sink *sink, size_t bytes);

/* Write what is left of a stream. Returns 0, or the first error. */
SUSPENDS
MUST_CHECK
int sink_end(struct sink *sink);
