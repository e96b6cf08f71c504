/*
 * buffers.h - a worker's stock of equal buffers
 *
 * Layer      net
 * Threads    one stock per worker; a buffer goes back to the worker that took
 *            it
 * Memory     BUFFER_STRIDE each, last in first out so that the warm ones are
 *            used; as many are kept as are in use, and BUFFERS_KEPT always:
 *            what a few hundred exchanges take and give in turns, two each
 */
#pragma once

#include "base/cc.h"

/* 16 KiB of body (one TLS record, one HTTP/2 frame of usual size) and the
 * head before it fit in one buffer, and so in one receive. */
#define BUFFER_BYTES (32 * 1024)
#define BUFFERS_KEPT 1024
/* With what malloc(3) adds, 5 lines beyond a multiple of 4,096: most exchanges
 * use the beginning of a buffer alone, and those lie in all sets of the caches
 * so, not in a quarter. What is beyond BUFFER_BYTES is never touched. */
#define BUFFER_STRIDE (BUFFER_BYTES + 4096 + 5 * 64 - 16)

char *buffer_acquire(void); /* NULL: no memory */
void buffer_release(char *buffer); /* NULL is allowed */
/* Free this thread's stock. */
void buffers_thread_end(void);
