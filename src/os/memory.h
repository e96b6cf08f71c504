/*
 * memory.h - memory that processes share, and mappings
 *
 * Layer      os
 */
#pragma once

#include "base/cc.h"

/* An anonymous file of exactly @bytes, close-on-exec, sealed against growing
 * and shrinking so that no holder can make another fault.
 * @name  shown in /proc/PID/maps
 * Returns the descriptor or -errno. */
MUST_CHECK
int memory_file_create(const char *name, size_t bytes);

/* The size of a descriptor's file, or -errno. */
MUST_CHECK
int64_t memory_file_bytes(int fd);

void memory_file_close(int fd);

/*
 * Whether memory for the work of a task (a stack, a buffer) is to be refused
 * now, as if there were none. A simulation decides; NULL: never.
 */
extern bool (*memory_denied_hook)(void);
static inline bool
memory_denied(void)
{
	return unlikely(memory_denied_hook != NULL) && memory_denied_hook();
}

/* Map @bytes, readable and writable: shared through @fd, or private and
 * zeroed when @fd is -1. Pages are taken as they are touched.
 * Returns 0 or -errno. */
MUST_CHECK
int memory_map(int fd, size_t bytes, void **ret_memory);
void memory_unmap(void *memory, size_t bytes);
