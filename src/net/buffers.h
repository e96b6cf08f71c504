/*
 * buffers.h - a worker's stock of equal buffers
 *
 * Layer      net
 * Threads    one stock per worker; a buffer goes back to the worker that took
 *            it
 * Memory     BUFFER_BYTES each, last in first out so that the warm ones are
 *            used; as many are kept as are in use, and BUFFERS_KEPT always
 */
#pragma once

#include "base/cc.h"

/* 16 KiB of body (one TLS record, one HTTP/2 frame of usual size) and the
 * head before it fit in one buffer, and so in one receive. */
#define BUFFER_BYTES (32 * 1024)
#define BUFFERS_KEPT 256

char *buffer_acquire(void); /* NULL: no memory */
void buffer_release(char *buffer); /* NULL is allowed */
/* Free this thread's stock. */
void buffers_thread_end(void);
