#include "net/buffers.h"

#include <stdlib.h>

#include "os/memory.h"

struct buffer_link {
	struct buffer_link *next;
};

static __thread struct buffer_link *buffer_stock;
static __thread unsigned buffer_kept, buffer_used;

char *
buffer_acquire(void)
{
	struct buffer_link *link = buffer_stock;

	if (memory_denied())
		return NULL;
	if (likely(link != NULL)) {
		buffer_stock = link->next;
		buffer_kept--;
	} else {
		link = malloc(BUFFER_STRIDE);
	}
	buffer_used += link != NULL;
	return (char *)link;
}

void
buffer_release(char *buffer)
{
	struct buffer_link *link = (struct buffer_link *)buffer;

	if (buffer == NULL)
		return;
	buffer_used--;
	if (buffer_kept >= BUFFERS_KEPT && buffer_kept >= buffer_used) {
		free(buffer);
		return;
	}
	link->next = buffer_stock;
	buffer_stock = link;
	buffer_kept++;
}

void
buffers_thread_end(void)
{
	struct buffer_link *link;

	while ((link = buffer_stock) != NULL) {
		buffer_stock = link->next;
		free(link);
	}
	buffer_kept = 0;
}
