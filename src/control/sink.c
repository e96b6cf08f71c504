/*
 * sink.c - one buffer; a stream empties it, a memory grows it
 */
#include "control/sink.h"

#include <errno.h>
#include <stdlib.h>

void
sink_init(struct sink *sink, int (*write)(struct sink *sink, struct bytes data),
    void *to)
{
	*sink = (struct sink){.write = write, .to = to};
}

void
sink_fini(struct sink *sink)
{
	free(sink->out.at);
	sink->out = (struct appender){0};
}

static int
sink_grow(struct sink *sink, size_t bytes)
{
	size_t need = sink->out.length + bytes;
	size_t capacity = max_of(sink->out.capacity * 2, SINK_STREAM_BYTES);
	char *at;

	if (bytes > SINK_MEMORY_BYTES || need > SINK_MEMORY_BYTES)
		return -E2BIG;
	while (capacity < need)
		capacity *= 2;
	at = realloc(sink->out.at, capacity);
	if (at == NULL)
		return -ENOMEM;
	sink->out.at = at;
	sink->out.capacity = capacity;
	return 0;
}

static int
sink_flush(struct sink *sink)
{
	int r = 0;

	if (sink->out.length > 0)
		r = sink->write(sink, appender_bytes(&sink->out));
	sink->out.length = 0;
	return r;
}

struct appender *
sink_room(struct sink *sink, size_t bytes)
{
	int r = 0;

	if (sink->error == 0 && sink->out.overflowed)
		sink->error = -EOVERFLOW;
	if (sink->error != 0) {
		sink->out.length = 0;
		return &sink->out;
	}
	if (appender_room(&sink->out) >= bytes)
		return &sink->out;
	if (sink->write != NULL)
		r = sink_flush(sink);
	if (r == 0 && appender_room(&sink->out) < bytes)
		r = sink_grow(sink, bytes);
	if (r < 0) {
		sink->error = r;
		sink->out.length = 0;
	}
	return &sink->out;
}

int
sink_end(struct sink *sink)
{
	if (sink->error == 0 && sink->out.overflowed)
		sink->error = -EOVERFLOW;
	if (sink->error == 0 && sink->write != NULL)
		sink->error = sink_flush(sink);
	return sink->error;
}
