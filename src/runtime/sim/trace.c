#include <stdio.h>
#include <unistd.h>

#include "base/hash.h"
#include "runtime/sim/sim_inner.h"

/* What a failure is explained from. */
#define TRACE_KEPT 200

struct trace_record {
	instant at;
	const char *what;
	uint64_t id;
	int64_t a;
	int64_t b;
};

static struct {
	struct trace_record kept[TRACE_KEPT];
	uint64_t count;
	uint64_t hash;
} trace;

static int
trace_line(const struct trace_record *record, char *into, size_t size)
{
	int64_t us = (record->at.ns - SIM_START_NS) / 1000;

	return snprintf(into, size, "%4lld.%06lld %-20s #%llu %lld %lld",
	    (long long)(us / 1000000), (long long)(us % 1000000), record->what,
	    (unsigned long long)record->id, (long long)record->a,
	    (long long)record->b);
}

static uint64_t
trace_text_hash(const char *text)
{
	uint64_t hash = 0;

	while (*text != '\0')
		hash = hash * 131 + (uint8_t)*text++;
	return hash;
}

void
sim_trace_start(const struct sim_options *options)
{
	trace.count = 0;
	trace.hash = hash_mix(options->seed);
}

void
sim_trace(const char *what, uint64_t id, int64_t a, int64_t b)
{
	struct trace_record *record = &trace.kept[trace.count % TRACE_KEPT];
	char line[128];

	*record = (struct trace_record){sim_here.now, what, id, a, b};
	trace.count++;
	trace.hash = hash_mix(trace.hash ^ trace_text_hash(what));
	trace.hash = hash_mix(trace.hash ^ (uint64_t)record->at.ns);
	trace.hash =
	    hash_mix(trace.hash ^ id ^ (uint64_t)a << 20 ^ (uint64_t)b << 42);
	if (sim_here.options.trace == NULL)
		return;
	(void)trace_line(record, line, sizeof(line));
	sim_here.options.trace(sim_here.options.trace_arg, line);
}

uint64_t
sim_trace_hash(void)
{
	return trace.hash;
}

void
sim_trace_print(int fd)
{
	uint64_t first =
	    trace.count > TRACE_KEPT ? trace.count - TRACE_KEPT : 0;

	for (uint64_t i = first; i < trace.count; i++) {
		char line[128];
		int length = trace_line(
		    &trace.kept[i % TRACE_KEPT], line, sizeof(line) - 1);

		line[length] = '\n';
		(void)!write(fd, line, (size_t)length + 1);
	}
}
